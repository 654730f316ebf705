"""A scheduler with the link, workers that stand for pods, a client of the same version, and HTTP to them."""

import http.client
import json
import re
import socket
import threading
import time

import retire
import watch
from conftest import INTO_SCHEDULER, PATIENCE, TEXTS, TOKEN, free_port, wait_until
from generate import SCHEDULER_VARIABLE, pack

# Runs what it is sent and answers with the value of an expression; its functions travel by value.
CLIENT = """
import json, os, sys, time
from distributed import Client, wait
here = os.getcwd()
client = Client(sys.argv[1], timeout=20)
print("READY", flush=True)
for line in sys.stdin:
    source, expression = json.loads(line)
    try:
        exec(source, globals())
        answer = json.dumps(eval(expression, globals()))
        print("ANSWER", answer, flush=True)
    except BaseException as error:
        print("FAILED", repr(error), flush=True)
"""


# One in which nothing runs.
POD = {"name": "pod", "ip": "127.0.0.2"}, None


class Cluster:
    """One scheduler with the link; a pod is a worker process with an address of its own."""

    token = TOKEN

    def __init__(self, lab, *arguments, http_port=None, **environ):
        self.prepare(lab, http_port)
        # So that tests may add to what is injected, or take from it.
        environ = {name: value for name, value in {**INTO_SCHEDULER, **environ}.items() if value is not None}
        where = [
            "--host",
            "127.0.0.1",
            "--port",
            lab.port,
            "--dashboard-address",
            f"127.0.0.1:{self.http_port}",
        ]
        self.scheduler = lab.start("-m", "dask", "scheduler", *where, *arguments, **environ)

    def prepare(self, lab, http_port=None):
        self.lab = lab
        self.http_port = http_port or free_port()
        self.pods = {}

    @classmethod
    def without_dask(cls, lab):
        """A port at which a scheduler might be, and one pod."""
        cluster = cls.__new__(cls)
        cluster.prepare(lab)
        cluster.pods["pod"] = POD
        return cluster

    def open(self):
        """Wait until the routes are there; they appear some milliseconds after Dask listens."""
        wait_until(self.is_open, 20, lambda: self.scheduler.output)
        return self

    def is_open(self):
        try:
            return self.get("facts", token=None)[0] == 401
        except OSError:
            return False

    def pod(self, *arguments, group="g"):
        """Start a worker as if it were the only thing in a pod; return the pod's name."""
        number = len(self.pods) + 2
        name, ip = f"{group}-worker-{number:010x}", f"127.0.0.{number}"
        arguments = ["--name", name, "--host", ip, *arguments]
        options = ["--no-dashboard", *([] if "--nthreads" in arguments else ["--nthreads", "1"])]
        process = self.lab.start("-m", "dask", "worker", self.lab.address, *options, *arguments)
        self.pods[name] = {"name": name, "ip": ip}, process
        return name

    def with_pods(self, count, *arguments, processes=1):
        names = [self.pod(*arguments) for _ in range(count)]
        self.scheduler.sees("Register worker", count * processes, within=40)
        return names

    def client(self):
        script = self.lab.folder / "client.py"
        script.write_text(CLIENT)
        return Remote(self.lab.start(script, self.lab.address))

    def retire(self, *names, **options):
        options = {"deadline": 30, "move_reserve": 10, **options}
        status, answer = self.post("retire", {"pods": [self.pods[name][0] for name in names], **options})
        assert status == 200, answer
        return answer["pods"] if len(names) > 1 else answer["pods"][0]

    def order(self, what, name):
        status, answer = self.post(what, {"pods": [self.pods[name][0]]})
        assert status == 200, answer
        return answer["pods"][0]

    def leave(self, name, **environ):
        """Run what a pod runs before it is signalled."""
        pod = self.pods[name][0]
        own = {
            "DASK_SCHEDULER_ADDRESS": f"tcp://127.0.0.1:{self.lab.port}",
            "OPERATOR_HTTP_PORT": self.http_port,
            "DASK_WORKER_NAME": pod["name"],
            "OPERATOR_POD_IP": pod["ip"],
            "OPERATOR_TOKEN": TOKEN,
            "OPERATOR_DRAIN_SECONDS": 30,
        }
        return self.lab.start("-I", "-S", "-c", TEXTS["leave.py"], **{**own, **environ})

    def post(self, what, body, token=TOKEN, **options):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"/dask-operator/v1/{what}", data, token, **options)

    def get(self, what, token=TOKEN, **options):
        return self.ask("GET", f"/dask-operator/v1/{what}", None, token, **options)

    def draining(self):
        """Return what is told of the drain that was begun last, once there is one."""
        told = []
        wait_until(lambda: told.extend(self.get("facts")[1]["drains"]) or told, 10)
        return told[-1]

    def begin_poll(self, revision):
        """Send a poll; return the connection on which its answer will come."""
        link = socket.create_connection(("127.0.0.1", self.http_port), 5)
        head = f"GET /dask-operator/v1/facts?after={revision}&wait=60 HTTP/1.1\r\nHost: x\r\n"
        link.sendall((head + f"Authorization: Bearer {self.token}\r\n\r\n").encode())
        return link

    def poll_waits(self, count=1):
        """Wait until the scheduler has polls that wait."""
        wait_until(lambda: self.get("facts")[1]["polls"] >= count, 10)

    def quiet(self):
        """Poll until nothing changes any more; return the revision."""
        told = self.get("facts")[1]
        while True:
            later = self.get(f"facts?after={told['revision']}&wait=1")[1]
            if later["revision"] == told["revision"]:
                return told["revision"]
            told = later

    def ask(self, verb, path, body, token, within=60):
        link = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=within * PATIENCE)
        try:
            link.request(
                verb, path, body, {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
            )
            answer = link.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.startswith(b"{") else text
        finally:
            link.close()


class Remote:
    """A Dask client in a process of its own."""

    def __init__(self, process):
        self.process = process
        self.process.sees("READY")
        self.count = 0

    def run(self, source, expression="None", within=60):
        """Run source there and return the value of an expression."""
        self.send(source, expression)
        return self.answer(within)

    def send(self, source, expression="None"):
        self.process.write(json.dumps([source, expression]) + "\n")
        self.count += 1

    def answer(self, within=60):
        self.process.sees("^(ANSWER|FAILED)", self.count, within)
        lines = [line for _, line in list(self.process.lines) if line.startswith(("ANSWER", "FAILED"))]
        kind, text = lines[self.count - 1].split(" ", 1)
        assert kind == "ANSWER", text
        return json.loads(text)


def with_times(**seconds):
    """Return the variable of a scheduler in which these constants have other values."""
    text = TEXTS["scheduler.py"]
    for name, value in seconds.items():
        was = getattr(retire if hasattr(retire, name) else watch, name)
        text, count = re.subn(rf"^(\w+)={was}$", rf"\1={value}", text, flags=re.MULTILINE)
        assert count == 1, f"{name} is not to be found"
    return {SCHEDULER_VARIABLE: pack(text)}


class Later:
    """A call that runs beside the test."""

    def __init__(self, call):
        self.thread = threading.Thread(target=lambda: setattr(self, "answer", call()), daemon=True)
        self.thread.start()

    @property
    def done(self):
        return not self.thread.is_alive()

    def result(self, within=30):
        self.thread.join(within * PATIENCE)
        assert self.done, f"not within {within} s"
        return self.answer


def timed(call):
    began = time.monotonic()
    result = call()
    return time.monotonic() - began, result
