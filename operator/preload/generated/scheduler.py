import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
bg={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
bh=('processing','unrunnable')
cr=('memory','released','erred','forgotten')
aD=20000
aE=5000
cs=100
Z=20
R=((),(),())
aa=defaultdict(Counter)
def bE(c,cL):
 for name in('resources','workers'):
  for i in islice(cL.get(name)or(),aD):
   f=c.tasks.get(i)
   if f and(m:=au(c,f))!=R:aa[f.group.name][m]+=1
def au(c,f):
 ag,ah,ai=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(ag or ah or ai):return R
 return(tuple(sorted(ag.items()))if ag else(),tuple(sorted(ah))if ah else(),tuple(sorted((bF(c,n)for n in ai)))if ai else())
def bF(c,n):al=c.workers.get(n);return str(al.name if al else n)
def bG(c):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in[*bg.values(),'next']})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for o in c.task_groups.values():
  for d,g in bg.items():
   if(l:=o.states[d]):aj(c,E[R][g],o.prefix,l)
 bl=bH(c)if aa else{}
 for(m,g,o),l in bl.items():aV(c,E,m,g,o,l)
 for name,w in aa.items():
  o=c.task_groups[name]
  for m,dr in w.items():C=sum((bl.get((m,g,o),0)for g in bh));aV(c,E,m,'waiting',o,bJ(o,dr-C))
 for(m,o),l in bI(c).items():aj(c,E[m]['next'],o.prefix,l)
 g=(bK(m,e)for m,e in E.items())
 return[*islice((m for m in g if m['tasks']),cs)]
def bH(c):
 w=Counter()
 for df,g in zip((aU(c),c.unrunnable),bh,strict=True):
  for f in islice(df,aD):
   if(m:=au(c,f))!=R:w[m,g,f.group]+=1
 return w
def aU(c):return chain.from_iterable((al.processing for al in c.workers.values()))
def bI(c):
 am=set(islice(aU(c),aE))
 cM=chain.from_iterable((f.waiters or()for f in am))
 w,r=(Counter(),aD-aE)
 for f in set(islice(cM,aE-len(am))):
  aM=f.waiting_on or()
  if 0<len(aM)<=min(r,len(am)):
   r-=len(aM)
   if aM<=am:w[au(c,f),f.group]+=1
 return w
def bJ(o,l):z=o.states['waiting'];cN=sum((o.states[d]for d in cr));return min(z,round(max(0,l)*z/max(1,z+cN)))
def aV(c,E,m,g,o,l):
 if m!=R and l:aj(c,E[R][g],o.prefix,-l);aj(c,E[m][g],o.prefix,l)
def aj(c,w,bm,l):w[0]+=l;w[1]+=l*c._get_prefix_duration(bm);w[2]+=l*(bm.duration_average<0)
def bK(m,e):ag,ah,ai=m;return{'resources':dict(ag[:Z]),'hosts':ah[:Z],'workers':ai[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':du}for d,(l,U,du)in e.items()if l>0}}
ct=200
t={}
def av(j,u):
 t.pop(j,None)
 bn=[name for name,b in t.items()if b.g]
 for name in bn[:max(0,len(bn)-ct)]:del t[name]
 t[j]=b=SimpleNamespace(aS=j,dA=u,N=None,af=0,G=0,x=False,aR=False,B=set(),aT=set(),p='waiting',P='',C=0,J=0,X={},r={},Y={},D={},ar=time.monotonic(),g=None)
 return b
def ak(b):bo=[aN for i,aN in b.X.items()if i not in b.r and i not in b.Y];return b.g or{'name':b.aS,'state':b.p,'reason':b.P,'workers':b.C,'tasks':b.J,'keys':len(b.r),'bytes':sum(b.r.values()),'moved_keys':len(bo),'moved_bytes':sum(bo),'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),'seconds':round(time.monotonic()-b.ar,3)}
def aw(b,p):b.p=p;b.g=ak(b);b.X,b.r,b.Y,b.D=({},{},{},{})
def bL(c,n):
 for b in t.values():
  if n in b.B and(not(b.g and n in b.aT)):
   b.aT.add(n)
   ds=[I for H,I in c.get_events(n)if isinstance(I,dict)]
   *H,bC=(I for I in ds if I.get('action')=='remove-worker')
   bx=bC['lost-computed-tasks']|bC['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(bx)
   else:b.Y.update(((i,b.X.get(i,0))for i in bx))
cu=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bi=('running','paused')
def aW(c,j,u):bp=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[by]for by in bp or c.workers if by in c.workers];return[d for d in e if bM(str(d.name),j,bool(bp))]
def bM(name,j,cO):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bq=cu.fullmatch(name)
 return cO and(not bq or j.startswith(bq.group(1)+'-'))
def bN(c,e):cP={d for d in c.workers.values()if d.status.name in bi}.difference(e);cQ={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cQ if not f.actor and cP.isdisjoint(f.who_has)}
def bO(c,e):ad=c.extensions.get('stealing');return sum((dx['thief']in e for dx in ad.in_flight.values()))if ad else 0
def aX(c,e):
 an=set(e)
 for cR in list(c.plugins.values()):
  with contextlib.suppress(Exception):an.intersection_update(cR.valid_workers_downscaling(c,list(e)))
 return an
cv=10000
cw=20000
ab={}
def bP(c,A,cS):
 g={'schema':1,'revision':A,'polls':cS,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dg in cx.items():
  try:g[name]=dg(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bQ(c):e=list(c.workers.values())[:cv];an,T=(aX(c,e),bS(c));return[bR(d,d not in an,T[d.address])for d in e]
def bR(d,cT,T):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-T,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cT,'idle_since':None if d.processing else ab.get(d.address)};return{name:O for name,O in g.items()if O}
def bS(c):
 T=Counter()
 for f in islice(c.replicated_tasks,cw):
  aN=f.get_nbytes()
  for d in f.who_has:T[d.address]+=aN
 return T
def bT(c):cU=c.queued or c.unrunnable or any((dy.processing for dy in c.workers.values()));return None if cU else c.idle_since
def aY(c):return[ae for ae in c.client_comms if'-worker-'not in ae]
def bU(c):
 F={}
 ao=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 ax(F,ao,'scheduler','scheduler')
 for d in c.workers.values():ax(F,aZ(d),'workers',d.name)
 for ae in aY(c):ax(F,aZ(c.clients[ae]),'clients',ae)
 return list(F.values())[:Z]
def aZ(d):ap=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),ap.get('dask'),ap.get('distributed'))
def ax(F,aq,cV,name):
 if aq not in F:dt,*ap=(str(dv or'?')[:99]for dv in aq);dh=(('python','dask','distributed'),('.'.join(dt.split('.')[:3]),*ap));F[aq]={**dict(zip(*dh,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=F[aq]
 g[cV]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cx={'status':lambda c:c.status.name,'idle_since':bT,'clients':lambda c:len(aY(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bQ,'demand':bG,'drains':lambda c:[ak(b)for b in t.values()],'versions':bU}
S='dask-operator-'
cy=('ready','constrained','waiting','released',None)
cz=('executing','long-running')
cA=1000
D={}
def bV(c,d):
 bW(c)
 ad=c.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ad and f in ad.in_flight or D.get((f.key,d.address))==f.run_id:continue
  D[f.key,d.address]=f.run_id
  di={'op':'steal-request','key':f.key,'stimulus_id':S+str(f.run_id)}
  c.stream_comms[d.address].send(di)
  l+=1
  if l==cA:break
def bW(c):
 aG=c.stream_handlers.get('steal-response')
 def bj(**W):
  if W['stimulus_id'].startswith(S):bX(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aG:aG(**W)
 if getattr(aG,'ours',None)is None:bj.ours=True;c.stream_handlers['steal-response']=bj
def bX(c,i,n,d,stimulus_id):
 if d not in cz:D.pop((i,n),None)
 f=c.tasks.get(i)
 if d in cy and f and(S+str(f.run_id)==stimulus_id):c._reschedule(i,n,stimulus_id=stimulus_id)
def bY(B):
 for i in[i for i in D if i[1]in B]:del D[i]
cB=0.25
cC=0.03
cD=8
q=SimpleNamespace(A=1,z=0,dz=0.0,bD=asyncio.Event())
def y():q.A+=1;a_()
def a_():q.bD.set();q.bD=asyncio.Event()
async def bZ(A,U,cW):
 af=time.monotonic()+U
 q.z+=1
 while q.A==A and(not cW())and((r:=(af-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bD.wait(),r)
 if q.A!=A and U:await asyncio.sleep(q.dz-time.monotonic())
 q.z-=1
def b_(U):q.dz=time.monotonic()+max(cC,20*U)
class ca(SchedulerPlugin):
 def update_graph(h,c,**dj):ba(bE,c,dj.get('annotations')or{})
 def remove_worker(h,**I):ba(bL,I['scheduler'],I['worker'])
 def add_worker(h,*H,**bv):y()
 def add_client(h,*H,**bv):y()
 def remove_client(h,*H,**bv):y()
def ba(cX,*cY):
 try:cX(*cY)
 except Exception:logger.exception('dask-operator')
 y()
async def cb(c):
 br=None
 while True:
  with contextlib.suppress(Exception):
   X=cc(c)
   if X!=br:br=X;y()
  await asyncio.sleep(cB)
def cc(c):
 for n,d in c.workers.items():
  if d.processing:ab.pop(n,None)
  else:ab.setdefault(n,time.time())
 for n in set(ab).difference(c.workers):del ab[n]
 cZ=[d.status for d in c.workers.values()]
 c_=getattr(c.extensions.get('publish'),'datasets',())
 return(c.transition_counter,c.idle_since,len(c_),cZ)
ac='closing_gracefully'
cE=2
cF=('vetoed','peers paused','actors')
def cd(c,j,u,K,G,x):
 b=t.get(j)
 if not b or(b.g and(not ce(c,b))):b=av(j,u);b.N=asyncio.ensure_future(cf(c,b))
 b.af=time.monotonic()+K
 b.G=G
 b.x=b.x or x
 y()
 return b
def ce(c,b):e=Q(c,b);return not e or(b.p in('ready','lost')and bb(b,e))
def bb(b,e):aH=all((d.status.name==ac for d in e));return aH and(not b.J)and(not b.r)
async def cf(c,b):
 try:p=await ch(c,b)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,b.P=('failed',type(error).__name__);await cg(c,b)
 bY(b.B)
 aw(b,p)
 y()
async def cg(c,b):
 with contextlib.suppress(Exception):
  if b.x:await aA(c,b)
  else:az(c,b)
async def ch(c,b):
 aO,p=(0.01,'')
 while True:
  ar=time.monotonic()
  with contextlib.suppress(OSError):p=ay(c,b)
  if p:break
  aO=max(min(aO*1.5,0.2),20*(time.monotonic()-ar))
  await asyncio.sleep(max(0.01,min(aO,b.af-time.monotonic())))
 if b.x and p!='ready'and(b.P!='closing'):await aA(c,b)
 elif p=='refused':az(c,b)
 return p
def ay(c,b):
 e=Q(c,b)
 b.P=ci(c,b,e)
 if not e:return'lost'if b.Y else'ready'if b.B else'unknown'
 if b.P and(not(b.x and b.P in cF)):return'refused'
 if time.monotonic()>b.af:return'interrupted'
 if b.P!='vetoed':
  cj(c,b,e)
  if bb(b,e):return'lost'if b.Y else'refused'if b.P else'ready'
 if b.aR:ck(c,b)
 return''
def Q(c,b):e=aW(c,b.aS,b.dA);b.B.update((d.address for d in e));b.C=len(e);b.J=sum((len(d.processing)for d in e))+bO(c,e);b.r=bN(c,e);b.X.update(b.r);return e
def ci(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 bs=b.B.issuperset((d.address for d in c.running))
 z={n for n,dw in c.workers.items()if dw.status.name=='paused'}
 if bs and(b.J or b.r)and(not z-b.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 da=not b.aR and time.monotonic()<b.af-b.G
 if(da or not b.x)and len(aX(c,e))<len(e):return'vetoed'
 return'peers paused'if bs and(b.J or b.r)else''
def cj(c,b,e):
 b.aR=True
 for d in e:
  if d.status.name in bi:c.handle_worker_status_change(ac,d,S+'retire');bc(c,d,ac)
  bV(c,d)
def bc(c,d,bt):
 db={'op':'worker-status-change','status':bt,'stimulus_id':S+bt}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(db)
def ck(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 bu=time.monotonic()
 aI=[i for i in b.r if b.D.get(i,0)<bu-cE]
 b.D.update(dict.fromkeys(aI,bu))
 class cG(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aI:yield('replicate',c.tasks[i],None)
 if aI:ActiveMemoryManagerExtension(c,{cG()},register=False,start=False).run_once()
def az(c,b):
 b.aR=False
 for d in aW(c,b.aS,b.dA):
  if d.status.name==ac:bc(c,d,'running')
async def aA(c,b):
 b.g=None
 e=Q(c,b)
 J,C=(b.J,b.C)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=S+'dismiss')
 Q(c,b)
 b.J,b.C=(J,C)
async def cl(c,L,aJ,x):
 K,G,at=aJ
 K=120 if K is None else K
 G=min(30,K/4)if G is None else G
 aK=[cd(c,j,u,K,G,x)for j,u in L]
 if(dk:=[V.N for V in aK if V.N]):await asyncio.wait(dk,timeout=at)
 M=[ak(V)for V in aK]
 for V in aK:bd(V)
 return M
async def cm(c,L,*H):
 M=[]
 for j,u in L:
  b=t.get(j)or av(j,u)
  bw=b.x and(not b.g or aB(c,b))
  if not bw:await aC(b);t.pop(j,None);az(c,b);await cn(c,b);y()
  aH=aB(c,b)
  d='leaving'if bw else'waiting'if aH else'running'
  M.append({'name':j,'state':d if b.C else'unknown','workers':b.C})
 return M
def aB(c,b):return any((d.status.name==ac for d in Q(c,b)))
async def cn(c,b):
 for H in range(50):
  if not aB(c,b):break
  await asyncio.sleep(0.02)
async def co(c,L,*H):
 M=[]
 for j,u in L:
  b=t.get(j)or av(j,u)
  await aC(b)
  if Q(c,b)or not b.B:await aA(c,b);aw(b,'forgotten'if b.B else'unknown')
  M.append(ak(b))
  bd(b)
 return M
def bd(b):
 if b.p=='unknown':t.pop(b.aS,None)
async def aC(b):
 if b.N:b.N.cancel();await asyncio.wait([b.N])
 if not b.g:aw(b,'cancelled')
async def cp():
 for b in list(t.values()):await aC(b)
 y()
preloads=globals().get('preloads',[])
def load(dc):
 if not preloads:i='distributed.'+dc+'.preload';dl={bz:bA for bz,bA in os.environ.items()if not bz.endswith('__PRELOAD')and bA!='[]'};ao=config.collect(env=dl);preloads.extend(process_preloads(None,config.get(i,[],ao),config.get(i+'-argv',[],ao)))
async def be(ay,dd,de):
 for aL in dd:
  aL.dask_object=de
  try:await getattr(aL,ay)()
  except Exception:logger.exception(aL.name)
cH='/dask-operator/v1/(facts|retire|uncordon|forget)'
cI='OPERATOR_TOKEN'
cJ=65536
cK=60
aF={'retire':cl,'uncordon':cm,'forget':co}
bk=[]
async def dask_setup(c):
 await be('start',preloads,c)
 if(dm:=os.environ.get(cI)):c.add_plugin(ca(),name='dask-operator');bk.append(asyncio.ensure_future(cb(c)));dn=(cH,cq,{'scheduler':c,'token':dm});c.http_application.add_handlers('.*',[dn])
async def dask_teardown(c):
 for N in bk:N.cancel()
 await cp()
 await be('teardown',preloads[::-1],c)
@stream_request_body
class cq(RequestHandler):
 def initialize(h,**aP):vars(h).update(aP,body=b'',aT=False)
 def prepare(h):
  aP=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aP.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cJ)
 def data_received(h,do):h.body+=do
 def on_connection_close(h):h.aT=True;a_()
 async def get(h,name):
  if name in aF:raise HTTPError(405)
  if q.z>=cD:raise HTTPError(429)
  try:bB=int(h.get_argument('after','-1'));at=bf(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bZ(bB,min(at,cK),lambda:h.aT)
  ar=time.monotonic()
  h.answer(bP(h.scheduler,q.A,q.z))
  if at and q.A!=bB:b_(time.monotonic()-ar)
 async def post(h,name):
  if name not in aF:raise HTTPError(405)
  try:aQ=json.loads(h.body);L=[(str(j['name']),str(j.get('ip')or''))for j in aQ['pods']];aJ=[bf(aQ.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aF[name](h.scheduler,L,aJ,aQ.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dp=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dp)
 def write_error(h,dq,**H):h.finish({'error':dq})
def bf(O):
 if O is not None and(not math.isfinite(O)):raise ValueError
 return O and min(max(O,0),86400)