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
cr=('memory','released','erred','forgotten')
aE=20000
aF=5000
cs=100
Z=20
R=((),(),())
aa=defaultdict(Counter)
def bE(c,cM):
 for name in('resources','workers'):
  for i in islice(cM.get(name)or(),aE):
   f=c.tasks.get(i)
   if f and(m:=av(c,f))!=R:aa[f.group.name][m]+=1
def av(c,f):
 ah,ai,aj=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(ah or ai or aj):return R
 return(tuple(sorted(ah.items()))if ah else(),tuple(sorted(ai))if ai else(),tuple(sorted((bF(c,n)for n in aj)))if aj else())
def bF(c,n):am=c.workers.get(n);return str(am.name if am else n)
def bG(c):
 G=defaultdict(lambda:{d:[0,0.0,0]for d in[*bh.values(),'next']})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for o in c.task_groups.values():
  for d,g in bh.items():
   if(l:=o.states[d]):ak(c,G[R][g],o.prefix,l)
 bm=bH(c)if aa else{}
 for(m,g,o),l in bm.items():aW(c,G,m,g,o,l)
 for name,w in aa.items():
  o=c.task_groups[name]
  for m,ds in w.items():D=sum((bm.get((m,g,o),0)for g in bi));aW(c,G,m,'waiting',o,bJ(o,ds-D))
 for(m,o),l in bI(c).items():ak(c,G[m]['next'],o.prefix,l)
 g=(bK(m,e)for m,e in G.items())
 return[*islice((m for m in g if m['tasks']),cs)]
def bH(c):
 w=Counter()
 for dg,g in zip((aV(c),c.unrunnable),bi,strict=True):
  for f in islice(dg,aE):
   if(m:=av(c,f))!=R:w[m,g,f.group]+=1
 return w
def aV(c):return chain.from_iterable((am.processing for am in c.workers.values()))
def bI(c):
 an=set(islice(aV(c),aF))
 cN=chain.from_iterable((f.waiters or()for f in an))
 w,r=(Counter(),aE-aF)
 for f in set(islice(cN,aF-len(an))):
  aN=f.waiting_on or()
  if 0<len(aN)<=min(r,len(an)):
   r-=len(aN)
   if aN<=an:w[av(c,f),f.group]+=1
 return w
def bJ(o,l):z=o.states['waiting'];cO=sum((o.states[d]for d in cr));return min(z,round(max(0,l)*z/max(1,z+cO)))
def aW(c,G,m,g,o,l):
 if m!=R and l:ak(c,G[R][g],o.prefix,-l);ak(c,G[m][g],o.prefix,l)
def ak(c,w,bn,l):w[0]+=l;w[1]+=l*c._get_prefix_duration(bn);w[2]+=l*(bn.duration_average<0)
def bK(m,e):ah,ai,aj=m;return{'resources':dict(ah[:Z]),'hosts':ai[:Z],'workers':aj[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':dv}for d,(l,U,dv)in e.items()if l>0}}
ct=200
t={}
def aw(j,u):
 t.pop(j,None)
 bo=[name for name,b in t.items()if b.g]
 for name in bo[:max(0,len(bo)-ct)]:del t[name]
 t[j]=b=SimpleNamespace(aT=j,dC=u,O=None,af=0,I=0,x=False,aS=False,B=set(),aU=set(),p='waiting',E='',D=0,C=0,X={},r={},Y={},F={},at=time.monotonic(),dB=time.monotonic(),g=None)
 return b
def al(b):bp=[aO for i,aO in b.X.items()if i not in b.r and i not in b.Y];return b.g or{'name':b.aT,'state':b.p,'reason':b.E,'workers':b.D,'tasks':b.C,'keys':len(b.r),'bytes':sum(b.r.values()),'moved_keys':len(bp),'moved_bytes':sum(bp),'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),'seconds':round(time.monotonic()-b.at,3)}
def ax(b,p):b.p=p;b.g=al(b);b.X,b.r,b.Y,b.F=({},{},{},{})
def bL(c,n):
 for b in t.values():
  if n in b.B and(not(b.g and n in b.aU)):
   b.aU.add(n)
   dt=[K for J,K in c.get_events(n)if isinstance(K,dict)]
   *J,bC=(K for K in dt if K.get('action')=='remove-worker')
   bx=bC['lost-computed-tasks']|bC['lost-scattered-tasks']
   if b.g:b.g['lost_keys']+=len(bx)
   else:b.Y.update(((i,b.X.get(i,0))for i in bx))
cu=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bj=('running','paused')
def aX(c,j,u):bq=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[by]for by in bq or c.workers if by in c.workers];return[d for d in e if bM(str(d.name),j,bool(bq))]
def bM(name,j,cP):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 br=cu.fullmatch(name)
 return cP and(not br or j.startswith(br.group(1)+'-'))
def bN(c,e):cQ={d for d in c.workers.values()if d.status.name in bj}.difference(e);cR={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cR if not f.actor and cQ.isdisjoint(f.who_has)}
def bO(c,e):ad=c.extensions.get('stealing');return sum((dy['thief']in e for dy in ad.in_flight.values()))if ad else 0
def aY(c,e):
 ao=set(e)
 for cS in list(c.plugins.values()):
  with contextlib.suppress(Exception):ao.intersection_update(cS.valid_workers_downscaling(c,list(e)))
 return ao
cv=10000
cw=20000
ab={}
def bP(c,A,cT):
 g={'schema':1,'revision':A,'polls':cT,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dh in cx.items():
  try:g[name]=dh(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bQ(c):e=list(c.workers.values())[:cv];ao,T=(aY(c,e),bS(c));return[bR(d,d not in ao,T[d.address])for d in e]
def bR(d,cU,T):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-T,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cU,'mute':d.extra.get('python3',1)is None,'idle_since':None if d.processing else ab.get(d.address)};return{name:P for name,P in g.items()if P}
def bS(c):
 T=Counter()
 for f in islice(c.replicated_tasks,cw):
  aO=f.get_nbytes()
  for d in f.who_has:T[d.address]+=aO
 return T
def bT(c):cV=c.queued or c.unrunnable or any((dz.processing for dz in c.workers.values()));return None if cV else c.idle_since
def aZ(c):return[ae for ae in c.client_comms if'-worker-'not in ae]
def bU(c):
 H={}
 ap=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 ay(H,ap,'scheduler','scheduler')
 for d in c.workers.values():ay(H,a_(d),'workers',d.name)
 for ae in aZ(c):ay(H,a_(c.clients[ae]),'clients',ae)
 return list(H.values())[:Z]
def a_(d):aq=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),aq.get('dask'),aq.get('distributed'))
def ay(H,ar,cW,name):
 if ar not in H:du,*aq=(str(dw or'?')[:99]for dw in ar);di=(('python','dask','distributed'),('.'.join(du.split('.')[:3]),*aq));H[ar]={**dict(zip(*di,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=H[ar]
 g[cW]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cx={'status':lambda c:c.status.name,'idle_since':bT,'clients':lambda c:len(aZ(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bQ,'demand':bG,'drains':lambda c:[al(b)for b in t.values()],'versions':bU}
S='dask-operator-'
cy=('ready','constrained','waiting','released',None)
cz=('executing','long-running')
cA=1000
F={}
def bV(c,d):
 bW(c)
 ad=c.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ad and f in ad.in_flight or F.get((f.key,d.address))==f.run_id:continue
  F[f.key,d.address]=f.run_id
  dj={'op':'steal-request','key':f.key,'stimulus_id':S+str(f.run_id)}
  c.stream_comms[d.address].send(dj)
  l+=1
  if l==cA:break
def bW(c):
 aH=c.stream_handlers.get('steal-response')
 def bk(**W):
  if W['stimulus_id'].startswith(S):bX(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aH:aH(**W)
 if getattr(aH,'ours',None)is None:bk.ours=True;c.stream_handlers['steal-response']=bk
def bX(c,i,n,d,stimulus_id):
 if d not in cz:F.pop((i,n),None)
 f=c.tasks.get(i)
 if d in cy and f and(S+str(f.run_id)==stimulus_id):c._reschedule(i,n,stimulus_id=stimulus_id)
def bY(B):
 for i in[i for i in F if i[1]in B]:del F[i]
cB=0.25
cC=0.03
cD=8
q=SimpleNamespace(A=1,z=0,dA=0.0,bD=asyncio.Event())
def y():q.A+=1;ba()
def ba():q.bD.set();q.bD=asyncio.Event()
async def bZ(A,U,cX):
 af=time.monotonic()+U
 q.z+=1
 while q.A==A and(not cX())and((r:=(af-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bD.wait(),r)
 if q.A!=A and U:await asyncio.sleep(q.dA-time.monotonic())
 q.z-=1
def b_(U):q.dA=time.monotonic()+max(cC,20*U)
class ca(SchedulerPlugin):
 def update_graph(h,c,**dk):bb(bE,c,dk.get('annotations')or{})
 def remove_worker(h,**K):bb(bL,K['scheduler'],K['worker'])
 def add_worker(h,*J,**bv):y()
 def add_client(h,*J,**bv):y()
 def remove_client(h,*J,**bv):y()
def bb(cY,*cZ):
 try:cY(*cZ)
 except Exception:logger.exception('dask-operator')
 y()
async def cb(c):
 bs=None
 while True:
  with contextlib.suppress(Exception):
   X=cc(c)
   if X!=bs:bs=X;y()
  await asyncio.sleep(cB)
def cc(c):
 for n,d in c.workers.items():
  if d.processing:ab.pop(n,None)
  else:ab.setdefault(n,time.time())
 for n in set(ab).difference(c.workers):del ab[n]
 c_=[d.status for d in c.workers.values()]
 da=getattr(c.extensions.get('publish'),'datasets',())
 return(c.transition_counter,c.idle_since,len(da),c_)
ac='closing_gracefully'
cE=2
cF=('vetoed','peers paused','actors','last worker')
cG=30
def cd(c,j,u,L,I,x):
 b=t.get(j)
 if not b or(b.g and(not ce(c,b))):b=aw(j,u);b.O=asyncio.ensure_future(cf(c,b))
 b.af=time.monotonic()+L
 b.I=I
 b.x=b.x or x
 y()
 return b
def ce(c,b):e=Q(c,b);return not e or(b.p in('ready','lost')and bc(b,e))
def bc(b,e):aI=all((d.status.name==ac for d in e));return aI and(not b.C)and(not b.r)
async def cf(c,b):
 try:p=await ch(c,b)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,b.E=('failed',type(error).__name__);await cg(c,b)
 bY(b.B)
 ax(b,p)
 y()
async def cg(c,b):
 with contextlib.suppress(Exception):
  if b.x:await aB(c,b)
  else:aA(c,b)
async def ch(c,b):
 aP,p=(0.01,'')
 while True:
  at=time.monotonic()
  with contextlib.suppress(OSError):p=az(c,b)
  if p:break
  aP=max(min(aP*1.5,0.2),20*(time.monotonic()-at))
  await asyncio.sleep(max(0.01,min(aP,b.af-time.monotonic())))
 if b.x and p!='ready'and(b.E!='closing'):await aB(c,b)
 elif p=='refused':aA(c,b)
 return p
def az(c,b):
 e=Q(c,b)
 b.E=ci(c,b,e)
 if not e:return'lost'if b.Y else'ready'if b.B else'unknown'
 if b.E and(not(b.x and b.E in cF)):return'refused'
 ag=time.monotonic()
 if b.E!='last worker'or b.C:b.dB=ag
 if ag>min(b.af,b.dB+cG):return'interrupted'
 if b.E!='vetoed':
  cj(c,b,e)
  if bc(b,e):return'lost'if b.Y else'refused'if b.E else'ready'
 if b.aS and b.E not in('last worker','peers paused'):ck(c,b)
 return''
def Q(c,b):e=aX(c,b.aT,b.dC);b.B.update((d.address for d in e));b.D=len(e);b.C=sum((len(d.processing)for d in e))+bO(c,e);b.r=bN(c,e);b.X.update(b.r);return e
def ci(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 db=not b.aS and time.monotonic()<b.af-b.I
 if(db or not b.x)and len(aY(c,e))<len(e):return'vetoed'
 bt=b.B.issuperset((d.address for d in c.running))
 z={n for n,dx in c.workers.items()if dx.status.name=='paused'}
 if bt and(b.C or b.r)and(not z-b.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 return'peers paused'if bt and(b.C or b.r)else''
def cj(c,b,e):
 b.aS=True
 for d in e:
  if d.status.name in bj:c.handle_worker_status_change(ac,d,S+'retire');bd(c,d,ac)
  bV(c,d)
def bd(c,d,bu):
 dc={'op':'worker-status-change','status':bu,'stimulus_id':S+bu}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(dc)
def ck(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 ag=time.monotonic()
 aJ=[i for i in b.r if b.F.get(i,0)<ag-cE]
 b.F.update(dict.fromkeys(aJ,ag))
 class cH(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aJ:yield('replicate',c.tasks[i],None)
 if aJ:ActiveMemoryManagerExtension(c,{cH()},register=False,start=False).run_once()
def aA(c,b):
 b.aS=False
 for d in aX(c,b.aT,b.dC):
  if d.status.name==ac:bd(c,d,'running')
async def aB(c,b):
 b.g=None
 e=Q(c,b)
 C,D=(b.C,b.D)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=S+'dismiss')
 Q(c,b)
 b.C,b.D=(C,D)
async def cl(c,M,aK,x):
 L,I,au=aK
 L=120 if L is None else L
 I=min(30,L/4)if I is None else I
 aL=[cd(c,j,u,L,I,x)for j,u in M]
 if(dl:=[V.O for V in aL if V.O]):await asyncio.wait(dl,timeout=au)
 N=[al(V)for V in aL]
 for V in aL:be(V)
 return N
async def cm(c,M,*J):
 N=[]
 for j,u in M:
  b=t.get(j)or aw(j,u)
  bw=b.x and(not b.g or aC(c,b))
  if not bw:await aD(b);t.pop(j,None);aA(c,b);await cn(c,b);y()
  aI=aC(c,b)
  d='leaving'if bw else'waiting'if aI else'running'
  N.append({'name':j,'state':d if b.D else'unknown','workers':b.D})
 return N
def aC(c,b):return any((d.status.name==ac for d in Q(c,b)))
async def cn(c,b):
 for J in range(50):
  if not aC(c,b):break
  await asyncio.sleep(0.02)
async def co(c,M,*J):
 N=[]
 for j,u in M:
  b=t.get(j)or aw(j,u)
  await aD(b)
  if Q(c,b)or not b.B:await aB(c,b);ax(b,'forgotten'if b.B else'unknown')
  N.append(al(b))
  be(b)
 return N
def be(b):
 if b.p=='unknown':t.pop(b.aT,None)
async def aD(b):
 if b.O:b.O.cancel();await asyncio.wait([b.O])
 if not b.g:ax(b,'cancelled')
async def cp():
 for b in list(t.values()):await aD(b)
 y()
preloads=globals().get('preloads',[])
def load(dd):
 if not preloads:i='distributed.'+dd+'.preload';dm={bz:bA for bz,bA in os.environ.items()if not bz.endswith('__PRELOAD')and bA!='[]'};ap=config.collect(env=dm);preloads.extend(process_preloads(None,config.get(i,[],ap),config.get(i+'-argv',[],ap)))
async def bf(az,de,df):
 for aM in de:
  aM.dask_object=df
  try:await getattr(aM,az)()
  except Exception:logger.exception(aM.name)
cI='/dask-operator/v1/(facts|retire|uncordon|forget)'
cJ='OPERATOR_TOKEN'
cK=65536
cL=60
aG={'retire':cl,'uncordon':cm,'forget':co}
bl=[]
async def dask_setup(c):
 await bf('start',preloads,c)
 if(dn:=os.environ.get(cJ)):c.add_plugin(ca(),name='dask-operator');bl.append(asyncio.ensure_future(cb(c)));do=(cI,cq,{'scheduler':c,'token':dn});c.http_application.add_handlers('.*',[do])
async def dask_teardown(c):
 for O in bl:O.cancel()
 await cp()
 await bf('teardown',preloads[::-1],c)
@stream_request_body
class cq(RequestHandler):
 def initialize(h,**aQ):vars(h).update(aQ,body=b'',aU=False)
 def prepare(h):
  aQ=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aQ.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cK)
 def data_received(h,dp):h.body+=dp
 def on_connection_close(h):h.aU=True;ba()
 async def get(h,name):
  if name in aG:raise HTTPError(405)
  if q.z>=cD:raise HTTPError(429)
  try:bB=int(h.get_argument('after','-1'));au=bg(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await bZ(bB,min(au,cL),lambda:h.aU)
  at=time.monotonic()
  h.answer(bP(h.scheduler,q.A,q.z))
  if au and q.A!=bB:b_(time.monotonic()-at)
 async def post(h,name):
  if name not in aG:raise HTTPError(405)
  try:aR=json.loads(h.body);M=[(str(j['name']),str(j.get('ip')or''))for j in aR['pods']];aK=[bg(aR.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aG[name](h.scheduler,M,aK,aR.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dq=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dq)
 def write_error(h,dr,**J):h.finish({'error':dr})
def bg(P):
 if P is not None and(not math.isfinite(P)):raise ValueError
 return P and min(max(P,0),86400)