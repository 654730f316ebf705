import os,asyncio,shutil,signal,threading,time
from dask import config
from distributed.preloading import logger,process_preloads
from distributed.comm import get_address_host_port
preloads=globals().get('preloads',[])
def load(u):
 if not preloads:m='distributed.'+u+'.preload';y={o:p for o,p in os.environ.items()if not o.endswith('__PRELOAD')and p!='[]'};n=config.collect(env=y);preloads.extend(process_preloads(None,config.get(m,[],n),config.get(m+'-argv',[],n)))
async def g(w,x,a):
 for d in x:
  d.dask_object=a
  try:await getattr(d,w)()
  except Exception:logger.exception(d.name)
c=threading.Event()
async def dask_setup(a):
 await g('start',preloads,a)
 e=getattr(a,'nanny',0)
 if e!=0:a.startup_information['python3']=lambda A:shutil.which('python3')
 if not e:await q(a.scheduler.address)
 h()
 if e is None:r()
async def dask_teardown(a):await g('teardown',preloads[::-1],a);c.set()
def h():
 i=f"/dev/shm/{os.getenv('DASK_WORKER_NAME')}"
 if os.path.exists(i)and time.time()-os.path.getmtime(i)<30:os._exit(0)
async def q(j):
 if j.startswith(('tcp:','tls:','ws')):
  f=0.05
  while True:
   h()
   b=asyncio.ensure_future(asyncio.open_connection(*get_address_host_port(j)))
   await asyncio.wait([b],timeout=1)
   if b.done()and(not b.exception()):return b.result()[1].close()
   b.cancel()
   await asyncio.sleep(f)
   f=min(f*1.005,0.5)
def r():
 l=signal.getsignal(signal.SIGTERM)
 def s():c.wait();time.sleep(8);os._exit(0)
 def t(*z):c.set();l(*z)
 if callable(l):threading.Thread(target=s,daemon=True).start();signal.signal(signal.SIGTERM,t)