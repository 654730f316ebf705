import os,socket,threading,time
k='POST /dask-operator/v1/retire HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n'
l='{"pods":[{"name":"%s","ip":"%s"}],"leaving":true,"deadline":%s}'
a=os.getenv
d=threading.Event()
def b():return n-time.monotonic()
def f():m=a('DASK_SCHEDULER_ADDRESS').split('//')[-1].rsplit(':',1)[0].strip('[]');e=socket.create_connection((m,int(a('OPERATOR_HTTP_PORT','8787'))),1);d.set();g=l%(a('DASK_WORKER_NAME'),a('OPERATOR_POD_IP',''),max(b()-1,b()/2));e.settimeout(b());e.sendall((k%(a('OPERATOR_TOKEN'),len(g))+g).encode());return b'unknown'in e.makefile('rb').read(9999)
def c(*o):open('/dev/shm/'+a('DASK_WORKER_NAME'),'w').close();d.set()
def j():
 if f():c();time.sleep(1);f()
try:h=float(a('OPERATOR_DRAIN_SECONDS','120'));n=time.monotonic()+h;threading.excepthook=c;i=threading.Thread(target=j,daemon=True);i.start();i.join(b())if d.wait(min(8,h/2))else c()
finally:os._exit(0)