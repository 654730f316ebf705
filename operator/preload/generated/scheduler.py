import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
aY={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
aZ=('processing','unrunnable')
cg=('memory','released','erred','forgotten')
a_=20000
ch=100
Z=20
aa=((),(),())
ab=defaultdict(Counter)
def bu(c,cx):
 for name in('resources','workers'):
  for j in islice(cx.get(name)or(),a_):
   f=c.tasks.get(j)
   if f and(n:=aI(c,f))!=aa:ab[f.group.name][n]+=1
def aI(c,f):
 if f.loose_restrictions:return aa
 workers=sorted((bv(c,l)for l in f.worker_restrictions or()))
 av=sorted((f.resource_restrictions or{}).items())
 return(tuple(av),tuple(sorted(f.host_restrictions or())),tuple(workers))
def bv(c,l):ai=c.workers.get(l);return str(ai.name if ai else l)
def bw(c):
 I=defaultdict(lambda:{d:[0,0.0,0]for d in aY.values()})
 for name in set(ab).difference(c.task_groups):del ab[name]
 for p in c.task_groups.values():
  for d,g in aY.items():
   if(m:=p.states[d]):an(c,I[aa][g],p.prefix,m)
 bd=bx(c)if ab else{}
 for(n,g,p),m in bd.items():aJ(c,I,n,g,p,m)
 for name,B in ab.items():
  p=c.task_groups[name]
  for n,dd in B.items():x=sum((bd.get((n,g,p),0)for g in aZ));aJ(c,I,n,'waiting',p,by(p,dd-x))
 g=(bz(n,e)for n,e in I.items())
 return[*islice((n for n in g if n['tasks']),ch)]
def bx(c):
 B=Counter()
 cy=chain.from_iterable((ai.processing for ai in c.workers.values()))
 for cS,g in zip((cy,c.unrunnable),aZ,strict=True):
  for f in islice(cS,a_):
   if f.resource_restrictions or f.worker_restrictions or f.host_restrictions:B[aI(c,f),g,f.group]+=1
 return B
def by(p,m):J=p.states['waiting'];cz=sum((p.states[d]for d in cg));return min(J,round(max(0,m)*J/max(1,J+cz)))
def aJ(c,I,n,g,p,m):
 if n!=aa and m:an(c,I[aa][g],p.prefix,-m);an(c,I[n][g],p.prefix,m)
def an(c,B,be,m):B[0]+=m;B[1]+=m*c._get_prefix_duration(be);B[2]+=m*(be.duration_average<0)
def bz(n,e):av,cT,workers=n;return{'resources':dict(av[:Z]),'hosts':cT[:Z],'workers':workers[:Z],'tasks':{d:{'count':m,'seconds':round(T,3),'unmeasured':dg}for d,(m,T,dg)in e.items()if m>0}}
ci=200
q={}
def ao(i,w):
 q.pop(i,None)
 bf=[name for name,b in q.items()if b.g]
 for name in bf[:max(0,len(bf)-ci)]:del q[name]
 q[i]=b=SimpleNamespace(aH=i,dl=w,N=None,U=0,z=0,u=False,aG=False,t=set(),o='waiting',G='',x=0,F=0,X={},y={},Y={},ag=time.monotonic(),g=None)
 return b
def ah(b):bg=[aC for j,aC in b.X.items()if j not in b.y and j not in b.Y];return b.g or{'name':b.aH,'state':b.o,'reason':b.G,'workers':b.x,'tasks':b.F,'keys':len(b.y),'bytes':sum(b.y.values()),'moved_keys':len(bg),'moved_bytes':sum(bg),'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),'seconds':round(time.monotonic()-b.ag,3)}
def ap(b,o):b.o=o;b.g=ah(b);b.X,b.y,b.Y=({},{},{})
def bA(c,l):
 for b in q.values():
  if l in b.t:
   de=[E for D,E in c.get_events(l)if isinstance(E,dict)]
   *D,bs=(E for E in de if E.get('action')=='remove-worker')
   keys=bs['lost-computed-tasks']|bs['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(keys)
   else:b.Y.update(((j,b.X.get(j,0))for j in keys))
def bB():return{l for b in q.values()if b.aG for l in b.t}
cj=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
ba=('running','paused')
def aK(c,i,w):bh=c.host_info.get(w,{}).get('addresses')if w else None;e=[c.workers[bp]for bp in bh or c.workers if bp in c.workers];return[d for d in e if bC(str(d.name),i,bool(bh))]
def bC(name,i,cA):
 if name==i or re.fullmatch(re.escape(i)+'-\\d+',name):return True
 bi=cj.fullmatch(name)
 return cA and(not bi or i.startswith(bi.group(1)+'-'))
def bD(c,e):cB={d for d in c.workers.values()if d.status.name in ba}.difference(e);cC={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cC if not f.actor and cB.isdisjoint(f.who_has)}
def bE(c,e):ae=c.extensions.get('stealing');return sum((dh['thief']in e for dh in ae.in_flight.values()))if ae else 0
def aL(c,e):
 aj=set(e)
 for cD in list(c.plugins.values()):
  with contextlib.suppress(Exception):aj.intersection_update(cD.valid_workers_downscaling(c,list(e)))
 return aj
ck=10000
cl=20000
ac={}
def bF(c,C,cE):
 g={'schema':1,'revision':C,'polls':cE,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cU in cm.items():
  try:g[name]=cU(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bG(c):e=list(c.workers.values())[:ck];aj,R=(aL(c,e),bI(c));return[bH(d,d not in aj,R[d.address])for d in e]
def bH(d,cF,R):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-R,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cF,'idle_since':None if d.processing else ac.get(d.address)};return{name:O for name,O in g.items()if O}
def bI(c):
 R=Counter()
 for f in islice(c.replicated_tasks,cl):
  aC=f.get_nbytes()
  for d in f.who_has:R[d.address]+=aC
 return R
def bJ(c):cG=c.queued or c.unrunnable or any((di.processing for di in c.workers.values()));return None if cG else c.idle_since
def aM(c):return[af for af in c.client_comms if'-worker-'not in af]
def bK(c):
 S={}
 ak=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 aq(S,ak,'scheduler','scheduler')
 for d in c.workers.values():aq(S,aN(d),'workers',str(d.name)[:253])
 for af in aM(c):aq(S,aN(c.clients[af]),'clients',af[:253])
 return list(S.values())[:Z]
def aN(d):al=d.versions.get('host',{}).get('python','?').split('.')[:3];bj=d.versions.get('packages',{});return('.'.join(al),bj.get('dask','?'),bj.get('distributed','?'))
def aq(S,al,cH,name):
 cI=dict(zip(('python','dask','distributed'),al,strict=True))
 g=S.setdefault(al,{**cI,'scheduler':0,'workers':0,'clients':0,'names':[]})
 g[cH]+=1
 if len(g['names'])<3:g['names'].append(name)
cm={'status':lambda c:c.status.name,'idle_since':bJ,'clients':lambda c:len(aM(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bG,'demand':bw,'drains':lambda c:[ah(b)for b in q.values()],'versions':bK}
P='dask-operator-'
cn=('ready','constrained','waiting','released',None)
co=('executing','long-running')
cp=1000
ad={}
def bL(c,d):
 bM(c)
 ae=c.extensions.get('stealing')
 m=0
 for f in d.processing:
  if ae and f in ae.in_flight or ad.get((f.key,d.address))==f.run_id:continue
  ad[f.key,d.address]=f.run_id
  cV={'op':'steal-request','key':f.key,'stimulus_id':P+str(f.run_id)}
  c.stream_comms[d.address].send(cV)
  m+=1
  if m==cp:break
def bM(c):
 aw=c.stream_handlers.get('steal-response')
 def bb(**W):
  if W['stimulus_id'].startswith(P):bN(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aw:aw(**W)
 if getattr(aw,'ours',None)is None:bb.ours=True;c.stream_handlers['steal-response']=bb
def bN(c,j,l,d,stimulus_id):
 if d not in co:ad.pop((j,l),None)
 f=c.tasks.get(j)
 if d in cn and f and(P+str(f.run_id)==stimulus_id):c._reschedule(j,l,stimulus_id=stimulus_id)
def bO(t):
 for j in[j for j in ad if j[1]in t]:del ad[j]
cq=0.25
cr=8
r=SimpleNamespace(C=1,J=0,dk=0.0,bt=asyncio.Event())
def A():r.C+=1;aO()
def aO():r.bt.set();r.bt=asyncio.Event()
async def bP(C,T,cJ):
 U=time.monotonic()+T
 r.J+=1
 while r.C==C and(not cJ())and((y:=(U-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(r.bt.wait(),y)
 if r.C!=C and T:await asyncio.sleep(r.dk-time.monotonic())
 r.J-=1
def bQ(T):r.dk=time.monotonic()+max(0.1,20*T)
class bR(SchedulerPlugin):
 def update_graph(h,c,**cW):aP(bu,c,cW.get('annotations')or{})
 def remove_worker(h,**E):aP(bA,E['scheduler'],E['worker'])
 def add_worker(h,*D,**bn):A()
 def add_client(h,*D,**bn):A()
 def remove_client(h,*D,**bn):A()
def aP(cK,*cL):
 try:cK(*cL)
 except Exception:logger.exception('dask-operator')
 A()
async def bS(c):
 bk=None
 while True:
  with contextlib.suppress(Exception):
   X=bT(c)
   if X!=bk:bk=X;A()
  await asyncio.sleep(cq)
def bT(c):
 for l,d in c.workers.items():
  if d.processing:ac.pop(l,None)
  else:ac.setdefault(l,time.time())
 for l in set(ac).difference(c.workers):del ac[l]
 cM=[d.status for d in c.workers.values()]
 return(c.transition_counter,c.idle_since,cM)
Q='closing_gracefully'
cs=('vetoed','peers paused','actors')
def bU(c,i,w,K,z,u):
 b=q.get(i)
 if not b or(b.g and(not bV(c,b))):b=ao(i,w);b.N=asyncio.ensure_future(bW(c,b))
 b.U=time.monotonic()+K
 b.z=z
 b.u=b.u or u
 A()
 return b
def bV(c,b):e=H(c,b);return not e or(b.o in('ready','lost')and aQ(b,e))
def aQ(b,e):ax=all((d.status.name==Q for d in e));return ax and(not b.F)and(not b.y)
async def bW(c,b):
 try:o=await bX(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.G=('failed',type(error).__name__)
 bO(b.t)
 ap(b,o)
 A()
async def bX(c,b):
 aD,o=(0.01,'')
 while True:
  ag=time.monotonic()
  with contextlib.suppress(OSError):o=ar(c,b)
  if o:break
  aD=max(min(aD*1.5,0.2),20*(time.monotonic()-ag))
  if b.y and(not b.F or ag>b.U-b.z):await b_(c,b)
  await asyncio.sleep(aD)
 if b.u and o!='ready'and(b.G!='closing'):await aU(c,b)
 elif o=='refused':aT(c,b)
 return o
def ar(c,b):
 e=H(c,b)
 b.G=bY(c,b,e)
 if not e:return'lost'if b.Y else'ready'if b.t else'unknown'
 if b.G and(not(b.u and b.G in cs)):return'refused'
 if time.monotonic()>b.U:return'interrupted'
 if b.G!='vetoed':
  bZ(c,b,e)
  if aQ(b,e):return'lost'if b.Y else'refused'if b.G else'ready'
 return''
def H(c,b):e=aK(c,b.aH,b.dl);b.t.update((d.address for d in e));b.x=len(e);b.F=sum((len(d.processing)for d in e))+bE(c,e);b.y=bD(c,e);b.X.update(b.y);return e
def bY(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in e)):return'actors'
 cN=not b.aG and time.monotonic()<b.U-b.z
 if(cN or not b.u)and len(aL(c,e))<len(e):return'vetoed'
 u=bB()|b.t
 if(b.F or b.y)and u.issuperset((d.address for d in c.running)):ax={l for l,dj in c.workers.items()if dj.status.name=='paused'};return'peers paused'if ax-u else'last worker'
 return''
def bZ(c,b,e):
 b.aG=True
 for d in e:
  if d.status.name in ba:c.handle_worker_status_change(Q,d,P+'retire');aR(c,d,Q)
  bL(c,d)
def aR(c,d,bl):
 cO={'op':'worker-status-change','status':bl,'stimulus_id':P+bl}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(cO)
async def b_(c,b):
 x=b.t.intersection(c.workers)
 if b.G=='actors':bo=c.replicate(keys=list(b.y),n=1)
 else:bo=c.retire_workers(workers=list(x),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(bo,max(0.1,b.U-time.monotonic()))
 aS(c,x)
def aS(c,t):
 bm=getattr(c.extensions.get('amm'),'policies',set())
 for ay in list(bm):
  if type(ay).__name__=='RetireWorker'and ay.address in t:bm.discard(ay)
def aT(c,b):
 b.aG=False
 aS(c,b.t)
 for d in aK(c,b.aH,b.dl):
  if d.status.name==Q:aR(c,d,'running')
async def aU(c,b):
 b.g=None
 e=H(c,b)
 F,x=(b.F,b.x)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=P+'dismiss')
 H(c,b)
 b.F,b.x=(F,x)
async def ca(c,L,az,u):
 K,z,am=az
 K=120 if K is None else K
 z=min(30,K/4)if z is None else z
 aA=[bU(c,i,w,K,z,u)for i,w in L]
 if(cX:=[V.N for V in aA if V.N]):await asyncio.wait(cX,timeout=am)
 M=[ah(V)for V in aA]
 for V in aA:aV(V)
 return M
async def cb(c,L,*D):
 M=[]
 for i,w in L:
  b=q.get(i)or ao(i,w)
  if not b.u:await at(b);q.pop(i,None);aT(c,b);await cc(c,b)
  e={d.status.name for d in H(c,b)}
  d='running'if Q not in e else'leaving'if b.u else'waiting'
  M.append({'name':i,'state':d if e else'unknown','workers':b.x})
 return M
async def cc(c,b):
 for D in range(50):
  if all((d.status.name!=Q for d in H(c,b))):break
  await asyncio.sleep(0.02)
async def cd(c,L,*D):
 M=[]
 for i,w in L:
  b=q.get(i)or ao(i,w)
  await at(b)
  if H(c,b)or not b.t:await aU(c,b);ap(b,'forgotten'if b.t else'unknown')
  M.append(ah(b))
  aV(b)
 return M
def aV(b):
 if b.o=='unknown':q.pop(b.aH,None)
async def at(b):
 if b.N:b.N.cancel();await asyncio.wait([b.N])
 if not b.g:ap(b,'cancelled')
async def ce():
 for b in list(q.values()):await at(b)
 A()
preloads=globals().get('preloads',[])
def load(cP):
 if not preloads:j='distributed.'+cP+'.preload';cY={bq:br for bq,br in os.environ.items()if not bq.endswith('__PRELOAD')and br!='[]'};ak=config.collect(env=cY);preloads.extend(process_preloads(None,config.get(j,[],ak),config.get(j+'-argv',[],ak)))
async def aW(ar,cQ,cR):
 for aB in cQ:
  aB.dask_object=cR
  try:await getattr(aB,ar)()
  except Exception:logger.exception(aB.name)
ct='/dask-operator/v1/(facts|retire|uncordon|forget)'
cu='DASK_OPERATOR_TOKEN'
cv=65536
cw=60
au={'retire':ca,'uncordon':cb,'forget':cd}
bc=[]
async def dask_setup(c):
 await aW('start',preloads,c)
 if(cZ:=os.environ.get(cu)):c.add_plugin(bR(),name='dask-operator');bc.append(asyncio.ensure_future(bS(c)));c_=(ct,cf,{'scheduler':c,'token':cZ});c.http_application.add_handlers('.*',[c_])
async def dask_teardown(c):
 for N in bc:N.cancel()
 await ce()
 await aW('teardown',preloads[::-1],c)
@stream_request_body
class cf(RequestHandler):
 def initialize(h,**aE):vars(h).update(aE,body=b'',gone=False)
 def prepare(h):
  aE=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aE.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cv)
 def data_received(h,da):h.body+=da
 def on_connection_close(h):h.gone=True;aO()
 async def get(h,name):
  if name in au:raise HTTPError(405)
  if r.J>=cr:raise HTTPError(429)
  try:df=int(h.get_argument('after','-1'));am=aX(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bP(df,min(am,cw),lambda:h.gone)
  ag=time.monotonic()
  h.answer(bF(h.scheduler,r.C,r.J))
  if am:bQ(time.monotonic()-ag)
 async def post(h,name):
  if name not in au:raise HTTPError(405)
  try:aF=json.loads(h.body);L=[(str(i['name']),str(i.get('ip')or''))for i in aF['pods']];az=[aX(aF.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await au[name](h.scheduler,L,az,aF.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):db=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(db)
 def write_error(h,dc,**D):h.finish({'error':dc})
def aX(O):
 if O is not None and(not math.isfinite(O)):raise ValueError
 return O and min(max(O,0),86400)