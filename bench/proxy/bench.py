"""What all tables share: rounds in which the proxies take turns, CPU and system calls of a load, and goals."""

import os
import statistics
import subprocess
import time

from process import ENVIRONMENT, QUIET, Running
from proxies import Ours, free_port

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "3"))
CALLS = ("epoll_wait", "recvfrom", "recvmsg", "readv", "read", "sendto", "writev", "write", "sendmsg")


def spread(values, form="{:.1f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}–{form.format(max(values))})"


class Bench:
    def __init__(self, proxies, files_port, calls_port):
        self.proxies = proxies
        self.files_port, self.calls_port = files_port, calls_port
        self.goals = []

    def run(self, proxy, front):
        """A proxy in front of the upstream that belongs to the front"""
        upstream = self.calls_port if front.is_grpc else self.files_port
        return Running(proxy, free_port(), upstream, front)

    def fit(self, front):
        return [proxy for proxy in self.proxies if proxy.has(front)]

    def rounds(self, front, measure):
        """Each proxy in turn, started for it, several times: name to samples"""
        found = {proxy.name: [] for proxy in self.fit(front)}
        for _ in range(ROUNDS):
            for proxy in self.fit(front):
                with self.run(proxy, front) as running:
                    found[proxy.name].append(measure(running))
        return found

    def cpu_of(self, front, load):
        """Microseconds of CPU for each unit of the load, which `load(running, seconds)` counts"""

        def measure(running):
            load(running, 1)
            before = running.cpu()
            count = load(running, SECONDS)
            return (running.cpu() - before) / count / 1000

        return self.rounds(front, measure)

    def calls_of(self, front, load):
        """System calls for each unit of the load: name to all of them, and those by name"""
        found = {}
        for proxy in self.fit(front):
            with self.run(proxy, front) as running:
                load(running, 1)
                found[proxy.name] = self.counted(running, load)
        return found

    @staticmethod
    def counted(running, load):
        events = ["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in CALLS)]
        command = ["perf", "stat", "-x,", f"-e{','.join(events)}", f"-p{running.pid}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, **QUIET) as perf:
            time.sleep(0.5)
            count = load(running, SECONDS)
            perf.send_signal(2)
            lines = [line.split(",") for line in perf.stderr]
        counts = [(fields[2], int(fields[0]) / count) for fields in lines if fields[0].isdigit()]
        often = sorted(counts[1:], key=lambda pair: -pair[1])
        named = (f"{name.rpartition('sys_enter_')[2]} {count:.1f}" for name, count in often if count >= 0.05)
        return counts[0][1], ", ".join(named)

    def goal(self, what, bound, unit, measured):
        self.goals.append(f"| {what} | ≤ {bound} {unit} | {measured:.2f} | {'yes' if measured <= bound else 'no'} |")

    def ratio(self, what, bound, found, rival):
        """The median of the ratios of each round, in which the two stand side by side"""
        if Ours.name in found and rival in found:
            ratios = [ours / theirs for ours, theirs in zip(found[Ours.name], found[rival])]
            self.goal(what, bound, f"× {rival}", statistics.median(ratios))
