"""Many files at once: what a receiver pays for their appends, and a start beside more files than a pod has."""

import os
import resource
import shutil
import time

from lines import spread
from process import Running, Sink

# Files, and lines a second that are appended to all of them together, each in a write of its own
LOADS = ((1, 400), (20, 400), (1000, 1000))
WARM_SECONDS, OBSERVED_SECONDS = 3, 10
START_FILES = 20_000
START_PATIENCE_SECONDS = 300
LOOKS_SECONDS = 0.01


def cells(samples, forms):
    return " | ".join(spread(values, form.format) for values, form in zip(zip(*samples), forms))


def append(directory, files, lines_a_second, seconds, line):
    """In a process of its own: lines with the time of their write, to one file after the other"""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    opened = [os.open(f"{directory}/{number}.log", flags) for number in range(files)]
    begin = time.monotonic()
    for nth in range(seconds * lines_a_second):
        time.sleep(max(0, begin + nth / lines_a_second - time.monotonic()))
        os.write(opened[nth % files], b"stamp=%d. " % time.time_ns() + line)
    os._exit(0)


def requests(bench):
    ours = [f for f in bench.of("http") if f.name.endswith("http, NDJSON")] + bench.quick
    for files, lines_a_second in LOADS:

        def measure(forwarder):
            with bench.at_work(forwarder, options=["stamps"]) as (logs, sink, running):
                writer = os.fork()
                if writer == 0:
                    append(logs, files, lines_a_second, WARM_SECONDS + OBSERVED_SECONDS + 1, bench.lines[0])
                time.sleep(WARM_SECONDS)
                sink.ask("count"), sink.ask("delays")
                share = running.share(OBSERVED_SECONDS)
                asked, delays = sink.ask("count")[2], sorted(sink.ask("delays"))
                os.waitpid(writer, 0)
            parts = [delays[len(delays) * percent // 100] / 1000 for percent in (50, 99)]
            return asked / OBSERVED_SECONDS, share, *parts

        found = bench.rounds(f"requests of {files}", ours, measure)
        title = f"files: {files:,}, lines a second: {lines_a_second:,}"
        print(f"\n| {title} | requests a second | % of a core | median ms | p99 ms |\n|---|---|---|---|---|")
        for name, samples in found.items():
            print(f"| {name} | {cells(samples, ('{:.1f}', '{:.1f}', '{:.0f}', '{:.0f}'))} |", flush=True)


def start(bench):
    logs = f"{bench.scratch}/start"
    os.mkdir(logs)
    for number in range(START_FILES):
        with open(f"{logs}/{number}.log", "wb") as file:
            file.write(bench.lines[number])

    def measure(forwarder):
        with Sink(bench.sink, forwarder.speaks) as sink:
            begin, lines, first = time.monotonic(), 0, None
            with Running(forwarder, logs, sink.port) as running:
                while lines < START_FILES and time.monotonic() < begin + START_PATIENCE_SECONDS:
                    time.sleep(LOOKS_SECONDS)
                    running.look_alive()
                    lines += sink.ask("count")[1]
                    if lines and first is None:
                        first = time.monotonic() - begin
                all_lines, peak, stop = time.monotonic() - begin, running.proc("status", "VmHWM"), time.monotonic()
            return first or all_lines, all_lines, peak, time.monotonic() - stop, running.cpu

    ours = [f for f in bench.of("http") if f.name.endswith("http, NDJSON")]
    found = bench.rounds("start", ours, measure)
    title = f"{START_FILES:,} files with a line each in one directory"
    print(f"\n| {title} | s to the first line | s to all | peak MiB | s of the stop | CPU s |\n|---|---|---|---|---|---|")
    for name, samples in found.items():
        rows = [(first, whole, kib / 1024, stop, cpu) for first, whole, kib, stop, cpu in samples]
        print(f"| {name} | {cells(rows, ('{:.2f}', '{:.1f}', '{:.1f}', '{:.2f}', '{:.1f}'))} |", flush=True)
    shutil.rmtree(logs)
