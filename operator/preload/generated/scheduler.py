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
bX=100
ar=20
T=((),(),())
U=defaultdict(Counter)
def bn(b,co):
 for name in('resources','workers'):
  for j in islice(co.get(name)or(),aU):
   e=b.tasks.get(j)
   if e and(u:=aI(b,e))!=T:U[e.group.name][u]+=1
def aI(b,e):
 if e.loose_restrictions:return T
 workers=sorted((bo(b,l)for l in e.worker_restrictions or()))
 au=sorted((e.resource_restrictions or{}).items())
 return(tuple(au),tuple(sorted(e.host_restrictions or())),tuple(workers))
def bo(b,l):af=b.workers.get(l);return str(af.name if af else l)
def bp(b):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in aT.values()})
 for name in set(U).difference(b.task_groups):del U[name]
 for K in b.task_groups.values():
  for d,i in aT.items():
   if(m:=K.states[d]):ak(b,E[T][i],K.prefix,m)
 for e,i in bq(b)if U else():aJ(b,E,aI(b,e),i,e.prefix,1)
 for name,Z in U.items():
  K=b.task_groups[name]
  for u,m in Z.items():cQ=min(1,m/max(1,len(K)));aJ(b,E,u,'waiting',K.prefix,round(K.states['waiting']*cQ))
 return[br(u,f)for u,f in list(E.items())[:bX]]
def bq(b):
 cp=chain.from_iterable((af.processing for af in b.workers.values()))
 for aC,i in((cp,'processing'),(b.unrunnable,'unrunnable')):
  for e in islice(aC,aU):
   if e.resource_restrictions or e.worker_restrictions or e.host_restrictions:yield(e,i)
def aJ(b,E,u,i,Y,m):
 if u!=T and m:ak(b,E[T][i],Y,-m);ak(b,E[u][i],Y,m)
def ak(b,Z,Y,m):Z[0]+=m;Z[1]+=m*b._get_prefix_duration(Y);Z[2]+=m*(Y.duration_average<0)
def br(u,f):au,cE,workers=u;return{'resources':dict(au[:ar]),'hosts':cE[:ar],'workers':workers[:ar],'tasks':{d:{'count':m,'seconds':round(A,3),'unmeasured':cS}for d,(m,A,cS)in f.items()if m}}
bY=2000
o={}
def al(h,n):
 F=o.pop(h,None)
 cq=[name for name,c in o.items()if not c.r or c.r.done()]
 for name in cq[:max(0,len(o)-bY)]:del o[name]
 o[h]=c=SimpleNamespace(bm=h,cZ=n,r=None,N=0,z=0,t=False,aH=False,q=set(),y='waiting',C='',O=0,R=0,Q=F.Q if F else{},x={},S=F.S if F else{},cY=time.monotonic(),bl=None)
 return c
def am(c):aX=[cF for j,cF in c.Q.items()if j not in c.x and j not in c.S];A=time.monotonic()-c.cY if c.bl is None else c.bl;return{'name':c.bm,'state':c.y,'reason':c.C,'workers':c.O,'tasks':c.R,'keys':len(c.x),'bytes':sum(c.x.values()),'moved_keys':len(aX),'moved_bytes':sum(aX),'lost_keys':len(c.S),'lost_bytes':sum(c.S.values()),'seconds':round(A,3)}
def bs(b,l):
 for c in o.values():
  if l in c.q:
   *I,bj=(ad for I,ad in b.get_events(l)if'lost-computed-tasks'in ad)
   for j in bj['lost-computed-tasks']|bj['lost-scattered-tasks']:c.S[j]=c.Q.get(j,0)
def bt():return{l for c in o.values()if c.aH for l in c.q}
bZ=10000
b_=20000
V={}
def bu(b,B):
 i={'schema':1,'revision':B,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cG in ca.items():
  try:i[name]=cG(b)
  except Exception as error:i['missing'].append(name+' '+type(error).__name__)
 return i
def bv(b):
 f=list(b.workers.values())[:bZ]
 aY=set(f)
 for av in list(b.plugins.values()):aY.intersection_update(av.valid_workers_downscaling(b,f))
 L=bx(b)
 return[bw(d,d not in aY,L[d])for d in f]
def bw(d,cr,L):i={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-L,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cr,'idle_since':None if d.processing else V.get(d.address)};return{name:J for name,J in i.items()if J}
def bx(b):
 L=Counter()
 for e in islice(b.replicated_tasks,b_):
  for d in e.who_has:L[d]+=e.get_nbytes()
 return L
def by(b):cs=b.queued or b.unrunnable or any((cT.processing for cT in b.workers.values()));return None if cs else b.idle_since
def bz(b):
 M={}
 ag=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 an(M,ag,'scheduler','scheduler')
 for d in b.workers.values():an(M,aK(d),'workers',str(d.name)[:253])
 for ah in b.client_comms:an(M,aK(b.clients[ah]),'clients',ah[:253])
 return list(M.values())
def aK(d):ai=d.versions.get('host',{}).get('python','?').split('.')[:3];aZ=d.versions.get('packages',{});return('.'.join(ai),aZ.get('dask','?'),aZ.get('distributed','?'))
def an(M,ai,ct,name):
 cu=dict(zip(('python','dask','distributed'),ai,strict=True))
 i=M.setdefault(ai,{**cu,'scheduler':0,'workers':0,'clients':0,'names':[]})
 i[ct]+=1
 if len(i['names'])<3:i['names'].append(name)
ca={'status':lambda b:b.status.name,'idle_since':by,'clients':lambda b:sum(('-worker-'not in ah for ah in b.client_comms)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bv,'demand':bp,'drains':lambda b:[am(c)for c in o.values()],'versions':bz}
cb=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
cc=('running','paused')
def ae(b,h,n):a_=b.host_info.get(n,{}).get('addresses')if n else None;f=[b.workers[bg]for bg in a_ or b.workers if bg in b.workers];return[d for d in f if bA(str(d.name),h,bool(a_))]
def bA(name,h,cv):
 if name==h or re.fullmatch(re.escape(h)+'-\\d+',name):return True
 ba=cb.fullmatch(name)
 return cv and(not ba or h.startswith(ba.group(1)+'-'))
def bB(b,f):cw={d for d in b.workers.values()if d.status.name in cc}.difference(f);cx={e for d in f for e in d.has_what};return{e.key:e.get_nbytes()for e in cx if not e.actor and cw.isdisjoint(e.who_has)}
def bC(b,f):aa=b.extensions.get('stealing');return sum((cU['thief']in f for cU in aa.in_flight.values()))if aa else 0
def bD(b,f):
 for av in list(b.plugins.values()):
  if len(av.valid_workers_downscaling(b,list(f)))<len(f):return True
 return False
W='dask-operator-'
cd=('ready','constrained','waiting','released',None)
ce=('executing','long-running')
cf=500
X={}
def bE(b,d):
 bF(b)
 aa=b.extensions.get('stealing')
 m=0
 for e in d.processing:
  if aa and e in aa.in_flight or X.get((e.key,d.address))==e.run_id:continue
  X[e.key,d.address]=e.run_id
  cH={'op':'steal-request','key':e.key,'stimulus_id':W+str(e.run_id)}
  b.stream_comms[d.address].send(cH)
  m+=1
  if m==cf:break
 return len(d.processing)
def bF(b):
 aw=b.stream_handlers.get('steal-response')
 def aV(**P):
  if P['stimulus_id'].startswith(W):bG(b,P['key'],P['worker'],P['state'],P['stimulus_id'])
  elif aw:aw(**P)
 if getattr(aw,'ours',None)is None:aV.ours=True;b.stream_handlers['steal-response']=aV
def bG(b,j,l,d,stimulus_id):
 if d not in ce:X.pop((j,l),None)
 e=b.tasks.get(j)
 if d in cd and e and(W+str(e.run_id)==stimulus_id):b._reschedule(j,l,stimulus_id=stimulus_id)
def bH(q):
 for j in[j for j in X if j[1]in q]:del X[j]
cg=0.25
ch=0.1
ci=8
p=SimpleNamespace(B=1,aj=0,cX=0.0,bk=asyncio.Event())
def D():p.B+=1;aL()
def aL():p.bk.set();p.bk=asyncio.Event()
async def bI(B,A,cy):
 N=time.monotonic()+A
 p.aj+=1
 while p.B==B and(not cy())and((x:=(N-time.monotonic()))>0):await bJ(p.bk.wait(),x)
 if p.B!=B and A:await asyncio.sleep(p.cX+ch-time.monotonic());p.cX=time.monotonic()
 p.aj-=1
async def bJ(aj,A):r=asyncio.ensure_future(aj);await asyncio.wait([r],timeout=A);r.cancel()
class bK(SchedulerPlugin):
 def update_graph(g,b,**cI):aM(bn,b,cI.get('annotations')or{})
 def remove_worker(g,**ad):aM(bs,ad['scheduler'],ad['worker'])
 def add_worker(g,*I,**bd):D()
 def add_client(g,*I,**bd):D()
 def remove_client(g,*I,**bd):D()
def aM(cz,*cA):
 try:cz(*cA)
 except Exception:logger.exception('dask-operator')
 D()
async def bL(b):
 F=None
 while True:
  cJ=time.time()
  for l,d in b.workers.items():
   if d.processing:V.pop(l,None)
   else:V.setdefault(l,cJ)
  for l in set(V).difference(b.workers):del V[l]
  Q=(b.transition_counter,b.idle_since,[cV.status for cV in b.workers.values()])
  if Q!=F:F=Q;D()
  await asyncio.sleep(cg)
cj=('vetoed','peers paused','actors')
def bM(b,h,n,G,z,t):
 c=o.get(h)
 if not c or(c.r.done()and ae(b,h,n)):c=al(h,n);c.r=asyncio.ensure_future(bN(b,c))
 c.N=time.monotonic()+G
 c.z=z
 c.t=c.t or t
 D()
 return c
async def bN(b,c):
 try:await bO(b,c)
 except asyncio.CancelledError:c.y='cancelled'
 except Exception as error:logger.exception('dask-operator');c.y,c.C=('failed',type(error).__name__)
 c.bl=time.monotonic()-c.cY
 bH(c.q)
 D()
async def bO(b,c):
 ax=0.01
 while not ao(b,c):
  if c.x and(not c.R or time.monotonic()>c.N-c.z):await bR(b,c)
  await asyncio.sleep(ax)
  ax=min(ax*1.5,0.2)
 if c.t and c.y!='ready'and(c.C!='closing'):await aQ(b,c)
 elif c.y=='refused':aP(b,c)
def ao(b,c):
 f=ap(b,c)
 c.C=bP(b,c,f)
 if not f:c.y='lost'if c.S else'ready'if c.q else'unknown'
 elif c.C and(not(c.t and c.C in cj)):c.y='refused'
 elif time.monotonic()>c.N:c.y='interrupted'
 elif c.C!='vetoed':
  bQ(b,c,f)
  if not c.R and(not c.x):c.y='lost'if c.S else'refused'if c.C else'ready'
 return c.y!='waiting'
def ap(b,c):f=ae(b,c.bm,c.cZ);c.q.update((d.address for d in f));c.O=len(f);c.R=sum((len(d.processing)for d in f))+bC(b,f);c.x=bB(b,f);c.Q.update(c.x);return f
def bP(b,c,f):
 if b.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in f)):return'actors'
 if not c.aH and bD(b,f)and(time.monotonic()<c.N-c.z):return'vetoed'
 t=bt()|c.q
 if(c.R or c.x)and t.issuperset((d.address for d in b.running)):cK={l for l,cW in b.workers.items()if cW.status.name=='paused'};return'peers paused'if cK-t else'last worker'
 return''
def bQ(b,c,f):
 c.aH=True
 for d in f:aN(b,d,'closing_gracefully');bE(b,d)
def aN(b,d,ab):
 if d.status.name==ab:return
 bb={'op':'worker-status-change','status':ab,'stimulus_id':W+ab}
 if ab!='running':b.handle_worker_status_change(ab,d,bb['stimulus_id'])
 b.stream_comms[d.address].send(bb)
async def bR(b,c):
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
 for d in ae(b,c.bm,c.cZ):
  if d.status.name=='closing_gracefully':aN(b,d,'running')
async def aQ(b,c):
 f=ap(b,c)
 aC,workers=(c.R,c.O)
 for d in f:await b.remove_worker(d.address,expected=True,stimulus_id=W+'dismiss')
 ap(b,c)
 c.R,c.O=(aC,workers)
async def bS(b,H,az,t):
 G,z,aD=az
 G=120 if G is None else G
 z=min(30,G/4)if z is None else z
 aA=[bM(b,h,n,G,z,t)for h,n in H]
 if aA:await asyncio.wait([aF.r for aF in aA],timeout=aD)
 return[am(aF)for aF in aA]
async def bT(b,H,*I):
 ac=[]
 for h,n in H:
  c=o.get(h)or al(h,n)
  if not c.t:await aq(c);o.pop(h,None);aP(b,c)
  bf=ae(b,h,n)
  d='leaving'if c.t else'running'if bf else'unknown'
  ac.append({'name':h,'state':d,'workers':len(bf)})
 return ac
async def bU(b,H,*I):
 ac=[]
 for h,n in H:c=o.get(h)or al(h,n);await aq(c);await aQ(b,c);c.y='forgotten'if c.q else'unknown';ac.append(am(c))
 return ac
async def aq(c):
 if c.r:c.r.cancel();await asyncio.wait([c.r])
async def bV():
 for c in list(o.values()):await aq(c)
preloads=globals().get('preloads',[])
def load(cB):
 if not preloads:j='distributed.'+cB+'.preload';cL={bh:bi for bh,bi in os.environ.items()if not bh.endswith('__PRELOAD')and bi!='[]'};ag=config.collect(env=cL);preloads.extend(process_preloads(None,config.get(j,[],ag),config.get(j+'-argv',[],ag)))
async def aR(ao,cC,cD):
 for aB in cC:
  aB.dask_object=cD
  try:await getattr(aB,ao)()
  except Exception:logger.exception(aB.name)
ck='/dask-operator/v1/(facts|retire|uncordon|forget)'
cl='DASK_OPERATOR_TOKEN'
cm=65536
cn=60
at={'retire':bS,'uncordon':bT,'forget':bU}
aW=[]
async def dask_setup(b):
 await aR('start',preloads,b)
 if(cM:=os.environ.get(cl)):b.add_plugin(bK(),name='dask-operator');aW.append(asyncio.ensure_future(bL(b)));b.http_application.add_handlers('.*',[(ck,bW,{'scheduler':b,'token':cM})])
async def dask_teardown(b):
 for r in aW:r.cancel()
 await bV()
 await aR('teardown',preloads[::-1],b)
@stream_request_body
class bW(RequestHandler):
 def initialize(g,**aE):vars(g).update(aE,body=b'',gone=False)
 def prepare(g):
  aE=g.request.headers.get('Authorization','')
  if not hmac.compare_digest(aE.encode(),('Bearer '+g.token).encode()):raise HTTPError(401)
  g.request.connection.set_max_body_size(cm)
 def data_received(g,cN):g.body+=cN
 def on_connection_close(g):g.gone=True;aL()
 async def get(g,name):
  if name in at:raise HTTPError(405)
  if p.aj>=ci:raise HTTPError(429)
  try:cR=int(g.get_argument('after','-1'));aD=aS(float(g.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bI(cR,min(aD,cn),lambda:g.gone)
  g.answer(bu(g.scheduler,p.B))
 async def post(g,name):
  if name not in at:raise HTTPError(405)
  try:aG=json.loads(g.body);H=[(str(h['name']),str(h.get('ip')or''))for h in aG['pods']];az=[aS(aG.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  i=await at[name](g.scheduler,H,az,aG.get('leaving')is True)
  g.answer({'schema':1,'pods':i})
 def answer(g,i):cO=json.dumps(json.loads(json.dumps(i,default=str),parse_constant=str));g.set_header('Content-Type','application/json');g.finish(cO)
 def write_error(g,cP,**I):g.finish({'error':cP})
def aS(J):
 if J is not None and(not math.isfinite(J)):raise ValueError
 return J and min(max(J,0),86400)