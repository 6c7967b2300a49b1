"""A server at work, what /proc says of it, and the clients that it serves."""

import contextlib
import json
import os
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time

NICENESS = -10
START_SECONDS = 20
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
REQUEST = "GET /{} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\r\n"


def favour(pid):
    """Where each session is a group to the scheduler, niceness counts only within one."""
    with open(f"/proc/{pid}/autogroup", "w") as group:
        group.write(str(NICENESS))


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(port):
    deadline = time.monotonic() + START_SECONDS
    while not accepts(port):
        if time.monotonic() > deadline:
            sys.exit(f"nothing listens on {port}")
        time.sleep(0.02)


class Running:
    """A server that listens; it is told to stop at the end of a `with`."""

    def __init__(self, server, port, upstream=None):
        self.name, self.port = server.name, port
        self.directory = tempfile.TemporaryDirectory()
        self.log = f"{self.directory.name}/stderr"
        command = server.command(self.directory.name, port, upstream)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True, stderr=log, **QUIET)
        self.pid = self.process.pid
        with contextlib.suppress(OSError):
            favour(self.pid)
        deadline = time.monotonic() + START_SECONDS
        while not accepts(port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log) as log:
                    sys.exit(f"{self.name} does not listen: {log.read()[-800:]}")
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Not TERM: some would wait for their clients.
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    def cpu(self):
        """Nanoseconds that the scheduler has given to all threads"""
        total = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
        return total

    def resident(self, field="VmRSS"):
        """KiB"""
        with open(f"/proc/{self.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def wrk(port, path, connections, seconds):
    """A closed loop over kept connections: the number of answers"""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/{path}"]
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT).stdout
    bad = re.search(r"Socket errors.*|Non-2xx.*", report)
    if bad:
        print(f"WRONG: {path}: {bad.group()}", file=sys.stderr)
    return int(re.search(r"(\d+) requests in", report).group(1))


def oha(program, port, path, connections, rate, seconds):
    """An open loop whose delays count from the moment at which each request was due: median and p99 in ms"""
    options = [f"-c{connections}", f"-q{rate}", f"-z{seconds}s", "--latency-correction", "--no-tui", "--output-format=json"]
    command = [program, *options, f"http://127.0.0.1:{port}/{path}"]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT).stdout)
    failed = {kind: count for kind, count in report["errorDistribution"].items() if "deadline" not in kind}
    if failed or set(report["statusCodeDistribution"]) - {"200"}:
        print(f"WRONG: {failed}, {report['statusCodeDistribution']}", file=sys.stderr)
    return report["latencyPercentiles"]["p50"] * 1000, report["latencyPercentiles"]["p99"] * 1000


class Clients:
    """Connections of this process, closed at the end of a `with`"""

    def __init__(self, port, count):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.sockets:
            client.close()

    def send(self, path):
        for client in self.sockets:
            client.sendall(REQUEST.format(path).encode())

    def exchange(self, path, size):
        """A request and its answer over each, one after the other, so that no two are under way at once"""
        for client in self.sockets:
            client.sendall(REQUEST.format(path).encode())
            answer = b""
            while len(answer.partition(b"\r\n\r\n")[2]) < size:
                piece = client.recv(65536)
                if not piece:
                    sys.exit("a proxy has closed a connection")
                answer += piece


def hold(port):
    """An upstream that accepts, and answers nothing; in a process of its own, which ends with this one's standard input"""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    held = []
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        held.append(listener.accept()[0])
