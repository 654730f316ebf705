import asyncio,os,signal,threading,time
from dask import config
from distributed.comm import get_address_host_port
from distributed.preloading import logger,process_preloads
preloads=globals().get('preloads',[])
def load(f):
 if not preloads:o='distributed.'+f+'.preload';p=config.collect(env={u:v for u,v in os.environ.items()if'__PRELOAD'not in u});preloads.extend(process_preloads(None,config.get(o,[],p),config.get(o+'-argv')))
async def a(g,h):
 for i in h:
  try:await getattr(i,g)()
  except Exception:logger.exception(i.name)
async def dask_setup(j):
 for i in preloads:i.dask_object=j
 await a('start',preloads)
 k=getattr(j,'nanny',0)
 if not k:await b(j.scheduler.address)
 if k is None:c()
async def dask_teardown(j):await a('teardown',preloads[::-1])
async def b(l):
 if l.startswith(('tcp:','tls:','ws')):
  s,t=get_address_host_port(l)
  q=0.05
  while True:
   try:return(await asyncio.wait_for(asyncio.open_connection(s,t),1))[1].close()
   except Exception:await asyncio.sleep(q);q=min(q*1.005,0.5)
def c():
 m=signal.getsignal(signal.SIGTERM)
 n=threading.Event()
 def d():n.wait();time.sleep(8);os._exit(0)
 def e(*r):n.set();m(*r)
 if callable(m):threading.Thread(target=d,daemon=True).start();signal.signal(signal.SIGTERM,e)