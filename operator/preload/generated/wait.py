import os,asyncio,signal,threading,time
from dask import config
from distributed.preloading import logger,process_preloads
from distributed.comm import get_address_host_port
preloads=globals().get('preloads',[])
def load(r):
 if not preloads:i='distributed.'+r+'.preload';u={l:m for l,m in os.environ.items()if not l.endswith('__PRELOAD')and m!='[]'};j=config.collect(env=u);preloads.extend(process_preloads(None,config.get(i,[],j),config.get(i+'-argv',[],j)))
async def e(s,t,a):
 for c in t:
  c.dask_object=a
  try:await getattr(c,s)()
  except Exception:logger.exception(c.name)
b=threading.Event()
async def dask_setup(a):
 await e('start',preloads,a)
 f=getattr(a,'nanny',0)
 if not f:await n(a.scheduler.address)
 if f is None:o()
async def dask_teardown(a):await e('teardown',preloads[::-1],a);b.set()
async def n(g):
 if g.startswith(('tcp:','tls:','ws')):
  x,y=get_address_host_port(g)
  d=0.05
  while True:
   try:return(await asyncio.wait_for(asyncio.open_connection(x,y),1))[1].close()
   except Exception:await asyncio.sleep(d);d=min(d*1.005,0.5)
def o():
 h=signal.getsignal(signal.SIGTERM)
 def p():b.wait();time.sleep(8);os._exit(0)
 def q(*w):b.set();h(*w)
 if callable(h):threading.Thread(target=p,daemon=True).start();signal.signal(signal.SIGTERM,q)