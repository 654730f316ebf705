import os,socket,threading,time
k='POST /dask-operator/v1/retire HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n'
l='{"pods":[{"name":"%s","ip":"%s"}],"leaving":true,"deadline":%s}'
a=os.getenv
d=threading.Event()
def g():
 m=a('DASK_SCHEDULER_ADDRESS').split('//')[-1].rsplit(':',1)[0].strip('[]')
 e=socket.create_connection((m,int(a('OPERATOR_HTTP_PORT','8787'))),1)
 d.set()
 h=l%(a('DASK_WORKER_NAME'),a('OPERATOR_POD_IP',''),max(b-1,b/2))
 e.settimeout(b)
 e.sendall((k%(a('OPERATOR_TOKEN'),len(h))+h).encode())
 f=b''
 while(n:=e.recv(65536)):f=f[-99:]+n
 return b'unknown'in f
def c(*o):open('/dev/shm/'+a('DASK_WORKER_NAME'),'w').close();d.set()
def j():
 if g():c();time.sleep(1);g()
try:b=float(a('OPERATOR_DRAIN_SECONDS','120'));threading.excepthook=c;i=threading.Thread(target=j,daemon=True);i.start();i.join(b)if d.wait(1)else c()
finally:os._exit(0)