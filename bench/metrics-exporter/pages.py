"""Pages of metrics as apps write them, and the server that the programs under test fetch them from."""

import http.server
import threading

# How many series a page's families have; a histogram has twelve buckets, a sum and a count.
COUNTERS = 60
HISTOGRAM_SERIES = 14
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
METHODS = ("GET", "POST", "PUT", "DELETE")
STATUSES = ("200", "204", "301", "400", "404", "500")


def page(source, series):
    """A page of about this number of series: half counters, a quarter gauges, a quarter histograms. One family of each kind is in every source,
    with other labels; all others are the source's own."""
    lines, left, nth = [], series, 0
    while left > 0:
        own = f"s{source}_" if nth else ""
        lines += [f"# HELP {own}http_requests_{nth}_total Requests of clients, by method and status.", f"# TYPE {own}http_requests_{nth}_total counter"]
        for item in range(min(COUNTERS, left)):
            labels = f'service="svc-{source}",method="{METHODS[item % 4]}",status="{STATUSES[item % 6]}",route="/api/v1/items/{item}"'
            lines.append(f"{own}http_requests_{nth}_total{{{labels}}} {item * 7919 % 100_003}")
        left -= COUNTERS
        lines += [f"# HELP {own}queue_depth_{nth} Jobs that wait.", f"# TYPE {own}queue_depth_{nth} gauge"]
        for item in range(max(0, min(COUNTERS // 2, left))):
            lines.append(f'{own}queue_depth_{nth}{{service="svc-{source}",queue="queue-{item}"}} {item * 0.37 + nth}')
        left -= COUNTERS // 2
        lines += [f"# HELP {own}request_duration_{nth}_seconds Time of requests.", f"# TYPE {own}request_duration_{nth}_seconds histogram"]
        for item in range(max(0, min(2, left // HISTOGRAM_SERIES))):
            labels = f'service="svc-{source}",route="/api/v1/items/{item}"'
            for place, bound in enumerate(BOUNDS):
                lines.append(f'{own}request_duration_{nth}_seconds_bucket{{{labels},le="{bound}"}} {(place + 1) * 97}')
            lines.append(f"{own}request_duration_{nth}_seconds_sum{{{labels}}} {nth + 123.456}")
            lines.append(f"{own}request_duration_{nth}_seconds_count{{{labels}}} {len(BOUNDS) * 97}")
        left -= 2 * HISTOGRAM_SERIES
        nth += 1
    return ("\n".join(lines) + "\n").encode()


class Sources:
    """A server of several pages, each at a path of its own"""

    def __init__(self, count, series):
        self.pages = {f"/{source}": page(source, series // count) for source in range(count)}
        pages = self.pages

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = pages[self.path]
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.urls = [f"http://127.0.0.1:{self.server.server_port}{path}" for path in self.pages]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
