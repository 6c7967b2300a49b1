"""A forwarder at work and what /proc says of it, and the sink that it sends to."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time

NICENESS = -10
LOOKS_SECONDS = 0.05
QUIET_LOOKS = 20
QUIET_TICKS = 4
PATIENCE_SECONDS = 600
SETTLE_SECONDS = 5
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
USAGE = 64


class Refused(Exception):
    """The binary does not know what it is asked for."""


class Sink:
    def __init__(self, program, speaks, *options):
        self.process = None
        self.port = 1
        if speaks:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.process = subprocess.Popen([program, speaks, *options], **pipes)
            self.port = int(self.process.stdout.readline())

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return list(map(int, self.process.stdout.readline().split()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


class Running:
    """A forwarder at work; it is told to stop at the end of a `with`, and `cpu` is then what it took from start to end."""

    def __init__(self, forwarder, logs, port, wrapper=()):
        self.state = tempfile.TemporaryDirectory()
        self.name, self.cpu = forwarder.name, None
        command = forwarder.command(logs, self.state.name, port)
        self.program = os.path.basename(command[0])
        self.log = f"{self.state.name}/stderr"
        with open(self.log, "w") as log:
            streams = {**QUIET, "stderr": log}
            self.process = subprocess.Popen([*wrapper, *command], env=ENVIRONMENT, start_new_session=True, **streams)
        self.pid = self.process.pid
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/autogroup", "w") as group:
            group.write(str(NICENESS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 15)
        if self.process.returncode is None:
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu = usage.ru_utime + usage.ru_stime
            if self.process.returncode != 0:
                print(f"WRONG: {self.name} ended with {self.process.returncode}", file=sys.stderr)
        self.state.cleanup()

    def look_alive(self):
        if self.process.poll() == USAGE:
            raise Refused
        if self.process.returncode is not None:
            with open(self.log) as log:
                sys.exit(f"{self.name} ended with {self.process.returncode}: {log.read()[-500:]}")

    def proc(self, file, field):
        """A number of a file in /proc with a field a line"""
        self.look_alive()
        with open(f"/proc/{self.pid}/{file}") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)

    def ticks(self):
        self.look_alive()
        with open(f"/proc/{self.pid}/stat") as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))

    def spent(self):
        """CPU seconds of all its threads, to the nanosecond: the clock of clock_getcpuclockid(3). A tick is 10 ms."""
        self.look_alive()
        return time.clock_gettime(~self.pid << 3 | 2)

    def settle(self):
        """Until it hardly uses any CPU; some never come to that."""
        recent, deadline = [], time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline and (len(recent) <= QUIET_LOOKS or recent[-1] - recent[0] > QUIET_TICKS):
            time.sleep(LOOKS_SECONDS)
            recent = [*recent[-QUIET_LOOKS:], self.ticks()]

    def peak_until_read(self, size):
        """Peak KiB after a fifth and at the end: when so many bytes have been read and hardly any CPU is used any more"""
        early, recent, deadline = 0, [], time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(LOOKS_SECONDS)
            read = self.proc("io", "rchar")
            recent = [*recent[-QUIET_LOOKS:], self.ticks()]
            if read >= size / 5 and not early:
                early = self.proc("status", "VmHWM")
            if read >= size and len(recent) > QUIET_LOOKS and recent[-1] - recent[0] <= QUIET_TICKS:
                return early, self.proc("status", "VmHWM")
        raise TimeoutError(f"{self.name} has not read all after {PATIENCE_SECONDS} s")

    def share(self, seconds):
        """Percent of a core, over some seconds"""
        before, begin = self.spent(), time.monotonic()
        time.sleep(seconds)
        return (self.spent() - before) / (time.monotonic() - begin) * 100


def child(running):
    """The process that strace runs; before it there are others, by which strace finds out what the kernel can"""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        running.look_alive()
        with open(f"/proc/{running.pid}/task/{running.pid}/children") as children:
            pids = children.read().split()
        for pid in pids:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as name:
                if running.program.startswith(name.read().strip()):
                    return int(pid)
    raise TimeoutError("strace starts nothing")


def resident(logs):
    """Bytes of a directory's file that are in the page cache"""
    command = ["fincore", "--bytes", "--noheadings", "--output=RES", f"{logs}/access.log"]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
