import time,os,sys,dask,distributed,re,asyncio,contextlib,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
aW={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
aX=('processing','unrunnable')
cc=('memory','released','erred','forgotten')
aY=20000
cd=100
at=20
W=((),(),())
X=defaultdict(Counter)
def bs(b,cv):
 for name in('resources','workers'):
  for j in islice(cv.get(name)or(),aY):
   e=b.tasks.get(j)
   if e and(n:=aJ(b,e))!=W:X[e.group.name][n]+=1
def aJ(b,e):
 if e.loose_restrictions:return W
 workers=sorted((bt(b,l)for l in e.worker_restrictions or()))
 av=sorted((e.resource_restrictions or{}).items())
 return(tuple(av),tuple(sorted(e.host_restrictions or())),tuple(workers))
def bt(b,l):ah=b.workers.get(l);return str(ah.name if ah else l)
def bu(b):
 I=defaultdict(lambda:{d:[0,0.0,0]for d in aW.values()})
 for name in set(X).difference(b.task_groups):del X[name]
 for p in b.task_groups.values():
  for d,i in aW.items():
   if(m:=p.states[d]):al(b,I[W][i],p.prefix,m)
 ba=bv(b)if X else{}
 for(n,i,p),m in ba.items():aK(b,I,n,i,p,m)
 for name,C in X.items():
  p=b.task_groups[name]
  for n,cY in C.items():F=sum((ba.get((n,i,p),0)for i in aX));aK(b,I,n,'waiting',p,bw(p,cY-F))
 i=(bx(n,f)for n,f in I.items())
 return[*islice((n for n in i if n['tasks']),cd)]
def bv(b):
 C=Counter()
 cw=chain.from_iterable((ah.processing for ah in b.workers.values()))
 for aC,i in zip((cw,b.unrunnable),aX,strict=True):
  for e in islice(aC,aY):
   if e.resource_restrictions or e.worker_restrictions or e.host_restrictions:C[aJ(b,e),i,e.group]+=1
 return C
def bw(p,m):A=p.states['waiting'];cx=sum((p.states[d]for d in cc));return min(A,round(max(0,m)*A/max(1,A+cx)))
def aK(b,I,n,i,p,m):
 if n!=W and m:al(b,I[W][i],p.prefix,-m);al(b,I[n][i],p.prefix,m)
def al(b,C,bb,m):C[0]+=m;C[1]+=m*b._get_prefix_duration(bb);C[2]+=m*(bb.duration_average<0)
def bx(n,f):av,cN,workers=n;return{'resources':dict(av[:at]),'hosts':cN[:at],'workers':workers[:at],'tasks':{d:{'count':m,'seconds':round(D,3),'unmeasured':c_}for d,(m,D,c_)in f.items()if m>0}}
ce=2000
o={}
def am(h,q):
 J=o.pop(h,None)
 cy=[name for name,c in o.items()if not c.t or c.t.done()]
 for name in cy[:max(0,len(o)-ce)]:del o[name]
 o[h]=c=SimpleNamespace(aI=h,dg=q,t=None,R=0,B=0,x=False,aH=False,u=set(),y='waiting',G='',F=0,U=0,T=J.T if J else{},z={},V=J.V if J else{},df=time.monotonic(),br=None)
 return c
def an(c):bc=[aD for j,aD in c.T.items()if j not in c.z and j not in c.V];D=time.monotonic()-c.df if c.br is None else c.br;return{'name':c.aI,'state':c.y,'reason':c.G,'workers':c.F,'tasks':c.U,'keys':len(c.z),'bytes':sum(c.z.values()),'moved_keys':len(bc),'moved_bytes':sum(bc),'lost_keys':len(c.V),'lost_bytes':sum(c.V.values()),'seconds':round(D,3)}
def by(b,l):
 for c in o.values():
  if l in c.u:
   *N,bp=(af for N,af in b.get_events(l)if'lost-computed-tasks'in af)
   for j in bp['lost-computed-tasks']|bp['lost-scattered-tasks']:c.V[j]=c.T.get(j,0)
def bz():return{l for c in o.values()if c.aH for l in c.u}
cf=10000
cg=20000
Y={}
def bA(b,E,cz):
 i={'schema':1,'revision':E,'polls':cz,'time':time.time(),'pod_uid':os.environ.get('DASK_OPERATOR_POD_UID',''),'missing':[]}
 for name,cO in ch.items():
  try:i[name]=cO(b)
  except Exception as error:i['missing'].append(name+' '+type(error).__name__)
 return i
def bB(b):
 f=list(b.workers.values())[:cf]
 bd=set(f)
 for aw in list(b.plugins.values()):bd.intersection_update(aw.valid_workers_downscaling(b,f))
 P=bD(b)
 return[bC(d,d not in bd,P[d.address])for d in f]
def bC(d,cA,P):i={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':d.resources,'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-P,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cA,'idle_since':None if d.processing else Y.get(d.address)};return{name:O for name,O in i.items()if O}
def bD(b):
 P=Counter()
 for e in islice(b.replicated_tasks,cg):
  aD=e.get_nbytes()
  for d in e.who_has:P[d.address]+=aD
 return P
def bE(b):cB=b.queued or b.unrunnable or any((da.processing for da in b.workers.values()));return None if cB else b.idle_since
def aL(b):return[ab for ab in b.client_comms if'-worker-'not in ab]
def bF(b):
 Q={}
 ai=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 ao(Q,ai,'scheduler','scheduler')
 for d in b.workers.values():ao(Q,aM(d),'workers',str(d.name)[:253])
 for ab in aL(b):ao(Q,aM(b.clients[ab]),'clients',ab[:253])
 return list(Q.values())
def aM(d):aj=d.versions.get('host',{}).get('python','?').split('.')[:3];be=d.versions.get('packages',{});return('.'.join(aj),be.get('dask','?'),be.get('distributed','?'))
def ao(Q,aj,cC,name):
 cD=dict(zip(('python','dask','distributed'),aj,strict=True))
 i=Q.setdefault(aj,{**cD,'scheduler':0,'workers':0,'clients':0,'names':[]})
 i[cC]+=1
 if len(i['names'])<3:i['names'].append(name)
ch={'status':lambda b:b.status.name,'idle_since':bE,'clients':lambda b:len(aL(b)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bB,'demand':bu,'drains':lambda b:[an(c)for c in o.values()],'versions':bF}
ci=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
cj=('running','paused')
def ag(b,h,q):bf=b.host_info.get(q,{}).get('addresses')if q else None;f=[b.workers[bm]for bm in bf or b.workers if bm in b.workers];return[d for d in f if bG(str(d.name),h,bool(bf))]
def bG(name,h,cE):
 if name==h or re.fullmatch(re.escape(h)+'-\\d+',name):return True
 bg=ci.fullmatch(name)
 return cE and(not bg or h.startswith(bg.group(1)+'-'))
def bH(b,f):cF={d for d in b.workers.values()if d.status.name in cj}.difference(f);cG={e for d in f for e in d.has_what};return{e.key:e.get_nbytes()for e in cG if not e.actor and cF.isdisjoint(e.who_has)}
def bI(b,f):ac=b.extensions.get('stealing');return sum((db['thief']in f for db in ac.in_flight.values()))if ac else 0
def bJ(b,f):
 for aw in list(b.plugins.values()):
  if len(aw.valid_workers_downscaling(b,list(f)))<len(f):return True
 return False
Z='dask-operator-'
ck=('ready','constrained','waiting','released',None)
cl=('executing','long-running')
cm=500
aa={}
def bK(b,d):
 bL(b)
 ac=b.extensions.get('stealing')
 m=0
 for e in d.processing:
  if ac and e in ac.in_flight or aa.get((e.key,d.address))==e.run_id:continue
  aa[e.key,d.address]=e.run_id
  cP={'op':'steal-request','key':e.key,'stimulus_id':Z+str(e.run_id)}
  b.stream_comms[d.address].send(cP)
  m+=1
  if m==cm:break
 return len(d.processing)
def bL(b):
 ax=b.stream_handlers.get('steal-response')
 def aZ(**S):
  if S['stimulus_id'].startswith(Z):bM(b,S['key'],S['worker'],S['state'],S['stimulus_id'])
  elif ax:ax(**S)
 if getattr(ax,'ours',None)is None:aZ.ours=True;b.stream_handlers['steal-response']=aZ
def bM(b,j,l,d,stimulus_id):
 if d not in cl:aa.pop((j,l),None)
 e=b.tasks.get(j)
 if d in ck and e and(Z+str(e.run_id)==stimulus_id):b._reschedule(j,l,stimulus_id=stimulus_id)
def bN(u):
 for j in[j for j in aa if j[1]in u]:del aa[j]
cn=0.25
co=0.1
cp=8
r=SimpleNamespace(E=1,A=0,de=0.0,bq=asyncio.Event())
def H():r.E+=1;aN()
def aN():r.bq.set();r.bq=asyncio.Event()
async def bO(E,D,cH):
 R=time.monotonic()+D
 r.A+=1
 while r.E==E and(not cH())and((z:=(R-time.monotonic()))>0):await bP(r.bq.wait(),z)
 if r.E!=E and D:await asyncio.sleep(r.de+co-time.monotonic());r.de=time.monotonic()
 r.A-=1
async def bP(A,D):t=asyncio.ensure_future(A);await asyncio.wait([t],timeout=D);t.cancel()
class bQ(SchedulerPlugin):
 def update_graph(g,b,**cQ):aO(bs,b,cQ.get('annotations')or{})
 def remove_worker(g,**af):aO(by,af['scheduler'],af['worker'])
 def add_worker(g,*N,**bj):H()
 def add_client(g,*N,**bj):H()
 def remove_client(g,*N,**bj):H()
def aO(cI,*cJ):
 try:cI(*cJ)
 except Exception:logger.exception('dask-operator')
 H()
async def bR(b):
 J=None
 while True:
  cR=time.time()
  for l,d in b.workers.items():
   if d.processing:Y.pop(l,None)
   else:Y.setdefault(l,cR)
  for l in set(Y).difference(b.workers):del Y[l]
  T=(b.transition_counter,b.idle_since,[dc.status for dc in b.workers.values()])
  if T!=J:J=T;H()
  await asyncio.sleep(cn)
cq=('vetoed','peers paused','actors')
def bS(b,h,q,K,B,x):
 c=o.get(h)
 if not c or not c.t or(c.t.done()and ag(b,h,q)):c=am(h,q);c.t=asyncio.ensure_future(bT(b,c))
 c.R=time.monotonic()+K
 c.B=B
 c.x=c.x or x
 H()
 return c
async def bT(b,c):
 try:await bU(b,c)
 except asyncio.CancelledError:c.y='cancelled'
 except Exception as error:logger.exception('dask-operator');c.y,c.G=('failed',type(error).__name__)
 c.br=time.monotonic()-c.df
 bN(c.u)
 H()
async def bU(b,c):
 ay=0.01
 while not ap(b,c):
  if c.z and(not c.U or time.monotonic()>c.R-c.B):await bX(b,c)
  await asyncio.sleep(ay)
  ay=min(ay*1.5,0.2)
 if c.x and c.y!='ready'and(c.G!='closing'):await aS(b,c)
 elif c.y=='refused':aR(b,c)
def ap(b,c):
 f=aq(b,c)
 c.G=bV(b,c,f)
 if not f:c.y='lost'if c.V else'ready'if c.u else'unknown'
 elif c.G and(not(c.x and c.G in cq)):c.y='refused'
 elif time.monotonic()>c.R:c.y='interrupted'
 elif c.G!='vetoed':
  bW(b,c,f)
  if not c.U and(not c.z):c.y='lost'if c.V else'refused'if c.G else'ready'
 return c.y!='waiting'
def aq(b,c):f=ag(b,c.aI,c.dg);c.u.update((d.address for d in f));c.F=len(f);c.U=sum((len(d.processing)for d in f))+bI(b,f);c.z=bH(b,f);c.T.update(c.z);return f
def bV(b,c,f):
 if b.status.name in('closing','closed'):return'closing'
 if any((d.actors for d in f)):return'actors'
 if not c.aH and bJ(b,f)and(time.monotonic()<c.R-c.B):return'vetoed'
 x=bz()|c.u
 if(c.U or c.z)and x.issuperset((d.address for d in b.running)):cS={l for l,dd in b.workers.items()if dd.status.name=='paused'};return'peers paused'if cS-x else'last worker'
 return''
def bW(b,c,f):
 c.aH=True
 for d in f:aP(b,d,'closing_gracefully');bK(b,d)
def aP(b,d,ad):
 if d.status.name==ad:return
 bh={'op':'worker-status-change','status':ad,'stimulus_id':Z+ad}
 if ad!='running':b.handle_worker_status_change(ad,d,bh['stimulus_id'])
 b.stream_comms[d.address].send(bh)
async def bX(b,c):
 F=c.u.intersection(b.workers)
 if c.G=='actors':bk=b.replicate(keys=list(c.z),n=1)
 else:bk=b.retire_workers(workers=list(F),remove=False,close_workers=False)
 with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(bk,max(0.1,c.R-time.monotonic()))
 aQ(b,F)
def aQ(b,u):
 bi=getattr(b.extensions.get('amm'),'policies',set())
 for az in list(bi):
  if type(az).__name__=='RetireWorker'and az.address in u:bi.discard(az)
def aR(b,c):
 c.aH=False
 aQ(b,c.u)
 for d in ag(b,c.aI,c.dg):
  if d.status.name=='closing_gracefully':aP(b,d,'running')
async def aS(b,c):
 f=aq(b,c)
 aC,workers=(c.U,c.F)
 for d in f:await b.remove_worker(d.address,expected=True,stimulus_id=Z+'dismiss')
 aq(b,c)
 c.U,c.F=(aC,workers)
async def bY(b,L,aA,x):
 K,B,aE=aA
 K=120 if K is None else K
 B=min(30,K/4)if B is None else B
 ak=[bS(b,h,q,K,B,x)for h,q in L]
 if ak:await asyncio.wait([ae.t for ae in ak],timeout=aE)
 M=[an(ae)for ae in ak]
 for ae in ak:aT(ae)
 return M
async def bZ(b,L,*N):
 M=[]
 for h,q in L:
  c=o.get(h)or am(h,q)
  if not c.x:await ar(c);o.pop(h,None);aR(b,c)
  bl=ag(b,h,q)
  d='leaving'if c.x else'running'if bl else'unknown'
  M.append({'name':h,'state':d,'workers':len(bl)})
 return M
async def b_(b,L,*N):
 M=[]
 for h,q in L:c=o.get(h)or am(h,q);await ar(c);await aS(b,c);c.y='forgotten'if c.u else'unknown';M.append(an(c));aT(c)
 return M
def aT(c):
 if c.y=='unknown':o.pop(c.aI,None)
async def ar(c):
 if c.t:c.t.cancel();await asyncio.wait([c.t])
async def ca():
 for c in list(o.values()):await ar(c)
preloads=globals().get('preloads',[])
def load(cK):
 if not preloads:j='distributed.'+cK+'.preload';cT={bn:bo for bn,bo in os.environ.items()if not bn.endswith('__PRELOAD')and bo!='[]'};ai=config.collect(env=cT);preloads.extend(process_preloads(None,config.get(j,[],ai),config.get(j+'-argv',[],ai)))
async def aU(ap,cL,cM):
 for aB in cL:
  aB.dask_object=cM
  try:await getattr(aB,ap)()
  except Exception:logger.exception(aB.name)
cr='/dask-operator/v1/(facts|retire|uncordon|forget)'
cs='DASK_OPERATOR_TOKEN'
ct=65536
cu=60
au={'retire':bY,'uncordon':bZ,'forget':b_}
a_=[]
async def dask_setup(b):
 await aU('start',preloads,b)
 if(cU:=os.environ.get(cs)):b.add_plugin(bQ(),name='dask-operator');a_.append(asyncio.ensure_future(bR(b)));b.http_application.add_handlers('.*',[(cr,cb,{'scheduler':b,'token':cU})])
async def dask_teardown(b):
 for t in a_:t.cancel()
 await ca()
 await aU('teardown',preloads[::-1],b)
@stream_request_body
class cb(RequestHandler):
 def initialize(g,**aF):vars(g).update(aF,body=b'',gone=False)
 def prepare(g):
  aF=g.request.headers.get('Authorization','')
  if not hmac.compare_digest(aF.encode(),('Bearer '+g.token).encode()):raise HTTPError(401)
  g.request.connection.set_max_body_size(ct)
 def data_received(g,cV):g.body+=cV
 def on_connection_close(g):g.gone=True;aN()
 async def get(g,name):
  if name in au:raise HTTPError(405)
  if r.A>=cp:raise HTTPError(429)
  try:cZ=int(g.get_argument('after','-1'));aE=aV(float(g.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bO(cZ,min(aE,cu),lambda:g.gone)
  g.answer(bA(g.scheduler,r.E,r.A))
 async def post(g,name):
  if name not in au:raise HTTPError(405)
  try:aG=json.loads(g.body);L=[(str(h['name']),str(h.get('ip')or''))for h in aG['pods']];aA=[aV(aG.get(j))for j in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  i=await au[name](g.scheduler,L,aA,aG.get('leaving')is True)
  g.answer({'schema':1,'pods':i})
 def answer(g,i):cW=json.dumps(json.loads(json.dumps(i,default=str),parse_constant=str));g.set_header('Content-Type','application/json');g.finish(cW)
 def write_error(g,cX,**N):g.finish({'error':cX})
def aV(O):
 if O is not None and(not math.isfinite(O)):raise ValueError
 return O and min(max(O,0),86400)