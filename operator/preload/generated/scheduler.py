import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
a_={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
ba=('processing','unrunnable')
cl=('memory','released','erred','forgotten')
bb=20000
cm=100
Y=20
Z=((),(),())
aa=defaultdict(Counter)
def bz(c,cF):
 for name in('resources','workers'):
  for i in islice(cF.get(name)or(),bb):
   g=c.tasks.get(i)
   if g and(n:=aN(c,g))!=Z:aa[g.group.name][n]+=1
def aN(c,g):
 if g.loose_restrictions:return Z
 ay=sorted((bA(c,l)for l in g.worker_restrictions or()))
 az=sorted((g.resource_restrictions or{}).items())
 return(tuple(az),tuple(sorted(g.host_restrictions or())),tuple(ay))
def bA(c,l):ag=c.workers.get(l);return str(ag.name if ag else l)
def bB(c):
 I=defaultdict(lambda:{d:[0,0.0,0]for d in a_.values()})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for q in c.task_groups.values():
  for d,f in a_.items():
   if(m:=q.states[d]):an(c,I[Z][f],q.prefix,m)
 bf=bC(c)if aa else{}
 for(n,f,q),m in bf.items():aO(c,I,n,f,q,m)
 for name,D in aa.items():
  q=c.task_groups[name]
  for n,dl in D.items():B=sum((bf.get((n,f,q),0)for f in ba));aO(c,I,n,'waiting',q,bD(q,dl-B))
 f=(bE(n,e)for n,e in I.items())
 return[*islice((n for n in f if n['tasks']),cm)]
def bC(c):
 D=Counter()
 cG=chain.from_iterable((ag.processing for ag in c.workers.values()))
 for c_,f in zip((cG,c.unrunnable),ba,strict=True):
  for g in islice(c_,bb):
   if g.resource_restrictions or g.worker_restrictions or g.host_restrictions:D[aN(c,g),f,g.group]+=1
 return D
def bD(q,m):y=q.states['waiting'];cH=sum((q.states[d]for d in cl));return min(y,round(max(0,m)*y/max(1,y+cH)))
def aO(c,I,n,f,q,m):
 if n!=Z and m:an(c,I[Z][f],q.prefix,-m);an(c,I[n][f],q.prefix,m)
def an(c,D,bg,m):D[0]+=m;D[1]+=m*c._get_prefix_duration(bg);D[2]+=m*(bg.duration_average<0)
def bE(n,e):az,da,ay=n;return{'resources':dict(az[:Y]),'hosts':da[:Y],'workers':ay[:Y],'tasks':{d:{'count':m,'seconds':round(T,3),'unmeasured':dn}for d,(m,T,dn)in e.items()if m>0}}
cn=200
r={}
def ao(j,t):
 r.pop(j,None)
 bh=[name for name,b in r.items()if b.f]
 for name in bh[:max(0,len(bh)-cn)]:del r[name]
 r[j]=b=SimpleNamespace(aL=j,ds=t,M=None,ak=0,E=0,w=False,aK=False,A=set(),aM=set(),o='waiting',O='',B=0,H=0,W={},u={},X={},C={},al=time.monotonic(),f=None)
 return b
def af(b):bi=[aG for i,aG in b.W.items()if i not in b.u and i not in b.X];return b.f or{'name':b.aL,'state':b.o,'reason':b.O,'workers':b.B,'tasks':b.H,'keys':len(b.u),'bytes':sum(b.u.values()),'moved_keys':len(bi),'moved_bytes':sum(bi),'lost_keys':len(b.X),'lost_bytes':sum(b.X.values()),'seconds':round(time.monotonic()-b.al,3)}
def ap(b,o):b.o=o;b.f=af(b);b.W,b.u,b.X,b.C=({},{},{},{})
def bF(c,l):
 for b in r.values():
  if l in b.A and(not(b.f and l in b.aM)):
   b.aM.add(l)
   dm=[G for F,G in c.get_events(l)if isinstance(G,dict)]
   *F,bx=(G for G in dm if G.get('action')=='remove-worker')
   bs=bx['lost-computed-tasks']|bx['lost-scattered-tasks']
   if b.f:b.f['lost_keys']+=len(bs)
   else:b.X.update(((i,b.W.get(i,0))for i in bs))
co=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bc=('running','paused')
def aP(c,j,t):bj=c.host_info.get(t,{}).get('addresses')if t else None;e=[c.workers[bt]for bt in bj or c.workers if bt in c.workers];return[d for d in e if bG(str(d.name),j,bool(bj))]
def bG(name,j,cI):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bk=co.fullmatch(name)
 return cI and(not bk or j.startswith(bk.group(1)+'-'))
def bH(c,e):cJ={d for d in c.workers.values()if d.status.name in bc}.difference(e);cK={g for d in e for g in d.has_what};return{g.key:g.get_nbytes()for g in cK if not g.actor and cJ.isdisjoint(g.who_has)}
def bI(c,e):ad=c.extensions.get('stealing');return sum((dp['thief']in e for dp in ad.in_flight.values()))if ad else 0
def aQ(c,e):
 ah=set(e)
 for cL in list(c.plugins.values()):
  with contextlib.suppress(Exception):ah.intersection_update(cL.valid_workers_downscaling(c,list(e)))
 return ah
cp=10000
cq=20000
ab={}
def bJ(c,z,cM):
 f={'schema':1,'revision':z,'polls':cM,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,db in cr.items():
  try:f[name]=db(c)
  except Exception as error:f['missing'].append(name+' '+type(error).__name__)
 return f
def bK(c):e=list(c.workers.values())[:cp];ah,R=(aQ(c,e),bM(c));return[bL(d,d not in ah,R[d.address])for d in e]
def bL(d,cN,R):f={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Y)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-R,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cN,'idle_since':None if d.processing else ab.get(d.address)};return{name:N for name,N in f.items()if N}
def bM(c):
 R=Counter()
 for g in islice(c.replicated_tasks,cq):
  aG=g.get_nbytes()
  for d in g.who_has:R[d.address]+=aG
 return R
def bN(c):cO=c.queued or c.unrunnable or any((dq.processing for dq in c.workers.values()));return None if cO else c.idle_since
def aR(c):return[ae for ae in c.client_comms if'-worker-'not in ae]
def bO(c):
 S={}
 ai=('.'.join(map(str,sys.version_info[:3])),dask.__version__,distributed.__version__)
 aq(S,ai,'scheduler','scheduler')
 for d in c.workers.values():aq(S,aS(d),'workers',str(d.name)[:253])
 for ae in aR(c):aq(S,aS(c.clients[ae]),'clients',ae[:253])
 return list(S.values())[:Y]
def aS(d):aj=d.versions.get('host',{}).get('python','?').split('.')[:3];bl=d.versions.get('packages',{});return('.'.join(aj),bl.get('dask','?'),bl.get('distributed','?'))
def aq(S,aj,cP,name):
 cQ=dict(zip(('python','dask','distributed'),aj,strict=True))
 f=S.setdefault(aj,{**cQ,'scheduler':0,'workers':0,'clients':0,'names':[]})
 f[cP]+=1
 if len(f['names'])<3:f['names'].append(name)
cr={'status':lambda c:c.status.name,'idle_since':bN,'clients':lambda c:len(aR(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bK,'demand':bB,'drains':lambda c:[af(b)for b in r.values()],'versions':bO}
Q='dask-operator-'
cs=('ready','constrained','waiting','released',None)
ct=('executing','long-running')
cu=1000
C={}
def bP(c,d):
 bQ(c)
 ad=c.extensions.get('stealing')
 m=0
 for g in d.processing:
  if ad and g in ad.in_flight or C.get((g.key,d.address))==g.run_id:continue
  C[g.key,d.address]=g.run_id
  dc={'op':'steal-request','key':g.key,'stimulus_id':Q+str(g.run_id)}
  c.stream_comms[d.address].send(dc)
  m+=1
  if m==cu:break
def bQ(c):
 aA=c.stream_handlers.get('steal-response')
 def bd(**V):
  if V['stimulus_id'].startswith(Q):bR(c,V['key'],V['worker'],V['state'],V['stimulus_id'])
  elif aA:aA(**V)
 if getattr(aA,'ours',None)is None:bd.ours=True;c.stream_handlers['steal-response']=bd
def bR(c,i,l,d,stimulus_id):
 if d not in ct:C.pop((i,l),None)
 g=c.tasks.get(i)
 if d in cs and g and(Q+str(g.run_id)==stimulus_id):c._reschedule(i,l,stimulus_id=stimulus_id)
def bS(A):
 for i in[i for i in C if i[1]in A]:del C[i]
cv=0.25
cw=0.1
cx=8
p=SimpleNamespace(z=1,y=0,dr=0.0,by=asyncio.Event())
def x():p.z+=1;aT()
def aT():p.by.set();p.by=asyncio.Event()
async def bT(z,T,cR):
 ak=time.monotonic()+T
 p.y+=1
 while p.z==z and(not cR())and((u:=(ak-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(p.by.wait(),u)
 if p.z!=z and T:await asyncio.sleep(p.dr-time.monotonic())
 p.y-=1
def bU(T):p.dr=time.monotonic()+max(cw,20*T)
class bV(SchedulerPlugin):
 def update_graph(h,c,**dd):aU(bz,c,dd.get('annotations')or{})
 def remove_worker(h,**G):aU(bF,G['scheduler'],G['worker'])
 def add_worker(h,*F,**bq):x()
 def add_client(h,*F,**bq):x()
 def remove_client(h,*F,**bq):x()
def aU(cS,*cT):
 try:cS(*cT)
 except Exception:logger.exception('dask-operator')
 x()
async def bW(c):
 bm=None
 while True:
  with contextlib.suppress(Exception):
   W=bX(c)
   if W!=bm:bm=W;x()
  await asyncio.sleep(cv)
def bX(c):
 for l,d in c.workers.items():
  if d.processing:ab.pop(l,None)
  else:ab.setdefault(l,time.time())
 for l in set(ab).difference(c.workers):del ab[l]
 cU=[d.status for d in c.workers.values()]
 return(c.transition_counter,c.idle_since,cU)
ac='closing_gracefully'
cy=2
cz=('vetoed','peers paused','actors')
def bY(c,j,t,J,E,w):
 b=r.get(j)
 if not b or(b.f and(not bZ(c,b))):b=ao(j,t);b.M=asyncio.ensure_future(b_(c,b))
 b.ak=time.monotonic()+J
 b.E=E
 b.w=b.w or w
 x()
 return b
def bZ(c,b):e=P(c,b);return not e or(b.o in('ready','lost')and aV(b,e))
def aV(b,e):aB=all((d.status.name==ac for d in e));return aB and(not b.H)and(not b.u)
async def b_(c,b):
 try:o=await cb(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.O=('failed',type(error).__name__);await ca(c,b)
 bS(b.A)
 ap(b,o)
 x()
async def ca(c,b):
 with contextlib.suppress(Exception):
  if b.w:await au(c,b)
  else:at(c,b)
async def cb(c,b):
 aH,o=(0.01,'')
 while True:
  al=time.monotonic()
  with contextlib.suppress(OSError):o=ar(c,b)
  if o:break
  aH=max(min(aH*1.5,0.2),20*(time.monotonic()-al))
  await asyncio.sleep(aH)
 if b.w and o!='ready'and(b.O!='closing'):await au(c,b)
 elif o=='refused':at(c,b)
 return o
def ar(c,b):
 e=P(c,b)
 b.O=cc(c,b,e)
 if not e:return'lost'if b.X else'ready'if b.A else'unknown'
 if b.O and(not(b.w and b.O in cz)):return'refused'
 if time.monotonic()>b.ak:return'interrupted'
 if b.O!='vetoed':
  cd(c,b,e)
  if aV(b,e):return'lost'if b.X else'refused'if b.O else'ready'
 if b.aK:ce(c,b)
 return''
def P(c,b):e=aP(c,b.aL,b.ds);b.A.update((d.address for d in e));b.B=len(e);b.H=sum((len(d.processing)for d in e))+bI(c,e);b.u=bH(c,e);b.W.update(b.u);return e
def cc(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 bn=b.A.issuperset((d.address for d in c.running))
 y={l for l,do in c.workers.items()if do.status.name=='paused'}
 if bn and(b.H or b.u)and(not y-b.A):return'last worker'
 if any((d.actors for d in e)):return'actors'
 cV=not b.aK and time.monotonic()<b.ak-b.E
 if(cV or not b.w)and len(aQ(c,e))<len(e):return'vetoed'
 return'peers paused'if bn and(b.H or b.u)else''
def cd(c,b,e):
 b.aK=True
 for d in e:
  if d.status.name in bc:c.handle_worker_status_change(ac,d,Q+'retire');aW(c,d,ac)
  bP(c,d)
def aW(c,d,bo):
 cW={'op':'worker-status-change','status':bo,'stimulus_id':Q+bo}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(cW)
def ce(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 bp=time.monotonic()
 aC=[i for i in b.u if b.C.get(i,0)<bp-cy]
 b.C.update(dict.fromkeys(aC,bp))
 class cA(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aC:yield('replicate',c.tasks[i],None)
 if aC:ActiveMemoryManagerExtension(c,{cA()},register=False,start=False).run_once()
def at(c,b):
 b.aK=False
 for d in aP(c,b.aL,b.ds):
  if d.status.name==ac:aW(c,d,'running')
async def au(c,b):
 b.f=None
 e=P(c,b)
 H,B=(b.H,b.B)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=Q+'dismiss')
 P(c,b)
 b.H,b.B=(H,B)
async def cf(c,K,aD,w):
 J,E,am=aD
 J=120 if J is None else J
 E=min(30,J/4)if E is None else E
 aE=[bY(c,j,t,J,E,w)for j,t in K]
 if(de:=[U.M for U in aE if U.M]):await asyncio.wait(de,timeout=am)
 L=[af(U)for U in aE]
 for U in aE:aX(U)
 return L
async def cg(c,K,*F):
 L=[]
 for j,t in K:
  b=r.get(j)or ao(j,t)
  br=b.w and(not b.f or av(c,b))
  if not br:await aw(b);r.pop(j,None);at(c,b);await ch(c,b);x()
  aB=av(c,b)
  d='leaving'if br else'waiting'if aB else'running'
  L.append({'name':j,'state':d if b.B else'unknown','workers':b.B})
 return L
def av(c,b):return any((d.status.name==ac for d in P(c,b)))
async def ch(c,b):
 for F in range(50):
  if not av(c,b):break
  await asyncio.sleep(0.02)
async def ci(c,K,*F):
 L=[]
 for j,t in K:
  b=r.get(j)or ao(j,t)
  await aw(b)
  if P(c,b)or not b.A:await au(c,b);ap(b,'forgotten'if b.A else'unknown')
  L.append(af(b))
  aX(b)
 return L
def aX(b):
 if b.o=='unknown':r.pop(b.aL,None)
async def aw(b):
 if b.M:b.M.cancel();await asyncio.wait([b.M])
 if not b.f:ap(b,'cancelled')
async def cj():
 for b in list(r.values()):await aw(b)
 x()
preloads=globals().get('preloads',[])
def load(cX):
 if not preloads:i='distributed.'+cX+'.preload';df={bu:bv for bu,bv in os.environ.items()if not bu.endswith('__PRELOAD')and bv!='[]'};ai=config.collect(env=df);preloads.extend(process_preloads(None,config.get(i,[],ai),config.get(i+'-argv',[],ai)))
async def aY(ar,cY,cZ):
 for aF in cY:
  aF.dask_object=cZ
  try:await getattr(aF,ar)()
  except Exception:logger.exception(aF.name)
cB='/dask-operator/v1/(facts|retire|uncordon|forget)'
cC='OPERATOR_TOKEN'
cD=65536
cE=60
ax={'retire':cf,'uncordon':cg,'forget':ci}
be=[]
async def dask_setup(c):
 await aY('start',preloads,c)
 if(dg:=os.environ.get(cC)):c.add_plugin(bV(),name='dask-operator');be.append(asyncio.ensure_future(bW(c)));dh=(cB,ck,{'scheduler':c,'token':dg});c.http_application.add_handlers('.*',[dh])
async def dask_teardown(c):
 for M in be:M.cancel()
 await cj()
 await aY('teardown',preloads[::-1],c)
@stream_request_body
class ck(RequestHandler):
 def initialize(h,**aI):vars(h).update(aI,body=b'',aM=False)
 def prepare(h):
  aI=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aI.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cD)
 def data_received(h,di):h.body+=di
 def on_connection_close(h):h.aM=True;aT()
 async def get(h,name):
  if name in ax:raise HTTPError(405)
  if p.y>=cx:raise HTTPError(429)
  try:bw=int(h.get_argument('after','-1'));am=aZ(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bT(bw,min(am,cE),lambda:h.aM)
  al=time.monotonic()
  h.answer(bJ(h.scheduler,p.z,p.y))
  if am and p.z!=bw:bU(time.monotonic()-al)
 async def post(h,name):
  if name not in ax:raise HTTPError(405)
  try:aJ=json.loads(h.body);K=[(str(j['name']),str(j.get('ip')or''))for j in aJ['pods']];aD=[aZ(aJ.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  f=await ax[name](h.scheduler,K,aD,aJ.get('leaving')is True)
  h.answer({'schema':1,'pods':f})
 def answer(h,f):dj=json.dumps(json.loads(json.dumps(f,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dj)
 def write_error(h,dk,**F):h.finish({'error':dk})
def aZ(N):
 if N is not None and(not math.isfinite(N)):raise ValueError
 return N and min(max(N,0),86400)