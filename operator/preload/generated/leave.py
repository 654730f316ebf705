import os,socket,threading
h='POST /dask-operator/v1/retire HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n'
i='{"pods":[{"name":"%s","ip":"%s"}],"leaving":true,"deadline":%s}'
a=os.environ.get
c=threading.Event()
def g(b):
 j=a('DASK_SCHEDULER_ADDRESS').split('//')[-1].rsplit(':',1)[0].strip('[]')
 d=socket.create_connection((j,int(a('OPERATOR_HTTP_PORT','8787'))),1)
 c.set()
 e=i%(a('DASK_WORKER_NAME'),a('OPERATOR_POD_IP',''),max(b-1,b/2))
 d.settimeout(b)
 d.sendall((h%(a('OPERATOR_TOKEN'),len(e))+e).encode())
 while d.recv(65536):pass
try:b=float(a('OPERATOR_DRAIN_SECONDS','120'));threading.excepthook=lambda k:c.set();f=threading.Thread(target=g,args=[b],daemon=True);f.start();c.wait(1)and f.join(b)
finally:os._exit(0)