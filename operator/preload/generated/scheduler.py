import contextlib,re,time,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
bj={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
bk=('processing','unrunnable')
cs=('memory','released','erred','forgotten')
aI=20000
aJ=5000
ct=100
Z=20
S=((),(),())
aa=defaultdict(Counter)
def bF(c,cN):
 for name in('resources','workers'):
  for i in islice(cN.get(name)or(),aI):
   f=c.tasks.get(i)
   if f and(m:=ax(c,f))!=S:aa[f.group.name][m]+=1
def ax(c,f):
 ai,aj,ak=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(ai or aj or ak):return S
 return(tuple(sorted(ai.items()))if ai else(),tuple(sorted(aj))if aj else(),tuple(sorted((bG(c,n)for n in ak)))if ak else())
def bG(c,n):an=c.workers.get(n);return str(an.name if an else n)
def bH(c):
 G=defaultdict(lambda:{d:[0,0.0,0]for d in[*bj.values(),'next']})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for p in c.task_groups.values():
  for d,g in bj.items():
   if(l:=p.states[d]):am(c,G[S][g],p.prefix,l)
 bo=bI(c)if aa else{}
 for(m,g,p),l in bo.items():aY(c,G,m,g,p,l)
 for name,w in aa.items():
  p=c.task_groups[name]
  for m,dt in w.items():D=sum((bo.get((m,g,p),0)for g in bk));aY(c,G,m,'waiting',p,bK(p,dt-D))
 for(m,p),l in bJ(c).items():am(c,G[m]['next'],p.prefix,l)
 g=(bL(m,e)for m,e in G.items())
 return[*islice((m for m in g if m['tasks']),ct)]
def bI(c):
 w=Counter()
 for dh,g in zip((aX(c),c.unrunnable),bk,strict=True):
  for f in islice(dh,aI):
   if(m:=ax(c,f))!=S:w[m,g,f.group]+=1
 return w
def aX(c):return chain.from_iterable((an.processing for an in c.workers.values()))
def bJ(c):
 ao=set(islice(aX(c),aJ))
 cO=chain.from_iterable((f.waiters or()for f in ao))
 w,r=(Counter(),aI-aJ)
 for f in set(islice(cO,aJ-len(ao))):
  aR=f.waiting_on or()
  if 0<len(aR)<=min(r,len(ao)):
   r-=len(aR)
   if aR<=ao:w[ax(c,f),f.group]+=1
 return w
def bK(p,l):z=p.states['waiting'];cP=sum((p.states[d]for d in cs));return min(z,round(max(0,l)*z/max(1,z+cP)))
def aY(c,G,m,g,p,l):
 if m!=S and l:am(c,G[S][g],p.prefix,-l);am(c,G[m][g],p.prefix,l)
def am(c,w,bp,l):w[0]+=l;w[1]+=l*c._get_prefix_duration(bp);w[2]+=l*(bp.duration_average<0)
def bL(m,e):ai,aj,ak=m;return{'resources':dict(ai[:Z]),'hosts':aj[:Z],'workers':ak[:Z],'tasks':{d:{'count':l,'seconds':round(V,3),'unmeasured':dx}for d,(l,V,dx)in e.items()if l>0}}
cu=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bl=('running','paused')
def ay(c,j,u):bq=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[by]for by in bq or c.workers if by in c.workers];return[d for d in e if bM(str(d.name),j,bool(bq))]
def bM(name,j,cQ):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 br=cu.fullmatch(name)
 return cQ and(not br or j.startswith(br.group(1)+'-'))
def bN(c,e):cR={d for d in c.workers.values()if d.status.name in bl}.difference(e);cS={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cS if not f.actor and cR.isdisjoint(f.who_has)}
def bO(c,e):ad=c.extensions.get('stealing');return sum((dA['thief']in e for dA in ad.in_flight.values()))if ad else 0
def aZ(c,e):
 ap=set(e)
 for cT in list(c.plugins.values()):
  with contextlib.suppress(Exception):ap.intersection_update(cT.valid_workers_downscaling(c,list(e)))
 return ap
cv=200
t={}
def az(j,u):
 ae=t.pop(j,None)
 bs=[name for name,b in t.items()if b.g]
 for name in bs[:max(0,len(bs)-cv)]:del t[name]
 t[j]=b=SimpleNamespace(aw=j,bE=u,O=None,ag=0,I=0,x=False,aW=False,B=set(),al=set(),o='waiting',E='',D=0,C=0,Y={},r={},Q=ae.Q if ae else{},F={},au=time.monotonic(),dD=time.monotonic(),g=None)
 return b
def aA(b):return{'name':b.aw,'state':b.o,'reason':b.E,'lost_keys':len(b.Q),'lost_bytes':sum(b.Q.values()),**(b.g or a_(b))}
def a_(b):bt=[aS for i,aS in b.Y.items()if i not in b.r and i not in b.Q];return{'workers':b.D,'tasks':b.C,'keys':len(b.r),'bytes':sum(b.r.values()),'moved_keys':len(bt),'moved_bytes':sum(bt),'seconds':round(time.monotonic()-b.au,3)}
def aB(b,o):b.o=o;b.g=a_(b);b.Y,b.r,b.F=({},{},{})
def bP(c,n):
 for b in t.values():
  if n in b.B and(not(b.g and n in b.al)):
   b.al.add(n)
   du=[K for J,K in c.get_events(n)if isinstance(K,dict)]
   *J,bC=(K for K in du if K.get('action')=='remove-worker')
   dv=bC['lost-computed-tasks']|bC['lost-scattered-tasks']
   b.Q.update(((i,b.Y.get(i,0))for i in dv))
   al=b.g and(not ay(c,b.aw,b.bE))
   if al and b.o!='forgotten':b.o='lost'if b.Q else'ready'
cw=10000
cx=20000
ab={}
def bQ(c,A,cU):
 g={'schema':1,'revision':A,'polls':cU,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,di in cy.items():
  try:g[name]=di(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bR(c):e=list(c.workers.values())[:cw];ap,U=(aZ(c,e),bT(c));return[bS(d,d not in ap,U[d.address])for d in e]
def bS(d,cV,U):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-U,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cV,'mute':d.extra.get('python3',1)is None,'idle_since':None if d.processing else ab.get(d.address)};return{name:P for name,P in g.items()if P}
def bT(c):
 U=Counter()
 for f in islice(c.replicated_tasks,cx):
  aS=f.get_nbytes()
  for d in f.who_has:U[d.address]+=aS
 return U
def bU(c):cW=c.queued or c.unrunnable or any((dB.processing for dB in c.workers.values()));return None if cW else c.idle_since
def ba(c):return[af for af in c.client_comms if'-worker-'not in af]
def bV(c):
 H={}
 aq=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 aC(H,aq,'scheduler','scheduler')
 for d in c.workers.values():aC(H,bb(d),'workers',d.name)
 for af in ba(c):aC(H,bb(c.clients[af]),'clients',af)
 return list(H.values())[:Z]
def bb(d):ar=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),ar.get('dask'),ar.get('distributed'))
def aC(H,at,cX,name):
 if at not in H:dw,*ar=(str(dy or'?')[:99]for dy in at);dj=(('python','dask','distributed'),('.'.join(dw.split('.')[:3]),*ar));H[at]={**dict(zip(*dj,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=H[at]
 g[cX]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cy={'status':lambda c:c.status.name,'idle_since':bU,'clients':lambda c:len(ba(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bR,'demand':bH,'drains':lambda c:[aA(b)for b in t.values()],'versions':bV}
T='dask-operator-'
cz=('ready','constrained','waiting','released',None)
cA=('executing','long-running')
cB=1000
F={}
def bW(c,d):
 bX(c)
 ad=c.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ad and f in ad.in_flight or F.get((f.key,d.address))==f.run_id:continue
  F[f.key,d.address]=f.run_id
  dk={'op':'steal-request','key':f.key,'stimulus_id':T+str(f.run_id)}
  c.stream_comms[d.address].send(dk)
  l+=1
  if l==cB:break
def bX(c):
 aL=c.stream_handlers.get('steal-response')
 def bm(**X):
  if X['stimulus_id'].startswith(T):bY(c,X['key'],X['worker'],X['state'],X['stimulus_id'])
  elif aL:aL(**X)
 if getattr(aL,'ours',None)is None:bm.ours=True;c.stream_handlers['steal-response']=bm
def bY(c,i,n,d,stimulus_id):
 if d not in cA:F.pop((i,n),None)
 f=c.tasks.get(i)
 if d in cz and f and(T+str(f.run_id)==stimulus_id):c._reschedule(i,n,stimulus_id=stimulus_id)
def bZ(B):
 for i in[i for i in F if i[1]in B]:del F[i]
cC=0.25
cD=0.03
cE=8
q=SimpleNamespace(A=1,z=0,dC=0.0,bD=asyncio.Event())
def y():q.A+=1;bc()
def bc():q.bD.set();q.bD=asyncio.Event()
async def b_(A,V,cY):
 ag=time.monotonic()+V
 q.z+=1
 while q.A==A and(not cY())and((r:=(ag-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(q.bD.wait(),r)
 if q.A!=A and V:await asyncio.sleep(q.dC-time.monotonic())
 q.z-=1
def ca(V):q.dC=time.monotonic()+max(cD,20*V)
class cb(SchedulerPlugin):
 def update_graph(h,c,**dl):bd(bF,c,dl.get('annotations')or{})
 def remove_worker(h,**K):bd(bP,K['scheduler'],K['worker'])
 def add_worker(h,*J,**bw):y()
 def add_client(h,*J,**bw):y()
 def remove_client(h,*J,**bw):y()
def bd(cZ,*c_):
 try:cZ(*c_)
 except Exception:logger.exception('dask-operator')
 y()
async def cc(c):
 ae=None
 while True:
  with contextlib.suppress(Exception):
   Y=cd(c)
   if Y!=ae:ae=Y;y()
  await asyncio.sleep(cC)
def cd(c):
 for n,d in c.workers.items():
  if d.processing:ab.pop(n,None)
  else:ab.setdefault(n,time.time())
 for n in set(ab).difference(c.workers):del ab[n]
 da=[d.status for d in c.workers.values()]
 db=getattr(c.extensions.get('publish'),'datasets',())
 return(c.transition_counter,c.idle_since,len(db),da)
ac='closing_gracefully'
cF=2
cG=('vetoed','peers paused','actors','last worker')
cH=30
def ce(c,j,u,L,I,x):
 b=t.get(j)
 if not b or(b.g and(not cf(c,b))):b=az(j,u);b.O=asyncio.ensure_future(cg(c,b))
 b.ag=time.monotonic()+L
 b.I=I
 b.x=b.x or x
 y()
 return b
def cf(c,b):e=R(c,b);return not e or(b.o in('ready','lost')and be(b,e))
def be(b,e):aM=all((d.status.name==ac for d in e));return aM and(not b.C)and(not b.r)
async def cg(c,b):
 try:o=await ci(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.E=('failed',type(error).__name__);await ch(c,b)
 bZ(b.B)
 aB(b,o)
 y()
async def ch(c,b):
 with contextlib.suppress(Exception):
  if b.x:await aF(c,b)
  else:aE(c,b)
async def ci(c,b):
 aT,o=(0.01,'')
 while True:
  au=time.monotonic()
  with contextlib.suppress(OSError):o=aD(c,b)
  if o:break
  aT=max(min(aT*1.5,0.2),20*(time.monotonic()-au))
  await asyncio.sleep(max(0.01,min(aT,b.ag-time.monotonic())))
 if b.x and o!='ready'and(b.E!='closing'):await aF(c,b)
 elif o=='refused':aE(c,b)
 return o
def aD(c,b):
 e=R(c,b)
 b.E=cj(c,b,e)
 if not e:return'lost'if b.Q else'ready'if b.B else'unknown'
 if b.E and(not(b.x and b.E in cG)):return'refused'
 ah=time.monotonic()
 if b.E!='last worker'or b.C:b.dD=ah
 if ah>min(b.ag,b.dD+cH):return'interrupted'
 if b.E!='vetoed':
  ck(c,b,e)
  if be(b,e):return'lost'if b.Q else'refused'if b.E else'ready'
 if b.aW and b.E not in('last worker','peers paused'):cl(c,b)
 return''
def R(c,b):e=ay(c,b.aw,b.bE);b.B.update((d.address for d in e));b.D=len(e);b.C=sum((len(d.processing)for d in e))+bO(c,e);b.r=bN(c,e);b.Y.update(b.r);return e
def cj(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 dc=not b.aW and time.monotonic()<b.ag-b.I
 if(dc or not b.x)and len(aZ(c,e))<len(e):return'vetoed'
 bu=b.B.issuperset((d.address for d in c.running))
 z={n for n,dz in c.workers.items()if dz.status.name=='paused'}
 if bu and(b.C or b.r)and(not z-b.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 return'peers paused'if bu and(b.C or b.r)else''
def ck(c,b,e):
 b.aW=True
 for d in e:
  if d.status.name in bl:c.handle_worker_status_change(ac,d,T+'retire');bf(c,d,ac)
  bW(c,d)
def bf(c,d,bv):
 dd={'op':'worker-status-change','status':bv,'stimulus_id':T+bv}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(dd)
def cl(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 ah=time.monotonic()
 aN=[i for i in b.r if b.F.get(i,0)<ah-cF]
 b.F.update(dict.fromkeys(aN,ah))
 class cI(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aN:yield('replicate',c.tasks[i],None)
 if aN:ActiveMemoryManagerExtension(c,{cI()},register=False,start=False).run_once()
def aE(c,b):
 b.aW=False
 for d in ay(c,b.aw,b.bE):
  if d.status.name==ac:bf(c,d,'running')
async def aF(c,b):
 b.g=None
 e=R(c,b)
 C,D=(b.C,b.D)
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=T+'dismiss')
 R(c,b)
 b.C,b.D=(C,D)
async def cm(c,M,aO,x):
 L,I,av=aO
 L=120 if L is None else L
 I=min(30,L/4)if I is None else I
 aP=[ce(c,j,u,L,I,x)for j,u in M]
 if(dm:=[W.O for W in aP if W.O]):await asyncio.wait(dm,timeout=av)
 N=[aA(W)for W in aP]
 for W in aP:bg(W)
 return N
async def cn(c,M,*J):
 N=[]
 for j,u in M:
  b=t.get(j)or az(j,u)
  bx=b.x and(not b.g or aG(c,b))
  if not bx:await aH(b);t.pop(j,None);aE(c,b);await co(c,b);y()
  aM=aG(c,b)
  d='leaving'if bx else'waiting'if aM else'running'
  N.append({'name':j,'state':d if b.D else'unknown','workers':b.D})
 return N
def aG(c,b):return any((d.status.name==ac for d in R(c,b)))
async def co(c,b):
 for J in range(50):
  if not aG(c,b):break
  await asyncio.sleep(0.02)
async def cp(c,M,*J):
 N=[]
 for j,u in M:
  b=t.get(j)or az(j,u)
  await aH(b)
  if R(c,b)or not b.B:await aF(c,b);aB(b,'forgotten'if b.B else'unknown')
  N.append(aA(b))
  bg(b)
 return N
def bg(b):
 if b.o=='unknown':t.pop(b.aw,None)
async def aH(b):
 if b.O:b.O.cancel();await asyncio.wait([b.O])
 if not b.g:aB(b,'cancelled')
async def cq():
 for b in list(t.values()):await aH(b)
 y()
preloads=globals().get('preloads',[])
def load(de):
 if not preloads:i='distributed.'+de+'.preload';dn={bz:bA for bz,bA in os.environ.items()if not bz.endswith('__PRELOAD')and bA!='[]'};aq=config.collect(env=dn);preloads.extend(process_preloads(None,config.get(i,[],aq),config.get(i+'-argv',[],aq)))
async def bh(aD,df,dg):
 for aQ in df:
  aQ.dask_object=dg
  try:await getattr(aQ,aD)()
  except Exception:logger.exception(aQ.name)
cJ='/dask-operator/v1/(facts|retire|uncordon|forget)'
cK='OPERATOR_TOKEN'
cL=65536
cM=60
aK={'retire':cm,'uncordon':cn,'forget':cp}
bn=[]
async def dask_setup(c):
 await bh('start',preloads,c)
 if(do:=os.environ.get(cK)):c.add_plugin(cb(),name='dask-operator');bn.append(asyncio.ensure_future(cc(c)));dp=(cJ,cr,{'scheduler':c,'token':do});c.http_application.add_handlers('.*',[dp])
async def dask_teardown(c):
 for O in bn:O.cancel()
 await cq()
 await bh('teardown',preloads[::-1],c)
@stream_request_body
class cr(RequestHandler):
 def initialize(h,**aU):vars(h).update(aU,body=b'',al=False)
 def prepare(h):
  aU=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aU.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cL)
 def data_received(h,dq):h.body+=dq
 def on_connection_close(h):h.al=True;bc()
 async def get(h,name):
  if name in aK:raise HTTPError(405)
  if q.z>=cE:raise HTTPError(429)
  try:bB=int(h.get_argument('after','-1'));av=bi(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await b_(bB,min(av,cM),lambda:h.al)
  au=time.monotonic()
  h.answer(bQ(h.scheduler,q.A,q.z))
  if av and q.A!=bB:ca(time.monotonic()-au)
 async def post(h,name):
  if name not in aK:raise HTTPError(405)
  try:aV=json.loads(h.body);M=[(str(j['name']),str(j.get('ip')or''))for j in aV['pods']];aO=[bi(aV.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aK[name](h.scheduler,M,aO,aV.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dr=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dr)
 def write_error(h,ds,**J):h.finish({'error':ds})
def bi(P):
 if P is not None and(not math.isfinite(P)):raise ValueError
 return P and min(max(P,0),86400)