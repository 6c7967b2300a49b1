"""The tables of TLS, HTTP/2 and gRPC"""

import statistics
import time

from bench import spread
from process import Clients, handshakes, h2load, wrk
from proxies import GRPC, GRPC_TLS, H2, H2C, TLS, Nginx, Ours

CONNECTIONS = 32
HTTP2_CONNECTIONS = 8
STREAMS = 10
IDLE_CONNECTIONS = 5_000
SETTLE_SECONDS = 12


def tls(bench):
    def load(path):
        return lambda running, seconds: wrk(running, path, CONNECTIONS, seconds)

    small, large = (bench.cpu_of(TLS, load(path)) for path in ("1k", "64k"))
    calls = bench.calls_of(TLS, load("1k"))
    print(f"\n| TLS 1.3, {CONNECTIONS} kept connections | CPU a request of 1 KiB, µs | of 64 KiB, µs | system calls a request of 1 KiB | in detail |")
    print("|---|---|---|---|---|")
    for name in small:
        print(f"| {name} | {spread(small[name])} | {spread(large[name])} | {calls[name][0]:.1f} | {calls[name][1]} |", flush=True)
    bench.ratio("TLS, CPU a request, 1 KiB", 1.0, small, Nginx.name)


def connections(bench):
    def load(is_resumed):
        return lambda running, seconds: handshakes(running, "1k", seconds, is_resumed)

    new, resumed = (bench.cpu_of(TLS, load(is_resumed)) for is_resumed in (False, True))
    calls = bench.calls_of(TLS, load(False))
    print("\n| a connection with one request, TLS 1.3, P-256 | CPU with a full handshake, µs | resumed, µs | system calls, full | in detail |")
    print("|---|---|---|---|---|")
    for name in new:
        print(f"| {name} | {spread(new[name], '{:.0f}')} | {spread(resumed[name], '{:.0f}')} | {calls[name][0]:.1f} | {calls[name][1]} |", flush=True)
    bench.ratio("new TLS connections, CPU", 0.9, new, Nginx.name)


def http2(bench):
    def load(running, seconds):
        return h2load(running, "1k", HTTP2_CONNECTIONS, STREAMS, seconds)

    encrypted, clear = bench.cpu_of(H2, load), bench.cpu_of(H2C, load)
    calls = bench.calls_of(H2, load)
    print(
        f"\n| HTTP/2 in front, {HTTP2_CONNECTIONS} connections of {STREAMS} streams, 1 KiB | CPU a request with TLS, µs | without TLS, µs "
        "| system calls a request with TLS | in detail |"
    )
    print("|---|---|---|---|---|")
    for name in encrypted:
        print(f"| {name} | {spread(encrypted[name])} | {spread(clear[name])} | {calls[name][0]:.1f} | {calls[name][1]} |", flush=True)
    bench.ratio("HTTP/2 with TLS in front, CPU a request", 1.0, encrypted, Nginx.name)
    bench.ratio("HTTP/2 without TLS in front, CPU a request", 1.0, clear, Nginx.name)


def grpc(bench):
    def load(running, seconds):
        return h2load(running, "bench.Echo/Unary", HTTP2_CONNECTIONS, STREAMS, seconds, is_grpc=True)

    clear, encrypted = bench.cpu_of(GRPC, load), bench.cpu_of(GRPC_TLS, load)
    calls = bench.calls_of(GRPC, load)
    print(
        f"\n| unary gRPC, {HTTP2_CONNECTIONS} connections of {STREAMS} streams, 100 bytes each way | CPU a call, µs | with TLS in front, µs "
        "| system calls a call | in detail |"
    )
    print("|---|---|---|---|---|")
    for name in clear:
        print(f"| {name} | {spread(clear[name])} | {spread(encrypted[name])} | {calls[name][0]:.1f} | {calls[name][1]} |", flush=True)
    bench.ratio("unary gRPC, CPU a call", 1.0, clear, Nginx.name)
    bench.ratio("unary gRPC with TLS in front, CPU a call", 1.0, encrypted, Nginx.name)


def tls_memory(bench):
    def measure(proxy, front, has_request):
        with bench.run(proxy, front) as running:
            idle = running.resident()
            with Clients(running, IDLE_CONNECTIONS) as clients:
                if has_request:
                    clients.exchange("1k", 1024)
                time.sleep(SETTLE_SECONDS)
                return (running.resident() - idle) / IDLE_CONNECTIONS

    def all_three(running):
        proxy = running.server
        return measure(proxy, TLS, False), measure(proxy, TLS, True), measure(proxy, H2, True), measure(proxy, H2C, True)

    found = bench.rounds(TLS, all_three)
    print(
        f"\n| resident memory of an idle connection, of {IDLE_CONNECTIONS:,} | TLS, without a request, KiB | TLS, after one request, KiB "
        "| HTTP/2 with TLS, after one request, KiB | HTTP/2 without TLS, after one request, KiB |"
    )
    print("|---|---|---|---|---|")
    for name, samples in found.items():
        print(f"| {name} | {' | '.join(spread(values) for values in zip(*samples))} |", flush=True)
    if Ours.name in found and Nginx.name in found:
        middle = {name: [statistics.median(values) for values in zip(*samples)] for name, samples in found.items()}
        whats = ("without a request", "after a request", "of HTTP/2 with TLS", "of HTTP/2 without TLS")
        for what, ours, theirs in zip(whats, middle[Ours.name], middle[Nginx.name]):
            bench.goal(f"memory of an idle TLS connection, {what}" if "HTTP/2" not in what else f"memory of an idle connection {what}", 1.0, "× nginx", ours / theirs)
