import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
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
Z=20
aa=((),(),())
ab=defaultdict(Counter)
def bv(c,cy):
 for name in('resources','workers'):
  for j in islice(cy.get(name)or(),aZ):
   f=c.tasks.get(j)
   if f and(n:=aJ(c,f))!=aa:ab[f.group.name][n]+=1
def aJ(c,f):
 if f.loose_restrictions:return aa
 workers=sorted((bw(c,l)for l in f.worker_restrictions or()))
 ax=sorted((f.resource_restrictions or{}).items())
 return(tuple(ax),tuple(sorted(f.host_restrictions or())),tuple(workers))
def bw(c,l):ai=c.workers.get(l);return str(ai.name if ai else l)
def bx(c):
 J=defaultdict(lambda:{d:[0,0.0,0]for d in aX.values()})
 for name in set(ab).difference(c.task_groups):del ab[name]
 for p in c.task_groups.values():
  for d,g in aX.items():
   if(m:=p.states[d]):an(c,J[aa][g],p.prefix,m)
 bc=by(c)if ab else{}
 for(n,g,p),m in bc.items():aK(c,J,n,g,p,m)
 for name,D in ab.items():
  p=c.task_groups[name]
  for n,df in D.items():y=sum((bc.get((n,g,p),0)for g in aY));aK(c,J,n,'waiting',p,bz(p,df-y))
 g=(bA(n,e)for n,e in J.items())
 return[*islice((n for n in g if n['tasks']),ci)]
def by(c):
 D=Counter()
 cz=chain.from_iterable((ai.processing for ai in c.workers.values()))
 for cU,g in zip((cz,c.unrunnable),aY,strict=True):
  for f in islice(cU,aZ):
   if f.resource_restrictions or f.worker_restrictions or f.host_restrictions:D[aJ(c,f),g,f.group]+=1
 return D
def bz(p,m):z=p.states['waiting'];cA=sum((p.states[d]for d in ch));return min(z,round(max(0,m)*z/max(1,z+cA)))
def aK(c,J,n,g,p,m):
 if n!=aa and m:an(c,J[aa][g],p.prefix,-m);an(c,J[n][g],p.prefix,m)
def an(c,D,bd,m):D[0]+=m;D[1]+=m*c._get_prefix_duration(bd);D[2]+=m*(bd.duration_average<0)
def bA(n,e):ax,cV,workers=n;return{'resources':dict(ax[:Z]),'hosts':cV[:Z],'workers':workers[:Z],'tasks':{d:{'count':m,'seconds':round(T,3),'unmeasured':di}for d,(m,T,di)in e.items()if m>0}}
cj=200
t={}
def ao(i,u):
 t.pop(i,None)
 be=[name for name,b in t.items()if b.g]
 for name in be[:max(0,len(be)-cj)]:del t[name]
 t[i]=b=SimpleNamespace(aH=i,dn=u,N=None,U=0,A=0,x=False,bu=False,r=set(),aI=set(),o='waiting',H='',y=0,B=0,X={},w={},Y={},ag=time.monotonic(),g=None)
 return b
def ah(b):bf=[aD for j,aD in b.X.items()if j not in b.w and j not in b.Y];return b.g or{'name':b.aH,'state':b.o,'reason':b.H,'workers':b.y,'tasks':b.B,'keys':len(b.w),'bytes':sum(b.w.values()),'moved_keys':len(bf),'moved_bytes':sum(bf),'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),'seconds':round(time.monotonic()-b.ag,3)}
def ap(b,o):b.o=o;b.g=ah(b);b.X,b.w,b.Y=({},{},{})
def bB(c,l):
 for b in t.values():
  if l in b.r and(not(b.g and l in b.aI)):
   b.aI.add(l)
   dg=[G for F,G in c.get_events(l)if isinstance(G,dict)]
   *F,bs=(G for G in dg if G.get('action')=='remove-worker')
   keys=bs['lost-computed-tasks']|bs['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(keys)
   else:b.Y.update(((j,b.X.get(j,0))for j in keys))
ck=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
a_=('running','paused')
def aL(c,i,u):bg=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[bp]for bp in bg or c.workers if bp in c.workers];return[d for d in e if bC(str(d.name),i,bool(bg))]
def bC(name,i,cB):
 if name==i or re.fullmatch(re.escape(i)+'-\\d+',name):return True
 bh=ck.fullmatch(name)
 return cB and(not bh or i.startswith(bh.group(1)+'-'))
def bD(c,e):cC={d for d in c.workers.values()if d.status.name in a_}.difference(e);cD={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cD if not f.actor and cC.isdisjoint(f.who_has)}
def bE(c,e):ae=c.extensions.get('stealing');return sum((dk['thief']in e for dk in ae.in_flight.values()))if ae else 0
def aM(c,e):
 aj=set(e)
 for cE in list(c.plugins.values()):
  with contextlib.suppress(Exception):aj.intersection_update(cE.valid_workers_downscaling(c,list(e)))
 return aj
cl=10000
cm=20000
ac={}
def bF(c,E,cF):
 g={'schema':1,'revision':E,'polls':cF,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,cW in cn.items():
  try:g[name]=cW(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bG(c):e=list(c.workers.values())[:cl];aj,R=(aM(c,e),bI(c));return[bH(d,d not in aj,R[d.address])for d in e]
def bH(d,cG,R):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-R,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cG,'idle_since':None if d.processing else ac.get(d.address)};return{name:O for name,O in g.items()if O}
def bI(c):
 R=Counter()
 for f in islice(c.replicated_tasks,cm):
  aD=f.get_nbytes()
  for d in f.who_has:R[d.address]+=aD
 return R
def bJ(c):cH=c.queued or c.unrunnable or any((dl.processing for dl in c.workers.values()));return None if cH else c.idle_since
def aN(c):return[af for af in c.client_comms if'-worker-'not in af]
def bK(c):
 S={}
 ak=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 aq(S,ak,'scheduler','scheduler')
 for d in c.workers.values():aq(S,aO(d),'workers',str(d.name)[:253])
 for af in aN(c):aq(S,aO(c.clients[af]),'clients',af[:253])
 return list(S.values())[:Z]
def aO(d):al=d.versions.get('host',{}).get('python','?').split('.')[:3];bi=d.versions.get('packages',{});return('.'.join(al),bi.get('dask','?'),bi.get('distributed','?'))
def aq(S,al,cI,name):
 cJ=dict(zip(('python','dask','distributed'),al,strict=True))
 g=S.setdefault(al,{**cJ,'scheduler':0,'workers':0,'clients':0,'names':[]})
 g[cI]+=1
 if len(g['names'])<3:g['names'].append(name)
cn={'status':lambda c:c.status.name,'idle_since':bJ,'clients':lambda c:len(aN(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bG,'demand':bx,'drains':lambda c:[ah(b)for b in t.values()],'versions':bK}
P='dask-operator-'
co=('ready','constrained','waiting','released',None)
cp=('executing','long-running')
cq=1000
ad={}
def bL(c,d):
 bM(c)
 ae=c.extensions.get('stealing')
 m=0
 for f in d.processing:
  if ae and f in ae.in_flight or ad.get((f.key,d.address))==f.run_id:continue
  ad[f.key,d.address]=f.run_id
  cX={'op':'steal-request','key':f.key,'stimulus_id':P+str(f.run_id)}
  c.stream_comms[d.address].send(cX)
  m+=1
  if m==cq:break
def bM(c):
 ay=c.stream_handlers.get('steal-response')
 def ba(**W):
  if W['stimulus_id'].startswith(P):bN(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif ay:ay(**W)
 if getattr(ay,'ours',None)is None:ba.ours=True;c.stream_handlers['steal-response']=ba
def bN(c,j,l,d,stimulus_id):
 if d not in cp:ad.pop((j,l),None)
 f=c.tasks.get(j)
 if d in co and f and(P+str(f.run_id)==stimulus_id):c._reschedule(j,l,stimulus_id=stimulus_id)
def bO(r):
 for j in[j for j in ad if j[1]in r]:del ad[j]
cr=0.25
cs=8
q=SimpleNamespace(E=1,z=0,dm=0.0,bt=asyncio.Event())
def C():q.E+=1;aP()
def aP():q.bt.set();q.bt=asyncio.Event()
async def bP(E,T,cK):
 U=time.monotonic()+T
 q.z+=1
 while q.E==E and(not cK())and((w:=(U-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bt.wait(),w)
 if q.E!=E and T:await asyncio.sleep(q.dm-time.monotonic())
 q.z-=1
def bQ(T):q.dm=time.monotonic()+max(0.1,20*T)
class bR(SchedulerPlugin):
 def update_graph(h,c,**cY):aQ(bv,c,cY.get('annotations')or{})
 def remove_worker(h,**G):aQ(bB,G['scheduler'],G['worker'])
 def add_worker(h,*F,**bn):C()
 def add_client(h,*F,**bn):C()
 def remove_client(h,*F,**bn):C()
def aQ(cL,*cM):
 try:cL(*cM)
 except Exception:logger.exception('dask-operator')
 C()
async def bS(c):
 bj=None
 while True:
  with contextlib.suppress(Exception):
   X=bT(c)
   if X!=bj:bj=X;C()
  await asyncio.sleep(cr)
def bT(c):
 for l,d in c.workers.items():
  if d.processing:ac.pop(l,None)
  else:ac.setdefault(l,time.time())
 for l in set(ac).difference(c.workers):del ac[l]
 cN=[d.status for d in c.workers.values()]
 return(c.transition_counter,c.idle_since,cN)
Q='closing_gracefully'
ct=('vetoed','peers paused','actors')
def bU(c,i,u,K,A,x):
 b=t.get(i)
 if not b or(b.g and(not bV(c,b))):b=ao(i,u);b.N=asyncio.ensure_future(bW(c,b))
 b.U=time.monotonic()+K
 b.A=A
 b.x=b.x or x
 C()
 return b
def bV(c,b):e=I(c,b);return not e or(b.o in('ready','lost')and aR(b,e))
def aR(b,e):cO=all((d.status.name==Q for d in e));return cO and(not b.B)and(not b.w)
async def bW(c,b):
 try:o=await bY(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.H=('failed',type(error).__name__);await bX(c,b)
 bO(b.r)
 ap(b,o)
 C()
async def bX(c,b):
 with contextlib.suppress(Exception):
  if b.x:await au(c,b)
  else:at(c,b)
async def bY(c,b):
 aE,o=(0.01,'')
 while True:
  ag=time.monotonic()
  with contextlib.suppress(OSError):o=ar(c,b)
  if o:break
  aE=max(min(aE*1.5,0.2),20*(time.monotonic()-ag))
  if b.w and(not b.B or ag>b.U-b.A):await ca(c,b)
  await asyncio.sleep(aE)
 if b.x and o!='ready'and(b.H!='closing'):await au(c,b)
 elif o=='refused':at(c,b)
 return o
def ar(c,b):
 e=I(c,b)
 b.H=bZ(c,b,e)
 if not e:return'lost'if b.Y else'ready'if b.r else'unknown'
 if b.H and(not(b.x and b.H in ct)):return'refused'
 if time.monotonic()>b.U:return'interrupted'
 if b.H!='vetoed':
  b_(c,b,e)
  if aR(b,e):return'lost'if b.Y else'refused'if b.H else'ready'
 return''
def I(c,b):e=aL(c,b.aH,b.dn);b.r.update((d.address for d in e));b.y=len(e);b.B=sum((len(d.processing)for d in e))+bE(c,e);b.w=bD(c,e);b.X.update(b.w);return e
def bZ(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 bk=b.r.issuperset((d.address for d in c.running))
 z={l for l,dj in c.workers.items()if dj.status.name=='paused'}
 if bk and(b.B or b.w)and(not z-b.r):return'last worker'
 if any((d.actors for d in e)):return'actors'
 cP=not b.bu and time.monotonic()<b.U-b.A
 if(cP or not b.x)and len(aM(c,e))<len(e):return'vetoed'
 return'peers paused'if bk and(b.B or b.w)else''
def b_(c,b,e):
 b.bu=True
 for d in e:
  if d.status.name in a_:c.handle_worker_status_change(Q,d,P+'retire');aS(c,d,Q)
  bL(c,d)
def aS(c,d,bl):
 cQ={'op':'worker-status-change','status':bl,'stimulus_id':P+bl}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(cQ)
async def ca(c,b):
 y=b.r.intersection(c.workers)
 if b.H=='actors':bo=c.replicate(keys=list(b.w),n=1)
 else:bo=c.retire_workers(workers=list(y),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError,KeyError,ValueError):await asyncio.wait_for(bo,max(0.1,b.U-time.monotonic()))
 aT(c,y)
def aT(c,r):
 bm=getattr(c.extensions.get('amm'),'policies',set())
 for az in list(bm):
  if type(az).__name__=='RetireWorker'and az.address in r:bm.discard(az)
def at(c,b):
 b.bu=False
 aT(c,b.r)
 for d in aL(c,b.aH,b.dn):
  if d.status.name==Q:aS(c,d,'running')
async def au(c,b):
 b.g=None
 e=I(c,b)
 B,y=(b.B,b.y)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=P+'dismiss')
 I(c,b)
 b.B,b.y=(B,y)
async def cb(c,L,aA,x):
 K,A,am=aA
 K=120 if K is None else K
 A=min(30,K/4)if A is None else A
 aB=[bU(c,i,u,K,A,x)for i,u in L]
 if(cZ:=[V.N for V in aB if V.N]):await asyncio.wait(cZ,timeout=am)
 M=[ah(V)for V in aB]
 for V in aB:aU(V)
 return M
async def cc(c,L,*F):
 M=[]
 for i,u in L:
  b=t.get(i)or ao(i,u)
  if not b.x:await av(b);t.pop(i,None);at(c,b);await cd(c,b)
  e={d.status.name for d in I(c,b)}
  d='running'if Q not in e else'leaving'if b.x else'waiting'
  M.append({'name':i,'state':d if e else'unknown','workers':b.y})
 return M
async def cd(c,b):
 for F in range(50):
  if all((d.status.name!=Q for d in I(c,b))):break
  await asyncio.sleep(0.02)
async def ce(c,L,*F):
 M=[]
 for i,u in L:
  b=t.get(i)or ao(i,u)
  await av(b)
  if I(c,b)or not b.r:await au(c,b);ap(b,'forgotten'if b.r else'unknown')
  M.append(ah(b))
  aU(b)
 return M
def aU(b):
 if b.o=='unknown':t.pop(b.aH,None)
async def av(b):
 if b.N:b.N.cancel();await asyncio.wait([b.N])
 if not b.g:ap(b,'cancelled')
async def cf():
 for b in list(t.values()):await av(b)
 C()
preloads=globals().get('preloads',[])
def load(cR):
 if not preloads:j='distributed.'+cR+'.preload';c_={bq:br for bq,br in os.environ.items()if not bq.endswith('__PRELOAD')and br!='[]'};ak=config.collect(env=c_);preloads.extend(process_preloads(None,config.get(j,[],ak),config.get(j+'-argv',[],ak)))
async def aV(ar,cS,cT):
 for aC in cS:
  aC.dask_object=cT
  try:await getattr(aC,ar)()
  except Exception:logger.exception(aC.name)
cu='/dask-operator/v1/(facts|retire|uncordon|forget)'
cv='OPERATOR_TOKEN'
cw=65536
cx=60
aw={'retire':cb,'uncordon':cc,'forget':ce}
bb=[]
async def dask_setup(c):
 await aV('start',preloads,c)
 if(da:=os.environ.get(cv)):c.add_plugin(bR(),name='dask-operator');bb.append(asyncio.ensure_future(bS(c)));db=(cu,cg,{'scheduler':c,'token':da});c.http_application.add_handlers('.*',[db])
async def dask_teardown(c):
 for N in bb:N.cancel()
 await cf()
 await aV('teardown',preloads[::-1],c)
@stream_request_body
class cg(RequestHandler):
 def initialize(h,**aF):vars(h).update(aF,body=b'',aI=False)
 def prepare(h):
  aF=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aF.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cw)
 def data_received(h,dc):h.body+=dc
 def on_connection_close(h):h.aI=True;aP()
 async def get(h,name):
  if name in aw:raise HTTPError(405)
  if q.z>=cs:raise HTTPError(429)
  try:dh=int(h.get_argument('after','-1'));am=aW(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bP(dh,min(am,cx),lambda:h.aI)
  ag=time.monotonic()
  h.answer(bF(h.scheduler,q.E,q.z))
  if am:bQ(time.monotonic()-ag)
 async def post(h,name):
  if name not in aw:raise HTTPError(405)
  try:aG=json.loads(h.body);L=[(str(i['name']),str(i.get('ip')or''))for i in aG['pods']];aA=[aW(aG.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aw[name](h.scheduler,L,aA,aG.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dd=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dd)
 def write_error(h,de,**F):h.finish({'error':de})
def aW(O):
 if O is not None and(not math.isfinite(O)):raise ValueError
 return O and min(max(O,0),86400)