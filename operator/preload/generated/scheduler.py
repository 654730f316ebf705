import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
bf={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
bg=('processing','unrunnable')
cr=('memory','released','erred','forgotten')
aC=20000
aD=5000
cs=100
Z=20
Q=((),(),())
aa=defaultdict(Counter)
def bE(c,cL):
 for name in('resources','workers'):
  for i in islice(cL.get(name)or(),aC):
   f=c.tasks.get(i)
   if f and(m:=at(c,f))!=Q:aa[f.group.name][m]+=1
def at(c,f):
 af,ag,ah=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(af or ag or ah):return Q
 return(tuple(sorted(af.items()))if af else(),tuple(sorted(ag))if ag else(),tuple(sorted((bF(c,n)for n in ah)))if ah else())
def bF(c,n):ak=c.workers.get(n);return str(ak.name if ak else n)
def bG(c):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in[*bf.values(),'next']})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for o in c.task_groups.values():
  for d,g in bf.items():
   if(l:=o.states[d]):ai(c,E[Q][g],o.prefix,l)
 bk=bH(c)if aa else{}
 for(m,g,o),l in bk.items():aU(c,E,m,g,o,l)
 for name,w in aa.items():
  o=c.task_groups[name]
  for m,dq in w.items():C=sum((bk.get((m,g,o),0)for g in bg));aU(c,E,m,'waiting',o,bJ(o,dq-C))
 for(m,o),l in bI(c).items():ai(c,E[m]['next'],o.prefix,l)
 g=(bK(m,e)for m,e in E.items())
 return[*islice((m for m in g if m['tasks']),cs)]
def bH(c):
 w=Counter()
 for df,g in zip((aT(c),c.unrunnable),bg,strict=True):
  for f in islice(df,aC):
   if(m:=at(c,f))!=Q:w[m,g,f.group]+=1
 return w
def aT(c):return chain.from_iterable((ak.processing for ak in c.workers.values()))
def bI(c):
 al=set(islice(aT(c),aD))
 cM=chain.from_iterable((f.waiters or()for f in al))
 w,r=(Counter(),aC-aD)
 for f in set(islice(cM,aD-len(al))):
  aL=f.waiting_on or()
  if 0<len(aL)<=min(r,len(al)):
   r-=len(aL)
   if aL<=al:w[at(c,f),f.group]+=1
 return w
def bJ(o,l):z=o.states['waiting'];cN=sum((o.states[d]for d in cr));return min(z,round(max(0,l)*z/max(1,z+cN)))
def aU(c,E,m,g,o,l):
 if m!=Q and l:ai(c,E[Q][g],o.prefix,-l);ai(c,E[m][g],o.prefix,l)
def ai(c,w,bl,l):w[0]+=l;w[1]+=l*c._get_prefix_duration(bl);w[2]+=l*(bl.duration_average<0)
def bK(m,e):af,ag,ah=m;return{'resources':dict(af[:Z]),'hosts':ag[:Z],'workers':ah[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':ds}for d,(l,U,ds)in e.items()if l>0}}
ct=200
t={}
def au(j,u):
 t.pop(j,None)
 bm=[name for name,b in t.items()if b.g]
 for name in bm[:max(0,len(bm)-ct)]:del t[name]
 t[j]=b=SimpleNamespace(aR=j,dx=u,M=None,ap=0,F=0,x=False,aQ=False,B=set(),aS=set(),p='waiting',O='',C=0,I=0,X={},r={},Y={},D={},aq=time.monotonic(),g=None)
 return b
def aj(b):bn=[aM for i,aM in b.X.items()if i not in b.r and i not in b.Y];return b.g or{'name':b.aR,'state':b.p,'reason':b.O,'workers':b.C,'tasks':b.I,'keys':len(b.r),'bytes':sum(b.r.values()),'moved_keys':len(bn),'moved_bytes':sum(bn),'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),'seconds':round(time.monotonic()-b.aq,3)}
def av(b,p):b.p=p;b.g=aj(b);b.X,b.r,b.Y,b.D=({},{},{},{})
def bL(c,n):
 for b in t.values():
  if n in b.B and(not(b.g and n in b.aS)):
   b.aS.add(n)
   dr=[H for G,H in c.get_events(n)if isinstance(H,dict)]
   *G,bC=(H for H in dr if H.get('action')=='remove-worker')
   bx=bC['lost-computed-tasks']|bC['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(bx)
   else:b.Y.update(((i,b.X.get(i,0))for i in bx))
cu=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bh=('running','paused')
def aV(c,j,u):bo=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[by]for by in bo or c.workers if by in c.workers];return[d for d in e if bM(str(d.name),j,bool(bo))]
def bM(name,j,cO):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bp=cu.fullmatch(name)
 return cO and(not bp or j.startswith(bp.group(1)+'-'))
def bN(c,e):cP={d for d in c.workers.values()if d.status.name in bh}.difference(e);cQ={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cQ if not f.actor and cP.isdisjoint(f.who_has)}
def bO(c,e):ad=c.extensions.get('stealing');return sum((du['thief']in e for du in ad.in_flight.values()))if ad else 0
def aW(c,e):
 am=set(e)
 for cR in list(c.plugins.values()):
  with contextlib.suppress(Exception):am.intersection_update(cR.valid_workers_downscaling(c,list(e)))
 return am
cv=10000
cw=20000
ab={}
def bP(c,A,cS):
 g={'schema':1,'revision':A,'polls':cS,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dg in cx.items():
  try:g[name]=dg(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bQ(c):e=list(c.workers.values())[:cv];am,S=(aW(c,e),bS(c));return[bR(d,d not in am,S[d.address])for d in e]
def bR(d,cT,S):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-S,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cT,'idle_since':None if d.processing else ab.get(d.address)};return{name:N for name,N in g.items()if N}
def bS(c):
 S=Counter()
 for f in islice(c.replicated_tasks,cw):
  aM=f.get_nbytes()
  for d in f.who_has:S[d.address]+=aM
 return S
def bT(c):cU=c.queued or c.unrunnable or any((dv.processing for dv in c.workers.values()));return None if cU else c.idle_since
def aX(c):return[ae for ae in c.client_comms if'-worker-'not in ae]
def bU(c):
 T={}
 an=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 aw(T,an,'scheduler','scheduler')
 for d in c.workers.values():aw(T,aY(d),'workers',str(d.name)[:253])
 for ae in aX(c):aw(T,aY(c.clients[ae]),'clients',ae[:253])
 return list(T.values())[:Z]
def aY(d):ao=d.versions.get('host',{}).get('python','?').split('.')[:3];bq=d.versions.get('packages',{});return('.'.join(ao),bq.get('dask','?'),bq.get('distributed','?'))
def aw(T,ao,cV,name):
 cW=dict(zip(('python','dask','distributed'),ao,strict=True))
 g=T.setdefault(ao,{**cW,'scheduler':0,'workers':0,'clients':0,'names':[]})
 g[cV]+=1
 if len(g['names'])<3:g['names'].append(name)
cx={'status':lambda c:c.status.name,'idle_since':bT,'clients':lambda c:len(aX(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bQ,'demand':bG,'drains':lambda c:[aj(b)for b in t.values()],'versions':bU}
R='dask-operator-'
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
  dh={'op':'steal-request','key':f.key,'stimulus_id':R+str(f.run_id)}
  c.stream_comms[d.address].send(dh)
  l+=1
  if l==cA:break
def bW(c):
 aF=c.stream_handlers.get('steal-response')
 def bi(**W):
  if W['stimulus_id'].startswith(R):bX(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aF:aF(**W)
 if getattr(aF,'ours',None)is None:bi.ours=True;c.stream_handlers['steal-response']=bi
def bX(c,i,n,d,stimulus_id):
 if d not in cz:D.pop((i,n),None)
 f=c.tasks.get(i)
 if d in cy and f and(R+str(f.run_id)==stimulus_id):c._reschedule(i,n,stimulus_id=stimulus_id)
def bY(B):
 for i in[i for i in D if i[1]in B]:del D[i]
cB=0.25
cC=0.1
cD=8
q=SimpleNamespace(A=1,z=0,dw=0.0,bD=asyncio.Event())
def y():q.A+=1;aZ()
def aZ():q.bD.set();q.bD=asyncio.Event()
async def bZ(A,U,cX):
 ap=time.monotonic()+U
 q.z+=1
 while q.A==A and(not cX())and((r:=(ap-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bD.wait(),r)
 if q.A!=A and U:await asyncio.sleep(q.dw-time.monotonic())
 q.z-=1
def b_(U):q.dw=time.monotonic()+max(cC,20*U)
class ca(SchedulerPlugin):
 def update_graph(h,c,**di):a_(bE,c,di.get('annotations')or{})
 def remove_worker(h,**H):a_(bL,H['scheduler'],H['worker'])
 def add_worker(h,*G,**bv):y()
 def add_client(h,*G,**bv):y()
 def remove_client(h,*G,**bv):y()
def a_(cY,*cZ):
 try:cY(*cZ)
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
 c_=[d.status for d in c.workers.values()]
 return(c.transition_counter,c.idle_since,c_)
ac='closing_gracefully'
cE=2
cF=('vetoed','peers paused','actors')
def cd(c,j,u,J,F,x):
 b=t.get(j)
 if not b or(b.g and(not ce(c,b))):b=au(j,u);b.M=asyncio.ensure_future(cf(c,b))
 b.ap=time.monotonic()+J
 b.F=F
 b.x=b.x or x
 y()
 return b
def ce(c,b):e=P(c,b);return not e or(b.p in('ready','lost')and ba(b,e))
def ba(b,e):aG=all((d.status.name==ac for d in e));return aG and(not b.I)and(not b.r)
async def cf(c,b):
 try:p=await ch(c,b)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,b.O=('failed',type(error).__name__);await cg(c,b)
 bY(b.B)
 av(b,p)
 y()
async def cg(c,b):
 with contextlib.suppress(Exception):
  if b.x:await az(c,b)
  else:ay(c,b)
async def ch(c,b):
 aN,p=(0.01,'')
 while True:
  aq=time.monotonic()
  with contextlib.suppress(OSError):p=ax(c,b)
  if p:break
  aN=max(min(aN*1.5,0.2),20*(time.monotonic()-aq))
  await asyncio.sleep(aN)
 if b.x and p!='ready'and(b.O!='closing'):await az(c,b)
 elif p=='refused':ay(c,b)
 return p
def ax(c,b):
 e=P(c,b)
 b.O=ci(c,b,e)
 if not e:return'lost'if b.Y else'ready'if b.B else'unknown'
 if b.O and(not(b.x and b.O in cF)):return'refused'
 if time.monotonic()>b.ap:return'interrupted'
 if b.O!='vetoed':
  cj(c,b,e)
  if ba(b,e):return'lost'if b.Y else'refused'if b.O else'ready'
 if b.aQ:ck(c,b)
 return''
def P(c,b):e=aV(c,b.aR,b.dx);b.B.update((d.address for d in e));b.C=len(e);b.I=sum((len(d.processing)for d in e))+bO(c,e);b.r=bN(c,e);b.X.update(b.r);return e
def ci(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 bs=b.B.issuperset((d.address for d in c.running))
 z={n for n,dt in c.workers.items()if dt.status.name=='paused'}
 if bs and(b.I or b.r)and(not z-b.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 da=not b.aQ and time.monotonic()<b.ap-b.F
 if(da or not b.x)and len(aW(c,e))<len(e):return'vetoed'
 return'peers paused'if bs and(b.I or b.r)else''
def cj(c,b,e):
 b.aQ=True
 for d in e:
  if d.status.name in bh:c.handle_worker_status_change(ac,d,R+'retire');bb(c,d,ac)
  bV(c,d)
def bb(c,d,bt):
 db={'op':'worker-status-change','status':bt,'stimulus_id':R+bt}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(db)
def ck(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 bu=time.monotonic()
 aH=[i for i in b.r if b.D.get(i,0)<bu-cE]
 b.D.update(dict.fromkeys(aH,bu))
 class cG(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aH:yield('replicate',c.tasks[i],None)
 if aH:ActiveMemoryManagerExtension(c,{cG()},register=False,start=False).run_once()
def ay(c,b):
 b.aQ=False
 for d in aV(c,b.aR,b.dx):
  if d.status.name==ac:bb(c,d,'running')
async def az(c,b):
 b.g=None
 e=P(c,b)
 I,C=(b.I,b.C)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=R+'dismiss')
 P(c,b)
 b.I,b.C=(I,C)
async def cl(c,K,aI,x):
 J,F,ar=aI
 J=120 if J is None else J
 F=min(30,J/4)if F is None else F
 aJ=[cd(c,j,u,J,F,x)for j,u in K]
 if(dj:=[V.M for V in aJ if V.M]):await asyncio.wait(dj,timeout=ar)
 L=[aj(V)for V in aJ]
 for V in aJ:bc(V)
 return L
async def cm(c,K,*G):
 L=[]
 for j,u in K:
  b=t.get(j)or au(j,u)
  bw=b.x and(not b.g or aA(c,b))
  if not bw:await aB(b);t.pop(j,None);ay(c,b);await cn(c,b);y()
  aG=aA(c,b)
  d='leaving'if bw else'waiting'if aG else'running'
  L.append({'name':j,'state':d if b.C else'unknown','workers':b.C})
 return L
def aA(c,b):return any((d.status.name==ac for d in P(c,b)))
async def cn(c,b):
 for G in range(50):
  if not aA(c,b):break
  await asyncio.sleep(0.02)
async def co(c,K,*G):
 L=[]
 for j,u in K:
  b=t.get(j)or au(j,u)
  await aB(b)
  if P(c,b)or not b.B:await az(c,b);av(b,'forgotten'if b.B else'unknown')
  L.append(aj(b))
  bc(b)
 return L
def bc(b):
 if b.p=='unknown':t.pop(b.aR,None)
async def aB(b):
 if b.M:b.M.cancel();await asyncio.wait([b.M])
 if not b.g:av(b,'cancelled')
async def cp():
 for b in list(t.values()):await aB(b)
 y()
preloads=globals().get('preloads',[])
def load(dc):
 if not preloads:i='distributed.'+dc+'.preload';dk={bz:bA for bz,bA in os.environ.items()if not bz.endswith('__PRELOAD')and bA!='[]'};an=config.collect(env=dk);preloads.extend(process_preloads(None,config.get(i,[],an),config.get(i+'-argv',[],an)))
async def bd(ax,dd,de):
 for aK in dd:
  aK.dask_object=de
  try:await getattr(aK,ax)()
  except Exception:logger.exception(aK.name)
cH='/dask-operator/v1/(facts|retire|uncordon|forget)'
cI='OPERATOR_TOKEN'
cJ=65536
cK=60
aE={'retire':cl,'uncordon':cm,'forget':co}
bj=[]
async def dask_setup(c):
 await bd('start',preloads,c)
 if(dl:=os.environ.get(cI)):c.add_plugin(ca(),name='dask-operator');bj.append(asyncio.ensure_future(cb(c)));dm=(cH,cq,{'scheduler':c,'token':dl});c.http_application.add_handlers('.*',[dm])
async def dask_teardown(c):
 for M in bj:M.cancel()
 await cp()
 await bd('teardown',preloads[::-1],c)
@stream_request_body
class cq(RequestHandler):
 def initialize(h,**aO):vars(h).update(aO,body=b'',aS=False)
 def prepare(h):
  aO=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aO.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cJ)
 def data_received(h,dn):h.body+=dn
 def on_connection_close(h):h.aS=True;aZ()
 async def get(h,name):
  if name in aE:raise HTTPError(405)
  if q.z>=cD:raise HTTPError(429)
  try:bB=int(h.get_argument('after','-1'));ar=be(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bZ(bB,min(ar,cK),lambda:h.aS)
  aq=time.monotonic()
  h.answer(bP(h.scheduler,q.A,q.z))
  if ar and q.A!=bB:b_(time.monotonic()-aq)
 async def post(h,name):
  if name not in aE:raise HTTPError(405)
  try:aP=json.loads(h.body);K=[(str(j['name']),str(j.get('ip')or''))for j in aP['pods']];aI=[be(aP.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aE[name](h.scheduler,K,aI,aP.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):do=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(do)
 def write_error(h,dp,**G):h.finish({'error':dp})
def be(N):
 if N is not None and(not math.isfinite(N)):raise ValueError
 return N and min(max(N,0),86400)