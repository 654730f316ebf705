import time,contextlib,re,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
bh={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
bi=('processing','unrunnable')
cs=('memory','released','erred','forgotten')
aE=20000
aF=5000
ct=100
Z=20
R=((),(),())
aa=defaultdict(Counter)
def bF(b,cM):
 for name in('resources','workers'):
  for i in islice(cM.get(name)or(),aE):
   f=b.tasks.get(i)
   if f and(m:=av(b,f))!=R:aa[f.group.name][m]+=1
def av(b,f):
 ag,ah,ai=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(ag or ah or ai):return R
 return(tuple(sorted(ag.items()))if ag else(),tuple(sorted(ah))if ah else(),tuple(sorted((bG(b,n)for n in ai)))if ai else())
def bG(b,n):al=b.workers.get(n);return str(al.name if al else n)
def bH(b):
 E=defaultdict(lambda:{d:[0,0.0,0]for d in[*bh.values(),'next']})
 for name in set(aa).difference(b.task_groups):del aa[name]
 for o in b.task_groups.values():
  for d,g in bh.items():
   if(l:=o.states[d]):aj(b,E[R][g],o.prefix,l)
 bm=bI(b)if aa else{}
 for(m,g,o),l in bm.items():aW(b,E,m,g,o,l)
 for name,w in aa.items():
  o=b.task_groups[name]
  for m,ds in w.items():C=sum((bm.get((m,g,o),0)for g in bi));aW(b,E,m,'waiting',o,bK(o,ds-C))
 for(m,o),l in bJ(b).items():aj(b,E[m]['next'],o.prefix,l)
 g=(bL(m,e)for m,e in E.items())
 return[*islice((m for m in g if m['tasks']),ct)]
def bI(b):
 w=Counter()
 for dg,g in zip((aV(b),b.unrunnable),bi,strict=True):
  for f in islice(dg,aE):
   if(m:=av(b,f))!=R:w[m,g,f.group]+=1
 return w
def aV(b):return chain.from_iterable((al.processing for al in b.workers.values()))
def bJ(b):
 am=set(islice(aV(b),aF))
 cN=chain.from_iterable((f.waiters or()for f in am))
 w,r=(Counter(),aE-aF)
 for f in set(islice(cN,aF-len(am))):
  aN=f.waiting_on or()
  if 0<len(aN)<=min(r,len(am)):
   r-=len(aN)
   if aN<=am:w[av(b,f),f.group]+=1
 return w
def bK(o,l):z=o.states['waiting'];cO=sum((o.states[d]for d in cs));return min(z,round(max(0,l)*z/max(1,z+cO)))
def aW(b,E,m,g,o,l):
 if m!=R and l:aj(b,E[R][g],o.prefix,-l);aj(b,E[m][g],o.prefix,l)
def aj(b,w,bn,l):w[0]+=l;w[1]+=l*b._get_prefix_duration(bn);w[2]+=l*(bn.duration_average<0)
def bL(m,e):ag,ah,ai=m;return{'resources':dict(ag[:Z]),'hosts':ah[:Z],'workers':ai[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':dv}for d,(l,U,dv)in e.items()if l>0}}
cu=200
t={}
def aw(j,u):
 t.pop(j,None)
 bo=[name for name,c in t.items()if c.g]
 for name in bo[:max(0,len(bo)-cu)]:del t[name]
 t[j]=c=SimpleNamespace(aT=j,dB=u,M=None,af=0,G=0,x=False,aS=False,B=set(),aU=set(),p='waiting',P='',C=0,O=0,X={},r={},Y={},D={},at=time.monotonic(),g=None)
 return c
def ak(c):bp=[aO for i,aO in c.X.items()if i not in c.r and i not in c.Y];return c.g or{'name':c.aT,'state':c.p,'reason':c.P,'workers':c.C,'tasks':c.O,'keys':len(c.r),'bytes':sum(c.r.values()),'moved_keys':len(bp),'moved_bytes':sum(bp),'lost_keys':len(c.Y),'lost_bytes':sum(c.Y.values()),'seconds':round(time.monotonic()-c.at,3)}
def ax(c,p):c.p=p;c.g=ak(c);c.X,c.r,c.Y,c.D=({},{},{},{})
def bM(b,n):
 for c in t.values():
  if n in c.B and(not(c.g and n in c.aU)):
   c.aU.add(n)
   dt=[I for H,I in b.get_events(n)if isinstance(I,dict)]
   *H,bD=(I for I in dt if I.get('action')=='remove-worker')
   by=bD['lost-computed-tasks']|bD['lost-scattered-tasks']
   if c.g:c.g['lost_keys']+=len(by)
   else:c.Y.update(((i,c.X.get(i,0))for i in by))
cv=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bj=('running','paused')
def aX(b,j,u):bq=b.host_info.get(u,{}).get('addresses')if u else None;e=[b.workers[bz]for bz in bq or b.workers if bz in b.workers];return[d for d in e if bN(str(d.name),j,bool(bq))]
def bN(name,j,cP):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 br=cv.fullmatch(name)
 return cP and(not br or j.startswith(br.group(1)+'-'))
def bO(b,e):cQ={d for d in b.workers.values()if d.status.name in bj}.difference(e);cR={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cR if not f.actor and cQ.isdisjoint(f.who_has)}
def bP(b,e):ad=b.extensions.get('stealing');return sum((dy['thief']in e for dy in ad.in_flight.values()))if ad else 0
def aY(b,e):
 an=set(e)
 for cS in list(b.plugins.values()):
  with contextlib.suppress(Exception):an.intersection_update(cS.valid_workers_downscaling(b,list(e)))
 return an
cw=10000
cx=20000
ab={}
def bQ(b,A,cT):
 g={'schema':1,'revision':A,'polls':cT,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dh in cy.items():
  try:g[name]=dh(b)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bR(b):e=list(b.workers.values())[:cw];an,T=(aY(b,e),bT(b));return[bS(d,d not in an,T[d.address])for d in e]
def bS(d,cU,T):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-T,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cU,'idle_since':None if d.processing else ab.get(d.address)};return{name:N for name,N in g.items()if N}
def bT(b):
 T=Counter()
 for f in islice(b.replicated_tasks,cx):
  aO=f.get_nbytes()
  for d in f.who_has:T[d.address]+=aO
 return T
def bU(b):cV=b.queued or b.unrunnable or any((dz.processing for dz in b.workers.values()));return None if cV else b.idle_since
def aZ(b):return[ae for ae in b.client_comms if'-worker-'not in ae]
def bV(b):
 F={}
 ao=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 ay(F,ao,'scheduler','scheduler')
 for d in b.workers.values():ay(F,a_(d),'workers',d.name)
 for ae in aZ(b):ay(F,a_(b.clients[ae]),'clients',ae)
 return list(F.values())[:Z]
def a_(d):ap=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),ap.get('dask'),ap.get('distributed'))
def ay(F,aq,cW,name):
 if aq not in F:du,*ap=(str(dw or'?')[:99]for dw in aq);di=(('python','dask','distributed'),('.'.join(du.split('.')[:3]),*ap));F[aq]={**dict(zip(*di,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=F[aq]
 g[cW]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cy={'status':lambda b:b.status.name,'idle_since':bU,'clients':lambda b:len(aZ(b)),'datasets':lambda b:len(b.extensions['publish'].datasets),'bytes':lambda b:sum((d.nbytes for d in b.workers.values())),'workers':bR,'demand':bH,'drains':lambda b:[ak(c)for c in t.values()],'versions':bV}
S='dask-operator-'
cz=('ready','constrained','waiting','released',None)
cA=('executing','long-running')
cB=1000
D={}
def bW(b,d):
 bX(b)
 ad=b.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ad and f in ad.in_flight or D.get((f.key,d.address))==f.run_id:continue
  D[f.key,d.address]=f.run_id
  dj={'op':'steal-request','key':f.key,'stimulus_id':S+str(f.run_id)}
  b.stream_comms[d.address].send(dj)
  l+=1
  if l==cB:break
def bX(b):
 aH=b.stream_handlers.get('steal-response')
 def bk(**W):
  if W['stimulus_id'].startswith(S):bY(b,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aH:aH(**W)
 if getattr(aH,'ours',None)is None:bk.ours=True;b.stream_handlers['steal-response']=bk
def bY(b,i,n,d,stimulus_id):
 if d not in cA:D.pop((i,n),None)
 f=b.tasks.get(i)
 if d in cz and f and(S+str(f.run_id)==stimulus_id):b._reschedule(i,n,stimulus_id=stimulus_id)
def bZ(B):
 for i in[i for i in D if i[1]in B]:del D[i]
cC=0.25
cD=0.03
cE=8
q=SimpleNamespace(A=1,z=0,dA=0.0,bE=asyncio.Event())
def y():q.A+=1;ba()
def ba():q.bE.set();q.bE=asyncio.Event()
async def b_(A,U,cX):
 af=time.monotonic()+U
 q.z+=1
 while q.A==A and(not cX())and((r:=(af-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bE.wait(),r)
 if q.A!=A and U:await asyncio.sleep(q.dA-time.monotonic())
 q.z-=1
def ca(U):q.dA=time.monotonic()+max(cD,20*U)
class cb(SchedulerPlugin):
 def update_graph(h,b,**dk):bb(bF,b,dk.get('annotations')or{})
 def remove_worker(h,**I):bb(bM,I['scheduler'],I['worker'])
 def add_worker(h,*H,**bw):y()
 def add_client(h,*H,**bw):y()
 def remove_client(h,*H,**bw):y()
def bb(cY,*cZ):
 try:cY(*cZ)
 except Exception:logger.exception('dask-operator')
 y()
async def cc(b):
 bs=None
 while True:
  with contextlib.suppress(Exception):
   X=cd(b)
   if X!=bs:bs=X;y()
  await asyncio.sleep(cC)
def cd(b):
 for n,d in b.workers.items():
  if d.processing:ab.pop(n,None)
  else:ab.setdefault(n,time.time())
 for n in set(ab).difference(b.workers):del ab[n]
 c_=[d.status for d in b.workers.values()]
 da=getattr(b.extensions.get('publish'),'datasets',())
 return(b.transition_counter,b.idle_since,len(da),c_)
ac='closing_gracefully'
cF=2
cG=('vetoed','last worker','peers paused','actors')
def ce(b,j,u,J,G,x):
 c=t.get(j)
 if not c or(c.g and(not cf(b,c))):c=aw(j,u);c.M=asyncio.ensure_future(cg(b,c))
 c.af=time.monotonic()+J
 c.G=G
 c.x=c.x or x
 y()
 return c
def cf(b,c):e=Q(b,c);return not e or(c.p in('ready','lost')and bc(c,e))
def bc(c,e):aI=all((d.status.name==ac for d in e));return aI and(not c.O)and(not c.r)
async def cg(b,c):
 try:p=await ci(b,c)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,c.P=('failed',type(error).__name__);await ch(b,c)
 bZ(c.B)
 ax(c,p)
 y()
async def ch(b,c):
 with contextlib.suppress(Exception):
  if c.x:await aB(b,c)
  else:aA(b,c)
async def ci(b,c):
 aP,p=(0.01,'')
 while True:
  at=time.monotonic()
  with contextlib.suppress(OSError):p=az(b,c)
  if p:break
  aP=max(min(aP*1.5,0.2),20*(time.monotonic()-at))
  await asyncio.sleep(max(0.01,min(aP,c.af-time.monotonic())))
 if c.x and p!='ready'and(c.P!='closing'):await aB(b,c)
 elif p=='refused':aA(b,c)
 return p
def az(b,c):
 e=Q(b,c)
 c.P=cj(b,c,e)
 if not e:return'lost'if c.Y else'ready'if c.B else'unknown'
 if c.P and(not(c.x and c.P in cG)):return'refused'
 if time.monotonic()>c.af:return'interrupted'
 if c.P!='vetoed':
  ck(b,c,e)
  if bc(c,e):return'lost'if c.Y else'refused'if c.P else'ready'
 if c.aS:cl(b,c)
 return''
def Q(b,c):e=aX(b,c.aT,c.dB);c.B.update((d.address for d in e));c.C=len(e);c.O=sum((len(d.processing)for d in e))+bP(b,e);c.r=bO(b,e);c.X.update(c.r);return e
def cj(b,c,e):
 if b.status.name in('closing','closed'):return'closing'
 ar=c.B.issuperset((d.address for d in b.running))
 z={n for n,dx in b.workers.items()if dx.status.name=='paused'}
 ar=ar and(c.O or c.r)
 bt=ar and(not z-c.B)
 if bt and(not c.x):return'last worker'
 if any((d.actors for d in e)):return'actors'
 db=not c.aS and time.monotonic()<c.af-c.G
 if(db or not c.x)and len(aY(b,e))<len(e):return'vetoed'
 return'last worker'if bt else'peers paused'if ar else''
def ck(b,c,e):
 c.aS=True
 for d in e:
  if d.status.name in bj:b.handle_worker_status_change(ac,d,S+'retire');bd(b,d,ac)
  bW(b,d)
def bd(b,d,bu):
 dc={'op':'worker-status-change','status':bu,'stimulus_id':S+bu}
 with contextlib.suppress(OSError):b.stream_comms[d.address].send(dc)
def cl(b,c):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 bv=time.monotonic()
 aJ=[i for i in c.r if c.D.get(i,0)<bv-cF]
 c.D.update(dict.fromkeys(aJ,bv))
 class cH(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aJ:yield('replicate',b.tasks[i],None)
 if aJ:ActiveMemoryManagerExtension(b,{cH()},register=False,start=False).run_once()
def aA(b,c):
 c.aS=False
 for d in aX(b,c.aT,c.dB):
  if d.status.name==ac:bd(b,d,'running')
async def aB(b,c):
 c.g=None
 e=Q(b,c)
 O,C=(c.O,c.C)
 for d in e:await b.remove_worker(d.address,expected=True,stimulus_id=S+'dismiss')
 Q(b,c)
 c.O,c.C=(O,C)
async def cm(b,K,aK,x):
 J,G,au=aK
 J=120 if J is None else J
 G=min(30,J/4)if G is None else G
 aL=[ce(b,j,u,J,G,x)for j,u in K]
 if(dl:=[V.M for V in aL if V.M]):await asyncio.wait(dl,timeout=au)
 L=[ak(V)for V in aL]
 for V in aL:be(V)
 return L
async def cn(b,K,*H):
 L=[]
 for j,u in K:
  c=t.get(j)or aw(j,u)
  bx=c.x and(not c.g or aC(b,c))
  if not bx:await aD(c);t.pop(j,None);aA(b,c);await co(b,c);y()
  aI=aC(b,c)
  d='leaving'if bx else'waiting'if aI else'running'
  L.append({'name':j,'state':d if c.C else'unknown','workers':c.C})
 return L
def aC(b,c):return any((d.status.name==ac for d in Q(b,c)))
async def co(b,c):
 for H in range(50):
  if not aC(b,c):break
  await asyncio.sleep(0.02)
async def cp(b,K,*H):
 L=[]
 for j,u in K:
  c=t.get(j)or aw(j,u)
  await aD(c)
  if Q(b,c)or not c.B:await aB(b,c);ax(c,'forgotten'if c.B else'unknown')
  L.append(ak(c))
  be(c)
 return L
def be(c):
 if c.p=='unknown':t.pop(c.aT,None)
async def aD(c):
 if c.M:c.M.cancel();await asyncio.wait([c.M])
 if not c.g:ax(c,'cancelled')
async def cq():
 for c in list(t.values()):await aD(c)
 y()
preloads=globals().get('preloads',[])
def load(dd):
 if not preloads:i='distributed.'+dd+'.preload';dm={bA:bB for bA,bB in os.environ.items()if not bA.endswith('__PRELOAD')and bB!='[]'};ao=config.collect(env=dm);preloads.extend(process_preloads(None,config.get(i,[],ao),config.get(i+'-argv',[],ao)))
async def bf(az,de,df):
 for aM in de:
  aM.dask_object=df
  try:await getattr(aM,az)()
  except Exception:logger.exception(aM.name)
cI='/dask-operator/v1/(facts|retire|uncordon|forget)'
cJ='OPERATOR_TOKEN'
cK=65536
cL=60
aG={'retire':cm,'uncordon':cn,'forget':cp}
bl=[]
async def dask_setup(b):
 await bf('start',preloads,b)
 if(dn:=os.environ.get(cJ)):b.add_plugin(cb(),name='dask-operator');bl.append(asyncio.ensure_future(cc(b)));do=(cI,cr,{'scheduler':b,'token':dn});b.http_application.add_handlers('.*',[do])
async def dask_teardown(b):
 for M in bl:M.cancel()
 await cq()
 await bf('teardown',preloads[::-1],b)
@stream_request_body
class cr(RequestHandler):
 def initialize(h,**aQ):vars(h).update(aQ,body=b'',aU=False)
 def prepare(h):
  aQ=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aQ.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cK)
 def data_received(h,dp):h.body+=dp
 def on_connection_close(h):h.aU=True;ba()
 async def get(h,name):
  if name in aG:raise HTTPError(405)
  if q.z>=cE:raise HTTPError(429)
  try:bC=int(h.get_argument('after','-1'));au=bg(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await b_(bC,min(au,cL),lambda:h.aU)
  at=time.monotonic()
  h.answer(bQ(h.scheduler,q.A,q.z))
  if au and q.A!=bC:ca(time.monotonic()-at)
 async def post(h,name):
  if name not in aG:raise HTTPError(405)
  try:aR=json.loads(h.body);K=[(str(j['name']),str(j.get('ip')or''))for j in aR['pods']];aK=[bg(aR.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aG[name](h.scheduler,K,aK,aR.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dq=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dq)
 def write_error(h,dr,**H):h.finish({'error':dr})
def bg(N):
 if N is not None and(not math.isfinite(N)):raise ValueError
 return N and min(max(N,0),86400)