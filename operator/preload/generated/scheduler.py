import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
a_={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
ba=('processing','unrunnable')
cn=('memory','released','erred','forgotten')
bb=20000
co=100
Y=20
Z=((),(),())
aa=defaultdict(Counter)
def bA(c,cF):
 for name in('resources','workers'):
  for l in islice(cF.get(name)or(),bb):
   g=c.tasks.get(l)
   if g and(n:=aM(c,g))!=Z:aa[g.group.name][n]+=1
def aM(c,g):
 if g.loose_restrictions:return Z
 workers=sorted((bB(c,j)for j in g.worker_restrictions or()))
 az=sorted((g.resource_restrictions or{}).items())
 return(tuple(az),tuple(sorted(g.host_restrictions or())),tuple(workers))
def bB(c,j):ai=c.workers.get(j);return str(ai.name if ai else j)
def bC(c):
 J=defaultdict(lambda:{d:[0,0.0,0]for d in a_.values()})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for q in c.task_groups.values():
  for d,f in a_.items():
   if(m:=q.states[d]):ao(c,J[Z][f],q.prefix,m)
 bf=bD(c)if aa else{}
 for(n,f,q),m in bf.items():aN(c,J,n,f,q,m)
 for name,F in aa.items():
  q=c.task_groups[name]
  for n,dl in F.items():w=sum((bf.get((n,f,q),0)for f in ba));aN(c,J,n,'waiting',q,bE(q,dl-w))
 f=(bF(n,e)for n,e in J.items())
 return[*islice((n for n in f if n['tasks']),co)]
def bD(c):
 F=Counter()
 cG=chain.from_iterable((ai.processing for ai in c.workers.values()))
 for c_,f in zip((cG,c.unrunnable),ba,strict=True):
  for g in islice(c_,bb):
   if g.resource_restrictions or g.worker_restrictions or g.host_restrictions:F[aM(c,g),f,g.group]+=1
 return F
def bE(q,m):B=q.states['waiting'];cH=sum((q.states[d]for d in cn));return min(B,round(max(0,m)*B/max(1,B+cH)))
def aN(c,J,n,f,q,m):
 if n!=Z and m:ao(c,J[Z][f],q.prefix,-m);ao(c,J[n][f],q.prefix,m)
def ao(c,F,bg,m):F[0]+=m;F[1]+=m*c._get_prefix_duration(bg);F[2]+=m*(bg.duration_average<0)
def bF(n,e):az,da,workers=n;return{'resources':dict(az[:Y]),'hosts':da[:Y],'workers':workers[:Y],'tasks':{d:{'count':m,'seconds':round(T,3),'unmeasured':dn}for d,(m,T,dn)in e.items()if m>0}}
cp=200
t={}
def ap(i,u):
 t.pop(i,None)
 bh=[name for name,b in t.items()if b.f]
 for name in bh[:max(0,len(bh)-cp)]:del t[name]
 t[i]=b=SimpleNamespace(aK=i,ds=u,N=None,U=0,D=0,y=False,bz=False,r=set(),aL=set(),o='waiting',z='',w=0,E=0,I={},x={},X={},ag=time.monotonic(),f=None)
 return b
def ah(b):bi=[aG for l,aG in b.I.items()if l not in b.x and l not in b.X];return b.f or{'name':b.aK,'state':b.o,'reason':b.z,'workers':b.w,'tasks':b.E,'keys':len(b.x),'bytes':sum(b.x.values()),'moved_keys':len(bi),'moved_bytes':sum(bi),'lost_keys':len(b.X),'lost_bytes':sum(b.X.values()),'seconds':round(time.monotonic()-b.ag,3)}
def aq(b,o):b.o=o;b.f=ah(b);b.I,b.x,b.X=({},{},{})
def bG(c,j):
 for b in t.values():
  if j in b.r and(not(b.f and j in b.aL)):
   b.aL.add(j)
   dm=[H for G,H in c.get_events(j)if isinstance(H,dict)]
   *G,bx=(H for H in dm if H.get('action')=='remove-worker')
   keys=bx['lost-computed-tasks']|bx['lost-scattered-tasks']
   if b.f:b.f['lost_keys']+=len(keys)
   else:b.X.update(((l,b.I.get(l,0))for l in keys))
cq=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bc=('running','paused')
def aO(c,i,u):bj=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[bt]for bt in bj or c.workers if bt in c.workers];return[d for d in e if bH(str(d.name),i,bool(bj))]
def bH(name,i,cI):
 if name==i or re.fullmatch(re.escape(i)+'-\\d+',name):return True
 bk=cq.fullmatch(name)
 return cI and(not bk or i.startswith(bk.group(1)+'-'))
def bI(c,e):cJ={d for d in c.workers.values()if d.status.name in bc}.difference(e);cK={g for d in e for g in d.has_what};return{g.key:g.get_nbytes()for g in cK if not g.actor and cJ.isdisjoint(g.who_has)}
def bJ(c,e):ae=c.extensions.get('stealing');return sum((dp['thief']in e for dp in ae.in_flight.values()))if ae else 0
def aP(c,e):
 aj=set(e)
 for cL in list(c.plugins.values()):
  with contextlib.suppress(Exception):aj.intersection_update(cL.valid_workers_downscaling(c,list(e)))
 return aj
cr=10000
cs=20000
ab={}
def bK(c,C,cM):
 f={'schema':1,'revision':C,'polls':cM,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,db in ct.items():
  try:f[name]=db(c)
  except Exception as error:f['missing'].append(name+' '+type(error).__name__)
 return f
def bL(c):e=list(c.workers.values())[:cr];aj,R=(aP(c,e),bN(c));return[bM(d,d not in aj,R[d.address])for d in e]
def bM(d,cN,R):f={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Y)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-R,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cN,'idle_since':None if d.processing else ab.get(d.address)};return{name:O for name,O in f.items()if O}
def bN(c):
 R=Counter()
 for g in islice(c.replicated_tasks,cs):
  aG=g.get_nbytes()
  for d in g.who_has:R[d.address]+=aG
 return R
def bO(c):cO=c.queued or c.unrunnable or any((dq.processing for dq in c.workers.values()));return None if cO else c.idle_since
def aQ(c):return[af for af in c.client_comms if'-worker-'not in af]
def bP(c):
 S={}
 ak=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 ar(S,ak,'scheduler','scheduler')
 for d in c.workers.values():ar(S,aR(d),'workers',str(d.name)[:253])
 for af in aQ(c):ar(S,aR(c.clients[af]),'clients',af[:253])
 return list(S.values())[:Y]
def aR(d):al=d.versions.get('host',{}).get('python','?').split('.')[:3];bl=d.versions.get('packages',{});return('.'.join(al),bl.get('dask','?'),bl.get('distributed','?'))
def ar(S,al,cP,name):
 cQ=dict(zip(('python','dask','distributed'),al,strict=True))
 f=S.setdefault(al,{**cQ,'scheduler':0,'workers':0,'clients':0,'names':[]})
 f[cP]+=1
 if len(f['names'])<3:f['names'].append(name)
ct={'status':lambda c:c.status.name,'idle_since':bO,'clients':lambda c:len(aQ(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bL,'demand':bC,'drains':lambda c:[ah(b)for b in t.values()],'versions':bP}
Q='dask-operator-'
cu=('ready','constrained','waiting','released',None)
cv=('executing','long-running')
cw=1000
ac={}
def bQ(c,d):
 bR(c)
 ae=c.extensions.get('stealing')
 m=0
 for g in d.processing:
  if ae and g in ae.in_flight or ac.get((g.key,d.address))==g.run_id:continue
  ac[g.key,d.address]=g.run_id
  dc={'op':'steal-request','key':g.key,'stimulus_id':Q+str(g.run_id)}
  c.stream_comms[d.address].send(dc)
  m+=1
  if m==cw:break
def bR(c):
 aA=c.stream_handlers.get('steal-response')
 def bd(**W):
  if W['stimulus_id'].startswith(Q):bS(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aA:aA(**W)
 if getattr(aA,'ours',None)is None:bd.ours=True;c.stream_handlers['steal-response']=bd
def bS(c,l,j,d,stimulus_id):
 if d not in cv:ac.pop((l,j),None)
 g=c.tasks.get(l)
 if d in cu and g and(Q+str(g.run_id)==stimulus_id):c._reschedule(l,j,stimulus_id=stimulus_id)
def bT(r):
 for l in[l for l in ac if l[1]in r]:del ac[l]
cx=0.25
cy=0.1
cz=8
p=SimpleNamespace(C=1,B=0,dr=0.0,by=asyncio.Event())
def A():p.C+=1;aS()
def aS():p.by.set();p.by=asyncio.Event()
async def bU(C,T,cR):
 U=time.monotonic()+T
 p.B+=1
 while p.C==C and(not cR())and((x:=(U-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(p.by.wait(),x)
 if p.C!=C and T:await asyncio.sleep(p.dr-time.monotonic())
 p.B-=1
def bV(T):p.dr=time.monotonic()+max(cy,20*T)
class bW(SchedulerPlugin):
 def update_graph(h,c,**dd):aT(bA,c,dd.get('annotations')or{})
 def remove_worker(h,**H):aT(bG,H['scheduler'],H['worker'])
 def add_worker(h,*G,**bp):A()
 def add_client(h,*G,**bp):A()
 def remove_client(h,*G,**bp):A()
def aT(cS,*cT):
 try:cS(*cT)
 except Exception:logger.exception('dask-operator')
 A()
async def bX(c):
 bm=None
 while True:
  with contextlib.suppress(Exception):
   I=bY(c)
   if I!=bm:bm=I;A()
  await asyncio.sleep(cx)
def bY(c):
 for j,d in c.workers.items():
  if d.processing:ab.pop(j,None)
  else:ab.setdefault(j,time.time())
 for j in set(ab).difference(c.workers):del ab[j]
 cU=[d.status for d in c.workers.values()]
 return(c.transition_counter,c.idle_since,cU)
ad='closing_gracefully'
cA=('vetoed','peers paused','actors')
def bZ(c,i,u,K,D,y):
 b=t.get(i)
 if not b or(b.f and(not b_(c,b))):b=ap(i,u);b.N=asyncio.ensure_future(ca(c,b))
 b.U=time.monotonic()+K
 b.D=D
 b.y=b.y or y
 A()
 return b
def b_(c,b):e=P(c,b);return not e or(b.o in('ready','lost')and aU(b,e))
def aU(b,e):aB=all((d.status.name==ad for d in e));return aB and(not b.E)and(not b.x)
async def ca(c,b):
 try:o=await cc(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.z=('failed',type(error).__name__);await cb(c,b)
 bT(b.r)
 aq(b,o)
 A()
async def cb(c,b):
 with contextlib.suppress(Exception):
  if b.y:await av(c,b)
  else:au(c,b)
async def cc(c,b):
 aH,o,bq=(0.01,'',0)
 while True:
  ag=time.monotonic()
  with contextlib.suppress(OSError):o=at(c,b)
  if o:break
  aH=max(min(aH*1.5,0.2),20*(time.monotonic()-ag))
  if b.x and b.z in('','actors'):
   if not b.E or ag>b.U-b.D:await cg(c,b)
   elif b.y and(not b.z)and(len(b.I)>bq):bq=len(b.I);cf(c,b)
  await asyncio.sleep(aH)
 if b.y and o!='ready'and(b.z!='closing'):await av(c,b)
 elif o=='refused':au(c,b)
 return o
def at(c,b):
 e=P(c,b)
 b.z=cd(c,b,e)
 if not e:return'lost'if b.X else'ready'if b.r else'unknown'
 if b.z and(not(b.y and b.z in cA)):return'refused'
 if time.monotonic()>b.U:return'interrupted'
 if b.z!='vetoed':
  ce(c,b,e)
  if aU(b,e):return'lost'if b.X else'refused'if b.z else'ready'
 return''
def P(c,b):e=aO(c,b.aK,b.ds);b.r.update((d.address for d in e));b.w=len(e);b.E=sum((len(d.processing)for d in e))+bJ(c,e);b.x=bI(c,e);b.I.update(b.x);return e
def cd(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 bn=b.r.issuperset((d.address for d in c.running))
 B={j for j,do in c.workers.items()if do.status.name=='paused'}
 if bn and(b.E or b.x)and(not B-b.r):return'last worker'
 if any((d.actors for d in e)):return'actors'
 cV=not b.bz and time.monotonic()<b.U-b.D
 if(cV or not b.y)and len(aP(c,e))<len(e):return'vetoed'
 return'peers paused'if bn and(b.E or b.x)else''
def ce(c,b,e):
 b.bz=True
 for d in e:
  if d.status.name in bc:c.handle_worker_status_change(ad,d,Q+'retire');aV(c,d,ad)
  bQ(c,d)
def aV(c,d,bo):
 cW={'op':'worker-status-change','status':bo,'stimulus_id':Q+bo}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(cW)
def cf(c,b):
 with contextlib.suppress(Exception):from distributed.active_memory_manager import ActiveMemoryManagerExtension,RetireWorker;am={RetireWorker(j)for j in b.r.intersection(c.workers)};ActiveMemoryManagerExtension(c,am,register=False,start=False).run_once()
async def cg(c,b):
 w=b.r.intersection(c.workers)
 if b.z=='actors':br=c.replicate(keys=list(b.x),n=1)
 else:br=c.retire_workers(workers=list(w),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError,KeyError,ValueError):await asyncio.wait_for(br,max(0.1,b.U-time.monotonic()))
 aW(c,w)
def aW(c,r):
 am=getattr(c.extensions.get('amm'),'policies',set())
 for aC in list(am):
  if type(aC).__name__=='RetireWorker'and aC.address in r:am.discard(aC)
def au(c,b):
 b.bz=False
 aW(c,b.r)
 for d in aO(c,b.aK,b.ds):
  if d.status.name==ad:aV(c,d,'running')
async def av(c,b):
 b.f=None
 e=P(c,b)
 E,w=(b.E,b.w)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=Q+'dismiss')
 P(c,b)
 b.E,b.w=(E,w)
async def ch(c,L,aD,y):
 K,D,an=aD
 K=120 if K is None else K
 D=min(30,K/4)if D is None else D
 aE=[bZ(c,i,u,K,D,y)for i,u in L]
 if(de:=[V.N for V in aE if V.N]):await asyncio.wait(de,timeout=an)
 M=[ah(V)for V in aE]
 for V in aE:aX(V)
 return M
async def ci(c,L,*G):
 M=[]
 for i,u in L:
  b=t.get(i)or ap(i,u)
  bs=b.y and(not b.f or aw(c,b))
  if not bs:await ax(b);t.pop(i,None);au(c,b);await cj(c,b);A()
  aB=aw(c,b)
  d='leaving'if bs else'waiting'if aB else'running'
  M.append({'name':i,'state':d if b.w else'unknown','workers':b.w})
 return M
def aw(c,b):return any((d.status.name==ad for d in P(c,b)))
async def cj(c,b):
 for G in range(50):
  if not aw(c,b):break
  await asyncio.sleep(0.02)
async def ck(c,L,*G):
 M=[]
 for i,u in L:
  b=t.get(i)or ap(i,u)
  await ax(b)
  if P(c,b)or not b.r:await av(c,b);aq(b,'forgotten'if b.r else'unknown')
  M.append(ah(b))
  aX(b)
 return M
def aX(b):
 if b.o=='unknown':t.pop(b.aK,None)
async def ax(b):
 if b.N:b.N.cancel();await asyncio.wait([b.N])
 if not b.f:aq(b,'cancelled')
async def cl():
 for b in list(t.values()):await ax(b)
 A()
preloads=globals().get('preloads',[])
def load(cX):
 if not preloads:l='distributed.'+cX+'.preload';df={bu:bv for bu,bv in os.environ.items()if not bu.endswith('__PRELOAD')and bv!='[]'};ak=config.collect(env=df);preloads.extend(process_preloads(None,config.get(l,[],ak),config.get(l+'-argv',[],ak)))
async def aY(at,cY,cZ):
 for aF in cY:
  aF.dask_object=cZ
  try:await getattr(aF,at)()
  except Exception:logger.exception(aF.name)
cB='/dask-operator/v1/(facts|retire|uncordon|forget)'
cC='OPERATOR_TOKEN'
cD=65536
cE=60
ay={'retire':ch,'uncordon':ci,'forget':ck}
be=[]
async def dask_setup(c):
 await aY('start',preloads,c)
 if(dg:=os.environ.get(cC)):c.add_plugin(bW(),name='dask-operator');be.append(asyncio.ensure_future(bX(c)));dh=(cB,cm,{'scheduler':c,'token':dg});c.http_application.add_handlers('.*',[dh])
async def dask_teardown(c):
 for N in be:N.cancel()
 await cl()
 await aY('teardown',preloads[::-1],c)
@stream_request_body
class cm(RequestHandler):
 def initialize(h,**aI):vars(h).update(aI,body=b'',aL=False)
 def prepare(h):
  aI=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aI.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cD)
 def data_received(h,di):h.body+=di
 def on_connection_close(h):h.aL=True;aS()
 async def get(h,name):
  if name in ay:raise HTTPError(405)
  if p.B>=cz:raise HTTPError(429)
  try:bw=int(h.get_argument('after','-1'));an=aZ(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bU(bw,min(an,cE),lambda:h.aL)
  ag=time.monotonic()
  h.answer(bK(h.scheduler,p.C,p.B))
  if an and p.C!=bw:bV(time.monotonic()-ag)
 async def post(h,name):
  if name not in ay:raise HTTPError(405)
  try:aJ=json.loads(h.body);L=[(str(i['name']),str(i.get('ip')or''))for i in aJ['pods']];aD=[aZ(aJ.get(l))for l in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  f=await ay[name](h.scheduler,L,aD,aJ.get('leaving')is True)
  h.answer({'schema':1,'pods':f})
 def answer(h,f):dj=json.dumps(json.loads(json.dumps(f,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dj)
 def write_error(h,dk,**G):h.finish({'error':dk})
def aZ(O):
 if O is not None and(not math.isfinite(O)):raise ValueError
 return O and min(max(O,0),86400)