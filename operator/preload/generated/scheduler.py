import time,os,sys,dask,distributed,re,asyncio,contextlib,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
aT={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
aU=20000
bW=100
aq=20
T=((),(),())
U=defaultdict(Counter)
def bm(b,cn):
 for name in('resources','workers'):
  for j in islice(cn.get(name)or(),aU):
   e=b.tasks.get(j)
   if e and(u:=aI(b,e))!=T:U[e.group.name][u]+=1
def aI(b,e):
 if e.loose_restrictions:return T
 workers=sorted((bn(b,l)for l in e.worker_restrictions or()))
 at=sorted((e.resource_restrictions or{}).items())
 return(tuple(at),tuple(sorted(e.host_restrictions or())),tuple(workers))
def bn(b,l):af=b.workers.get(l);return str(af.name if af else l)
def bo(b):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in aT.values()})
 for name in set(U).difference(b.task_groups):del U[name]
 for K in b.task_groups.values():
  for d,i in aT.items():
   if(m:=K.states[d]):aj(b,E[T][i],K.prefix,m)
 for e,i in bp(b)if U else():aJ(b,E,aI(b,e),i,e.prefix,1)
 for name,Z in U.items():
  K=b.task_groups[name]
  for u,m in Z.items():cO=min(1,m/max(1,len(K)));aJ(b,E,u,'waiting',K.prefix,round(K.states['waiting']*cO))
 return[bq(u,f)for u,f in list(E.items())[:bW]]
def bp(b):
 co=chain.from_iterable((af.processing for af in b.workers.values()))
 for aC,i in((co,'processing'),(b.unrunnable,'unrunnable')):
  for e in islice(aC,aU):
   if e.resource_restrictions or e.worker_restrictions or e.host_restrictions:yield(e,i)
def aJ(b,E,u,i,Y,m):
 if u!=T and m:aj(b,E[T][i],Y,-m);aj(b,E[u][i],Y,m)
def aj(b,Z,Y,m):Z[0]+=m;Z[1]+=m*b._get_prefix_duration(Y);Z[2]+=m*(Y.duration_average<0)
def bq(u,f):at,cD,workers=u;return{'resources':dict(at[:aq]),'hosts':cD[:aq],'workers':workers[:aq],'tasks':{d:{'count':m,'seconds':round(A,3),'unmeasured':cQ}for d,(m,A,cQ)in f.items()if m}}
bX=2000
o={}
def ak(h,n):
 F=o.pop(h,None)
 cp=[name for name,c in o.items()if not c.r or c.r.done()]
 for name in cp[:max(0,len(o)-bX)]:del o[name]
 o[h]=c=SimpleNamespace(bl=h,cY=n,r=None,N=0,z=0,t=False,aH=False,q=set(),y='waiting',C='',O=0,R=0,Q=F.Q if F else{},x={},S=F.S if F else{},cX=time.monotonic(),bk=None)
 return c
def al(c):aX=[cE for j,cE in c.Q.items()if j not in c.x and j not in c.S];A=time.monotonic()-c.cX if c.bk is None else c.bk;return{'name':c.bl,'state':c.y,'reason':c.C,'workers':c.O,'tasks':c.R,'keys':len(c.x),'bytes':sum(c.x.values()),'moved_keys':len(aX),'moved_bytes':sum(aX),'lost_keys':len(c.S),'lost_bytes':sum(c.S.values()),'seconds':round(A,3)}
def br(b,l):
 for c in o.values():
  if l in c.q:
   *I,bh=(ad for I,ad in b.get_events(l)if'lost-computed-tasks'in ad)
   for j in bh['lost-computed-tasks']|bh['lost-scattered-tasks']:c.S[j]=c.Q.get(j,0)
def bs():return{l for c in o.values()if c.aH for l in c.q}
bY=10000
bZ=20000
V={}
def bt(b,B):
 i={'schema':1,'revision':B,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cF in b_.items():
  try:i[name]=cF(b)
  except Exception as error:i['missing'].append(name+' '+type(error).__name__)
 return i
def bu(b):
 f=list(b.workers.values())[:bY]
 aY=set(f)
 for au in list(b.plugins.values()):aY.intersection_update(au.valid_workers_downscaling(b,f))
 L=bw(b)
 return[bv(d,d not in aY,L[d])for d in f]
def bv(d,cq,L):i={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-L,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cq,'idle_since':None if d.processing else V.get(d.address)};return{name:J for name,J in i.items()if J}
def bw(b):
 L=Counter()
 for e in islice(b.replicated_tasks,bZ):
  for d in e.who_has:L[d]+=e.get_nbytes()
 return L
def bx(b):cr=b.queued or b.unrunnable or any((cR.processing for cR in b.workers.values()));return None if cr else b.idle_since
def by(b):
 M={}
 av=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 am(M,av,'scheduler','scheduler')
 for d in b.workers.values():am(M,aK(d),'workers',str(d.name)[:253])
 for ag in b.client_comms:am(M,aK(b.clients[ag]),'clients',ag[:253])
 return list(M.values())
def aK(d):ah=d.versions.get('host',{}).get('python','?').split('.')[:3];aZ=d.versions.get('packages',{});return('.'.join(ah),aZ.get('dask','?'),aZ.get('distributed','?'))
def am(M,ah,cs,name):
 ct=dict(zip(('python','dask','distributed'),ah,strict=True))
 i=M.setdefault(ah,{**ct,'scheduler':0,'workers':0,'clients':0,'names':[]})
 i[cs]+=1
 if len(i['names'])<3:i['names'].append(name)
b_={'status':lambda b:b.status.name,'idle_since':bx,'clients':lambda b:sum(('-worker-'not in ag for ag in b.client_comms)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bu,'demand':bo,'drains':lambda b:[al(c)for c in o.values()],'versions':by}
ca=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
cb=('running','paused')
def ae(b,h,n):a_=b.host_info.get(n,{}).get('addresses')if n else None;f=[b.workers[bg]for bg in a_ or b.workers if bg in b.workers];return[d for d in f if bz(str(d.name),h,bool(a_))]
def bz(name,h,cu):
 if name==h or re.fullmatch(re.escape(h)+'-\\d+',name):return True
 ba=ca.fullmatch(name)
 return cu and(not ba or h.startswith(ba.group(1)+'-'))
def bA(b,f):cv={d for d in b.workers.values()if d.status.name in cb}.difference(f);cw={e for d in f for e in d.has_what};return{e.key:e.get_nbytes()for e in cw if not e.actor and cv.isdisjoint(e.who_has)}
def bB(b,f):aa=b.extensions.get('stealing');return sum((cS['thief']in f for cS in aa.in_flight.values()))if aa else 0
def bC(b,f):
 for au in list(b.plugins.values()):
  if len(au.valid_workers_downscaling(b,list(f)))<len(f):return True
 return False
W='dask-operator-'
cc=('ready','constrained','waiting','released',None)
cd=('executing','long-running')
ce=500
X={}
def bD(b,d):
 bE(b)
 aa=b.extensions.get('stealing')
 m=0
 for e in d.processing:
  if aa and e in aa.in_flight or X.get((e.key,d.address))==e.run_id:continue
  X[e.key,d.address]=e.run_id
  cG={'op':'steal-request','key':e.key,'stimulus_id':W+str(e.run_id)}
  b.stream_comms[d.address].send(cG)
  m+=1
  if m==ce:break
 return len(d.processing)
def bE(b):
 aw=b.stream_handlers.get('steal-response')
 def aV(**P):
  if P['stimulus_id'].startswith(W):bF(b,P['key'],P['worker'],P['state'],P['stimulus_id'])
  elif aw:aw(**P)
 if getattr(aw,'ours',None)is None:aV.ours=True;b.stream_handlers['steal-response']=aV
def bF(b,j,l,d,stimulus_id):
 if d not in cd:X.pop((j,l),None)
 e=b.tasks.get(j)
 if d in cc and e and(W+str(e.run_id)==stimulus_id):b._reschedule(j,l,stimulus_id=stimulus_id)
def bG(q):
 for j in[j for j in X if j[1]in q]:del X[j]
cf=0.25
cg=0.1
ch=8
p=SimpleNamespace(B=1,ai=0,cW=0.0,bj=asyncio.Event())
def D():p.B+=1;aL()
def aL():p.bj.set();p.bj=asyncio.Event()
async def bH(B,A,cx):
 N=time.monotonic()+A
 p.ai+=1
 while p.B==B and(not cx())and((x:=(N-time.monotonic()))>0):await bI(p.bj.wait(),x)
 if p.B!=B and A:await asyncio.sleep(p.cW+cg-time.monotonic());p.cW=time.monotonic()
 p.ai-=1
async def bI(ai,A):r=asyncio.ensure_future(ai);await asyncio.wait([r],timeout=A);r.cancel()
class bJ(SchedulerPlugin):
 def update_graph(g,b,**cH):aM(bm,b,cH.get('annotations')or{})
 def remove_worker(g,**ad):aM(br,ad['scheduler'],ad['worker'])
 def add_worker(g,*I,**bd):D()
 def add_client(g,*I,**bd):D()
 def remove_client(g,*I,**bd):D()
def aM(cy,*cz):
 try:cy(*cz)
 except Exception:logger.exception('dask-operator')
 D()
async def bK(b):
 F=None
 while True:
  cI=time.time()
  for l,d in b.workers.items():
   if d.processing:V.pop(l,None)
   else:V.setdefault(l,cI)
  for l in set(V).difference(b.workers):del V[l]
  Q=(b.transition_counter,b.idle_since,[cT.status for cT in b.workers.values()])
  if Q!=F:F=Q;D()
  await asyncio.sleep(cf)
ci=('vetoed','peers paused','actors')
def bL(b,h,n,G,z,t):
 c=o.get(h)
 if not c or(c.r.done()and ae(b,h,n)):c=ak(h,n);c.r=asyncio.ensure_future(bM(b,c))
 c.N=time.monotonic()+G
 c.z=z
 c.t=c.t or t
 D()
 return c
async def bM(b,c):
 try:await bN(b,c)
 except asyncio.CancelledError:c.y='cancelled'
 except Exception as error:logger.exception('dask-operator');c.y,c.C=('failed',type(error).__name__)
 c.bk=time.monotonic()-c.cX
 bG(c.q)
 D()
async def bN(b,c):
 ax=0.01
 while not an(b,c):
  if c.x and(not c.R or time.monotonic()>c.N-c.z):await bQ(b,c)
  await asyncio.sleep(ax)
  ax=min(ax*1.5,0.2)
 if c.t and c.y!='ready'and(c.C!='closing'):await aQ(b,c)
 elif c.y=='refused':aP(b,c)
def an(b,c):
 f=ao(b,c)
 c.C=bO(b,c,f)
 if not f:c.y='lost'if c.S else'ready'if c.q else'unknown'
 elif c.C and(not(c.t and c.C in ci)):c.y='refused'
 elif time.monotonic()>c.N:c.y='interrupted'
 elif c.C!='vetoed':
  bP(b,c,f)
  if not c.R and(not c.x):c.y='lost'if c.S else'refused'if c.C else'ready'
 return c.y!='waiting'
def ao(b,c):f=ae(b,c.bl,c.cY);c.q.update((d.address for d in f));c.O=len(f);c.R=sum((len(d.processing)for d in f))+bB(b,f);c.x=bA(b,f);c.Q.update(c.x);return f
def bO(b,c,f):
 if b.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in f)):return'actors'
 if not c.aH and bC(b,f)and(time.monotonic()<c.N-c.z):return'vetoed'
 t=bs()|c.q
 if(c.R or c.x)and t.issuperset((d.address for d in b.running)):cJ={l for l,cU in b.workers.items()if cU.status.name=='paused'};return'peers paused'if cJ-t else'last worker'
 return''
def bP(b,c,f):
 c.aH=True
 for d in f:aN(b,d,'closing_gracefully');bD(b,d)
def aN(b,d,ab):
 if d.status.name==ab:return
 bb={'op':'worker-status-change','status':ab,'stimulus_id':W+ab}
 if ab!='running':b.handle_worker_status_change(ab,d,bb['stimulus_id'])
 b.stream_comms[d.address].send(bb)
async def bQ(b,c):
 O=c.q.intersection(b.workers)
 if c.C=='actors':be=b.replicate(keys=list(c.x),n=1)
 else:be=b.retire_workers(workers=list(O),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(be,max(0.1,c.N-time.monotonic()))
 aO(b,O)
def aO(b,q):
 bc=getattr(b.extensions.get('amm'),'policies',set())
 for ay in list(bc):
  if type(ay).__name__=='RetireWorker'and ay.address in q:bc.discard(ay)
def aP(b,c):
 c.aH=False
 aO(b,c.q)
 for d in ae(b,c.bl,c.cY):
  if d.status.name=='closing_gracefully':aN(b,d,'running')
async def aQ(b,c):
 f=ao(b,c)
 aC,workers=(c.R,c.O)
 for d in f:await b.remove_worker(d.address,expected=True,stimulus_id=W+'dismiss')
 ao(b,c)
 c.R,c.O=(aC,workers)
async def bR(b,H,az,t):
 G,z,aD=az
 G=120 if G is None else G
 z=min(30,G/4)if z is None else z
 aA=[bL(b,h,n,G,z,t)for h,n in H]
 if aA:await asyncio.wait([aF.r for aF in aA],timeout=aD)
 return[al(aF)for aF in aA]
async def bS(b,H,*I):
 ac=[]
 for h,n in H:
  c=o.get(h)or ak(h,n)
  if not c.t:await ap(c);o.pop(h,None);aP(b,c)
  bf=ae(b,h,n)
  d='leaving'if c.t else'running'if bf else'unknown'
  ac.append({'name':h,'state':d,'workers':len(bf)})
 return ac
async def bT(b,H,*I):
 ac=[]
 for h,n in H:c=o.get(h)or ak(h,n);await ap(c);await aQ(b,c);c.y='forgotten'if c.q else'unknown';ac.append(al(c))
 return ac
async def ap(c):
 if c.r:c.r.cancel();await asyncio.wait([c.r])
async def bU():
 for c in list(o.values()):await ap(c)
preloads=globals().get('preloads',[])
def load(cA):
 if not preloads:j='distributed.'+cA+'.preload';av=config.collect(env={bi:cV for bi,cV in os.environ.items()if'__PRELOAD'not in bi});preloads.extend(process_preloads(None,config.get(j,[],av),config.get(j+'-argv')))
async def aR(an,cB,cC):
 for aB in cB:
  aB.dask_object=cC
  try:await getattr(aB,an)()
  except Exception:logger.exception(aB.name)
cj='/dask-operator/v1/(facts|retire|uncordon|forget)'
ck='DASK_OPERATOR_TOKEN'
cl=65536
cm=60
ar={'retire':bR,'uncordon':bS,'forget':bT}
aW=[]
async def dask_setup(b):
 await aR('start',preloads,b)
 if(cK:=os.environ.get(ck)):b.add_plugin(bJ(),name='dask-operator');aW.append(asyncio.ensure_future(bK(b)));b.http_application.add_handlers('.*',[(cj,bV,{'scheduler':b,'token':cK})])
async def dask_teardown(b):
 for r in aW:r.cancel()
 await bU()
 await aR('teardown',preloads[::-1],b)
@stream_request_body
class bV(RequestHandler):
 def initialize(g,**aE):vars(g).update(aE,body=b'',gone=False)
 def prepare(g):
  aE=g.request.headers.get('Authorization','')
  if not hmac.compare_digest(aE.encode(),('Bearer '+g.token).encode()):raise HTTPError(401)
  g.request.connection.set_max_body_size(cl)
 def data_received(g,cL):g.body+=cL
 def on_connection_close(g):g.gone=True;aL()
 async def get(g,name):
  if name in ar:raise HTTPError(405)
  if p.ai>=ch:raise HTTPError(429)
  try:cP=int(g.get_argument('after','-1'));aD=aS(float(g.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bH(cP,min(aD,cm),lambda:g.gone)
  g.answer(bt(g.scheduler,p.B))
 async def post(g,name):
  if name not in ar:raise HTTPError(405)
  try:aG=json.loads(g.body);H=[(str(h['name']),str(h.get('ip')or''))for h in aG['pods']];az=[aS(aG.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError):raise HTTPError(400)from None
  i=await ar[name](g.scheduler,H,az,aG.get('leaving')is True)
  g.answer({'schema':1,'pods':i})
 def answer(g,i):cM=json.dumps(json.loads(json.dumps(i,default=str),parse_constant=str));g.set_header('Content-Type','application/json');g.finish(cM)
 def write_error(g,cN,**I):g.finish({'error':cN})
def aS(J):
 if J is not None and(not math.isfinite(J)):raise ValueError
 return J and min(max(J,0),86400)