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
def bE(b,cL):
 for name in('resources','workers'):
  for i in islice(cL.get(name)or(),aC):
   f=b.tasks.get(i)
   if f and(m:=at(b,f))!=Q:aa[f.group.name][m]+=1
def at(b,f):
 af,ag,ah=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(af or ag or ah):return Q
 return(tuple(sorted(af.items()))if af else(),tuple(sorted(ag))if ag else(),tuple(sorted((bF(b,n)for n in ah)))if ah else())
def bF(b,n):ak=b.workers.get(n);return str(ak.name if ak else n)
def bG(b):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in[*bf.values(),'next']})
 for name in set(aa).difference(b.task_groups):del aa[name]
 for o in b.task_groups.values():
  for d,g in bf.items():
   if(l:=o.states[d]):ai(b,E[Q][g],o.prefix,l)
 bk=bH(b)if aa else{}
 for(m,g,o),l in bk.items():aU(b,E,m,g,o,l)
 for name,w in aa.items():
  o=b.task_groups[name]
  for m,dr in w.items():C=sum((bk.get((m,g,o),0)for g in bg));aU(b,E,m,'waiting',o,bJ(o,dr-C))
 for(m,o),l in bI(b).items():ai(b,E[m]['next'],o.prefix,l)
 g=(bK(m,e)for m,e in E.items())
 return[*islice((m for m in g if m['tasks']),cs)]
def bH(b):
 w=Counter()
 for dg,g in zip((aT(b),b.unrunnable),bg,strict=True):
  for f in islice(dg,aC):
   if(m:=at(b,f))!=Q:w[m,g,f.group]+=1
 return w
def aT(b):return chain.from_iterable((ak.processing for ak in b.workers.values()))
def bI(b):
 al=set(islice(aT(b),aD))
 cM=chain.from_iterable((f.waiters or()for f in al))
 w,r=(Counter(),aC-aD)
 for f in set(islice(cM,aD-len(al))):
  aL=f.waiting_on or()
  if 0<len(aL)<=min(r,len(al)):
   r-=len(aL)
   if aL<=al:w[at(b,f),f.group]+=1
 return w
def bJ(o,l):z=o.states['waiting'];cN=sum((o.states[d]for d in cr));return min(z,round(max(0,l)*z/max(1,z+cN)))
def aU(b,E,m,g,o,l):
 if m!=Q and l:ai(b,E[Q][g],o.prefix,-l);ai(b,E[m][g],o.prefix,l)
def ai(b,w,bl,l):w[0]+=l;w[1]+=l*b._get_prefix_duration(bl);w[2]+=l*(bl.duration_average<0)
def bK(m,e):af,ag,ah=m;return{'resources':dict(af[:Z]),'hosts':ag[:Z],'workers':ah[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':dt}for d,(l,U,dt)in e.items()if l>0}}
ct=200
t={}
def au(j,u):
 t.pop(j,None)
 bm=[name for name,c in t.items()if c.g]
 for name in bm[:max(0,len(bm)-ct)]:del t[name]
 t[j]=c=SimpleNamespace(aR=j,dy=u,M=None,ap=0,F=0,x=False,aQ=False,B=set(),aS=set(),p='waiting',O='',C=0,I=0,X={},r={},Y={},D={},aq=time.monotonic(),g=None)
 return c
def aj(c):bn=[aM for i,aM in c.X.items()if i not in c.r and i not in c.Y];return c.g or{'name':c.aR,'state':c.p,'reason':c.O,'workers':c.C,'tasks':c.I,'keys':len(c.r),'bytes':sum(c.r.values()),'moved_keys':len(bn),'moved_bytes':sum(bn),'lost_keys':len(c.Y),'lost_bytes':sum(c.Y.values()),'seconds':round(time.monotonic()-c.aq,3)}
def av(c,p):c.p=p;c.g=aj(c);c.X,c.r,c.Y,c.D=({},{},{},{})
def bL(b,n):
 for c in t.values():
  if n in c.B and(not(c.g and n in c.aS)):
   c.aS.add(n)
   ds=[H for G,H in b.get_events(n)if isinstance(H,dict)]
   *G,bC=(H for H in ds if H.get('action')=='remove-worker')
   bx=bC['lost-computed-tasks']|bC['lost-scattered-tasks']
   if c.g:c.g['lost_keys']+=len(bx)
   else:c.Y.update(((i,c.X.get(i,0))for i in bx))
cu=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bh=('running','paused')
def aV(b,j,u):bo=b.host_info.get(u,{}).get('addresses')if u else None;e=[b.workers[by]for by in bo or b.workers if by in b.workers];return[d for d in e if bM(str(d.name),j,bool(bo))]
def bM(name,j,cO):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bp=cu.fullmatch(name)
 return cO and(not bp or j.startswith(bp.group(1)+'-'))
def bN(b,e):cP={d for d in b.workers.values()if d.status.name in bh}.difference(e);cQ={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cQ if not f.actor and cP.isdisjoint(f.who_has)}
def bO(b,e):ad=b.extensions.get('stealing');return sum((dv['thief']in e for dv in ad.in_flight.values()))if ad else 0
def aW(b,e):
 am=set(e)
 for cR in list(b.plugins.values()):
  with contextlib.suppress(Exception):am.intersection_update(cR.valid_workers_downscaling(b,list(e)))
 return am
cv=10000
cw=20000
ab={}
def bP(b,A,cS):
 g={'schema':1,'revision':A,'polls':cS,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dh in cx.items():
  try:g[name]=dh(b)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bQ(b):e=list(b.workers.values())[:cv];am,S=(aW(b,e),bS(b));return[bR(d,d not in am,S[d.address])for d in e]
def bR(d,cT,S):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-S,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cT,'idle_since':None if d.processing else ab.get(d.address)};return{name:N for name,N in g.items()if N}
def bS(b):
 S=Counter()
 for f in islice(b.replicated_tasks,cw):
  aM=f.get_nbytes()
  for d in f.who_has:S[d.address]+=aM
 return S
def bT(b):cU=b.queued or b.unrunnable or any((dw.processing for dw in b.workers.values()));return None if cU else b.idle_since
def aX(b):return[ae for ae in b.client_comms if'-worker-'not in ae]
def bU(b):
 T={}
 an=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 aw(T,an,'scheduler','scheduler')
 for d in b.workers.values():aw(T,aY(d),'workers',str(d.name)[:253])
 for ae in aX(b):aw(T,aY(b.clients[ae]),'clients',ae[:253])
 return list(T.values())[:Z]
def aY(d):ao=d.versions.get('host',{}).get('python','?').split('.')[:3];bq=d.versions.get('packages',{});return('.'.join(ao),bq.get('dask','?'),bq.get('distributed','?'))
def aw(T,ao,cV,name):
 cW=dict(zip(('python','dask','distributed'),ao,strict=True))
 g=T.setdefault(ao,{**cW,'scheduler':0,'workers':0,'clients':0,'names':[]})
 g[cV]+=1
 if len(g['names'])<3:g['names'].append(name)
cx={'status':lambda b:b.status.name,'idle_since':bT,'clients':lambda b:len(aX(b)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bQ,'demand':bG,'drains':lambda b:[aj(c)for c in t.values()],'versions':bU}
R='dask-operator-'
cy=('ready','constrained','waiting','released',None)
cz=('executing','long-running')
cA=1000
D={}
def bV(b,d):
 bW(b)
 ad=b.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ad and f in ad.in_flight or D.get((f.key,d.address))==f.run_id:continue
  D[f.key,d.address]=f.run_id
  di={'op':'steal-request','key':f.key,'stimulus_id':R+str(f.run_id)}
  b.stream_comms[d.address].send(di)
  l+=1
  if l==cA:break
def bW(b):
 aF=b.stream_handlers.get('steal-response')
 def bi(**W):
  if W['stimulus_id'].startswith(R):bX(b,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aF:aF(**W)
 if getattr(aF,'ours',None)is None:bi.ours=True;b.stream_handlers['steal-response']=bi
def bX(b,i,n,d,stimulus_id):
 if d not in cz:D.pop((i,n),None)
 f=b.tasks.get(i)
 if d in cy and f and(R+str(f.run_id)==stimulus_id):b._reschedule(i,n,stimulus_id=stimulus_id)
def bY(B):
 for i in[i for i in D if i[1]in B]:del D[i]
cB=0.25
cC=0.03
cD=8
q=SimpleNamespace(A=1,z=0,dx=0.0,bD=asyncio.Event())
def y():q.A+=1;aZ()
def aZ():q.bD.set();q.bD=asyncio.Event()
async def bZ(A,U,cX):
 ap=time.monotonic()+U
 q.z+=1
 while q.A==A and(not cX())and((r:=(ap-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bD.wait(),r)
 if q.A!=A and U:await asyncio.sleep(q.dx-time.monotonic())
 q.z-=1
def b_(U):q.dx=time.monotonic()+max(cC,20*U)
class ca(SchedulerPlugin):
 def update_graph(h,b,**dj):a_(bE,b,dj.get('annotations')or{})
 def remove_worker(h,**H):a_(bL,H['scheduler'],H['worker'])
 def add_worker(h,*G,**bv):y()
 def add_client(h,*G,**bv):y()
 def remove_client(h,*G,**bv):y()
def a_(cY,*cZ):
 try:cY(*cZ)
 except Exception:logger.exception('dask-operator')
 y()
async def cb(b):
 br=None
 while True:
  with contextlib.suppress(Exception):
   X=cc(b)
   if X!=br:br=X;y()
  await asyncio.sleep(cB)
def cc(b):
 for n,d in b.workers.items():
  if d.processing:ab.pop(n,None)
  else:ab.setdefault(n,time.time())
 for n in set(ab).difference(b.workers):del ab[n]
 c_=[d.status for d in b.workers.values()]
 da=getattr(b.extensions.get('publish'),'datasets',())
 return(b.transition_counter,b.idle_since,len(da),c_)
ac='closing_gracefully'
cE=2
cF=('vetoed','peers paused','actors')
def cd(b,j,u,J,F,x):
 c=t.get(j)
 if not c or(c.g and(not ce(b,c))):c=au(j,u);c.M=asyncio.ensure_future(cf(b,c))
 c.ap=time.monotonic()+J
 c.F=F
 c.x=c.x or x
 y()
 return c
def ce(b,c):e=P(b,c);return not e or(c.p in('ready','lost')and ba(c,e))
def ba(c,e):aG=all((d.status.name==ac for d in e));return aG and(not c.I)and(not c.r)
async def cf(b,c):
 try:p=await ch(b,c)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,c.O=('failed',type(error).__name__);await cg(b,c)
 bY(c.B)
 av(c,p)
 y()
async def cg(b,c):
 with contextlib.suppress(Exception):
  if c.x:await az(b,c)
  else:ay(b,c)
async def ch(b,c):
 aN,p=(0.01,'')
 while True:
  aq=time.monotonic()
  with contextlib.suppress(OSError):p=ax(b,c)
  if p:break
  aN=max(min(aN*1.5,0.2),20*(time.monotonic()-aq))
  await asyncio.sleep(aN)
 if c.x and p!='ready'and(c.O!='closing'):await az(b,c)
 elif p=='refused':ay(b,c)
 return p
def ax(b,c):
 e=P(b,c)
 c.O=ci(b,c,e)
 if not e:return'lost'if c.Y else'ready'if c.B else'unknown'
 if c.O and(not(c.x and c.O in cF)):return'refused'
 if time.monotonic()>c.ap:return'interrupted'
 if c.O!='vetoed':
  cj(b,c,e)
  if ba(c,e):return'lost'if c.Y else'refused'if c.O else'ready'
 if c.aQ:ck(b,c)
 return''
def P(b,c):e=aV(b,c.aR,c.dy);c.B.update((d.address for d in e));c.C=len(e);c.I=sum((len(d.processing)for d in e))+bO(b,e);c.r=bN(b,e);c.X.update(c.r);return e
def ci(b,c,e):
 if b.status.name in('closing','closed'):return'closing'
 bs=c.B.issuperset((d.address for d in b.running))
 z={n for n,du in b.workers.items()if du.status.name=='paused'}
 if bs and(c.I or c.r)and(not z-c.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 db=not c.aQ and time.monotonic()<c.ap-c.F
 if(db or not c.x)and len(aW(b,e))<len(e):return'vetoed'
 return'peers paused'if bs and(c.I or c.r)else''
def cj(b,c,e):
 c.aQ=True
 for d in e:
  if d.status.name in bh:b.handle_worker_status_change(ac,d,R+'retire');bb(b,d,ac)
  bV(b,d)
def bb(b,d,bt):
 dc={'op':'worker-status-change','status':bt,'stimulus_id':R+bt}
 with contextlib.suppress(OSError):b.stream_comms[d.address].send(dc)
def ck(b,c):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 bu=time.monotonic()
 aH=[i for i in c.r if c.D.get(i,0)<bu-cE]
 c.D.update(dict.fromkeys(aH,bu))
 class cG(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aH:yield('replicate',b.tasks[i],None)
 if aH:ActiveMemoryManagerExtension(b,{cG()},register=False,start=False).run_once()
def ay(b,c):
 c.aQ=False
 for d in aV(b,c.aR,c.dy):
  if d.status.name==ac:bb(b,d,'running')
async def az(b,c):
 c.g=None
 e=P(b,c)
 I,C=(c.I,c.C)
 for d in e:await b.remove_worker(d.address,expected=True,stimulus_id=R+'dismiss')
 P(b,c)
 c.I,c.C=(I,C)
async def cl(b,K,aI,x):
 J,F,ar=aI
 J=120 if J is None else J
 F=min(30,J/4)if F is None else F
 aJ=[cd(b,j,u,J,F,x)for j,u in K]
 if(dk:=[V.M for V in aJ if V.M]):await asyncio.wait(dk,timeout=ar)
 L=[aj(V)for V in aJ]
 for V in aJ:bc(V)
 return L
async def cm(b,K,*G):
 L=[]
 for j,u in K:
  c=t.get(j)or au(j,u)
  bw=c.x and(not c.g or aA(b,c))
  if not bw:await aB(c);t.pop(j,None);ay(b,c);await cn(b,c);y()
  aG=aA(b,c)
  d='leaving'if bw else'waiting'if aG else'running'
  L.append({'name':j,'state':d if c.C else'unknown','workers':c.C})
 return L
def aA(b,c):return any((d.status.name==ac for d in P(b,c)))
async def cn(b,c):
 for G in range(50):
  if not aA(b,c):break
  await asyncio.sleep(0.02)
async def co(b,K,*G):
 L=[]
 for j,u in K:
  c=t.get(j)or au(j,u)
  await aB(c)
  if P(b,c)or not c.B:await az(b,c);av(c,'forgotten'if c.B else'unknown')
  L.append(aj(c))
  bc(c)
 return L
def bc(c):
 if c.p=='unknown':t.pop(c.aR,None)
async def aB(c):
 if c.M:c.M.cancel();await asyncio.wait([c.M])
 if not c.g:av(c,'cancelled')
async def cp():
 for c in list(t.values()):await aB(c)
 y()
preloads=globals().get('preloads',[])
def load(dd):
 if not preloads:i='distributed.'+dd+'.preload';dl={bz:bA for bz,bA in os.environ.items()if not bz.endswith('__PRELOAD')and bA!='[]'};an=config.collect(env=dl);preloads.extend(process_preloads(None,config.get(i,[],an),config.get(i+'-argv',[],an)))
async def bd(ax,de,df):
 for aK in de:
  aK.dask_object=df
  try:await getattr(aK,ax)()
  except Exception:logger.exception(aK.name)
cH='/dask-operator/v1/(facts|retire|uncordon|forget)'
cI='OPERATOR_TOKEN'
cJ=65536
cK=60
aE={'retire':cl,'uncordon':cm,'forget':co}
bj=[]
async def dask_setup(b):
 await bd('start',preloads,b)
 if(dm:=os.environ.get(cI)):b.add_plugin(ca(),name='dask-operator');bj.append(asyncio.ensure_future(cb(b)));dn=(cH,cq,{'scheduler':b,'token':dm});b.http_application.add_handlers('.*',[dn])
async def dask_teardown(b):
 for M in bj:M.cancel()
 await cp()
 await bd('teardown',preloads[::-1],b)
@stream_request_body
class cq(RequestHandler):
 def initialize(h,**aO):vars(h).update(aO,body=b'',aS=False)
 def prepare(h):
  aO=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aO.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cJ)
 def data_received(h,do):h.body+=do
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
 def answer(h,g):dp=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dp)
 def write_error(h,dq,**G):h.finish({'error':dq})
def be(N):
 if N is not None and(not math.isfinite(N)):raise ValueError
 return N and min(max(N,0),86400)