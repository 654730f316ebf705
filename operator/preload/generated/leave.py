import os,socket,threading,time
k='POST /dask-operator/v1/retire HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n'
l='{"pods":[{"name":"%s","ip":"%s"}],"leaving":true,"deadline":%s}'
a=os.getenv
c=threading.Event()
def f():
 m=a('DASK_SCHEDULER_ADDRESS').split('//')[-1].rsplit(':',1)[0].strip('[]')
 d=socket.create_connection((m,int(a('OPERATOR_HTTP_PORT','8787'))),1)
 c.set()
 g=l%(a('DASK_WORKER_NAME'),a('OPERATOR_POD_IP',''),max(b-1,b/2))
 d.settimeout(b)
 d.sendall((k%(a('OPERATOR_TOKEN'),len(g))+g).encode())
 e=b''
 while(n:=d.recv(65536)):e=e[-99:]+n
 return b'unknown'in e
def j():
 h='/dev/shm/'+a('DASK_WORKER_NAME')
 open(h,'w').close()
 if f():time.sleep(1);f()
 else:os.remove(h)
try:b=float(a('OPERATOR_DRAIN_SECONDS','120'));threading.excepthook=lambda o:c.set();i=threading.Thread(target=j,daemon=True);i.start();c.wait(1)and i.join(b)
finally:os._exit(0)