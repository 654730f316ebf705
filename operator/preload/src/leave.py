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


def left():
    return until - time.monotonic()


def ask():
    """Post the request; return whether the scheduler does not know the pod.

    The answer is over when the scheduler closes the connection.
    """
    host = env("DASK_SCHEDULER_ADDRESS").split("//")[-1].rsplit(":", 1)[0].strip("[]")
    link = socket.create_connection((host, int(env("OPERATOR_HTTP_PORT", "8787"))), 1)
    connected.set()
    # The answer must be here before the time is over.
    body = BODY % (env("DASK_WORKER_NAME"), env("OPERATOR_POD_IP", ""), max(left() - 1, left() / 2))
    link.settimeout(left())
    link.sendall((HEAD % (env("OPERATOR_TOKEN"), len(body)) + body).encode())
    return b"unknown" in link.makefile("rb").read(9999)


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
    until = time.monotonic() + limit
    threading.excepthook = mark
    asking = threading.Thread(target=leave, daemon=True)
    asking.start()
    # A name is asked for again after five seconds, and who is throttled takes as long; a connection does not.
    asking.join(left()) if connected.wait(min(8, limit / 2)) else mark()
finally:
    os._exit(0)
