"""A server at work, what /proc says of it, and the clients that it serves."""

import contextlib
import json
import os
import re
import resource
import select
import socket
import ssl
import struct
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

    def __init__(self, server, port, upstream, front):
        self.server, self.name, self.port, self.front = server, server.name, port, front
        self.directory = tempfile.TemporaryDirectory()
        self.log = f"{self.directory.name}/stderr"
        command = server.command(self.directory.name, port, upstream, front)
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

    def url(self, path):
        return f"{'https' if self.front.is_tls else 'http'}://127.0.0.1:{self.port}/{path}"

    def resident(self, field="VmRSS"):
        """KiB"""
        with open(f"/proc/{self.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def wrk(running, path, connections, seconds):
    """A closed loop over kept connections: the number of answers"""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", running.url(path)]
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT).stdout
    bad = re.search(r"Socket errors.*|Non-2xx.*", report)
    if bad:
        print(f"WRONG: {running.name}: {path}: {bad.group()}", file=sys.stderr)
    return int(re.search(r"(\d+) requests in", report).group(1))


def h2load(running, path, connections, streams, seconds, is_grpc=False):
    """A closed loop over the streams of kept HTTP/2 connections: the number of answers"""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}"]
    if is_grpc:
        message = f"{running.directory.name}/message"
        with open(message, "wb") as file:
            file.write(bytes([0, 0, 0, 0, 100]) + b"x" * 100)
        command += [f"-d{message}", "-Hcontent-type: application/grpc", "-Hte: trailers"]
    report = subprocess.run([*command, running.url(path)], check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT).stdout
    counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", report).groups()
    done, succeeded, failed, errored = (int(count) for count in counts)
    # Those under way at the end are errors to h2load.
    if succeeded + connections * streams < done or failed > connections * streams:
        print(f"WRONG: {running.name}: {path}: {succeeded} of {done}, {errored} errors", file=sys.stderr)
    return succeeded


def handshakes(running, path, seconds, is_resumed):
    """New connections with one request each, one after the other: their number"""
    context = client_context([])
    deadline = time.monotonic() + seconds
    count, session = 0, None
    while time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", running.port)) as plain:
            with context.wrap_socket(plain, session=session if is_resumed else None) as client:
                client.sendall(REQUEST.format(path).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
                while client.recv(65536):
                    pass
                if client.session_reused != (is_resumed and count > 0):
                    sys.exit(f"{running.name}: a session was {'' if client.session_reused else 'not '}resumed")
                session = client.session
        count += 1
    return count


def client_context(protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


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

    def __init__(self, running, count):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.front = running.front
        context = client_context(["h2"] if self.front.is_http2 else ["http/1.1"])
        self.sockets = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", running.port))
            self.sockets.append(context.wrap_socket(client) if self.front.is_tls else client)

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
            if self.front.is_http2:
                exchange_http2(client, path, "https" if self.front.is_tls else "http")
                continue
            client.sendall(REQUEST.format(path).encode())
            answer = b""
            while len(answer.partition(b"\r\n\r\n")[2]) < size:
                answer += received(client)


def received(client):
    piece = client.recv(65536)
    if not piece:
        sys.exit("a proxy has closed a connection")
    return piece


def exchange_http2(client, path, scheme):
    """The first request of a connection, and its answer (RFC 9113, RFC 7541)"""

    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def text(index, value):
        """A name of the static table with a value of its own"""
        return bytes([index, len(value)]) + value.encode()

    settings, acknowledged = frame(4, 0, 0), frame(4, 1, 0)
    head = bytes([0x82, 0x87 if scheme == "https" else 0x86]) + text(0x04, f"/{path}") + text(0x01, "127.0.0.1")
    client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + frame(1, 5, 1, head) + acknowledged)
    answer = b""
    while True:
        while len(answer) < 9 or len(answer) < 9 + int.from_bytes(answer[:3], "big"):
            answer += received(client)
        length, kind, flags = int.from_bytes(answer[:3], "big"), answer[3], answer[4]
        answer = answer[9 + length :]
        if kind in (3, 7):
            sys.exit("a proxy has refused a stream")
        # The last DATA, or HEADERS, of the only stream
        if kind in (0, 1) and flags & 1:
            return


def hold(port):
    """An upstream that accepts, and answers nothing; in a process of its own, which ends with this one's standard input"""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    held = []
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        held.append(listener.accept()[0])
