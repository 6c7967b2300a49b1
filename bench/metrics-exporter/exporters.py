"""The programs under test, and what a scrape of them costs."""

import gzip
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
START_SECONDS = 20
TICK = os.sysconf("SC_CLK_TCK")
ACCEPT = {
    "text": "text/plain;version=0.0.4",
    # As Prometheus 2.42 asks
    "openmetrics": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Exporter:
    """A program that serves /metrics on a port of its own; it is killed at the end of a `with`. In a pod it sees no process but its own."""

    def __init__(self, name, command, in_a_pod=False):
        self.name, self.port = name, free_port()
        self.log = tempfile.TemporaryFile()
        command = [word.replace("PORT", str(self.port)) for word in command]
        if in_a_pod:
            command = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child=KILL", *command]
        self.process = subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.accepts():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.log.seek(0)
                sys.exit(f"{name} does not listen: {self.log.read().decode()[-2000:]}")
            time.sleep(0.02)
        self.pid = self.process.pid
        if in_a_pod:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                self.pid = int(children.read().split()[0])

    def accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def scrape(self, form="text", encoding="identity"):
        """One scrape as Prometheus makes it; the page"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Accept": ACCEPT[form], "Accept-Encoding": encoding, "X-Prometheus-Scrape-Timeout-Seconds": "60"}
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200 or (answer.getheader("Content-Encoding") or "identity") != encoding:
            sys.exit(f"{self.name}: {answer.status} {answer.getheaders()}")
        return body

    def page(self, form="text"):
        return gzip.decompress(self.scrape(form, "gzip")).decode()

    def cpu(self):
        """Seconds of user and system time, of all threads that there were"""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def cost(self, seconds, form="text", encoding="identity"):
        """CPU of one scrape in milliseconds: of as many as take this much CPU, because the account counts in ticks"""
        before, scrapes = self.cpu(), 0
        while self.cpu() - before < seconds:
            for _ in range(5):
                self.scrape(form, encoding)
            scrapes += 5
        return (self.cpu() - before) / scrapes * 1000

    def peak(self):
        """MB"""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
