"""The real gRPC health server: `health_server.py PORT [KEY CERTIFICATE]`.

A line `SERVICE STATUS` on standard input sets a status; `- STATUS` sets that of the whole server.
"""

import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

address = f"127.0.0.1:{sys.argv[1]}"
servicer = health.HealthServicer()
server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
if len(sys.argv) == 4:
    key, certificate = (open(path, "rb").read() for path in sys.argv[2:])
    server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
else:
    server.add_insecure_port(address)
server.start()
print("serving", flush=True)

for line in sys.stdin:
    service, status = line.split()
    servicer.set(service.strip("-"), health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    print(f"{service} is {status}", flush=True)
