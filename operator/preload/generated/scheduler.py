import contextlib,re,time,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
bm={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
bn=('processing','unrunnable')
cu=('memory','released','erred','forgotten')
aJ=20000
aK=5000
cv=100
aa=20
R=((),(),())
ab=defaultdict(Counter)
def bH(c,cP):
 for name in('resources','workers'):
  for i in islice(cP.get(name)or(),aJ):
   f=c.tasks.get(i)
   if f and(m:=ay(c,f))!=R:ab[f.group.name][m]+=1
def ay(c,f):
 ai,aj,ak=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(ai or aj or ak):return R
 return(tuple(sorted(ai.items()))if ai else(),tuple(sorted(aj))if aj else(),tuple(sorted((bI(c,n)for n in ak)))if ak else())
def bI(c,n):ao=c.workers.get(n);return str(ao.name if ao else n)
def bJ(c):
 F=defaultdict(lambda:{d:[0,0.0,0]for d in[*bm.values(),'next']})
 for name in set(ab).difference(c.task_groups):del ab[name]
 for o in c.task_groups.values():
  for d,g in bm.items():
   if(l:=o.states[d]):am(c,F[R][g],o.prefix,l)
 br=bK(c)if ab else{}
 for(m,g,o),l in br.items():ba(c,F,m,g,o,l)
 for name,w in ab.items():
  o=c.task_groups[name]
  for m,dv in w.items():y=sum((br.get((m,g,o),0)for g in bn));ba(c,F,m,'waiting',o,bM(o,dv-y))
 for(m,o),l in bL(c).items():am(c,F[m]['next'],o.prefix,l)
 g=(bN(m,e)for m,e in F.items())
 return[*islice((m for m in g if m['tasks']),cv)]
def bK(c):
 w=Counter()
 for dj,g in zip((a_(c),c.unrunnable),bn,strict=True):
  for f in islice(dj,aJ):
   if(m:=ay(c,f))!=R:w[m,g,f.group]+=1
 return w
def a_(c):return chain.from_iterable((ao.processing for ao in c.workers.values()))
def bL(c):
 ap=set(islice(a_(c),aK))
 cQ=chain.from_iterable((f.waiters or()for f in ap))
 w,q=(Counter(),aJ-aK)
 for f in set(islice(cQ,aK-len(ap))):
  aS=f.waiting_on or()
  if 0<len(aS)<=min(q,len(ap)):
   q-=len(aS)
   if aS<=ap:w[ay(c,f),f.group]+=1
 return w
def bM(o,l):A=o.states['waiting'];cR=sum((o.states[d]for d in cu));return min(A,round(max(0,l)*A/max(1,A+cR)))
def ba(c,F,m,g,o,l):
 if m!=R and l:am(c,F[R][g],o.prefix,-l);am(c,F[m][g],o.prefix,l)
def am(c,w,bs,l):w[0]+=l;w[1]+=l*c._get_prefix_duration(bs);w[2]+=l*(bs.duration_average<0)
def bN(m,e):ai,aj,ak=m;return{'resources':dict(ai[:aa]),'hosts':aj[:aa],'workers':ak[:aa],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':dz}for d,(l,U,dz)in e.items()if l>0}}
cw=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bo=('running','paused')
def az(c,j,u):bt=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[bB]for bB in bt or c.workers if bB in c.workers];return[d for d in e if bO(str(d.name),j,bool(bt))]
def bO(name,j,cS):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bu=cw.fullmatch(name)
 return cS and(not bu or j.startswith(bu.group(1)+'-'))
def bP(c,e):cT={d for d in c.workers.values()if d.status.name in bo}.difference(e);cU={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cU if not f.actor and cT.isdisjoint(f.who_has)}
def bQ(c,e):ae=c.extensions.get('stealing');return sum((dC['thief']in e for dC in ae.in_flight.values()))if ae else 0
def bb(c,e):
 aq=set(e)
 for cV in list(c.plugins.values()):
  with contextlib.suppress(Exception):aq.intersection_update(cV.valid_workers_downscaling(c,list(e)))
 return aq
cx=200
t={}
def aA(j,u):
 K=t.pop(j,None)
 bv=[name for name,b in t.items()if b.g]
 for name in bv[:max(0,len(bv)-cx)]:del t[name]
 t[j]=b=SimpleNamespace(ax=j,bG=u,O=None,ag=0,H=0,x=False,aY=False,C=set(),al=set(),p='waiting',D='',y=0,Y=0,X={},q={},Z=K.Z if K else{},aZ=K.aZ if K else 0,E={},av=time.monotonic(),dF=time.monotonic(),g=None)
 return b
def aB(b):return{'name':b.ax,'state':b.p,'reason':b.D,'lost_keys':len(b.Z),'lost_bytes':sum(b.Z.values()),**(b.g or bc(b))}
def bc(b):bw=[aT for i,aT in b.X.items()if i not in b.q and i not in b.Z];return{'workers':b.y,'tasks':b.Y+b.aZ,'keys':len(b.q),'bytes':sum(b.q.values()),'moved_keys':len(bw),'moved_bytes':sum(bw),'seconds':round(time.monotonic()-b.av,3)}
def an(b,p):b.p=p;b.g=bc(b);b.X,b.q,b.E=(b.q,{},{})
def bR(c,n):
 for b in t.values():
  if n in b.C and(not(b.g and n in b.al)):
   b.al.add(n)
   dw=[J for I,J in c.get_events(n)if isinstance(J,dict)]
   *I,aX=(J for J in dw if J.get('action')=='remove-worker')
   dx=aX['lost-computed-tasks']|aX['lost-scattered-tasks']
   b.Z.update(((i,b.X.get(i,0))for i in dx))
   b.aZ+=len(aX['processing-tasks'])
   al=b.g and(not az(c,b.ax,b.bG))
   if al and b.p!='forgotten':b.y,b.Y,b.g=(0,0,None);an(b,aC(b))
def aC(b):return'lost'if b.Z or b.aZ else'ready'
cy=10000
cz=20000
ac={}
def bS(c,B,cW):
 g={'schema':1,'revision':B,'polls':cW,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,dk in cA.items():
  try:g[name]=dk(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bT(c):e=list(c.workers.values())[:cy];aq,T=(bb(c,e),bV(c));return[bU(d,d not in aq,T[d.address])for d in e]
def bU(d,cX,T):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),aa)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-T,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cX,'mute':d.extra.get('python3',1)is None,'idle_since':None if d.processing else ac.get(d.address)};return{name:P for name,P in g.items()if P}
def bV(c):
 T=Counter()
 for f in islice(c.replicated_tasks,cz):
  aT=f.get_nbytes()
  for d in f.who_has:T[d.address]+=aT
 return T
def bW(c):cY=c.queued or c.unrunnable or any((dD.processing for dD in c.workers.values()));return None if cY else c.idle_since
def bd(c):return[af for af in c.client_comms if'-worker-'not in af]
def bX(c):
 G={}
 ar=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 aD(G,ar,'scheduler','scheduler')
 for d in c.workers.values():aD(G,be(d),'workers',d.name)
 for af in bd(c):aD(G,be(c.clients[af]),'clients',af)
 return list(G.values())[:aa]
def be(d):at=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),at.get('dask'),at.get('distributed'))
def aD(G,au,cZ,name):
 if au not in G:dy,*at=(str(dA or'?')[:99]for dA in au);dl=(('python','dask','distributed'),('.'.join(dy.split('.')[:3]),*at));G[au]={**dict(zip(*dl,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=G[au]
 g[cZ]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cA={'status':lambda c:c.status.name,'idle_since':bW,'clients':lambda c:len(bd(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bT,'demand':bJ,'drains':lambda c:[aB(b)for b in t.values()],'versions':bX}
S='dask-operator-'
cB=('ready','constrained','waiting','released',None)
cC=('executing','long-running')
cD=1000
E={}
def bY(c,d):
 bZ(c)
 ae=c.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ae and f in ae.in_flight or E.get((f.key,d.address))==f.run_id:continue
  E[f.key,d.address]=f.run_id
  dm={'op':'steal-request','key':f.key,'stimulus_id':S+str(f.run_id)}
  c.stream_comms[d.address].send(dm)
  l+=1
  if l==cD:break
def bZ(c):
 aM=c.stream_handlers.get('steal-response')
 def bp(**W):
  if W['stimulus_id'].startswith(S):b_(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aM:aM(**W)
 if getattr(aM,'ours',None)is None:bp.ours=True;c.stream_handlers['steal-response']=bp
def b_(c,i,n,d,stimulus_id):
 if d not in cC:E.pop((i,n),None)
 f=c.tasks.get(i)
 if d in cB and f and(S+str(f.run_id)==stimulus_id):c._reschedule(i,n,stimulus_id=stimulus_id)
def ca(C):
 for i in[i for i in E if i[1]in C]:del E[i]
cE=0.25
cF=0.03
cG=8
r=SimpleNamespace(B=1,A=0,dE=0.0,bF=asyncio.Event())
def z():r.B+=1;bf()
def bf():r.bF.set();r.bF=asyncio.Event()
async def cb(B,U,c_):
 ag=time.monotonic()+U
 r.A+=1
 while r.B==B and(not c_())and((q:=(ag-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(r.bF.wait(),q)
 if r.B!=B and U:await asyncio.sleep(r.dE-time.monotonic())
 r.A-=1
def cc(U):r.dE=time.monotonic()+max(cF,20*U)
class cd(SchedulerPlugin):
 def update_graph(h,c,**dn):bg(bH,c,dn.get('annotations')or{})
 def remove_worker(h,**J):bg(bR,J['scheduler'],J['worker'])
 def add_worker(h,*I,**bz):z()
 def add_client(h,*I,**bz):z()
 def remove_client(h,*I,**bz):z()
def bg(da,*db):
 try:da(*db)
 except Exception:logger.exception('dask-operator')
 z()
async def ce(c):
 K=None
 while True:
  with contextlib.suppress(Exception):
   X=cf(c)
   if X!=K:K=X;z()
  await asyncio.sleep(cE)
def cf(c):
 for n,d in c.workers.items():
  if d.processing:ac.pop(n,None)
  else:ac.setdefault(n,time.time())
 for n in set(ac).difference(c.workers):del ac[n]
 dc=[d.status for d in c.workers.values()]
 dd=getattr(c.extensions.get('publish'),'datasets',())
 return(c.transition_counter,c.idle_since,len(dd),dc)
ad='closing_gracefully'
cH=2
cI=('vetoed','peers paused','actors','last worker')
cJ=30
def cg(c,j,u,L,H,x):
 b=t.get(j)
 if not b or(b.g and(not ch(c,b))):b=aA(j,u);b.O=asyncio.ensure_future(ci(c,b))
 b.ag=time.monotonic()+L
 b.H=H
 b.x=b.x or x
 z()
 return b
def ch(c,b):e=Q(c,b);return not e or(b.p in('ready','lost')and bh(b,e))
def bh(b,e):aN=all((d.status.name==ad for d in e));return aN and(not b.Y)and(not b.q)
async def ci(c,b):
 try:p=await ck(c,b)
 except asyncio.CancelledError:p='cancelled'
 except Exception as error:logger.exception('dask-operator');p,b.D=('failed',type(error).__name__);await cj(c,b)
 ca(b.C)
 an(b,p)
 z()
async def cj(c,b):
 with contextlib.suppress(Exception):
  if b.x:await aG(c,b)
  else:aF(c,b)
async def ck(c,b):
 aU,p=(0.01,'')
 while True:
  av=time.monotonic()
  with contextlib.suppress(OSError):p=aE(c,b)
  if p:break
  aU=max(min(aU*1.5,0.2),20*(time.monotonic()-av))
  await asyncio.sleep(max(0.01,min(aU,b.ag-time.monotonic())))
 if b.x and p!='ready'and(b.D!='closing'):await aG(c,b)
 elif p=='refused':aF(c,b)
 return p
def aE(c,b):
 e=Q(c,b)
 b.D=cl(c,b,e)
 if not e:return aC(b)if b.C else'unknown'
 if b.D and(not(b.x and b.D in cI)):return'refused'
 ah=time.monotonic()
 if b.D!='last worker'or b.Y:b.dF=ah
 if ah>min(b.ag,b.dF+cJ):return'interrupted'
 if b.D!='vetoed':
  cm(c,b,e)
  if bh(b,e):return'refused'if b.D and(not b.Z)else aC(b)
 if b.aY and b.D not in('last worker','peers paused'):cn(c,b)
 return''
def Q(c,b):e=az(c,b.ax,b.bG);b.C.update((d.address for d in e));b.y=len(e);b.Y=sum((len(d.processing)for d in e))+bQ(c,e);b.q=bP(c,e);b.X.update(b.q);return e
def cl(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 de=not b.aY and time.monotonic()<b.ag-b.H
 if(de or not b.x)and len(bb(c,e))<len(e):return'vetoed'
 bx=b.C.issuperset((d.address for d in c.running))
 A={n for n,dB in c.workers.items()if dB.status.name=='paused'}
 if bx and(b.Y or b.q)and(not A-b.C):return'last worker'
 if any((d.actors for d in e)):return'actors'
 return'peers paused'if bx and(b.Y or b.q)else''
def cm(c,b,e):
 b.aY=True
 for d in e:
  if d.status.name in bo:c.handle_worker_status_change(ad,d,S+'retire');bi(c,d,ad)
  bY(c,d)
def bi(c,d,by):
 df={'op':'worker-status-change','status':by,'stimulus_id':S+by}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(df)
def cn(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 ah=time.monotonic()
 aO=[i for i in b.q if b.E.get(i,0)<ah-cH]
 b.E.update(dict.fromkeys(aO,ah))
 class cK(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aO:yield('replicate',c.tasks[i],None)
 if aO:ActiveMemoryManagerExtension(c,{cK()},register=False,start=False).run_once()
def aF(c,b):
 b.aY=False
 for d in az(c,b.ax,b.bG):
  if d.status.name==ad:bi(c,d,'running')
async def aG(c,b):
 b.g=None
 e=Q(c,b)
 y=b.y
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=S+'dismiss')
 Q(c,b)
 b.y=y
async def co(c,M,aP,x):
 L,H,aw=aP
 L=120 if L is None else L
 H=min(30,L/4)if H is None else H
 aQ=[cg(c,j,u,L,H,x)for j,u in M]
 if(do:=[V.O for V in aQ if V.O]):await asyncio.wait(do,timeout=aw)
 N=[aB(V)for V in aQ]
 for V in aQ:bj(V)
 return N
async def cp(c,M,*I):
 N=[]
 for j,u in M:
  b=t.get(j)or aA(j,u)
  bA=b.x and(not b.g or aH(c,b))
  if not bA:await aI(b);t.pop(j,None);aF(c,b);await cq(c,b);z()
  aN=aH(c,b)
  d='leaving'if bA else'waiting'if aN else'running'
  N.append({'name':j,'state':d if b.y else'unknown','workers':b.y})
 return N
def aH(c,b):return any((d.status.name==ad for d in Q(c,b)))
async def cq(c,b):
 for I in range(50):
  if not aH(c,b):break
  await asyncio.sleep(0.02)
async def cr(c,M,*I):
 N=[]
 for j,u in M:
  b=t.get(j)or aA(j,u)
  await aI(b)
  if Q(c,b)or not b.C:await aG(c,b);an(b,'forgotten'if b.C else'unknown')
  N.append(aB(b))
  bj(b)
 return N
def bj(b):
 if b.p=='unknown':t.pop(b.ax,None)
async def aI(b):
 if b.O:b.O.cancel();await asyncio.wait([b.O])
 if not b.g:an(b,'cancelled')
async def cs():
 for b in list(t.values()):await aI(b)
 z()
preloads=globals().get('preloads',[])
def load(dg):
 if not preloads:i='distributed.'+dg+'.preload';dp={bC:bD for bC,bD in os.environ.items()if not bC.endswith('__PRELOAD')and bD!='[]'};ar=config.collect(env=dp);preloads.extend(process_preloads(None,config.get(i,[],ar),config.get(i+'-argv',[],ar)))
async def bk(aE,dh,di):
 for aR in dh:
  aR.dask_object=di
  try:await getattr(aR,aE)()
  except Exception:logger.exception(aR.name)
cL='/dask-operator/v1/(facts|retire|uncordon|forget)'
cM='OPERATOR_TOKEN'
cN=65536
cO=60
aL={'retire':co,'uncordon':cp,'forget':cr}
bq=[]
async def dask_setup(c):
 await bk('start',preloads,c)
 if(dq:=os.environ.get(cM)):c.add_plugin(cd(),name='dask-operator');bq.append(asyncio.ensure_future(ce(c)));dr=(cL,ct,{'scheduler':c,'token':dq});c.http_application.add_handlers('.*',[dr])
async def dask_teardown(c):
 for O in bq:O.cancel()
 await cs()
 await bk('teardown',preloads[::-1],c)
@stream_request_body
class ct(RequestHandler):
 def initialize(h,**aV):vars(h).update(aV,body=b'',al=False)
 def prepare(h):
  aV=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aV.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cN)
 def data_received(h,ds):h.body+=ds
 def on_connection_close(h):h.al=True;bf()
 async def get(h,name):
  if name in aL:raise HTTPError(405)
  if r.A>=cG:raise HTTPError(429)
  try:bE=int(h.get_argument('after','-1'));aw=bl(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await cb(bE,min(aw,cO),lambda:h.al)
  av=time.monotonic()
  h.answer(bS(h.scheduler,r.B,r.A))
  if aw and r.B!=bE:cc(time.monotonic()-av)
 async def post(h,name):
  if name not in aL:raise HTTPError(405)
  try:aW=json.loads(h.body);M=[(str(j['name']),str(j.get('ip')or''))for j in aW['pods']];aP=[bl(aW.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aL[name](h.scheduler,M,aP,aW.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dt=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dt)
 def write_error(h,du,**I):h.finish({'error':du})
def bl(P):
 if P is not None and(not math.isfinite(P)):raise ValueError
 return P and min(max(P,0),86400)