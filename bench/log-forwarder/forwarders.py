"""How `run` starts log-forwarder and what people use instead of it, each with the settings that its manual recommends."""

import copy
import os
import socket
import subprocess

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATTERN = "*.log"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Forwarder:
    """`speaks` is what its sink must: tcp, http or nothing. `counts`: whether a line is a line there, so that the sink can count them.
    `form` is that of the lines, where it reads their fields: nginx or json."""

    def __init__(self, name, speaks, to, counts=True, form=None):
        self.name, self.speaks, self.to, self.counts, self.form = name, speaks, to, counts, form

    def target(self, port):
        return self.to.format(port=port)


class Ours(Forwarder):
    def __init__(self, binary, name, speaks, to, *options, counts=True, form=None):
        super().__init__(f"log-forwarder {name}", speaks, to, counts, form)
        self.binary, self.options = binary, [*options, *([f"--format={form}"] if form else [])]

    def of(self, binary):
        """The same with another binary"""
        other = copy.copy(self)
        other.binary, other.name = binary, self.name.replace("log-forwarder", "before:", 1)
        return other

    def command(self, logs, state, port):
        return [
            self.binary,
            f"--input={logs}/{PATTERN}",
            f"--state-dir={state}",
            f"--output={self.target(port)}",
            f"--health-addr=127.0.0.1:{free_port()}",
            *self.options,
        ]


class Rsyslog(Forwarder):
    """imfile by inotify, with its state files, and a queue in memory."""

    def __init__(self, name, speaks, to):
        super().__init__(f"rsyslog {name}", speaks, to)

    def command(self, logs, state, port):
        settings = f"{state}/rsyslog.conf"
        with open(settings, "w") as file:
            file.write(
                f'global(workDirectory="{state}" maxMessageSize="64k")\n'
                'module(load="imfile" mode="inotify")\n'
                'template(name="line" type="string" string="%msg%\\n")\n'
                f'input(type="imfile" file="{logs}/{PATTERN}" tag="bench" ruleset="all")\n'
                f'ruleset(name="all") {{ action({self.target(port)} template="line") }}\n'
            )
        return ["/usr/sbin/rsyslogd", "-n", "-f", settings, "-i", f"{state}/rsyslogd.pid"]


class Collector(Forwarder):
    """filelog, which waits when the exporter does. Without a storage for its offsets: after a restart it would begin anew."""

    binary = None
    # What reads the fields and the time of a line
    PARSERS = {
        None: "",
        "json": ", operators: [{type: json_parser, timestamp: {parse_from: attributes.time, layout: '%Y-%m-%dT%H:%M:%S.%LZ'}}]",
        "nginx": r""", operators: [{type: regex_parser, timestamp: {parse_from: attributes.time, layout: '%d/%b/%Y:%H:%M:%S %z'}, regex: '^(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time>[^\]]+)\] "(?P<request_method>\S+) (?P<request_uri>\S+) (?P<server_protocol>[^"]+)" (?P<status>\d+) (?P<body_bytes_sent>\d+) "(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)"'}]""",
    }

    def __init__(self, name, speaks, to, form=None):
        super().__init__(f"OpenTelemetry Collector {name}", speaks, to, counts=False, form=form)

    def command(self, logs, state, port):
        settings = f"{state}/otelcol.yaml"
        with open(settings, "w") as file:
            file.write(
                "receivers:\n"
                f"  file_log: {{include: ['{logs}/{PATTERN}'], start_at: beginning, retry_on_failure: {{enabled: true}}{self.PARSERS[self.form]}}}\n"
                f"exporters:\n  {self.target(port)}\n"
                "service:\n  telemetry: {metrics: {level: none}}\n"
                "  pipelines:\n"
                f"    logs: {{receivers: [file_log], exporters: [{self.to.split(':')[0]}]}}\n"
            )
        return [self.collector(), f"--config={settings}"]

    @classmethod
    def collector(cls):
        if cls.binary is None:
            build = [f"{REPOSITORY}/tests/otel-collector/build"]
            cls.binary = subprocess.run(build, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        return cls.binary


QUEUE = "sending_queue: {{block_on_overflow: true, sizer: items, queue_size: 20000, batch: {{min_size: 8192, flush_timeout: 200ms}}}}"


def otlp(compression):
    return f"otlp_http: {{{{endpoint: 'http://127.0.0.1:{{port}}', compression: {compression}, {QUEUE}}}}}"


def forwarders(binary, before=None):
    """All, so that those that are to be compared stand together; also those of a binary from before a change."""
    found = []
    for forwarder in of_binary(binary):
        found.append(forwarder)
        if before and isinstance(forwarder, Ours):
            found.append(forwarder.of(os.path.abspath(before)))
    return found


def of_binary(binary):
    http = "http://127.0.0.1:{port}/lines"
    return [
        Ours(binary, "file:///dev/null", None, "file:///dev/null"),
        Rsyslog("imfile to omfile /dev/null", None, 'type="omfile" file="/dev/null"'),
        Collector("filelog to file /dev/null", None, "file: {{path: /dev/null}}"),
        Ours(binary, "tcp", "tcp", "tcp://127.0.0.1:{port}"),
        Rsyslog("imfile to omfwd TCP", "tcp", 'type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp"'),
        Ours(binary, "syslog+tcp", "tcp", "syslog+tcp://127.0.0.1:{port}", counts=False),
        Ours(binary, "http, NDJSON", "http", http),
        Ours(binary, "http, NDJSON, --linger 0", "http", http, "--linger=0"),
        Ours(binary, "otlp+http", "http", "otlp+http://127.0.0.1:{port}", counts=False),
        Collector("filelog to OTLP/HTTP", "http", otlp("none")),
        Ours(binary, "http, NDJSON, gzip", "http", f"{http}#gzip", counts=False),
        Ours(binary, "otlp+http, gzip", "http", "otlp+http://127.0.0.1:{port}#gzip", counts=False),
        Collector("filelog to OTLP/HTTP, gzip", "http", otlp("gzip")),
        Ours(binary, "http, NDJSON, zstd", "http", f"{http}#zstd", counts=False),
        Collector("filelog to OTLP/HTTP, zstd", "http", otlp("zstd")),
        Ours(binary, "elasticsearch+http", "http", "elasticsearch+http://127.0.0.1:{port}/logs", counts=False),
        Ours(binary, "loki+http", "http", "loki+http://127.0.0.1:{port}", counts=False),
        Ours(binary, "http, NDJSON, --format nginx", "http", http, form="nginx"),
        Ours(binary, "NDJSON to /dev/null", None, "file:///dev/null#as=ndjson"),
        Ours(binary, "NDJSON to /dev/null, --format json", None, "file:///dev/null#as=ndjson", form="json"),
        Collector("filelog, json_parser, to file /dev/null", None, "file: {{path: /dev/null}}", "json"),
        Ours(binary, "NDJSON to /dev/null, --format nginx", None, "file:///dev/null#as=ndjson", form="nginx"),
        Collector("filelog, regex_parser, to file /dev/null", None, "file: {{path: /dev/null}}", "nginx"),
    ]
