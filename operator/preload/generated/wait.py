import os,asyncio,signal,threading,time
from dask import config
from distributed.preloading import logger,process_preloads
from distributed.comm import get_address_host_port
preloads=globals().get('preloads',[])
def load(s):
 if not preloads:j='distributed.'+s+'.preload';w={m:n for m,n in os.environ.items()if not m.endswith('__PRELOAD')and n!='[]'};l=config.collect(env=w);preloads.extend(process_preloads(None,config.get(j,[],l),config.get(j+'-argv',[],l)))
async def f(t,u,a):
 for d in u:
  d.dask_object=a
  try:await getattr(d,t)()
  except Exception:logger.exception(d.name)
c=threading.Event()
async def dask_setup(a):
 await f('start',preloads,a)
 g=getattr(a,'nanny',0)
 if not g:await o(a.scheduler.address)
 if g is None:p()
async def dask_teardown(a):await f('teardown',preloads[::-1],a);c.set()
async def o(h):
 if h.startswith(('tcp:','tls:','ws')):
  y,z=get_address_host_port(h)
  e=0.05
  while True:
   b=asyncio.ensure_future(asyncio.open_connection(y,z))
   await asyncio.wait([b],timeout=1)
   if b.done()and(not b.exception()):return b.result()[1].close()
   b.cancel()
   await asyncio.sleep(e)
   e=min(e*1.005,0.5)
def p():
 i=signal.getsignal(signal.SIGTERM)
 def q():c.wait();time.sleep(8);os._exit(0)
 def r(*x):c.set();i(*x)
 if callable(i):threading.Thread(target=q,daemon=True).start();signal.signal(signal.SIGTERM,r)