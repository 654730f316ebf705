import time,os,sys,dask,distributed,re,asyncio,contextlib,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
aV={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
aW=20000
bY=100
au=20
U=((),(),())
V=defaultdict(Counter)
def bo(b,cp):
 for name in('resources','workers'):
  for j in islice(cp.get(name)or(),aW):
   e=b.tasks.get(j)
   if e and(x:=aJ(b,e))!=U:V[e.group.name][x]+=1
def aJ(b,e):
 if e.loose_restrictions:return U
 workers=sorted((bp(b,l)for l in e.worker_restrictions or()))
 aw=sorted((e.resource_restrictions or{}).items())
 return(tuple(aw),tuple(sorted(e.host_restrictions or())),tuple(workers))
def bp(b,l):ag=b.workers.get(l);return str(ag.name if ag else l)
def bq(b):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in aV.values()})
 for name in set(V).difference(b.task_groups):del V[name]
 for L in b.task_groups.values():
  for d,i in aV.items():
   if(m:=L.states[d]):am(b,E[U][i],L.prefix,m)
 for e,i in br(b)if V else():aK(b,E,aJ(b,e),i,e.prefix,1)
 for name,aa in V.items():
  L=b.task_groups[name]
  for x,m in aa.items():cR=min(1,m/max(1,len(L)));aK(b,E,x,'waiting',L.prefix,round(L.states['waiting']*cR))
 return[bs(x,f)for x,f in list(E.items())[:bY]]
def br(b):
 cq=chain.from_iterable((ag.processing for ag in b.workers.values()))
 for aD,i in((cq,'processing'),(b.unrunnable,'unrunnable')):
  for e in islice(aD,aW):
   if e.resource_restrictions or e.worker_restrictions or e.host_restrictions:yield(e,i)
def aK(b,E,x,i,Z,m):
 if x!=U and m:am(b,E[U][i],Z,-m);am(b,E[x][i],Z,m)
def am(b,aa,Z,m):aa[0]+=m;aa[1]+=m*b._get_prefix_duration(Z);aa[2]+=m*(Z.duration_average<0)
def bs(x,f):aw,cF,workers=x;return{'resources':dict(aw[:au]),'hosts':cF[:au],'workers':workers[:au],'tasks':{d:{'count':m,'seconds':round(A,3),'unmeasured':cT}for d,(m,A,cT)in f.items()if m}}
bZ=2000
n={}
def an(h,o):
 F=n.pop(h,None)
 cr=[name for name,c in n.items()if not c.p or c.p.done()]
 for name in cr[:max(0,len(n)-bZ)]:del n[name]
 n[h]=c=SimpleNamespace(aI=h,c_=o,p=None,O=0,z=0,t=False,aH=False,r=set(),u='waiting',C='',P=0,S=0,R=F.R if F else{},y={},T=F.T if F else{},cZ=time.monotonic(),bn=None)
 return c
def ao(c):aZ=[cG for j,cG in c.R.items()if j not in c.y and j not in c.T];A=time.monotonic()-c.cZ if c.bn is None else c.bn;return{'name':c.aI,'state':c.u,'reason':c.C,'workers':c.P,'tasks':c.S,'keys':len(c.y),'bytes':sum(c.y.values()),'moved_keys':len(aZ),'moved_bytes':sum(aZ),'lost_keys':len(c.T),'lost_bytes':sum(c.T.values()),'seconds':round(A,3)}
def bt(b,l):
 for c in n.values():
  if l in c.r:
   *J,bl=(ae for J,ae in b.get_events(l)if'lost-computed-tasks'in ae)
   for j in bl['lost-computed-tasks']|bl['lost-scattered-tasks']:c.T[j]=c.R.get(j,0)
def bu():return{l for c in n.values()if c.aH for l in c.r}
b_=10000
ca=20000
W={}
def bv(b,B):
 i={'schema':1,'revision':B,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cH in cb.items():
  try:i[name]=cH(b)
  except Exception as error:i['missing'].append(name+' '+type(error).__name__)
 return i
def bw(b):
 f=list(b.workers.values())[:b_]
 a_=set(f)
 for ax in list(b.plugins.values()):a_.intersection_update(ax.valid_workers_downscaling(b,f))
 M=by(b)
 return[bx(d,d not in a_,M[d])for d in f]
def bx(d,cs,M):i={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-M,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cs,'idle_since':None if d.processing else W.get(d.address)};return{name:K for name,K in i.items()if K}
def by(b):
 M=Counter()
 for e in islice(b.replicated_tasks,ca):
  for d in e.who_has:M[d]+=e.get_nbytes()
 return M
def bz(b):ct=b.queued or b.unrunnable or any((cU.processing for cU in b.workers.values()));return None if ct else b.idle_since
def bA(b):
 N={}
 ah=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 ap(N,ah,'scheduler','scheduler')
 for d in b.workers.values():ap(N,aL(d),'workers',str(d.name)[:253])
 for ai in b.client_comms:ap(N,aL(b.clients[ai]),'clients',ai[:253])
 return list(N.values())
def aL(d):aj=d.versions.get('host',{}).get('python','?').split('.')[:3];ba=d.versions.get('packages',{});return('.'.join(aj),ba.get('dask','?'),ba.get('distributed','?'))
def ap(N,aj,cu,name):
 cv=dict(zip(('python','dask','distributed'),aj,strict=True))
 i=N.setdefault(aj,{**cv,'scheduler':0,'workers':0,'clients':0,'names':[]})
 i[cu]+=1
 if len(i['names'])<3:i['names'].append(name)
cb={'status':lambda b:b.status.name,'idle_since':bz,'clients':lambda b:sum(('-worker-'not in ai for ai in b.client_comms)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bw,'demand':bq,'drains':lambda b:[ao(c)for c in n.values()],'versions':bA}
cc=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
cd=('running','paused')
def af(b,h,o):bb=b.host_info.get(o,{}).get('addresses')if o else None;f=[b.workers[bi]for bi in bb or b.workers if bi in b.workers];return[d for d in f if bB(str(d.name),h,bool(bb))]
def bB(name,h,cw):
 if name==h or re.fullmatch(re.escape(h)+'-\\d+',name):return True
 bc=cc.fullmatch(name)
 return cw and(not bc or h.startswith(bc.group(1)+'-'))
def bC(b,f):cx={d for d in b.workers.values()if d.status.name in cd}.difference(f);cy={e for d in f for e in d.has_what};return{e.key:e.get_nbytes()for e in cy if not e.actor and cx.isdisjoint(e.who_has)}
def bD(b,f):ab=b.extensions.get('stealing');return sum((cV['thief']in f for cV in ab.in_flight.values()))if ab else 0
def bE(b,f):
 for ax in list(b.plugins.values()):
  if len(ax.valid_workers_downscaling(b,list(f)))<len(f):return True
 return False
X='dask-operator-'
ce=('ready','constrained','waiting','released',None)
cf=('executing','long-running')
cg=500
Y={}
def bF(b,d):
 bG(b)
 ab=b.extensions.get('stealing')
 m=0
 for e in d.processing:
  if ab and e in ab.in_flight or Y.get((e.key,d.address))==e.run_id:continue
  Y[e.key,d.address]=e.run_id
  cI={'op':'steal-request','key':e.key,'stimulus_id':X+str(e.run_id)}
  b.stream_comms[d.address].send(cI)
  m+=1
  if m==cg:break
 return len(d.processing)
def bG(b):
 ay=b.stream_handlers.get('steal-response')
 def aX(**Q):
  if Q['stimulus_id'].startswith(X):bH(b,Q['key'],Q['worker'],Q['state'],Q['stimulus_id'])
  elif ay:ay(**Q)
 if getattr(ay,'ours',None)is None:aX.ours=True;b.stream_handlers['steal-response']=aX
def bH(b,j,l,d,stimulus_id):
 if d not in cf:Y.pop((j,l),None)
 e=b.tasks.get(j)
 if d in ce and e and(X+str(e.run_id)==stimulus_id):b._reschedule(j,l,stimulus_id=stimulus_id)
def bI(r):
 for j in[j for j in Y if j[1]in r]:del Y[j]
ch=0.25
ci=0.1
cj=8
q=SimpleNamespace(B=1,ak=0,cY=0.0,bm=asyncio.Event())
def D():q.B+=1;aM()
def aM():q.bm.set();q.bm=asyncio.Event()
async def bJ(B,A,cz):
 O=time.monotonic()+A
 q.ak+=1
 while q.B==B and(not cz())and((y:=(O-time.monotonic()))>0):await bK(q.bm.wait(),y)
 if q.B!=B and A:await asyncio.sleep(q.cY+ci-time.monotonic());q.cY=time.monotonic()
 q.ak-=1
async def bK(ak,A):p=asyncio.ensure_future(ak);await asyncio.wait([p],timeout=A);p.cancel()
class bL(SchedulerPlugin):
 def update_graph(g,b,**cJ):aN(bo,b,cJ.get('annotations')or{})
 def remove_worker(g,**ae):aN(bt,ae['scheduler'],ae['worker'])
 def add_worker(g,*J,**bf):D()
 def add_client(g,*J,**bf):D()
 def remove_client(g,*J,**bf):D()
def aN(cA,*cB):
 try:cA(*cB)
 except Exception:logger.exception('dask-operator')
 D()
async def bM(b):
 F=None
 while True:
  cK=time.time()
  for l,d in b.workers.items():
   if d.processing:W.pop(l,None)
   else:W.setdefault(l,cK)
  for l in set(W).difference(b.workers):del W[l]
  R=(b.transition_counter,b.idle_since,[cW.status for cW in b.workers.values()])
  if R!=F:F=R;D()
  await asyncio.sleep(ch)
ck=('vetoed','peers paused','actors')
def bN(b,h,o,G,z,t):
 c=n.get(h)
 if not c or not c.p or(c.p.done()and af(b,h,o)):c=an(h,o);c.p=asyncio.ensure_future(bO(b,c))
 c.O=time.monotonic()+G
 c.z=z
 c.t=c.t or t
 D()
 return c
async def bO(b,c):
 try:await bP(b,c)
 except asyncio.CancelledError:c.u='cancelled'
 except Exception as error:logger.exception('dask-operator');c.u,c.C=('failed',type(error).__name__)
 c.bn=time.monotonic()-c.cZ
 bI(c.r)
 D()
async def bP(b,c):
 az=0.01
 while not aq(b,c):
  if c.y and(not c.S or time.monotonic()>c.O-c.z):await bS(b,c)
  await asyncio.sleep(az)
  az=min(az*1.5,0.2)
 if c.t and c.u!='ready'and(c.C!='closing'):await aR(b,c)
 elif c.u=='refused':aQ(b,c)
def aq(b,c):
 f=ar(b,c)
 c.C=bQ(b,c,f)
 if not f:c.u='lost'if c.T else'ready'if c.r else'unknown'
 elif c.C and(not(c.t and c.C in ck)):c.u='refused'
 elif time.monotonic()>c.O:c.u='interrupted'
 elif c.C!='vetoed':
  bR(b,c,f)
  if not c.S and(not c.y):c.u='lost'if c.T else'refused'if c.C else'ready'
 return c.u!='waiting'
def ar(b,c):f=af(b,c.aI,c.c_);c.r.update((d.address for d in f));c.P=len(f);c.S=sum((len(d.processing)for d in f))+bD(b,f);c.y=bC(b,f);c.R.update(c.y);return f
def bQ(b,c,f):
 if b.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in f)):return'actors'
 if not c.aH and bE(b,f)and(time.monotonic()<c.O-c.z):return'vetoed'
 t=bu()|c.r
 if(c.S or c.y)and t.issuperset((d.address for d in b.running)):cL={l for l,cX in b.workers.items()if cX.status.name=='paused'};return'peers paused'if cL-t else'last worker'
 return''
def bR(b,c,f):
 c.aH=True
 for d in f:aO(b,d,'closing_gracefully');bF(b,d)
def aO(b,d,ac):
 if d.status.name==ac:return
 bd={'op':'worker-status-change','status':ac,'stimulus_id':X+ac}
 if ac!='running':b.handle_worker_status_change(ac,d,bd['stimulus_id'])
 b.stream_comms[d.address].send(bd)
async def bS(b,c):
 P=c.r.intersection(b.workers)
 if c.C=='actors':bg=b.replicate(keys=list(c.y),n=1)
 else:bg=b.retire_workers(workers=list(P),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(bg,max(0.1,c.O-time.monotonic()))
 aP(b,P)
def aP(b,r):
 be=getattr(b.extensions.get('amm'),'policies',set())
 for aA in list(be):
  if type(aA).__name__=='RetireWorker'and aA.address in r:be.discard(aA)
def aQ(b,c):
 c.aH=False
 aP(b,c.r)
 for d in af(b,c.aI,c.c_):
  if d.status.name=='closing_gracefully':aO(b,d,'running')
async def aR(b,c):
 f=ar(b,c)
 aD,workers=(c.S,c.P)
 for d in f:await b.remove_worker(d.address,expected=True,stimulus_id=X+'dismiss')
 ar(b,c)
 c.S,c.P=(aD,workers)
async def bT(b,H,aB,t):
 G,z,aE=aB
 G=120 if G is None else G
 z=min(30,G/4)if z is None else z
 al=[bN(b,h,o,G,z,t)for h,o in H]
 if al:await asyncio.wait([ad.p for ad in al],timeout=aE)
 I=[ao(ad)for ad in al]
 for ad in al:aS(ad)
 return I
async def bU(b,H,*J):
 I=[]
 for h,o in H:
  c=n.get(h)or an(h,o)
  if not c.t:await at(c);n.pop(h,None);aQ(b,c)
  bh=af(b,h,o)
  d='leaving'if c.t else'running'if bh else'unknown'
  I.append({'name':h,'state':d,'workers':len(bh)})
 return I
async def bV(b,H,*J):
 I=[]
 for h,o in H:c=n.get(h)or an(h,o);await at(c);await aR(b,c);c.u='forgotten'if c.r else'unknown';I.append(ao(c));aS(c)
 return I
def aS(c):
 if c.u=='unknown':n.pop(c.aI,None)
async def at(c):
 if c.p:c.p.cancel();await asyncio.wait([c.p])
async def bW():
 for c in list(n.values()):await at(c)
preloads=globals().get('preloads',[])
def load(cC):
 if not preloads:j='distributed.'+cC+'.preload';cM={bj:bk for bj,bk in os.environ.items()if not bj.endswith('__PRELOAD')and bk!='[]'};ah=config.collect(env=cM);preloads.extend(process_preloads(None,config.get(j,[],ah),config.get(j+'-argv',[],ah)))
async def aT(aq,cD,cE):
 for aC in cD:
  aC.dask_object=cE
  try:await getattr(aC,aq)()
  except Exception:logger.exception(aC.name)
cl='/dask-operator/v1/(facts|retire|uncordon|forget)'
cm='DASK_OPERATOR_TOKEN'
cn=65536
co=60
av={'retire':bT,'uncordon':bU,'forget':bV}
aY=[]
async def dask_setup(b):
 await aT('start',preloads,b)
 if(cN:=os.environ.get(cm)):b.add_plugin(bL(),name='dask-operator');aY.append(asyncio.ensure_future(bM(b)));b.http_application.add_handlers('.*',[(cl,bX,{'scheduler':b,'token':cN})])
async def dask_teardown(b):
 for p in aY:p.cancel()
 await bW()
 await aT('teardown',preloads[::-1],b)
@stream_request_body
class bX(RequestHandler):
 def initialize(g,**aF):vars(g).update(aF,body=b'',gone=False)
 def prepare(g):
  aF=g.request.headers.get('Authorization','')
  if not hmac.compare_digest(aF.encode(),('Bearer '+g.token).encode()):raise HTTPError(401)
  g.request.connection.set_max_body_size(cn)
 def data_received(g,cO):g.body+=cO
 def on_connection_close(g):g.gone=True;aM()
 async def get(g,name):
  if name in av:raise HTTPError(405)
  if q.ak>=cj:raise HTTPError(429)
  try:cS=int(g.get_argument('after','-1'));aE=aU(float(g.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bJ(cS,min(aE,co),lambda:g.gone)
  g.answer(bv(g.scheduler,q.B))
 async def post(g,name):
  if name not in av:raise HTTPError(405)
  try:aG=json.loads(g.body);H=[(str(h['name']),str(h.get('ip')or''))for h in aG['pods']];aB=[aU(aG.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  i=await av[name](g.scheduler,H,aB,aG.get('leaving')is True)
  g.answer({'schema':1,'pods':i})
 def answer(g,i):cP=json.dumps(json.loads(json.dumps(i,default=str),parse_constant=str));g.set_header('Content-Type','application/json');g.finish(cP)
 def write_error(g,cQ,**J):g.finish({'error':cQ})
def aU(K):
 if K is not None and(not math.isfinite(K)):raise ValueError
 return K and min(max(K,0),86400)