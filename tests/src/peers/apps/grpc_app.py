"""A gRPC app by grpcio with calls of all four kinds: `grpc_app.py PORT [KEY CERTIFICATE]`.

Messages are raw bytes, so it needs no generated code. A line `stop SECONDS` on standard input ends it with that grace.
"""

import sys
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc

# Each open stream has a thread of its own.
THREADS = 64


def say(line):
    print(line, flush=True)


def unary(request, context):
    """Echoes the message, and metadata in both places."""
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-seen", metadata.get("x-ask", "")), ("x-seen-bin", metadata.get("x-ask-bin", b""))))
    context.set_trailing_metadata((("x-end", "done"), ("x-end-bin", bytes(range(256)))))
    return request


def download(request, _):
    """`COUNT SIZE`: as many messages"""
    count, size = map(int, request.split())
    for number in range(count):
        yield number.to_bytes(4, "big") * (size // 4)


def upload(requests, _):
    """The number of messages and of bytes"""
    sizes = [len(request) for request in requests]
    return f"{len(sizes)} {sum(sizes)}".encode()


def chat(requests, context):
    """Answers each message at once."""
    context.send_initial_metadata((("x-chat", "open"),))
    for request in requests:
        yield b"re: " + request
    context.set_trailing_metadata((("x-end", "done"),))


def fail(request, context):
    """Fails with the code that the message names, a text beyond ASCII and details."""
    context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05\x12\x02no"),))
    context.abort(getattr(grpc.StatusCode, request.decode()), "nicht da: 50% größer\nals gedacht")


def fail_late(request, context):
    """Two messages, then a failure"""
    yield b"one"
    yield b"two"
    fail(request, context)


def sleep(request, context):
    """Waits, and says so when it is cancelled."""
    name = request.decode()
    ended = futures.Future()
    context.add_callback(lambda: ended.set_result(None))
    say(f"{name} begins")
    try:
        ended.result(timeout=30)
        say(f"{name} is cancelled")
    except futures.TimeoutError:
        say(f"{name} slept")
    return b""


def ticks(request, context):
    """A message each 50 ms, until the client has gone"""
    number = 0
    while context.is_active():
        yield request + str(number).encode()
        number += 1
        time.sleep(0.05)


def remaining(_, context):
    """The seconds that are left of the deadline"""
    left = context.time_remaining()
    return b"none" if left is None or left > 1e6 else str(left).encode()


CALLS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Download": grpc.unary_stream_rpc_method_handler(download),
    "Upload": grpc.stream_unary_rpc_method_handler(upload),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
    "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
    "Ticks": grpc.unary_stream_rpc_method_handler(ticks),
    "Remaining": grpc.unary_unary_rpc_method_handler(remaining),
}

unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
server = grpc.server(futures.ThreadPoolExecutor(max_workers=THREADS), options=unlimited)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.App", CALLS),))
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
address = f"127.0.0.1:{sys.argv[1]}"
if len(sys.argv) == 4:
    key, certificate = (open(path, "rb").read() for path in sys.argv[2:])
    server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
else:
    server.add_insecure_port(address)
server.start()
say("serving")

for line in sys.stdin:
    server.stop(float(line.split()[1])).wait()
    say("stopped")
    break
