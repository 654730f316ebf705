import os,asyncio,signal,threading,time
from dask import config
from distributed.preloading import logger,process_preloads
from distributed.comm import get_address_host_port
preloads=globals().get('preloads',[])
def load(r):
 if not preloads:i='distributed.'+r+'.preload';u={l:m for l,m in os.environ.items()if not l.endswith('__PRELOAD')and m!='[]'};j=config.collect(env=u);preloads.extend(process_preloads(None,config.get(i,[],j),config.get(i+'-argv',[],j)))
async def d(s,t,a):
 for b in t:
  b.dask_object=a
  try:await getattr(b,s)()
  except Exception:logger.exception(b.name)
async def dask_setup(a):
 await d('start',preloads,a)
 e=getattr(a,'nanny',0)
 if not e:await n(a.scheduler.address)
 if e is None:o()
async def dask_teardown(a):await d('teardown',preloads[::-1],a)
async def n(f):
 if f.startswith(('tcp:','tls:','ws')):
  x,y=get_address_host_port(f)
  c=0.05
  while True:
   try:return(await asyncio.wait_for(asyncio.open_connection(x,y),1))[1].close()
   except Exception:await asyncio.sleep(c);c=min(c*1.005,0.5)
def o():
 g=signal.getsignal(signal.SIGTERM)
 h=threading.Event()
 def p():h.wait();time.sleep(8);os._exit(0)
 def q(*w):h.set();g(*w)
 if callable(g):threading.Thread(target=p,daemon=True).start();signal.signal(signal.SIGTERM,q)