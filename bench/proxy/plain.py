"""The tables of HTTP/1.1 without TLS"""

import os
import statistics
import subprocess
import sys
import time

from bench import ROUNDS, SECONDS, spread
from process import Clients, Running, oha, wait_for, wrk
from proxies import PLAIN, REPOSITORY, Before, Nginx, Ours, free_port

CONNECTIONS = 32
# Too few to fill the queue of any server, many enough that what a process takes without them does not count
IDLE_CONNECTIONS = 5_000
BUSY_CONNECTIONS = 1_000
# Longer than any of them keeps the buffers of a connection for its next request, or memory for its next connection
SETTLE_SECONDS = 12
DELAY_SECONDS = 6
SHARE_OF_MAXIMUM = 0.6
OHA = "oha@1.16.0"


def load(path, connections=CONNECTIONS):
    return lambda running, seconds: wrk(running, path, connections, seconds)


def cpu(bench):
    found = {path: bench.cpu_of(PLAIN, load(path)) for path in ("1k", "64k")}
    print(f"\n| CPU a request, {CONNECTIONS} kept connections | 1 KiB, µs | 64 KiB, µs |\n|---|---|---|")
    for name in found["1k"]:
        print(f"| {name} | {spread(found['1k'][name])} | {spread(found['64k'][name])} |", flush=True)
    bench.ratio("CPU a request, 1 KiB", 1.0, found["1k"], Nginx.name)
    bench.ratio("CPU a request, 1 KiB", 0.4, found["1k"], "Envoy")
    bench.ratio("CPU a request, 64 KiB", 0.65, found["64k"], Nginx.name)
    for path in found:
        bench.ratio(f"CPU a request, {path[:-1]} KiB", 1.0, found[path], Before.name)


def calls(bench):
    loads = [load("1k", 1), load("1k"), load("64k")]
    found = [bench.calls_of(PLAIN, each) for each in loads]
    print(f"\n| system calls a request | one connection, 1 KiB | {CONNECTIONS} connections, 1 KiB | {CONNECTIONS} connections, 64 KiB | the last one in detail |")
    print("|---|---|---|---|---|")
    for name in found[0]:
        cells = (f"{counts[name][0]:.1f}" for counts in found)
        print(f"| {name} | {' | '.join(cells)} | {found[-1][name][1]} |", flush=True)


def memory(bench):
    def measure(running):
        proxy = running.server
        idle = running.resident()
        with Clients(running, IDLE_CONNECTIONS):
            time.sleep(SETTLE_SECONDS)
            unused = (running.resident() - idle) / IDLE_CONNECTIONS
        with bench.run(proxy, PLAIN) as other, Clients(other, IDLE_CONNECTIONS) as clients:
            clients.exchange("1k", 1024)
            time.sleep(SETTLE_SECONDS)
            used = (other.resident() - idle) / IDLE_CONNECTIONS
        with bench.run(proxy, PLAIN) as other:
            wrk(other, "1k", BUSY_CONNECTIONS, SECONDS)
            wrk(other, "64k", BUSY_CONNECTIONS, SECONDS)
            peak = other.resident("VmHWM")
            time.sleep(SETTLE_SECONDS)
            after = other.resident()
        return idle / 1000 * 1.024, unused, used, in_flight(proxy), peak / 1000 * 1.024, after / 1000 * 1.024

    found = bench.rounds(PLAIN, measure)
    print(
        f"\n| resident memory | idle, MB | a connection of {IDLE_CONNECTIONS:,} without a request, KiB | after one request, KiB "
        f"| with a request in flight, of {BUSY_CONNECTIONS:,}, KiB | peak with {BUSY_CONNECTIONS:,} busy ones, MB | {SETTLE_SECONDS} s after they have gone, MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, samples in found.items():
        print(f"| {name} | {' | '.join(spread(values) for values in zip(*samples))} |", flush=True)
    if Ours.name in found:
        idle, unused, used, _, _, after = (statistics.median(values) for values in zip(*found[Ours.name]))
        bench.goal("idle", 6, "MB", idle)
        bench.goal("a connection without a request", 1.1, "KiB", unused)
        bench.goal("an idle connection after a request", 1.1, "KiB", used)
        bench.goal(f"after {BUSY_CONNECTIONS:,} busy connections", 10, "MB", after)


def in_flight(proxy):
    """KiB of a connection whose request waits for an answer"""
    port = free_port()
    program = [sys.executable, "-B", "-c", f"import process; process.hold({port})"]
    with subprocess.Popen(program, cwd=os.path.dirname(os.path.abspath(__file__)), stdin=subprocess.PIPE) as upstream:
        wait_for(port)
        with Running(proxy, free_port(), port, PLAIN) as running:
            before = running.resident()
            with Clients(running, BUSY_CONNECTIONS) as clients:
                clients.send("1k")
                time.sleep(SETTLE_SECONDS / 2)
                taken = running.resident() - before
        upstream.stdin.close()
    return taken / BUSY_CONNECTIONS


def delays(bench):
    program = installed_oha()
    with bench.run(Nginx(), PLAIN) as nginx:
        wrk(nginx, "1k", CONNECTIONS, 1)
        maximum = wrk(nginx, "1k", CONNECTIONS, SECONDS) / SECONDS
    rate = int(maximum * SHARE_OF_MAXIMUM)

    def measure(running):
        oha(program, running.port, "1k", CONNECTIONS, rate, 1)
        before = running.cpu()
        delays = oha(program, running.port, "1k", CONNECTIONS, rate, DELAY_SECONDS)
        return *delays, (running.cpu() - before) / (rate * DELAY_SECONDS) / 1000

    direct = [oha(program, bench.files_port, "1k", CONNECTIONS, rate, DELAY_SECONDS) for _ in range(ROUNDS)]
    found = bench.rounds(PLAIN, measure)
    print(f"\n| {rate:,} requests a second, {SHARE_OF_MAXIMUM:.0%} of nginx's maximum | median ms | p99 ms | CPU a request, µs |\n|---|---|---|---|")
    print(f"| no proxy | {' | '.join(spread(values, '{:.2f}') for values in zip(*direct))} | |")
    base = statistics.median(p99 for _, p99 in direct)
    for name, samples in found.items():
        print(f"| {name} | {' | '.join(spread(values, '{:.2f}') for values in zip(*samples))} |", flush=True)
    added = {name: [p99 - base for _, p99, _ in samples] for name, samples in found.items()}
    bench.ratio("delay added at p99", 1.2, added, Nginx.name)


def installed_oha():
    root = f"{REPOSITORY}/target/bench-proxy-{OHA}"
    if not os.path.exists(f"{root}/bin/oha"):
        subprocess.run(["cargo", "install", "--quiet", "--locked", "--root", root, OHA], check=True, stdout=sys.stderr)
    return f"{root}/bin/oha"
