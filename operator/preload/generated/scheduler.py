import time,os,sys,dask,distributed,re,asyncio,contextlib,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
aW={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
aX=20000
bZ=100
au=20
W=((),(),())
X=defaultdict(Counter)
def bp(b,cq):
 for name in('resources','workers'):
  for j in islice(cq.get(name)or(),aX):
   e=b.tasks.get(j)
   if e and(n:=aK(b,e))!=W:X[e.group.name][n]+=1
def aK(b,e):
 if e.loose_restrictions:return W
 workers=sorted((bq(b,l)for l in e.worker_restrictions or()))
 aw=sorted((e.resource_restrictions or{}).items())
 return(tuple(aw),tuple(sorted(e.host_restrictions or())),tuple(workers))
def bq(b,l):ah=b.workers.get(l);return str(ah.name if ah else l)
def br(b):
 F=defaultdict(lambda:{d:[0,0.0,0]for d in aW.values()})
 for name in set(X).difference(b.task_groups):del X[name]
 for N in b.task_groups.values():
  for d,i in aW.items():
   if(m:=N.states[d]):am(b,F[W][i],N.prefix,m)
 for(n,i,G),m in bs(b).items()if X else():aL(b,F,n,i,G,m)
 for name,A in X.items():
  N=b.task_groups[name]
  for n,m in A.items():cS=min(1,m/max(1,len(N)));aL(b,F,n,'waiting',N.prefix,round(N.states['waiting']*cS))
 i=(bt(n,f)for n,f in F.items())
 return[*islice((n for n in i if n['tasks']),bZ)]
def bs(b):
 A=Counter()
 cr=chain.from_iterable((ah.processing for ah in b.workers.values()))
 for aD,i in((cr,'processing'),(b.unrunnable,'unrunnable')):
  for e in islice(aD,aX):
   if e.resource_restrictions or e.worker_restrictions or e.host_restrictions:A[aK(b,e),i,e.prefix]+=1
 return A
def aL(b,F,n,i,G,m):
 if n!=W and m:am(b,F[W][i],G,-m);am(b,F[n][i],G,m)
def am(b,A,G,m):A[0]+=m;A[1]+=m*b._get_prefix_duration(G);A[2]+=m*(G.duration_average<0)
def bt(n,f):aw,cH,workers=n;return{'resources':dict(aw[:au]),'hosts':cH[:au],'workers':workers[:au],'tasks':{d:{'count':m,'seconds':round(B,3),'unmeasured':cU}for d,(m,B,cU)in f.items()if m>0}}
b_=2000
o={}
def an(h,p):
 H=o.pop(h,None)
 cs=[name for name,c in o.items()if not c.r or c.r.done()]
 for name in cs[:max(0,len(o)-b_)]:del o[name]
 o[h]=c=SimpleNamespace(aJ=h,da=p,r=None,Q=0,z=0,u=False,aI=False,t=set(),x='waiting',D='',R=0,U=0,T=H.T if H else{},y={},V=H.V if H else{},c_=time.monotonic(),bo=None)
 return c
def ao(c):a_=[aE for j,aE in c.T.items()if j not in c.y and j not in c.V];B=time.monotonic()-c.c_ if c.bo is None else c.bo;return{'name':c.aJ,'state':c.x,'reason':c.D,'workers':c.R,'tasks':c.U,'keys':len(c.y),'bytes':sum(c.y.values()),'moved_keys':len(a_),'moved_bytes':sum(a_),'lost_keys':len(c.V),'lost_bytes':sum(c.V.values()),'seconds':round(B,3)}
def bu(b,l):
 for c in o.values():
  if l in c.t:
   *L,bm=(af for L,af in b.get_events(l)if'lost-computed-tasks'in af)
   for j in bm['lost-computed-tasks']|bm['lost-scattered-tasks']:c.V[j]=c.T.get(j,0)
def bv():return{l for c in o.values()if c.aI for l in c.t}
ca=10000
cb=20000
Y={}
def bw(b,C,ct):
 i={'schema':1,'revision':C,'polls':ct,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cI in cc.items():
  try:i[name]=cI(b)
  except Exception as error:i['missing'].append(name+' '+type(error).__name__)
 return i
def bx(b):
 f=list(b.workers.values())[:ca]
 ba=set(f)
 for ax in list(b.plugins.values()):ba.intersection_update(ax.valid_workers_downscaling(b,f))
 O=bz(b)
 return[by(d,d not in ba,O[d.address])for d in f]
def by(d,cu,O):i={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-O,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cu,'idle_since':None if d.processing else Y.get(d.address)};return{name:M for name,M in i.items()if M}
def bz(b):
 O=Counter()
 for e in islice(b.replicated_tasks,cb):
  aE=e.get_nbytes()
  for d in e.who_has:O[d.address]+=aE
 return O
def bA(b):cv=b.queued or b.unrunnable or any((cV.processing for cV in b.workers.values()));return None if cv else b.idle_since
def bB(b):
 P={}
 ai=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 ap(P,ai,'scheduler','scheduler')
 for d in b.workers.values():ap(P,aM(d),'workers',str(d.name)[:253])
 for aj in b.client_comms:ap(P,aM(b.clients[aj]),'clients',aj[:253])
 return list(P.values())
def aM(d):ak=d.versions.get('host',{}).get('python','?').split('.')[:3];bb=d.versions.get('packages',{});return('.'.join(ak),bb.get('dask','?'),bb.get('distributed','?'))
def ap(P,ak,cw,name):
 cx=dict(zip(('python','dask','distributed'),ak,strict=True))
 i=P.setdefault(ak,{**cx,'scheduler':0,'workers':0,'clients':0,'names':[]})
 i[cw]+=1
 if len(i['names'])<3:i['names'].append(name)
cc={'status':lambda b:b.status.name,'idle_since':bA,'clients':lambda b:sum(('-worker-'not in aj for aj in b.client_comms)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bx,'demand':br,'drains':lambda b:[ao(c)for c in o.values()],'versions':bB}
cd=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
ce=('running','paused')
def ag(b,h,p):bc=b.host_info.get(p,{}).get('addresses')if p else None;f=[b.workers[bj]for bj in bc or b.workers if bj in b.workers];return[d for d in f if bC(str(d.name),h,bool(bc))]
def bC(name,h,cy):
 if name==h or re.fullmatch(re.escape(h)+'-\\d+',name):return True
 bd=cd.fullmatch(name)
 return cy and(not bd or h.startswith(bd.group(1)+'-'))
def bD(b,f):cz={d for d in b.workers.values()if d.status.name in ce}.difference(f);cA={e for d in f for e in d.has_what};return{e.key:e.get_nbytes()for e in cA if not e.actor and cz.isdisjoint(e.who_has)}
def bE(b,f):ab=b.extensions.get('stealing');return sum((cW['thief']in f for cW in ab.in_flight.values()))if ab else 0
def bF(b,f):
 for ax in list(b.plugins.values()):
  if len(ax.valid_workers_downscaling(b,list(f)))<len(f):return True
 return False
Z='dask-operator-'
cf=('ready','constrained','waiting','released',None)
cg=('executing','long-running')
ch=500
aa={}
def bG(b,d):
 bH(b)
 ab=b.extensions.get('stealing')
 m=0
 for e in d.processing:
  if ab and e in ab.in_flight or aa.get((e.key,d.address))==e.run_id:continue
  aa[e.key,d.address]=e.run_id
  cJ={'op':'steal-request','key':e.key,'stimulus_id':Z+str(e.run_id)}
  b.stream_comms[d.address].send(cJ)
  m+=1
  if m==ch:break
 return len(d.processing)
def bH(b):
 ay=b.stream_handlers.get('steal-response')
 def aY(**S):
  if S['stimulus_id'].startswith(Z):bI(b,S['key'],S['worker'],S['state'],S['stimulus_id'])
  elif ay:ay(**S)
 if getattr(ay,'ours',None)is None:aY.ours=True;b.stream_handlers['steal-response']=aY
def bI(b,j,l,d,stimulus_id):
 if d not in cg:aa.pop((j,l),None)
 e=b.tasks.get(j)
 if d in cf and e and(Z+str(e.run_id)==stimulus_id):b._reschedule(j,l,stimulus_id=stimulus_id)
def bJ(t):
 for j in[j for j in aa if j[1]in t]:del aa[j]
ci=0.25
cj=0.1
ck=8
q=SimpleNamespace(C=1,ac=0,cZ=0.0,bn=asyncio.Event())
def E():q.C+=1;aN()
def aN():q.bn.set();q.bn=asyncio.Event()
async def bK(C,B,cB):
 Q=time.monotonic()+B
 q.ac+=1
 while q.C==C and(not cB())and((y:=(Q-time.monotonic()))>0):await bL(q.bn.wait(),y)
 if q.C!=C and B:await asyncio.sleep(q.cZ+cj-time.monotonic());q.cZ=time.monotonic()
 q.ac-=1
async def bL(ac,B):r=asyncio.ensure_future(ac);await asyncio.wait([r],timeout=B);r.cancel()
class bM(SchedulerPlugin):
 def update_graph(g,b,**cK):aO(bp,b,cK.get('annotations')or{})
 def remove_worker(g,**af):aO(bu,af['scheduler'],af['worker'])
 def add_worker(g,*L,**bg):E()
 def add_client(g,*L,**bg):E()
 def remove_client(g,*L,**bg):E()
def aO(cC,*cD):
 try:cC(*cD)
 except Exception:logger.exception('dask-operator')
 E()
async def bN(b):
 H=None
 while True:
  cL=time.time()
  for l,d in b.workers.items():
   if d.processing:Y.pop(l,None)
   else:Y.setdefault(l,cL)
  for l in set(Y).difference(b.workers):del Y[l]
  T=(b.transition_counter,b.idle_since,[cX.status for cX in b.workers.values()])
  if T!=H:H=T;E()
  await asyncio.sleep(ci)
cl=('vetoed','peers paused','actors')
def bO(b,h,p,I,z,u):
 c=o.get(h)
 if not c or not c.r or(c.r.done()and ag(b,h,p)):c=an(h,p);c.r=asyncio.ensure_future(bP(b,c))
 c.Q=time.monotonic()+I
 c.z=z
 c.u=c.u or u
 E()
 return c
async def bP(b,c):
 try:await bQ(b,c)
 except asyncio.CancelledError:c.x='cancelled'
 except Exception as error:logger.exception('dask-operator');c.x,c.D=('failed',type(error).__name__)
 c.bo=time.monotonic()-c.c_
 bJ(c.t)
 E()
async def bQ(b,c):
 az=0.01
 while not aq(b,c):
  if c.y and(not c.U or time.monotonic()>c.Q-c.z):await bT(b,c)
  await asyncio.sleep(az)
  az=min(az*1.5,0.2)
 if c.u and c.x!='ready'and(c.D!='closing'):await aS(b,c)
 elif c.x=='refused':aR(b,c)
def aq(b,c):
 f=ar(b,c)
 c.D=bR(b,c,f)
 if not f:c.x='lost'if c.V else'ready'if c.t else'unknown'
 elif c.D and(not(c.u and c.D in cl)):c.x='refused'
 elif time.monotonic()>c.Q:c.x='interrupted'
 elif c.D!='vetoed':
  bS(b,c,f)
  if not c.U and(not c.y):c.x='lost'if c.V else'refused'if c.D else'ready'
 return c.x!='waiting'
def ar(b,c):f=ag(b,c.aJ,c.da);c.t.update((d.address for d in f));c.R=len(f);c.U=sum((len(d.processing)for d in f))+bE(b,f);c.y=bD(b,f);c.T.update(c.y);return f
def bR(b,c,f):
 if b.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in f)):return'actors'
 if not c.aI and bF(b,f)and(time.monotonic()<c.Q-c.z):return'vetoed'
 u=bv()|c.t
 if(c.U or c.y)and u.issuperset((d.address for d in b.running)):cM={l for l,cY in b.workers.items()if cY.status.name=='paused'};return'peers paused'if cM-u else'last worker'
 return''
def bS(b,c,f):
 c.aI=True
 for d in f:aP(b,d,'closing_gracefully');bG(b,d)
def aP(b,d,ad):
 if d.status.name==ad:return
 be={'op':'worker-status-change','status':ad,'stimulus_id':Z+ad}
 if ad!='running':b.handle_worker_status_change(ad,d,be['stimulus_id'])
 b.stream_comms[d.address].send(be)
async def bT(b,c):
 R=c.t.intersection(b.workers)
 if c.D=='actors':bh=b.replicate(keys=list(c.y),n=1)
 else:bh=b.retire_workers(workers=list(R),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(bh,max(0.1,c.Q-time.monotonic()))
 aQ(b,R)
def aQ(b,t):
 bf=getattr(b.extensions.get('amm'),'policies',set())
 for aA in list(bf):
  if type(aA).__name__=='RetireWorker'and aA.address in t:bf.discard(aA)
def aR(b,c):
 c.aI=False
 aQ(b,c.t)
 for d in ag(b,c.aJ,c.da):
  if d.status.name=='closing_gracefully':aP(b,d,'running')
async def aS(b,c):
 f=ar(b,c)
 aD,workers=(c.U,c.R)
 for d in f:await b.remove_worker(d.address,expected=True,stimulus_id=Z+'dismiss')
 ar(b,c)
 c.U,c.R=(aD,workers)
async def bU(b,J,aB,u):
 I,z,aF=aB
 I=120 if I is None else I
 z=min(30,I/4)if z is None else z
 al=[bO(b,h,p,I,z,u)for h,p in J]
 if al:await asyncio.wait([ae.r for ae in al],timeout=aF)
 K=[ao(ae)for ae in al]
 for ae in al:aT(ae)
 return K
async def bV(b,J,*L):
 K=[]
 for h,p in J:
  c=o.get(h)or an(h,p)
  if not c.u:await at(c);o.pop(h,None);aR(b,c)
  bi=ag(b,h,p)
  d='leaving'if c.u else'running'if bi else'unknown'
  K.append({'name':h,'state':d,'workers':len(bi)})
 return K
async def bW(b,J,*L):
 K=[]
 for h,p in J:c=o.get(h)or an(h,p);await at(c);await aS(b,c);c.x='forgotten'if c.t else'unknown';K.append(ao(c));aT(c)
 return K
def aT(c):
 if c.x=='unknown':o.pop(c.aJ,None)
async def at(c):
 if c.r:c.r.cancel();await asyncio.wait([c.r])
async def bX():
 for c in list(o.values()):await at(c)
preloads=globals().get('preloads',[])
def load(cE):
 if not preloads:j='distributed.'+cE+'.preload';cN={bk:bl for bk,bl in os.environ.items()if not bk.endswith('__PRELOAD')and bl!='[]'};ai=config.collect(env=cN);preloads.extend(process_preloads(None,config.get(j,[],ai),config.get(j+'-argv',[],ai)))
async def aU(aq,cF,cG):
 for aC in cF:
  aC.dask_object=cG
  try:await getattr(aC,aq)()
  except Exception:logger.exception(aC.name)
cm='/dask-operator/v1/(facts|retire|uncordon|forget)'
cn='DASK_OPERATOR_TOKEN'
co=65536
cp=60
av={'retire':bU,'uncordon':bV,'forget':bW}
aZ=[]
async def dask_setup(b):
 await aU('start',preloads,b)
 if(cO:=os.environ.get(cn)):b.add_plugin(bM(),name='dask-operator');aZ.append(asyncio.ensure_future(bN(b)));b.http_application.add_handlers('.*',[(cm,bY,{'scheduler':b,'token':cO})])
async def dask_teardown(b):
 for r in aZ:r.cancel()
 await bX()
 await aU('teardown',preloads[::-1],b)
@stream_request_body
class bY(RequestHandler):
 def initialize(g,**aG):vars(g).update(aG,body=b'',gone=False)
 def prepare(g):
  aG=g.request.headers.get('Authorization','')
  if not hmac.compare_digest(aG.encode(),('Bearer '+g.token).encode()):raise HTTPError(401)
  g.request.connection.set_max_body_size(co)
 def data_received(g,cP):g.body+=cP
 def on_connection_close(g):g.gone=True;aN()
 async def get(g,name):
  if name in av:raise HTTPError(405)
  if q.ac>=ck:raise HTTPError(429)
  try:cT=int(g.get_argument('after','-1'));aF=aV(float(g.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bK(cT,min(aF,cp),lambda:g.gone)
  g.answer(bw(g.scheduler,q.C,q.ac))
 async def post(g,name):
  if name not in av:raise HTTPError(405)
  try:aH=json.loads(g.body);J=[(str(h['name']),str(h.get('ip')or''))for h in aH['pods']];aB=[aV(aH.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  i=await av[name](g.scheduler,J,aB,aH.get('leaving')is True)
  g.answer({'schema':1,'pods':i})
 def answer(g,i):cQ=json.dumps(json.loads(json.dumps(i,default=str),parse_constant=str));g.set_header('Content-Type','application/json');g.finish(cQ)
 def write_error(g,cR,**L):g.finish({'error':cR})
def aV(M):
 if M is not None and(not math.isfinite(M)):raise ValueError
 return M and min(max(M,0),86400)