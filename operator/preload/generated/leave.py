import os,socket,threading,time
j='POST /dask-operator/v1/retire HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n'
k='{"pods":[{"name":"%s","ip":"%s"}],"leaving":true,"deadline":%s}'
b=os.environ.get
c=threading.Event()
def f(a):
 l=b('DASK_SCHEDULER_ADDRESS').split('//')[-1].rsplit(':',1)[0].strip('[]')
 d=socket.create_connection((l,int(b('OPERATOR_HTTP_PORT','8787'))),1)
 c.set()
 g=k%(b('DASK_WORKER_NAME'),b('OPERATOR_POD_IP',''),max(a-1,a/2))
 d.settimeout(a)
 d.sendall((j%(b('OPERATOR_TOKEN'),len(g))+g).encode())
 e=b''
 while(m:=d.recv(65536)):e=e[-99:]+m
 return b'unknown'in e
def i(a):
 if f(a):
  with open('/dev/shm/leaves-'+b('DASK_WORKER_NAME'),'w'):time.sleep(1)
  f(a)
try:a=float(b('OPERATOR_DRAIN_SECONDS','120'));threading.excepthook=lambda n:c.set();h=threading.Thread(target=i,args=[a],daemon=True);h.start();c.wait(1)and h.join(a)
finally:os._exit(0)