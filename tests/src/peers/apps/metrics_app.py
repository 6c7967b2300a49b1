"""An app with prometheus-client: text, or OpenMetrics with exemplars, as the scraper accepts. Its argument is the port."""

import sys
import time

from prometheus_client import REGISTRY, Counter, Enum, Gauge, Histogram, Info, Summary, start_http_server

exemplar = {"trace_id": "0af7651916cd43dd8448eb211c80319c"}
orders = Counter("py_orders", 'Orders, by "kind"', ["kind"])
orders.labels('new\nline "quoted" \\ back').inc(2)
orders.labels("plain").inc(7, exemplar)
seconds = Histogram("py_request_seconds", "Seconds of requests", ["path"], buckets=[0.1, 1, 10])
size = Summary("py_size", "Sizes", unit="bytes")
for nth in range(1, 101):
    seconds.labels("/").observe(nth / 20, exemplar)
    size.observe(nth)
Info("py_build", "Its version").info({"version": "1.2"})
Enum("py_state", "Its state", states=["starting", "running"]).state("running")
Gauge("py_temperature_celsius", "A gauge that is not a number").set(float("nan"))

start_http_server(int(sys.argv[1]), "127.0.0.1")
print("listens", flush=True)
while True:
    time.sleep(3600)
