import os,asyncio,signal,threading,time
from dask import config
from distributed.preloading import logger,process_preloads
from distributed.comm import get_address_host_port
preloads=globals().get('preloads',[])
def load(p):
 if not preloads:i='distributed.'+p+'.preload';s=config.collect(env={j:x for j,x in os.environ.items()if'__PRELOAD'not in j});preloads.extend(process_preloads(None,config.get(i,[],s),config.get(i+'-argv')))
async def d(q,r,a):
 for b in r:
  b.dask_object=a
  try:await getattr(b,q)()
  except Exception:logger.exception(b.name)
async def dask_setup(a):
 await d('start',preloads,a)
 e=getattr(a,'nanny',0)
 if not e:await l(a.scheduler.address)
 if e is None:m()
async def dask_teardown(a):await d('teardown',preloads[::-1],a)
async def l(f):
 if f.startswith(('tcp:','tls:','ws')):
  u,w=get_address_host_port(f)
  c=0.05
  while True:
   try:return(await asyncio.wait_for(asyncio.open_connection(u,w),1))[1].close()
   except Exception:await asyncio.sleep(c);c=min(c*1.005,0.5)
def m():
 g=signal.getsignal(signal.SIGTERM)
 h=threading.Event()
 def n():h.wait();time.sleep(8);os._exit(0)
 def o(*t):h.set();g(*t)
 if callable(g):threading.Thread(target=n,daemon=True).start();signal.signal(signal.SIGTERM,o)