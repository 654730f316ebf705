import time,re,asyncio,contextlib,os,hmac,json,math
from types import SimpleNamespace
from distributed.preloading import logger,process_preloads
from dask import config
from distributed.diagnostics.plugin import SchedulerPlugin
from tornado.web import HTTPError,RequestHandler,stream_request_body
aV=2000
l={}
def L(e,i):
 I=l.pop(e,None)
 be=[name for name,b in l.items()if not b.x or b.x.done()]
 for name in be[:max(0,len(l)-aV)]:del l[name]
 l[e]=b=SimpleNamespace(aw=e,bB=i,x=None,K=0,q=0,n=False,Z=False,m=set(),o='waiting',r='',y=0,A=0,aa=I.aa if I else{},s={},B=I.B if I else{},bA=time.monotonic(),av=None)
 return b
def ab(b):aj=[bn for g,bn in b.aa.items()if g not in b.s and g not in b.B];bf=time.monotonic()-b.bA if b.av is None else b.av;return{'name':b.aw,'state':b.o,'reason':b.r,'workers':b.y,'tasks':b.A,'keys':len(b.s),'bytes':sum(b.s.values()),'moved_keys':len(aj),'moved_bytes':sum(aj),'lost_keys':len(b.B),'lost_bytes':sum(b.B.values()),'seconds':round(bf,3)}
def ax(c,p):
 for b in l.values():
  if p in b.m:
   *U,at=(G for U,G in c.get_events(p)if'lost-computed-tasks'in G)
   for g in at['lost-computed-tasks']|at['lost-scattered-tasks']:b.B[g]=b.aa.get(g,0)
def ay():return{p for b in l.values()if b.Z for p in b.m}
aW=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
aX=('running','paused')
def H(c,e,i):ak=c.host_info.get(i,{}).get('addresses')if i else None;f=[c.workers[ar]for ar in ak or c.workers if ar in c.workers];return[d for d in f if az(str(d.name),e,bool(ak))]
def az(name,e,bg):
 if name==e or re.fullmatch(re.escape(e)+'-\\d+',name):return True
 al=aW.fullmatch(name)
 return bg and(not al or e.startswith(al.group(1)+'-'))
def aA(c,f):bh={d for d in c.workers.values()if d.status.name in aX}.difference(f);bi={h for d in f for h in d.has_what};return{h.key:h.get_nbytes()for h in bi if not h.actor and bh.isdisjoint(h.who_has)}
def aB(c,f):E=c.extensions.get('stealing');return sum((bx['thief']in f for bx in E.in_flight.values()))if E else 0
def aC(c,f):
 for bj in list(c.plugins.values()):
  if len(bj.valid_workers_downscaling(c,list(f)))<len(f):return True
 return False
C='dask-operator-'
aY=('ready','constrained','waiting','released',None)
aZ=('executing','long-running')
a_=500
D={}
def aD(c,d):
 aE(c)
 E=c.extensions.get('stealing')
 am=0
 for h in d.processing:
  if E and h in E.in_flight or D.get((h.key,d.address))==h.run_id:continue
  D[h.key,d.address]=h.run_id
  bo={'op':'steal-request','key':h.key,'stimulus_id':C+str(h.run_id)}
  c.stream_comms[d.address].send(bo)
  am+=1
  if am==a_:break
 return len(d.processing)
def aE(c):
 P=c.stream_handlers.get('steal-response')
 def ah(**z):
  if z['stimulus_id'].startswith(C):aF(c,z['key'],z['worker'],z['state'],z['stimulus_id'])
  elif P:P(**z)
 if getattr(P,'ours',None)is None:ah.ours=True;c.stream_handlers['steal-response']=ah
def aF(c,g,p,d,stimulus_id):
 if d not in aZ:D.pop((g,p),None)
 h=c.tasks.get(g)
 if d in aY and h and(C+str(h.run_id)==stimulus_id):c._reschedule(g,p,stimulus_id=stimulus_id)
def aG(m):
 for g in[g for g in D if g[1]in m]:del D[g]
ba=('vetoed','peers paused','actors')
def aH(c,e,i,t,q,n):
 b=l.get(e)
 if not b or(b.x.done()and H(c,e,i)):b=L(e,i);b.x=asyncio.ensure_future(aI(c,b))
 b.K=time.monotonic()+t
 b.q=q
 b.n=b.n or n
 return b
async def aI(c,b):
 try:await aJ(c,b)
 except asyncio.CancelledError:b.o='cancelled'
 except Exception as error:logger.exception('dask-operator');b.o,b.r=('failed',type(error).__name__)
 b.av=time.monotonic()-b.bA
 aG(b.m)
async def aJ(c,b):
 Q=0.01
 while not M(c,b):
  if b.s and(not b.A or time.monotonic()>b.K-b.q):await aM(c,b)
  await asyncio.sleep(Q)
  Q=min(Q*1.5,0.2)
 if b.n and b.o!='ready'and(b.r!='closing'):await af(c,b)
 elif b.o=='refused':ae(c,b)
def M(c,b):
 f=N(c,b)
 b.r=aK(c,b,f)
 if not f:b.o='lost'if b.B else'ready'if b.m else'unknown'
 elif b.r and(not(b.n and b.r in ba)):b.o='refused'
 elif time.monotonic()>b.K:b.o='interrupted'
 elif b.r!='vetoed':
  aL(c,b,f)
  if not b.A and(not b.s):b.o='lost'if b.B else'refused'if b.r else'ready'
 return b.o!='waiting'
def N(c,b):f=H(c,b.aw,b.bB);b.m.update((d.address for d in f));b.y=len(f);b.A=sum((len(d.processing)for d in f))+aB(c,f);b.s=aA(c,f);b.aa.update(b.s);return f
def aK(c,b,f):
 if c.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in f)):return'actors'
 if not b.Z and aC(c,f)and(time.monotonic()<b.K-b.q):return'vetoed'
 n=ay()|b.m
 if(b.A or b.s)and n.issuperset((d.address for d in c.running)):bp={p for p,by in c.workers.items()if by.status.name=='paused'};return'peers paused'if bp-n else'last worker'
 return''
def aL(c,b,f):
 b.Z=True
 for d in f:ac(c,d,'closing_gracefully');aD(c,d)
def ac(c,d,F):
 if d.status.name==F:return
 an={'op':'worker-status-change','status':F,'stimulus_id':C+F}
 if F!='running':c.handle_worker_status_change(F,d,an['stimulus_id'])
 c.stream_comms[d.address].send(an)
async def aM(c,b):
 y=b.m.intersection(c.workers)
 if b.r=='actors':ap=c.replicate(keys=list(b.s),n=1)
 else:ap=c.retire_workers(workers=list(y),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(ap,max(0.1,b.K-time.monotonic()))
 ad(c,y)
def ad(c,m):
 ao=getattr(c.extensions.get('amm'),'policies',set())
 for R in list(ao):
  if type(R).__name__=='RetireWorker'and R.address in m:ao.discard(R)
def ae(c,b):
 b.Z=False
 ad(c,b.m)
 for d in H(c,b.aw,b.bB):
  if d.status.name=='closing_gracefully':ac(c,d,'running')
async def af(c,b):
 f=N(c,b)
 bq,workers=(b.A,b.y)
 for d in f:await c.remove_worker(d.address,expected=True,stimulus_id=C+'dismiss')
 N(c,b)
 b.A,b.y=(bq,workers)
async def aN(c,u,S,n):
 t,q,br=S
 t=120 if t is None else t
 q=min(30,t/4)if q is None else q
 T=[aH(c,e,i,t,q,n)for e,i in u]
 if T:await asyncio.wait([X.x for X in T],timeout=br)
 return[ab(X)for X in T]
async def aO(c,u,*U):
 w=[]
 for e,i in u:
  b=l.get(e)or L(e,i)
  if not b.n:await O(b);l.pop(e,None);ae(c,b)
  aq=H(c,e,i)
  d='leaving'if b.n else'running'if aq else'unknown'
  w.append({'name':e,'state':d,'workers':len(aq)})
 return w
async def aP(c,u,*U):
 w=[]
 for e,i in u:b=l.get(e)or L(e,i);await O(b);await af(c,b);b.o='forgotten'if b.m else'unknown';w.append(ab(b))
 return w
async def O(b):
 if b.x:b.x.cancel();await asyncio.wait([b.x])
async def aQ():
 for b in list(l.values()):await O(b)
preloads=globals().get('preloads',[])
def load(bk):
 if not preloads:g='distributed.'+bk+'.preload';bs=config.collect(env={au:bz for au,bz in os.environ.items()if'__PRELOAD'not in au});preloads.extend(process_preloads(None,config.get(g,[],bs),config.get(g+'-argv')))
async def ag(M,bl,bm):
 for V in bl:
  V.dask_object=bm
  try:await getattr(V,M)()
  except Exception:logger.exception(V.name)
class aR(SchedulerPlugin):
 def remove_worker(j,**G):
  try:ax(G['scheduler'],G['worker'])
  except Exception:logger.exception('dask-operator')
def aS(c):c.add_plugin(aR(),name='dask-operator',idempotent=True)
bb='/dask-operator/v1/(facts|retire|uncordon|forget)'
bc='DASK_OPERATOR_TOKEN'
bd=65536
ai={'retire':aN,'uncordon':aO,'forget':aP}
async def dask_setup(c):
 await ag('start',preloads,c)
 if(bt:=os.environ.get(bc)):bu=(bb,aT,{'scheduler':c,'token':bt});aS(c);c.http_application.add_handlers('.*',[bu])
async def dask_teardown(c):await aQ();await ag('teardown',preloads[::-1],c)
@stream_request_body
class aT(RequestHandler):
 def initialize(j,**W):vars(j).update(W,body=b'')
 def prepare(j):
  W=j.request.headers.get('Authorization','')
  if not hmac.compare_digest(W.encode(),('Bearer '+j.token).encode()):raise HTTPError(401)
  j.request.connection.set_max_body_size(bd)
 def data_received(j,bv):j.body+=bv
 async def post(j,name):
  if name not in ai:raise HTTPError(405)
  try:Y=json.loads(j.body);u=[(str(e['name']),str(e.get('ip')or''))for e in Y['pods']];S=[aU(Y.get(g))for g in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError):raise HTTPError(400)from None
  w=await ai[name](j.scheduler,u,S,Y.get('leaving')is True)
  j.finish({'schema':1,'pods':w})
 def write_error(j,bw,**bC):j.finish({'error':bw})
def aU(J):
 if J is not None and(not math.isfinite(J)):raise ValueError
 return J and min(max(J,0),86400)