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
def bE(b,cL):
 for name in('resources','workers'):
  for i in islice(cL.get(name)or(),aD):
   f=b.tasks.get(i)
   if f and(m:=au(b,f))!=R:aa[f.group.name][m]+=1
def au(b,f):
 af,ag,ah=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(af or ag or ah):return R
 return(tuple(sorted(af.items()))if af else(),tuple(sorted(ag))if ag else(),tuple(sorted((bF(b,n)for n in ah)))if ah else())
def bF(b,n):ak=b.workers.get(n);return str(ak.name if ak else n)
def bG(b):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in[*bg.values(),'next']})
 for name in set(aa).difference(b.task_groups):del aa[name]
 for o in b.task_groups.values():
  for d,g in bg.items():
   if(l:=o.states[d]):ai(b,E[R][g],o.prefix,l)
 bl=bH(b)if aa else{}
 for(m,g,o),l in bl.items():aV(b,E,m,g,o,l)
 for name,w in aa.items():
  o=b.task_groups[name]
  for m,dr in w.items():C=sum((bl.get((m,g,o),0)for g in bh));aV(b,E,m,'waiting',o,bJ(o,dr-C))
 for(m,o),l in bI(b).items():ai(b,E[m]['next'],o.prefix,l)
 g=(bK(m,e)for m,e in E.items())
 return[*islice((m for m in g if m['tasks']),cs)]
def bH(b):
 w=Counter()
 for df,g in zip((aU(b),b.unrunnable),bh,strict=True):
  for f in islice(df,aD):
   if(m:=au(b,f))!=R:w[m,g,f.group]+=1
 return w
def aU(b):return chain.from_iterable((ak.processing for ak in b.workers.values()))
def bI(b):
 al=set(islice(aU(b),aE))
 cM=chain.from_iterable((f.waiters or()for f in al))
 w,r=(Counter(),aD-aE)
 for f in set(islice(cM,aE-len(al))):
  aM=f.waiting_on or()
  if 0<len(aM)<=min(r,len(al)):
   r-=len(aM)
   if aM<=al:w[au(b,f),f.group]+=1
 return w
def bJ(o,l):z=o.states['waiting'];cN=sum((o.states[d]for d in cr));return min(z,round(max(0,l)*z/max(1,z+cN)))
def aV(b,E,m,g,o,l):
 if m!=R and l:ai(b,E[R][g],o.prefix,-l);ai(b,E[m][g],o.prefix,l)
def ai(b,w,bm,l):w[0]+=l;w[1]+=l*b._get_prefix_duration(bm);w[2]+=l*(bm.duration_average<0)
def bK(m,e):af,ag,ah=m;return{'resources':dict(af[:Z]),'hosts':ag[:Z],'workers':ah[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':du}for d,(l,U,du)in e.items()if l>0}}
ct=200
t={}
def av(j,u):
 t.pop(j,None)
 bn=[name for name,c in t.items()if c.g]
 for name in bn[:max(0,len(bn)-ct)]:del t[name]
 t[j]=c=SimpleNamespace(aS=j,dA=u,N=None,aq=0,G=0,x=False,aR=False,B=set(),aT=set(),p='waiting',P='',C=0,J=0,X={},r={},Y={},D={},ar=time.monotonic(),g=None)
 return c
def aj(c):bo=[aN for i,aN in c.X.items()if i not in c.r and i not in c.Y];return c.g or{'name':c.aS,'state':c.p,'reason':c.P,'workers':c.C,'tasks':c.J,'keys':len(c.r),'bytes':sum(c.r.values()),'moved_keys':len(bo),'moved_bytes':sum(bo),'lost_keys':len(c.Y),'lost_bytes':sum(c.Y.values()),'seconds':round(time.monotonic()-c.ar,3)}
def aw(c,p):c.p=p;c.g=aj(c);c.X,c.r,c.Y,c.D=({},{},{},{})
def bL(b,n):
 for c in t.values():
  if n in c.B and(not(c.g and n in c.aT)):
   c.aT.add(n)
   ds=[I for H,I in b.get_events(n)if isinstance(I,dict)]
   *H,bC=(I for I in ds if I.get('action')=='remove-worker')
   bx=bC['lost-computed-tasks']|bC['lost-scattered-tasks']
   if c.g:c.g['lost_keys']+=len(bx)
   else:c.Y.update(((i,c.X.get(i,0))for i in bx))
cu=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bi=('running','paused')
def aW(b,j,u):bp=b.host_info.get(u,{}).get('addresses')if u else None;e=[b.workers[by]for by in bp or b.workers if by in b.workers];return[d for d in e if bM(str(d.name),j,bool(bp))]
def bM(name,j,cO):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bq=cu.fullmatch(name)
 return cO and(not bq or j.startswith(bq.group(1)+'-'))
def bN(b,e):cP={d for d in b.workers.values()if d.status.name in bi}.difference(e);cQ={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cQ if not f.actor and cP.isdisjoint(f.who_has)}
def bO(b,e):ad=b.extensions.get('stealing');return sum((dx['thief']in e for dx in ad.in_flight.values()))if ad else 0
def aX(b,e):
 am=set(e)
 for cR in list(b.plugins.values()):
  with contextlib.suppress(Exception):am.intersection_update(cR.valid_workers_downscaling(b,list(e)))
 return am
cv=10000
cw=20000
ab={}
def bP(b,A,cS):
 g={'schema':1,'revision':A,'polls':cS,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dg in cx.items():
  try:g[name]=dg(b)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bQ(b):e=list(b.workers.values())[:cv];am,T=(aX(b,e),bS(b));return[bR(d,d not in am,T[d.address])for d in e]
def bR(d,cT,T):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-T,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cT,'idle_since':None if d.processing else ab.get(d.address)};return{name:O for name,O in g.items()if O}
def bS(b):
 T=Counter()
 for f in islice(b.replicated_tasks,cw):
  aN=f.get_nbytes()
  for d in f.who_has:T[d.address]+=aN
 return T
def bT(b):cU=b.queued or b.unrunnable or any((dy.processing for dy in b.workers.values()));return None if cU else b.idle_since
def aY(b):return[ae for ae in b.client_comms if'-worker-'not in ae]
def bU(b):
 F={}
 an=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 ax(F,an,'scheduler','scheduler')
 for d in b.workers.values():ax(F,aZ(d),'workers',d.name)
 for ae in aY(b):ax(F,aZ(b.clients[ae]),'clients',ae)
 return list(F.values())[:Z]
def aZ(d):ao=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),ao.get('dask'),ao.get('distributed'))
def ax(F,ap,cV,name):
 if ap not in F:dt,*ao=(str(dv or'?')[:99]for dv in ap);dh=(('python','dask','distributed'),('.'.join(dt.split('.')[:3]),*ao));F[ap]={**dict(zip(*dh,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=F[ap]
 g[cV]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cx={'status':lambda b:b.status.name,'idle_since':bT,'clients':lambda b:len(aY(b)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bQ,'demand':bG,'drains':lambda b:[aj(c)for c in t.values()],'versions':bU}
S='dask-operator-'
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
  di={'op':'steal-request','key':f.key,'stimulus_id':S+str(f.run_id)}
  b.stream_comms[d.address].send(di)
  l+=1
  if l==cA:break
def bW(b):
 aG=b.stream_handlers.get('steal-response')
 def bj(**W):
  if W['stimulus_id'].startswith(S):bX(b,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aG:aG(**W)
 if getattr(aG,'ours',None)is None:bj.ours=True;b.stream_handlers['steal-response']=bj
def bX(b,i,n,d,stimulus_id):
 if d not in cz:D.pop((i,n),None)
 f=b.tasks.get(i)
 if d in cy and f and(S+str(f.run_id)==stimulus_id):b._reschedule(i,n,stimulus_id=stimulus_id)
def bY(B):
 for i in[i for i in D if i[1]in B]:del D[i]
cB=0.25
cC=0.03
cD=8
q=SimpleNamespace(A=1,z=0,dz=0.0,bD=asyncio.Event())
def y():q.A+=1;a_()
def a_():q.bD.set();q.bD=asyncio.Event()
async def bZ(A,U,cW):
 aq=time.monotonic()+U
 q.z+=1
 while q.A==A and(not cW())and((r:=(aq-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bD.wait(),r)
 if q.A!=A and U:await asyncio.sleep(q.dz-time.monotonic())
 q.z-=1
def b_(U):q.dz=time.monotonic()+max(cC,20*U)
class ca(SchedulerPlugin):
 def update_graph(h,b,**dj):ba(bE,b,dj.get('annotations')or{})
 def remove_worker(h,**I):ba(bL,I['scheduler'],I['worker'])
 def add_worker(h,*H,**bv):y()
 def add_client(h,*H,**bv):y()
 def remove_client(h,*H,**bv):y()
def ba(cX,*cY):
 try:cX(*cY)
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
 cZ=[d.status for d in b.workers.values()]
 c_=getattr(b.extensions.get('publish'),'datasets',())
 return(b.transition_counter,b.idle_since,len(c_),cZ)
ac='closing_gracefully'
cE=2
cF=('vetoed','last worker','peers paused','actors')
def cd(b,j,u,K,G,x):
 c=t.get(j)
 if not c or(c.g and(not ce(b,c))):c=av(j,u);c.N=asyncio.ensure_future(cf(b,c))
 c.aq=time.monotonic()+K
 c.G=G
 c.x=c.x or x
 y()
 return c
def ce(b,c):e=Q(b,c);return not e or(c.p in('ready','lost')and bb(c,e))
def bb(c,e):aH=all((d.status.name==ac for d in e));return aH and(not c.J)and(not c.r)
async def cf(b,c):
 try:p=await ch(b,c)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,c.P=('failed',type(error).__name__);await cg(b,c)
 bY(c.B)
 aw(c,p)
 y()
async def cg(b,c):
 with contextlib.suppress(Exception):
  if c.x:await aA(b,c)
  else:az(b,c)
async def ch(b,c):
 aO,p=(0.01,'')
 while True:
  ar=time.monotonic()
  with contextlib.suppress(OSError):p=ay(b,c)
  if p:break
  aO=max(min(aO*1.5,0.2),20*(time.monotonic()-ar))
  await asyncio.sleep(aO)
 if c.x and p!='ready'and(c.P!='closing'):await aA(b,c)
 elif p=='refused':az(b,c)
 return p
def ay(b,c):
 e=Q(b,c)
 c.P=ci(b,c,e)
 if not e:return'lost'if c.Y else'ready'if c.B else'unknown'
 if c.P and(not(c.x and c.P in cF)):return'refused'
 if time.monotonic()>c.aq:return'interrupted'
 if c.P!='vetoed':
  cj(b,c,e)
  if bb(c,e):return'lost'if c.Y else'refused'if c.P else'ready'
 if c.aR:ck(b,c)
 return''
def Q(b,c):e=aW(b,c.aS,c.dA);c.B.update((d.address for d in e));c.C=len(e);c.J=sum((len(d.processing)for d in e))+bO(b,e);c.r=bN(b,e);c.X.update(c.r);return e
def ci(b,c,e):
 if b.status.name in('closing','closed'):return'closing'
 bs=c.B.issuperset((d.address for d in b.running))
 z={n for n,dw in b.workers.items()if dw.status.name=='paused'}
 if bs and(c.J or c.r)and(not z-c.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 da=not c.aR and time.monotonic()<c.aq-c.G
 if(da or not c.x)and len(aX(b,e))<len(e):return'vetoed'
 return'peers paused'if bs and(c.J or c.r)else''
def cj(b,c,e):
 c.aR=True
 for d in e:
  if d.status.name in bi:b.handle_worker_status_change(ac,d,S+'retire');bc(b,d,ac)
  bV(b,d)
def bc(b,d,bt):
 db={'op':'worker-status-change','status':bt,'stimulus_id':S+bt}
 with contextlib.suppress(OSError):b.stream_comms[d.address].send(db)
def ck(b,c):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 bu=time.monotonic()
 aI=[i for i in c.r if c.D.get(i,0)<bu-cE]
 c.D.update(dict.fromkeys(aI,bu))
 class cG(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aI:yield('replicate',b.tasks[i],None)
 if aI:ActiveMemoryManagerExtension(b,{cG()},register=False,start=False).run_once()
def az(b,c):
 c.aR=False
 for d in aW(b,c.aS,c.dA):
  if d.status.name==ac:bc(b,d,'running')
async def aA(b,c):
 c.g=None
 e=Q(b,c)
 J,C=(c.J,c.C)
 for d in e:await b.remove_worker(d.address,expected=True,stimulus_id=S+'dismiss')
 Q(b,c)
 c.J,c.C=(J,C)
async def cl(b,L,aJ,x):
 K,G,at=aJ
 K=120 if K is None else K
 G=min(30,K/4)if G is None else G
 aK=[cd(b,j,u,K,G,x)for j,u in L]
 if(dk:=[V.N for V in aK if V.N]):await asyncio.wait(dk,timeout=at)
 M=[aj(V)for V in aK]
 for V in aK:bd(V)
 return M
async def cm(b,L,*H):
 M=[]
 for j,u in L:
  c=t.get(j)or av(j,u)
  bw=c.x and(not c.g or aB(b,c))
  if not bw:await aC(c);t.pop(j,None);az(b,c);await cn(b,c);y()
  aH=aB(b,c)
  d='leaving'if bw else'waiting'if aH else'running'
  M.append({'name':j,'state':d if c.C else'unknown','workers':c.C})
 return M
def aB(b,c):return any((d.status.name==ac for d in Q(b,c)))
async def cn(b,c):
 for H in range(50):
  if not aB(b,c):break
  await asyncio.sleep(0.02)
async def co(b,L,*H):
 M=[]
 for j,u in L:
  c=t.get(j)or av(j,u)
  await aC(c)
  if Q(b,c)or not c.B:await aA(b,c);aw(c,'forgotten'if c.B else'unknown')
  M.append(aj(c))
  bd(c)
 return M
def bd(c):
 if c.p=='unknown':t.pop(c.aS,None)
async def aC(c):
 if c.N:c.N.cancel();await asyncio.wait([c.N])
 if not c.g:aw(c,'cancelled')
async def cp():
 for c in list(t.values()):await aC(c)
 y()
preloads=globals().get('preloads',[])
def load(dc):
 if not preloads:i='distributed.'+dc+'.preload';dl={bz:bA for bz,bA in os.environ.items()if not bz.endswith('__PRELOAD')and bA!='[]'};an=config.collect(env=dl);preloads.extend(process_preloads(None,config.get(i,[],an),config.get(i+'-argv',[],an)))
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
async def dask_setup(b):
 await be('start',preloads,b)
 if(dm:=os.environ.get(cI)):b.add_plugin(ca(),name='dask-operator');bk.append(asyncio.ensure_future(cb(b)));dn=(cH,cq,{'scheduler':b,'token':dm});b.http_application.add_handlers('.*',[dn])
async def dask_teardown(b):
 for N in bk:N.cancel()
 await cp()
 await be('teardown',preloads[::-1],b)
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