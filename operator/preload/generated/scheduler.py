import contextlib,re,time,os,sys,dask,distributed,asyncio,hmac,json,math
from collections import Counter,defaultdict
from itertools import chain,islice
from types import SimpleNamespace
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger,process_preloads
from dask import config
from tornado.web import HTTPError,RequestHandler,stream_request_body
bl={'waiting':'waiting','queued':'queued','processing':'processing','no-worker':'unrunnable'}
bm=('processing','unrunnable')
ct=('memory','released','erred','forgotten')
aJ=20000
aK=5000
cu=100
Z=20
R=((),(),())
aa=defaultdict(Counter)
def bG(c,cO):
 for name in('resources','workers'):
  for i in islice(cO.get(name)or(),aJ):
   f=c.tasks.get(i)
   if f and(m:=ax(c,f))!=R:aa[f.group.name][m]+=1
def ax(c,f):
 ah,ai,workers=(f.resource_restrictions,f.host_restrictions,f.worker_restrictions)
 if f.loose_restrictions or not(ah or ai or workers):return R
 return(tuple(sorted(ah.items()))if ah else(),tuple(sorted(ai))if ai else(),tuple(sorted((bH(c,n)for n in workers)))if workers else())
def bH(c,n):am=c.workers.get(n);return str(am.name if am else n)
def bI(c):
 F=defaultdict(lambda:{d:[0,0.0,0]for d in[*bl.values(),'next']})
 for name in set(aa).difference(c.task_groups):del aa[name]
 for p in c.task_groups.values():
  for d,g in bl.items():
   if(l:=p.states[d]):al(c,F[R][g],p.prefix,l)
 bq=bJ(c)if aa else{}
 for(m,g,p),l in bq.items():a_(c,F,m,g,p,l)
 for name,w in aa.items():
  p=c.task_groups[name]
  for m,dt in w.items():C=sum((bq.get((m,g,p),0)for g in bm));a_(c,F,m,'waiting',p,bL(p,dt-C))
 for(m,p),l in bK(c).items():al(c,F[m]['next'],p.prefix,l)
 g=(bM(m,e)for m,e in F.items())
 return[*islice((m for m in g if m['tasks']),cu)]
def bJ(c):
 w=Counter()
 for tasks,g in zip((aZ(c),c.unrunnable),bm,strict=True):
  for f in islice(tasks,aJ):
   if(m:=ax(c,f))!=R:w[m,g,f.group]+=1
 return w
def aZ(c):return chain.from_iterable((am.processing for am in c.workers.values()))
def bK(c):
 an=set(islice(aZ(c),aK))
 cP=chain.from_iterable((f.waiters or()for f in an))
 w,q=(Counter(),aJ-aK)
 for f in set(islice(cP,aK-len(an))):
  aS=f.waiting_on or()
  if 0<len(aS)<=min(q,len(an)):
   q-=len(aS)
   if aS<=an:w[ax(c,f),f.group]+=1
 return w
def bL(p,l):z=p.states['waiting'];cQ=sum((p.states[d]for d in ct));return min(z,round(max(0,l)*z/max(1,z+cQ)))
def a_(c,F,m,g,p,l):
 if m!=R and l:al(c,F[R][g],p.prefix,-l);al(c,F[m][g],p.prefix,l)
def al(c,w,br,l):w[0]+=l;w[1]+=l*c._get_prefix_duration(br);w[2]+=l*(br.duration_average<0)
def bM(m,e):ah,ai,workers=m;return{'resources':dict(ah[:Z]),'hosts':ai[:Z],'workers':workers[:Z],'tasks':{d:{'count':l,'seconds':round(U,3),'unmeasured':dw}for d,(l,U,dw)in e.items()if l>0}}
cv=re.compile('(.+-worker-[0-9a-f]{10})(-\\d+)?')
bn=('running','paused')
def ay(c,j,u):bs=c.host_info.get(u,{}).get('addresses')if u else None;e=[c.workers[bA]for bA in bs or c.workers if bA in c.workers];return[d for d in e if bN(str(d.name),j,bool(bs))]
def bN(name,j,cR):
 if name==j or re.fullmatch(re.escape(j)+'-\\d+',name):return True
 bt=cv.fullmatch(name)
 return cR and(not bt or j.startswith(bt.group(1)+'-'))
def bO(c,e):cS={d for d in c.workers.values()if d.status.name in bn}.difference(e);cT={f for d in e for f in d.has_what};return{f.key:f.get_nbytes()for f in cT if not f.actor and cS.isdisjoint(f.who_has)}
def bP(c,e):ad=c.extensions.get('stealing');return sum((dz['thief']in e for dz in ad.in_flight.values()))if ad else 0
def ba(c,e):
 ao=set(e)
 for cU in list(c.plugins.values()):
  with contextlib.suppress(Exception):ao.intersection_update(cU.valid_workers_downscaling(c,list(e)))
 return ao
cw=200
t={}
def az(j,u):
 K=t.pop(j,None)
 bu=[name for name,b in t.items()if b.g]
 for name in bu[:max(0,len(bu)-cw)]:del t[name]
 t[j]=b=SimpleNamespace(av=j,bF=u,O=None,af=0,H=0,x=False,aY=False,B=set(),aj=set(),o='waiting',D='',C=0,ak=0,X={},q={},Y=K.Y if K else{},aw=K.aw if K else 0,E={},at=time.monotonic(),dC=time.monotonic(),g=None)
 return b
def aA(b):return{'name':b.av,'state':b.o,'reason':b.D,'lost_keys':len(b.Y),'lost_bytes':sum(b.Y.values()),**(b.g or bb(b))}
def bb(b):bv=[aT for i,aT in b.X.items()if i not in b.q and i not in b.Y];return{'workers':b.C,'tasks':b.ak+b.aw,'keys':len(b.q),'bytes':sum(b.q.values()),'moved_keys':len(bv),'moved_bytes':sum(bv),'seconds':round(time.monotonic()-b.at,3)}
def aB(b,o):b.o=o;b.g=bb(b);b.X,b.q,b.E=(b.q,{},{})
def bQ(c,n):
 for b in t.values():
  if n in b.B and(not(b.g and n in b.aj)):
   b.aj.add(n)
   du=[J for I,J in c.get_events(n)if isinstance(J,dict)]
   *I,aX=(J for J in du if J.get('action')=='remove-worker')
   keys=aX['lost-computed-tasks']|aX['lost-scattered-tasks']
   b.Y.update(((i,b.X.get(i,0))for i in keys))
   b.aw+=len(aX['processing-tasks'])
   aj=b.g and(not ay(c,b.av,b.bF))
   if aj and b.o!='forgotten':b.g.update(workers=0,tasks=b.aw,keys=0,bytes=0);b.o=aC(b)
def aC(b):return'lost'if b.Y or b.aw else'ready'
cx=10000
cy=20000
ab={}
def bR(c,A,cV):
 g={'schema':1,'revision':A,'polls':cV,'time':time.time(),'pod_uid':os.environ.get('OPERATOR_POD_UID',''),'missing':[]}
 for name,di in cz.items():
  try:g[name]=di(c)
  except Exception as error:g['missing'].append(name+' '+type(error).__name__)
 return g
def bS(c):e=list(c.workers.values())[:cx];ao,T=(ba(c,e),bU(c));return[bT(d,d not in ao,T[d.address])for d in e]
def bT(d,cW,T):g={'name':str(d.name)[:253],'address':d.address,'status':d.status.name,'threads':d.nthreads,'resources':dict(islice(d.resources.items(),Z)),'memory_limit':d.memory_limit,'memory':d.metrics.get('memory'),'bytes':d.nbytes,'unique_bytes':d.nbytes-T,'processing':len(d.processing),'long_running':len(d.long_running),'actors':len(d.actors),'vetoed':cW,'mute':d.extra.get('python3',1)is None,'idle_since':None if d.processing else ab.get(d.address)};return{name:P for name,P in g.items()if P}
def bU(c):
 T=Counter()
 for f in islice(c.replicated_tasks,cy):
  aT=f.get_nbytes()
  for d in f.who_has:T[d.address]+=aT
 return T
def bV(c):cX=c.queued or c.unrunnable or any((dA.processing for dA in c.workers.values()));return None if cX else c.idle_since
def bc(c):return[ae for ae in c.client_comms if'-worker-'not in ae]
def bW(c):
 G={}
 ap=('.'.join(map(str,sys.version_info)),dask.__version__,distributed.__version__)
 aD(G,ap,'scheduler','scheduler')
 for d in c.workers.values():aD(G,bd(d),'workers',d.name)
 for ae in bc(c):aD(G,bd(c.clients[ae]),'clients',ae)
 return list(G.values())[:Z]
def bd(d):aq=d.versions.get('packages',{});return(d.versions.get('host',{}).get('python'),aq.get('dask'),aq.get('distributed'))
def aD(G,ar,cY,name):
 if ar not in G:dv,*aq=(str(dx or'?')[:99]for dx in ar);dj=(('python','dask','distributed'),('.'.join(dv.split('.')[:3]),*aq));G[ar]={**dict(zip(*dj,strict=True)),'scheduler':0,'workers':0,'clients':0,'names':[]}
 g=G[ar]
 g[cY]+=1
 if len(g['names'])<3:g['names'].append(str(name)[:253])
cz={'status':lambda c:c.status.name,'idle_since':bV,'clients':lambda c:len(bc(c)),'datasets':lambda c:len(c.extensions['publish'].datasets),'bytes':lambda c:sum((d.nbytes for d in c.workers.values())),'workers':bS,'demand':bI,'drains':lambda c:[aA(b)for b in t.values()],'versions':bW}
S='dask-operator-'
cA=('ready','constrained','waiting','released',None)
cB=('executing','long-running')
cC=1000
E={}
def bX(c,d):
 bY(c)
 ad=c.extensions.get('stealing')
 l=0
 for f in d.processing:
  if ad and f in ad.in_flight or E.get((f.key,d.address))==f.run_id:continue
  E[f.key,d.address]=f.run_id
  dk={'op':'steal-request','key':f.key,'stimulus_id':S+str(f.run_id)}
  c.stream_comms[d.address].send(dk)
  l+=1
  if l==cC:break
def bY(c):
 aM=c.stream_handlers.get('steal-response')
 def bo(**W):
  if W['stimulus_id'].startswith(S):bZ(c,W['key'],W['worker'],W['state'],W['stimulus_id'])
  elif aM:aM(**W)
 if getattr(aM,'ours',None)is None:bo.ours=True;c.stream_handlers['steal-response']=bo
def bZ(c,i,n,d,stimulus_id):
 if d not in cB:E.pop((i,n),None)
 f=c.tasks.get(i)
 if d in cA and f and(S+str(f.run_id)==stimulus_id):c._reschedule(i,n,stimulus_id=stimulus_id)
def b_(B):
 for i in[i for i in E if i[1]in B]:del E[i]
cD=0.25
cE=0.03
cF=8
r=SimpleNamespace(A=1,z=0,dB=0.0,bE=asyncio.Event())
def y():r.A+=1;be()
def be():r.bE.set();r.bE=asyncio.Event()
async def ca(A,U,cZ):
 af=time.monotonic()+U
 r.z+=1
 while r.A==A and(not cZ())and((q:=(af-time.monotonic()))>0):
  with contextlib.suppress(asyncio.TimeoutError):await asyncio.wait_for(r.bE.wait(),q)
 if r.A!=A and U:await asyncio.sleep(r.dB-time.monotonic())
 r.z-=1
def cb(U):r.dB=time.monotonic()+max(cE,20*U)
class cc(SchedulerPlugin):
 def update_graph(h,c,**dl):bf(bG,c,dl.get('annotations')or{})
 def remove_worker(h,**J):bf(bQ,J['scheduler'],J['worker'])
 def add_worker(h,*I,**by):y()
 def add_client(h,*I,**by):y()
 def remove_client(h,*I,**by):y()
def bf(c_,*da):
 try:c_(*da)
 except Exception:logger.exception('dask-operator')
 y()
async def cd(c):
 K=None
 while True:
  with contextlib.suppress(Exception):
   X=ce(c)
   if X!=K:K=X;y()
  await asyncio.sleep(cD)
def ce(c):
 for n,d in c.workers.items():
  if d.processing:ab.pop(n,None)
  else:ab.setdefault(n,time.time())
 for n in set(ab).difference(c.workers):del ab[n]
 db=[d.status for d in c.workers.values()]
 dc=getattr(c.extensions.get('publish'),'datasets',())
 return(c.transition_counter,c.idle_since,len(dc),db)
ac='closing_gracefully'
cG=2
cH=('vetoed','peers paused','actors','last worker')
cI=30
def cf(c,j,u,L,H,x):
 b=t.get(j)
 if not b or(b.g and(not cg(c,b))):b=az(j,u);b.O=asyncio.ensure_future(ch(c,b))
 b.af=time.monotonic()+L
 b.H=H
 b.x=b.x or x
 y()
 return b
def cg(c,b):e=Q(c,b);return not e or(b.o in('ready','lost')and bg(b,e))
def bg(b,e):aN=all((d.status.name==ac for d in e));return aN and(not b.ak)and(not b.q)
async def ch(c,b):
 try:o=await cj(c,b)
 except asyncio.CancelledError:o='cancelled'
 except Exception as error:logger.exception('dask-operator');o,b.D=('failed',type(error).__name__);await ci(c,b)
 b_(b.B)
 aB(b,o)
 y()
async def ci(c,b):
 with contextlib.suppress(Exception):
  if b.x:await aG(c,b)
  else:aF(c,b)
async def cj(c,b):
 aU,o=(0.01,'')
 while True:
  at=time.monotonic()
  with contextlib.suppress(OSError):o=aE(c,b)
  if o:break
  aU=max(min(aU*1.5,0.2),20*(time.monotonic()-at))
  await asyncio.sleep(max(0.01,min(aU,b.af-time.monotonic())))
 if b.x and o!='ready'and(b.D!='closing'):await aG(c,b)
 elif o=='refused':aF(c,b)
 return o
def aE(c,b):
 e=Q(c,b)
 b.D=ck(c,b,e)
 if not e:return aC(b)if b.B else'unknown'
 if b.D and(not(b.x and b.D in cH)):return'refused'
 ag=time.monotonic()
 if b.D!='last worker'or b.ak:b.dC=ag
 if ag>min(b.af,b.dC+cI):return'interrupted'
 if b.D!='vetoed':
  cl(c,b,e)
  if bg(b,e):return'refused'if b.D and(not b.Y)else aC(b)
 if b.aY and b.D not in('last worker','peers paused'):cm(c,b)
 return''
def Q(c,b):e=ay(c,b.av,b.bF);b.B.update((d.address for d in e));b.C=len(e);b.ak=sum((len(d.processing)for d in e))+bP(c,e);b.q=bO(c,e);b.X.update(b.q);return e
def ck(c,b,e):
 if c.status.name in('closing','closed'):return'closing'
 dd=not b.aY and time.monotonic()<b.af-b.H
 if(dd or not b.x)and len(ba(c,e))<len(e):return'vetoed'
 bw=b.B.issuperset((d.address for d in c.running))
 z={n for n,dy in c.workers.items()if dy.status.name=='paused'}
 if bw and(b.ak or b.q)and(not z-b.B):return'last worker'
 if any((d.actors for d in e)):return'actors'
 return'peers paused'if bw and(b.ak or b.q)else''
def cl(c,b,e):
 b.aY=True
 for d in e:
  if d.status.name in bn:c.handle_worker_status_change(ac,d,S+'retire');bh(c,d,ac)
  bX(c,d)
def bh(c,d,bx):
 de={'op':'worker-status-change','status':bx,'stimulus_id':S+bx}
 with contextlib.suppress(OSError):c.stream_comms[d.address].send(de)
def cm(c,b):
 from distributed.active_memory_manager import ActiveMemoryManagerExtension,ActiveMemoryManagerPolicy
 ag=time.monotonic()
 aO=[i for i in b.q if b.E.get(i,0)<ag-cG]
 b.E.update(dict.fromkeys(aO,ag))
 class cJ(ActiveMemoryManagerPolicy):
  def run(h):
   for i in aO:yield('replicate',c.tasks[i],None)
 if aO:ActiveMemoryManagerExtension(c,{cJ()},register=False,start=False).run_once()
def aF(c,b):
 b.aY=False
 for d in ay(c,b.av,b.bF):
  if d.status.name==ac:bh(c,d,'running')
async def aG(c,b):
 b.g=None
 e=Q(c,b)
 C=b.C
 for d in e:await c.remove_worker(d.address,expected=True,stimulus_id=S+'dismiss')
 Q(c,b)
 b.C=C
async def cn(c,M,aP,x):
 L,H,au=aP
 L=120 if L is None else L
 H=min(30,L/4)if H is None else H
 aQ=[cf(c,j,u,L,H,x)for j,u in M]
 if(dm:=[V.O for V in aQ if V.O]):await asyncio.wait(dm,timeout=au)
 N=[aA(V)for V in aQ]
 for V in aQ:bi(V)
 return N
async def co(c,M,*I):
 N=[]
 for j,u in M:
  b=t.get(j)or az(j,u)
  bz=b.x and(not b.g or aH(c,b))
  if not bz:await aI(b);t.pop(j,None);aF(c,b);await cp(c,b);y()
  aN=aH(c,b)
  d='leaving'if bz else'waiting'if aN else'running'
  N.append({'name':j,'state':d if b.C else'unknown','workers':b.C})
 return N
def aH(c,b):return any((d.status.name==ac for d in Q(c,b)))
async def cp(c,b):
 for I in range(50):
  if not aH(c,b):break
  await asyncio.sleep(0.02)
async def cq(c,M,*I):
 N=[]
 for j,u in M:
  b=t.get(j)or az(j,u)
  await aI(b)
  if Q(c,b)or not b.B:await aG(c,b);aB(b,'forgotten'if b.B else'unknown')
  N.append(aA(b))
  bi(b)
 return N
def bi(b):
 if b.o=='unknown':t.pop(b.av,None)
async def aI(b):
 if b.O:b.O.cancel();await asyncio.wait([b.O])
 if not b.g:aB(b,'cancelled')
async def cr():
 for b in list(t.values()):await aI(b)
 y()
preloads=globals().get('preloads',[])
def load(df):
 if not preloads:i='distributed.'+df+'.preload';dn={bB:bC for bB,bC in os.environ.items()if not bB.endswith('__PRELOAD')and bC!='[]'};ap=config.collect(env=dn);preloads.extend(process_preloads(None,config.get(i,[],ap),config.get(i+'-argv',[],ap)))
async def bj(aE,dg,dh):
 for aR in dg:
  aR.dask_object=dh
  try:await getattr(aR,aE)()
  except Exception:logger.exception(aR.name)
cK='/dask-operator/v1/(facts|retire|uncordon|forget)'
cL='OPERATOR_TOKEN'
cM=65536
cN=60
aL={'retire':cn,'uncordon':co,'forget':cq}
bp=[]
async def dask_setup(c):
 await bj('start',preloads,c)
 if(do:=os.environ.get(cL)):c.add_plugin(cc(),name='dask-operator');bp.append(asyncio.ensure_future(cd(c)));dp=(cK,cs,{'scheduler':c,'token':do});c.http_application.add_handlers('.*',[dp])
async def dask_teardown(c):
 for O in bp:O.cancel()
 await cr()
 await bj('teardown',preloads[::-1],c)
@stream_request_body
class cs(RequestHandler):
 def initialize(h,**aV):vars(h).update(aV,body=b'',aj=False)
 def prepare(h):
  aV=h.request.headers.get('Authorization','')
  if not hmac.compare_digest(aV.encode(),('Bearer '+h.token).encode()):raise HTTPError(401)
  h.request.connection.set_max_body_size(cM)
 def data_received(h,dq):h.body+=dq
 def on_connection_close(h):h.aj=True;be()
 async def get(h,name):
  if name in aL:raise HTTPError(405)
  if r.z>=cF:raise HTTPError(429)
  try:bD=int(h.get_argument('after','-1'));au=bk(float(h.get_argument('wait','0')))
  except ValueError:raise HTTPError(400)from None
  await ca(bD,min(au,cN),lambda:h.aj)
  at=time.monotonic()
  h.answer(bR(h.scheduler,r.A,r.z))
  if au and r.A!=bD:cb(time.monotonic()-at)
 async def post(h,name):
  if name not in aL:raise HTTPError(405)
  try:aW=json.loads(h.body);M=[(str(j['name']),str(j.get('ip')or''))for j in aW['pods']];aP=[bk(aW.get(i))for i in('deadline','move_reserve','wait')]
  except(ValueError,TypeError,KeyError,AttributeError,RecursionError):raise HTTPError(400)from None
  g=await aL[name](h.scheduler,M,aP,aW.get('leaving')is True)
  h.answer({'schema':1,'pods':g})
 def answer(h,g):dr=json.dumps(json.loads(json.dumps(g,default=str),parse_constant=str));h.set_header('Content-Type','application/json');h.finish(dr)
 def write_error(h,ds,**I):h.finish({'error':ds})
def bk(P):
 if P is not None and(not math.isfinite(P)):raise ValueError
 return P and min(max(P,0),86400)