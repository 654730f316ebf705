import time,os,sys,dask,distributed,re,asyncio,contextlib,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
aX={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
aY=('processing','unrunnable')
ch=('memory','released','erred','forgotten')
aZ=20000
ci=100
ar=20
Z=((),(),())
aa=defaultdict(Counter)
def bu(c,cy):
 for name in('resources','workers'):
  for j in islice(cy.get(name)or(),aZ):
   f=c.tasks.get(j)
   if f and(n:=aI(c,f))!=Z:aa[f.group.name][n]+=1
def aI(c,f):
 if f.loose_restrictions:return Z
 workers=sorted((bv(c,l)for l in f.worker_restrictions or()))
 au=sorted((f.resource_restrictions or{}).items())
 return(tuple(au),tuple(sorted(f.host_restrictions or())),tuple(workers))
def bv(c,l):ah=c.workers.get(l);return str(ah.name if ah else l)
def bw(c):
 I=defaultdict(lambda:{d:[0,0.0,0]for d in aX.values()})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for p in c.task_groups.values():
  for d,g in aX.items():
   if(m:=p.states[d]):al(c,I[Z][g],p.prefix,m)
 bc=bx(c)if aa else{}
 for(n,g,p),m in bc.items():aJ(c,I,n,g,p,m)
 for name,B in aa.items():
  p=c.task_groups[name]
  for n,dd in B.items():x=sum((bc.get((n,g,p),0)for g in aY));aJ(c,I,n,'waiting',p,by(p,dd-x))
 g=(bz(n,e)for n,e in I.items())
 return[*islice((n for n in g if n['tasks']),ci)]
def bx(c):
 B=Counter()
 cz=chain.from_iterable((ah.processing for ah in c.workers.values()))
 for cS,g in zip((cz,c.unrunnable),aY,strict=True):
  for f in islice(cS,aZ):
   if f.resource_restrictions or f.worker_restrictions or f.host_restrictions:B[aI(c,f),g,f.group]+=1
 return B
def by(p,m):J=p.states['waiting'];cA=sum((p.states[d]for d in ch));return min(J,round(max(0,m)*J/max(1,J+cA)))
def aJ(c,I,n,g,p,m):
 if n!=Z and m:al(c,I[Z][g],p.prefix,-m);al(c,I[n][g],p.prefix,m)
def al(c,B,bd,m):B[0]+=m;B[1]+=m*c._get_prefix_duration(bd);B[2]+=m*(bd.duration_average<0)
def bz(n,e):au,cT,workers=n;return{'resources':dict(au[:ar]),'hosts':cT[:ar],'workers':workers[:ar],'tasks':{d:{'count':m,'seconds':round(T,3),'unmeasured':dg}for d,(m,T,dg)in e.items()if m>0}}
cj=200
q={}
def am(i,w):
 q.pop(i,None)
 be=[name for name,b in q.items()if b.g]
 for name in be[:max(0,len(be)-cj)]:del q[name]
 q[i]=b=SimpleNamespace(aH=i,dl=w,N=None,U=0,z=0,u=False,aG=False,t=set(),o='waiting',G='',x=0,F=0,X={},y={},Y={},af=time.monotonic(),g=None)
 return b
def ag(b):bf=[aC for j,aC in b.X.items()if j not in b.y and j not in b.Y];return b.g or{'name':b.aH,'state':b.o,'reason':b.G,'workers':b.x,'tasks':b.F,'keys':len(b.y),'bytes':sum(b.y.values()),'moved_keys':len(bf),'moved_bytes':sum(bf),'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),'seconds':round(time.monotonic()-b.af,3)}
def an(b,o):b.o=o;b.g=ag(b);b.X,b.y,b.Y=({},{},{})
def bA(c,l):
 for b in q.values():
  if l in b.t:
   de=[E for D,E in c.get_events(l)if isinstance(E,dict)]
   *D,bs=(E for E in de if E.get('action')=='remove-worker')
   keys=bs['lost-computed-tasks']|bs['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(keys)
   else:b.Y.update(((j,b.X.get(j,0))for j in keys))
def bB():return{l for b in q.values()if b.aG for l in b.t}
ck=10000
cl=20000
ab={}
def bC(c,C,cB):
 g={'schema':1,'revision':C,'polls':cB,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cU in cm.items():
  try:g[name]=cU(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bD(c):
 e=list(c.workers.values())[:ck]
 bg=set(e)
 for av in list(c.plugins.values()):bg.intersection_update(av.valid_workers_downscaling(c,e))
 R=bF(c)
 return[bE(d,d not in bg,R[d.address])for d in e]
def bE(d,cC,R):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-R,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cC,'idle_since':None if d.processing else ab.get(d.address)};return{name:O for name,O in g.items()if O}
def bF(c):
 R=Counter()
 for f in islice(c.replicated_tasks,cl):
  aC=f.get_nbytes()
  for d in f.who_has:R[d.address]+=aC
 return R
def bG(c):cD=c.queued or c.unrunnable or any((dh.processing for dh in c.workers.values()));return None if cD else c.idle_since
def aK(c):return[ad for ad in c.client_comms if'-worker-'not in ad]
def bH(c):
 S={}
 ai=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 ao(S,ai,'scheduler','scheduler')
 for d in c.workers.values():ao(S,aL(d),'workers',str(d.name)[:253])
 for ad in aK(c):ao(S,aL(c.clients[ad]),'clients',ad[:253])
 return list(S.values())
def aL(d):aj=d.versions.get('host',{}).get('python','?').split('.')[:3];bh=d.versions.get('packages',{});return('.'.join(aj),bh.get('dask','?'),bh.get('distributed','?'))
def ao(S,aj,cE,name):
 cF=dict(zip(('python','dask','distributed'),aj,strict=True))
 g=S.setdefault(aj,{**cF,'scheduler':0,'workers':0,'clients':0,'names':[]})
 g[cE]+=1
 if len(g['names'])<3:g['names'].append(name)
cm={'status':lambda c:c.status.name,'idle_since':bG,'clients':lambda c:len(aK(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bD,'demand':bw,'drains':lambda c:[ag(b)for b in q.values()],'versions':bH}
P='dask-operator-'
cn=('ready','constrained','waiting','released',None)
co=('executing','long-running')
cp=500
ac={}
def bI(c,d):
 bJ(c)
 ae=c.extensions.get('stealing')
 m=0
 for f in d.processing:
  if ae and f in ae.in_flight or ac.get((f.key,d.address))==f.run_id:continue
  ac[f.key,d.address]=f.run_id
  cV={'op':'steal-request','key':f.key,'stimulus_id':P+str(f.run_id)}
  c.stream_comms[d.address].send(cV)
  m+=1
  if m==cp:break
 return len(d.processing)
def bJ(c):
 aw=c.stream_handlers.get('steal-response')
 def a_(**W):
  if W['stimulus_id'].startswith(P):bK(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aw:aw(**W)
 if getattr(aw,'ours',None)is None:a_.ours=True;c.stream_handlers['steal-response']=a_
def bK(c,j,l,d,stimulus_id):
 if d not in co:ac.pop((j,l),None)
 f=c.tasks.get(j)
 if d in cn and f and(P+str(f.run_id)==stimulus_id):c._reschedule(j,l,stimulus_id=stimulus_id)
def bL(t):
 for j in[j for j in ac if j[1]in t]:del ac[j]
cq=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
ba=('running','paused')
def aM(c,i,w):bi=c.host_info.get(w,{}).get('addresses')if w else None;e=[c.workers[bp]for bp in bi or c.workers if bp in c.workers];return[d for d in e if bM(str(d.name),i,bool(bi))]
def bM(name,i,cG):
 if name==i or re.fullmatch(re.escape(i)+'-\\d+',name):return True
 bj=cq.fullmatch(name)
 return cG and(not bj or i.startswith(bj.group(1)+'-'))
def bN(c,e):cH={d for d in c.workers.values()if d.status.name in ba}.difference(e);cI={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cI if not f.actor and cH.isdisjoint(f.who_has)}
def bO(c,e):ae=c.extensions.get('stealing');return sum((di['thief']in e for di in ae.in_flight.values()))if ae else 0
def bP(c,e):
 for av in list(c.plugins.values()):
  if len(av.valid_workers_downscaling(c,list(e)))<len(e):return True
 return False
cr=0.25
cs=8
r=SimpleNamespace(C=1,J=0,dk=0.0,bt=asyncio.Event())
def A():r.C+=1;aN()
def aN():r.bt.set();r.bt=asyncio.Event()
async def bQ(C,T,cJ):
 U=time.monotonic()+T
 r.J+=1
 while r.C==C and(not cJ())and((y:=(U-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(r.bt.wait(),y)
 if r.C!=C and T:await asyncio.sleep(r.dk-time.monotonic())
 r.J-=1
def bR(T):r.dk=time.monotonic()+max(0.1,20*T)
class bS(SchedulerPlugin):
 def update_graph(h,c,**cW):aO(bu,c,cW.get('annotations')or{})
 def remove_worker(h,**E):aO(bA,E['scheduler'],E['worker'])
 def add_worker(h,*D,**bn):A()
 def add_client(h,*D,**bn):A()
 def remove_client(h,*D,**bn):A()
def aO(cK,*cL):
 try:cK(*cL)
 except Exception:logger.exception('dask-operator')
 A()
async def bT(c):
 bk=None
 while True:
  with contextlib.suppress(Exception):
   X=bU(c)
   if X!=bk:bk=X;A()
  await asyncio.sleep(cr)
def bU(c):
 for l,d in c.workers.items():
  if d.processing:ab.pop(l,None)
  else:ab.setdefault(l,time.time())
 for l in set(ab).difference(c.workers):del ab[l]
 cM=[d.status for d in c.workers.values()]
 return(c.transition_counter,c.idle_since,cM)
Q='closing_gracefully'
ct=('vetoed','peers paused','actors')
def bV(c,i,w,K,z,u):
 b=q.get(i)
 if not b or(b.g and(not bW(c,b))):b=am(i,w);b.N=asyncio.ensure_future(bX(c,b))
 b.U=time.monotonic()+K
 b.z=z
 b.u=b.u or u
 A()
 return b
def bW(c,b):e=H(c,b);return not e or(b.o in('ready','lost')and aP(b,e))
def aP(b,e):ax=all((d.status.name==Q for d in e));return ax and(not b.F)and(not b.y)
async def bX(c,b):
 try:o=await bY(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.G=('failed',type(error).__name__)
 bL(b.t)
 an(b,o)
 A()
async def bY(c,b):
 aD,o=(0.01,'')
 while True:
  af=time.monotonic()
  with contextlib.suppress(OSError):o=ap(c,b)
  if o:break
  aD=max(min(aD*1.5,0.2),20*(time.monotonic()-af))
  if b.y and(not b.F or af>b.U-b.z):await ca(c,b)
  await asyncio.sleep(aD)
 if b.u and o!='ready'and(b.G!='closing'):await aT(c,b)
 elif o=='refused':aS(c,b)
 return o
def ap(c,b):
 e=H(c,b)
 b.G=bZ(c,b,e)
 if not e:return'lost'if b.Y else'ready'if b.t else'unknown'
 if b.G and(not(b.u and b.G in ct)):return'refused'
 if time.monotonic()>b.U:return'interrupted'
 if b.G!='vetoed':
  b_(c,b,e)
  if aP(b,e):return'lost'if b.Y else'refused'if b.G else'ready'
 return''
def H(c,b):e=aM(c,b.aH,b.dl);b.t.update((d.address for d in e));b.x=len(e);b.F=sum((len(d.processing)for d in e))+bO(c,e);b.y=bN(c,e);b.X.update(b.y);return e
def bZ(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in e)):return'actors'
 cN=not b.aG and time.monotonic()<b.U-b.z
 if(cN or not b.u)and bP(c,e):return'vetoed'
 u=bB()|b.t
 if(b.F or b.y)and u.issuperset((d.address for d in c.running)):ax={l for l,dj in c.workers.items()if dj.status.name=='paused'};return'peers paused'if ax-u else'last worker'
 return''
def b_(c,b,e):
 b.aG=True
 for d in e:
  if d.status.name in ba:c.handle_worker_status_change(Q,d,P+'retire');aQ(c,d,Q)
  bI(c,d)
def aQ(c,d,bl):
 cO={'op':'worker-status-change','status':bl,'stimulus_id':P+bl}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(cO)
async def ca(c,b):
 x=b.t.intersection(c.workers)
 if b.G=='actors':bo=c.replicate(keys=list(b.y),n=1)
 else:bo=c.retire_workers(workers=list(x),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(bo,max(0.1,b.U-time.monotonic()))
 aR(c,x)
def aR(c,t):
 bm=getattr(c.extensions.get('amm'),'policies',set())
 for ay in list(bm):
  if type(ay).__name__=='RetireWorker'and ay.address in t:bm.discard(ay)
def aS(c,b):
 b.aG=False
 aR(c,b.t)
 for d in aM(c,b.aH,b.dl):
  if d.status.name==Q:aQ(c,d,'running')
async def aT(c,b):
 b.g=None
 e=H(c,b)
 F,x=(b.F,b.x)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=P+'dismiss')
 H(c,b)
 b.F,b.x=(F,x)
async def cb(c,L,az,u):
 K,z,ak=az
 K=120 if K is None else K
 z=min(30,K/4)if z is None else z
 aA=[bV(c,i,w,K,z,u)for i,w in L]
 if(cX:=[V.N for V in aA if V.N]):await asyncio.wait(cX,timeout=ak)
 M=[ag(V)for V in aA]
 for V in aA:aU(V)
 return M
async def cc(c,L,*D):
 M=[]
 for i,w in L:
  b=q.get(i)or am(i,w)
  if not b.u:await aq(b);q.pop(i,None);aS(c,b);await cd(c,b)
  e={d.status.name for d in H(c,b)}
  d='leaving'if b.u else'waiting'if Q in e else'running'
  M.append({'name':i,'state':d if e else'unknown','workers':b.x})
 return M
async def cd(c,b):
 for D in range(50):
  if all((d.status.name!=Q for d in H(c,b))):break
  await asyncio.sleep(0.02)
async def ce(c,L,*D):
 M=[]
 for i,w in L:
  b=q.get(i)or am(i,w)
  await aq(b)
  if H(c,b)or not b.t:await aT(c,b);an(b,'forgotten'if b.t else'unknown')
  M.append(ag(b))
  aU(b)
 return M
def aU(b):
 if b.o=='unknown':q.pop(b.aH,None)
async def aq(b):
 if b.N:b.N.cancel();await asyncio.wait([b.N])
 if not b.g:an(b,'cancelled')
async def cf():
 for b in list(q.values()):await aq(b)
 A()
preloads=globals().get('preloads',[])
def load(cP):
 if not preloads:j='distributed.'+cP+'.preload';cY={bq:br for bq,br in os.environ.items()if not bq.endswith('__PRELOAD')and br!='[]'};ai=config.collect(env=cY);preloads.extend(process_preloads(None,config.get(j,[],ai),config.get(j+'-argv',[],ai)))
async def aV(ap,cQ,cR):
 for aB in cQ:
  aB.dask_object=cR
  try:await getattr(aB,ap)()
  except Exception:logger.exception(aB.name)
cu='/dask-operator/v1/(facts|retire|uncordon|forget)'
cv='DASK_OPERATOR_TOKEN'
cw=65536
cx=60
at={'retire':cb,'uncordon':cc,'forget':ce}
bb=[]
async def dask_setup(c):
 await aV('start',preloads,c)
 if(cZ:=os.environ.get(cv)):c.add_plugin(bS(),name='dask-operator');bb.append(asyncio.ensure_future(bT(c)));c_=(cu,cg,{'scheduler':c,'token':cZ});c.http_application.add_handlers('.*',[c_])
async def dask_teardown(c):
 for N in bb:N.cancel()
 await cf()
 await aV('teardown',preloads[::-1],c)
@stream_request_body
class cg(RequestHandler):
 def initialize(h,**aE):vars(h).update(aE,body=b'',gone=False)
 def prepare(h):
  aE=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aE.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cw)
 def data_received(h,da):h.body+=da
 def on_connection_close(h):h.gone=True;aN()
 async def get(h,name):
  if name in at:raise HTTPError(405)
  if r.J>=cs:raise HTTPError(429)
  try:df=int(h.get_argument('after','-1'));ak=aW(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bQ(df,min(ak,cx),lambda:h.gone)
  af=time.monotonic()
  h.answer(bC(h.scheduler,r.C,r.J))
  if ak:bR(time.monotonic()-af)
 async def post(h,name):
  if name not in at:raise HTTPError(405)
  try:aF=json.loads(h.body);L=[(str(i['name']),str(i.get('ip')or''))for i in aF['pods']];az=[aW(aF.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await at[name](h.scheduler,L,az,aF.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):db=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(db)
 def write_error(h,dc,**D):h.finish({'error':dc})
def aW(O):
 if O is not None and(not math.isfinite(O)):raise ValueError
 return O and min(max(O,0),86400)