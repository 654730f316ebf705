import time,os,sys,dask,distributed,re,asyncio,contextlib,hmac,json,math
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
aq=20
X=((),(),())
Y=defaultdict(Counter)
def bv(c,cy):
 for name in('resources','workers'):
  for j in islice(cy.get(name)or(),a_):
   f=c.tasks.get(j)
   if f and(n:=aI(c,f))!=X:Y[f.group.name][n]+=1
def aI(c,f):
 if f.loose_restrictions:return X
 workers=sorted((bw(c,l)for l in f.worker_restrictions or()))
 at=sorted((f.resource_restrictions or{}).items())
 return(tuple(at),tuple(sorted(f.host_restrictions or())),tuple(workers))
def bw(c,l):ag=c.workers.get(l);return str(ag.name if ag else l)
def bx(c):
 I=defaultdict(lambda:{d:[0,0.0,0]for d in aY.values()})
 for name in set(Y).difference(c.task_groups):del Y[name]
 for p in c.task_groups.values():
  for d,g in aY.items():
   if(m:=p.states[d]):al(c,I[X][g],p.prefix,m)
 bd=by(c)if Y else{}
 for(n,g,p),m in bd.items():aJ(c,I,n,g,p,m)
 for name,C in Y.items():
  p=c.task_groups[name]
  for n,db in C.items():y=sum((bd.get((n,g,p),0)for g in aZ));aJ(c,I,n,'waiting',p,bz(p,db-y))
 g=(bA(n,e)for n,e in I.items())
 return[*islice((n for n in g if n['tasks']),ch)]
def by(c):
 C=Counter()
 cz=chain.from_iterable((ag.processing for ag in c.workers.values()))
 for cR,g in zip((cz,c.unrunnable),aZ,strict=True):
  for f in islice(cR,a_):
   if f.resource_restrictions or f.worker_restrictions or f.host_restrictions:C[aI(c,f),g,f.group]+=1
 return C
def bz(p,m):J=p.states['waiting'];cA=sum((p.states[d]for d in cg));return min(J,round(max(0,m)*J/max(1,J+cA)))
def aJ(c,I,n,g,p,m):
 if n!=X and m:al(c,I[X][g],p.prefix,-m);al(c,I[n][g],p.prefix,m)
def al(c,C,be,m):C[0]+=m;C[1]+=m*c._get_prefix_duration(be);C[2]+=m*(be.duration_average<0)
def bA(n,e):at,cS,workers=n;return{'resources':dict(at[:aq]),'hosts':cS[:aq],'workers':workers[:aq],'tasks':{d:{'count':m,'seconds':round(aj,3),'unmeasured':dd}for d,(m,aj,dd)in e.items()if m>0}}
ci=200
q={}
def am(i,u):
 q.pop(i,None)
 bf=[name for name,b in q.items()if b.g]
 for name in bf[:max(0,len(bf)-ci)]:del q[name]
 q[i]=b=SimpleNamespace(aH=i,dj=u,T=None,S=0,A=0,t=False,aG=False,x=set(),o='waiting',G='',y=0,F=0,V={},z={},W={},aC=time.monotonic(),g=None)
 return b
def af(b):bg=[aA for j,aA in b.V.items()if j not in b.z and j not in b.W];return b.g or{'name':b.aH,'state':b.o,'reason':b.G,'workers':b.y,'tasks':b.F,'keys':len(b.z),'bytes':sum(b.z.values()),'moved_keys':len(bg),'moved_bytes':sum(bg),'lost_keys':len(b.W),'lost_bytes':sum(b.W.values()),'seconds':round(time.monotonic()-b.aC,3)}
def aK(b,o):b.o=o;b.g=af(b);b.V,b.z,b.W=({},{},{})
def bB(c,l):
 for b in q.values():
  if l in b.x:
   *E,bt=(ae for E,ae in c.get_events(l)if'lost-computed-tasks'in ae)
   keys=bt['lost-computed-tasks']|bt['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(keys)
   else:b.W.update(((j,b.V.get(j,0))for j in keys))
def bC():return{l for b in q.values()if b.aG for l in b.x}
cj=10000
ck=20000
Z={}
def bD(c,D,cB):
 g={'schema':1,'revision':D,'polls':cB,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cT in cl.items():
  try:g[name]=cT(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bE(c):
 e=list(c.workers.values())[:cj]
 bh=set(e)
 for au in list(c.plugins.values()):bh.intersection_update(au.valid_workers_downscaling(c,e))
 Q=bG(c)
 return[bF(d,d not in bh,Q[d.address])for d in e]
def bF(d,cC,Q):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-Q,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cC,'idle_since':None if d.processing else Z.get(d.address)};return{name:N for name,N in g.items()if N}
def bG(c):
 Q=Counter()
 for f in islice(c.replicated_tasks,ck):
  aA=f.get_nbytes()
  for d in f.who_has:Q[d.address]+=aA
 return Q
def bH(c):cD=c.queued or c.unrunnable or any((de.processing for de in c.workers.values()));return None if cD else c.idle_since
def aL(c):return[ab for ab in c.client_comms if'-worker-'not in ab]
def bI(c):
 R={}
 ah=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 an(R,ah,'scheduler','scheduler')
 for d in c.workers.values():an(R,aM(d),'workers',str(d.name)[:253])
 for ab in aL(c):an(R,aM(c.clients[ab]),'clients',ab[:253])
 return list(R.values())
def aM(d):ai=d.versions.get('host',{}).get('python','?').split('.')[:3];bi=d.versions.get('packages',{});return('.'.join(ai),bi.get('dask','?'),bi.get('distributed','?'))
def an(R,ai,cE,name):
 cF=dict(zip(('python','dask','distributed'),ai,strict=True))
 g=R.setdefault(ai,{**cF,'scheduler':0,'workers':0,'clients':0,'names':[]})
 g[cE]+=1
 if len(g['names'])<3:g['names'].append(name)
cl={'status':lambda c:c.status.name,'idle_since':bH,'clients':lambda c:len(aL(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bE,'demand':bx,'drains':lambda c:[af(b)for b in q.values()],'versions':bI}
O='dask-operator-'
cm=('ready','constrained','waiting','released',None)
cn=('executing','long-running')
co=500
aa={}
def bJ(c,d):
 bK(c)
 ac=c.extensions.get('stealing')
 m=0
 for f in d.processing:
  if ac and f in ac.in_flight or aa.get((f.key,d.address))==f.run_id:continue
  aa[f.key,d.address]=f.run_id
  cU={'op':'steal-request','key':f.key,'stimulus_id':O+str(f.run_id)}
  c.stream_comms[d.address].send(cU)
  m+=1
  if m==co:break
 return len(d.processing)
def bK(c):
 av=c.stream_handlers.get('steal-response')
 def ba(**U):
  if U['stimulus_id'].startswith(O):bL(c,U['key'],U['worker'],U['state'],U['stimulus_id'])
  elif av:av(**U)
 if getattr(av,'ours',None)is None:ba.ours=True;c.stream_handlers['steal-response']=ba
def bL(c,j,l,d,stimulus_id):
 if d not in cn:aa.pop((j,l),None)
 f=c.tasks.get(j)
 if d in cm and f and(O+str(f.run_id)==stimulus_id):c._reschedule(j,l,stimulus_id=stimulus_id)
def bM(x):
 for j in[j for j in aa if j[1]in x]:del aa[j]
cp=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bb=('running','paused')
def aN(c,i,u):bj=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[bq]for bq in bj or c.workers if bq in c.workers];return[d for d in e if bN(str(d.name),i,bool(bj))]
def bN(name,i,cG):
 if name==i or re.fullmatch(re.escape(i)+'-\\d+',name):return True
 bk=cp.fullmatch(name)
 return cG and(not bk or i.startswith(bk.group(1)+'-'))
def bO(c,e):cH={d for d in c.workers.values()if d.status.name in bb}.difference(e);cI={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cI if not f.actor and cH.isdisjoint(f.who_has)}
def bP(c,e):ac=c.extensions.get('stealing');return sum((df['thief']in e for df in ac.in_flight.values()))if ac else 0
def bQ(c,e):
 for au in list(c.plugins.values()):
  if len(au.valid_workers_downscaling(c,list(e)))<len(e):return True
 return False
cq=0.25
cr=0.1
cs=8
r=SimpleNamespace(D=1,J=0,di=0.0,bu=asyncio.Event())
def B():r.D+=1;aO()
def aO():r.bu.set();r.bu=asyncio.Event()
async def bR(D,aj,cJ):
 S=time.monotonic()+aj
 r.J+=1
 while r.D==D and(not cJ())and((z:=(S-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(r.bu.wait(),z)
 if r.D!=D and aj:await asyncio.sleep(r.di+cr-time.monotonic());r.di=time.monotonic()
 r.J-=1
class bS(SchedulerPlugin):
 def update_graph(h,c,**cV):aP(bv,c,cV.get('annotations')or{})
 def remove_worker(h,**ae):aP(bB,ae['scheduler'],ae['worker'])
 def add_worker(h,*E,**bo):B()
 def add_client(h,*E,**bo):B()
 def remove_client(h,*E,**bo):B()
def aP(cK,*cL):
 try:cK(*cL)
 except Exception:logger.exception('dask-operator')
 B()
async def bT(c):
 bl=None
 while True:
  cW=time.time()
  for l,d in c.workers.items():
   if d.processing:Z.pop(l,None)
   else:Z.setdefault(l,cW)
  for l in set(Z).difference(c.workers):del Z[l]
  V=(c.transition_counter,c.idle_since,[dg.status for dg in c.workers.values()])
  if V!=bl:bl=V;B()
  await asyncio.sleep(cq)
P='closing_gracefully'
ct=('vetoed','peers paused','actors')
def bU(c,i,u,K,A,t):
 b=q.get(i)
 if not b or(b.g and(not bV(c,b))):b=am(i,u);b.T=asyncio.ensure_future(bW(c,b))
 b.S=time.monotonic()+K
 b.A=A
 b.t=b.t or t
 B()
 return b
def bV(c,b):e=H(c,b);return not e or(b.o in('ready','lost')and aQ(b,e))
def aQ(b,e):aw=all((d.status.name==P for d in e));return aw and(not b.F)and(not b.z)
async def bW(c,b):
 try:o=await bX(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.G=('failed',type(error).__name__)
 bM(b.x)
 aK(b,o)
 B()
async def bX(c,b):
 aB,o=(0.01,'')
 while True:
  aC=time.monotonic()
  with contextlib.suppress(OSError):o=ao(c,b)
  if o:break
  aB=max(min(aB*1.5,0.2),20*(time.monotonic()-aC))
  if b.z and(not b.F or aC>b.S-b.A):await b_(c,b)
  await asyncio.sleep(aB)
 if b.t and o!='ready'and(b.G!='closing'):await aU(c,b)
 elif o=='refused':aT(c,b)
 return o
def ao(c,b):
 e=H(c,b)
 b.G=bY(c,b,e)
 if not e:return'lost'if b.W else'ready'if b.x else'unknown'
 if b.G and(not(b.t and b.G in ct)):return'refused'
 if time.monotonic()>b.S:return'interrupted'
 if b.G!='vetoed':
  bZ(c,b,e)
  if aQ(b,e):return'lost'if b.W else'refused'if b.G else'ready'
 return''
def H(c,b):e=aN(c,b.aH,b.dj);b.x.update((d.address for d in e));b.y=len(e);b.F=sum((len(d.processing)for d in e))+bP(c,e);b.z=bO(c,e);b.V.update(b.z);return e
def bY(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in e)):return'actors'
 cM=not b.aG and time.monotonic()<b.S-b.A
 if(cM or not b.t)and bQ(c,e):return'vetoed'
 t=bC()|b.x
 if(b.F or b.z)and t.issuperset((d.address for d in c.running)):aw={l for l,dh in c.workers.items()if dh.status.name=='paused'};return'peers paused'if aw-t else'last worker'
 return''
def bZ(c,b,e):
 b.aG=True
 for d in e:
  if d.status.name in bb:c.handle_worker_status_change(P,d,O+'retire');aR(c,d,P)
  bJ(c,d)
def aR(c,d,bm):cN={'op':'worker-status-change','status':bm,'stimulus_id':O+bm};c.stream_comms[d.address].send(cN)
async def b_(c,b):
 y=b.x.intersection(c.workers)
 if b.G=='actors':bp=c.replicate(keys=list(b.z),n=1)
 else:bp=c.retire_workers(workers=list(y),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(bp,max(0.1,b.S-time.monotonic()))
 aS(c,y)
def aS(c,x):
 bn=getattr(c.extensions.get('amm'),'policies',set())
 for ax in list(bn):
  if type(ax).__name__=='RetireWorker'and ax.address in x:bn.discard(ax)
def aT(c,b):
 b.aG=False
 aS(c,b.x)
 for d in aN(c,b.aH,b.dj):
  if d.status.name==P:aR(c,d,'running')
async def aU(c,b):
 b.g=None
 e=H(c,b)
 F,y=(b.F,b.y)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=O+'dismiss')
 H(c,b)
 b.F,b.y=(F,y)
async def ca(c,L,ay,t):
 K,A,aD=ay
 K=120 if K is None else K
 A=min(30,K/4)if A is None else A
 ak=[bU(c,i,u,K,A,t)for i,u in L]
 if ak:await asyncio.wait([ad.T for ad in ak],timeout=aD)
 M=[af(ad)for ad in ak]
 for ad in ak:aV(ad)
 return M
async def cb(c,L,*E):
 M=[]
 for i,u in L:
  b=q.get(i)or am(i,u)
  if not b.t:await ap(b);q.pop(i,None);aT(c,b);await cc(c,b)
  e={d.status.name for d in H(c,b)}
  d='leaving'if b.t else'waiting'if P in e else'running'
  M.append({'name':i,'state':d if e else'unknown','workers':b.y})
 return M
async def cc(c,b):
 for E in range(50):
  if all((d.status.name!=P for d in H(c,b))):break
  await asyncio.sleep(0.02)
async def cd(c,L,*E):
 M=[]
 for i,u in L:
  b=q.get(i)or am(i,u)
  await ap(b)
  if H(c,b)or not b.g:await aU(c,b);aK(b,'forgotten'if b.x else'unknown')
  M.append(af(b))
  aV(b)
 return M
def aV(b):
 if b.o=='unknown':q.pop(b.aH,None)
async def ap(b):
 if b.T:b.T.cancel();await asyncio.wait([b.T])
async def ce():
 for b in list(q.values()):await ap(b)
 B()
preloads=globals().get('preloads',[])
def load(cO):
 if not preloads:j='distributed.'+cO+'.preload';cX={br:bs for br,bs in os.environ.items()if not br.endswith('__PRELOAD')and bs!='[]'};ah=config.collect(env=cX);preloads.extend(process_preloads(None,config.get(j,[],ah),config.get(j+'-argv',[],ah)))
async def aW(ao,cP,cQ):
 for az in cP:
  az.dask_object=cQ
  try:await getattr(az,ao)()
  except Exception:logger.exception(az.name)
cu='/dask-operator/v1/(facts|retire|uncordon|forget)'
cv='DASK_OPERATOR_TOKEN'
cw=65536
cx=60
ar={'retire':ca,'uncordon':cb,'forget':cd}
bc=[]
async def dask_setup(c):
 await aW('start',preloads,c)
 if(cY:=os.environ.get(cv)):c.add_plugin(bS(),name='dask-operator');bc.append(asyncio.ensure_future(bT(c)));c.http_application.add_handlers('.*',[(cu,cf,{'scheduler':c,'token':cY})])
async def dask_teardown(c):
 for T in bc:T.cancel()
 await ce()
 await aW('teardown',preloads[::-1],c)
@stream_request_body
class cf(RequestHandler):
 def initialize(h,**aE):vars(h).update(aE,body=b'',gone=False)
 def prepare(h):
  aE=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aE.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cw)
 def data_received(h,cZ):h.body+=cZ
 def on_connection_close(h):h.gone=True;aO()
 async def get(h,name):
  if name in ar:raise HTTPError(405)
  if r.J>=cs:raise HTTPError(429)
  try:dc=int(h.get_argument('after','-1'));aD=aX(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bR(dc,min(aD,cx),lambda:h.gone)
  h.answer(bD(h.scheduler,r.D,r.J))
 async def post(h,name):
  if name not in ar:raise HTTPError(405)
  try:aF=json.loads(h.body);L=[(str(i['name']),str(i.get('ip')or''))for i in aF['pods']];ay=[aX(aF.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await ar[name](h.scheduler,L,ay,aF.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):c_=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(c_)
 def write_error(h,da,**E):h.finish({'error':da})
def aX(N):
 if N is not None and(not math.isfinite(N)):raise ValueError
 return N and min(max(N,0),86400)