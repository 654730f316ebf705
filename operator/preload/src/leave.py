"""Ask the scheduler to take over what this pod has, and wait until it has; run before the pod is signalled.

Whatever happens, it ends in time and with exit code 0: a pod that cannot say goodbye leaves all the same.
"""

import os
import socket
import threading
import time

HEAD = "POST /dask-operator/v1/retire HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
BODY = '{"pods":[{"name":"%s","ip":"%s"}],"leaving":true,"deadline":%s}'

env = os.getenv
connected = threading.Event()


def ask():
    """Post the request; return whether the scheduler does not know the pod.

    The answer is over when the scheduler closes the connection.
    """
    host = env("DASK_SCHEDULER_ADDRESS").split("//")[-1].rsplit(":", 1)[0].strip("[]")
    link = socket.create_connection((host, int(env("OPERATOR_HTTP_PORT", "8787"))), 1)
    connected.set()
    # The answer must be here before the time is over.
    body = BODY % (env("DASK_WORKER_NAME"), env("OPERATOR_POD_IP", ""), max(limit - 1, limit / 2))
    link.settimeout(limit)
    link.sendall((HEAD % (env("OPERATOR_TOKEN"), len(body)) + body).encode())
    told = b""
    while part := link.recv(65536):
        told = told[-99:] + part
    return b"unknown" in told


def mark(*_):
    """Have no worker of this pod register any more: one that has not by now is just starting (`wait.py`)."""
    open("/dev/shm/" + env("DASK_WORKER_NAME"), "w").close()
    connected.set()


def leave():
    if ask():
        mark()
        # One may have been just about to register.
        time.sleep(1)
        ask()


# A thread can be left behind, whatever it hangs in: a name server, a scheduler that stands still.
try:
    limit = float(env("OPERATOR_DRAIN_SECONDS", "120"))
    threading.excepthook = mark
    asking = threading.Thread(target=leave, daemon=True)
    asking.start()
    asking.join(limit) if connected.wait(1) else mark()
finally:
    os._exit(0)
