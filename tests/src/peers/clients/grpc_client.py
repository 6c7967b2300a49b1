"""Calls to `grpc_app.py` by grpcio: `grpc_client.py SCENARIO TARGET [CA]`; exits with 0 if all is as it should be.

A scenario is a function of this file. It tells the test where it is by lines on its standard output, and goes on at SIGHUP where
it waits for the test.
"""

import os
import signal
import sys
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

# Long enough for a busy machine; no scenario waits for it.
PATIENCE = 60


told = threading.Event()


def say(line):
    print(line, flush=True)


class App:
    """A channel with the calls of the app"""

    def __init__(self, *options):
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *options]
        # Nothing is sent again unless a scenario asks for it.
        if not any(name == "grpc.enable_retries" for name, _ in options):
            options.append(("grpc.enable_retries", 0))
        if AUTHORITY:
            credentials = grpc.ssl_channel_credentials(open(AUTHORITY, "rb").read())
            self.channel = grpc.secure_channel(TARGET, credentials, options)
        else:
            self.channel = grpc.insecure_channel(TARGET, options)
        make = self.channel
        self.unary = make.unary_unary("/test.App/Unary")
        self.download = make.unary_stream("/test.App/Download")
        self.upload = make.stream_unary("/test.App/Upload")
        self.chat = make.stream_stream("/test.App/Chat")
        self.fail = make.unary_unary("/test.App/Fail")
        self.fail_late = make.unary_stream("/test.App/FailLate")
        self.sleep = make.unary_unary("/test.App/Sleep")
        self.ticks = make.unary_stream("/test.App/Ticks")
        self.remaining = make.unary_unary("/test.App/Remaining")
        self.unknown = make.unary_unary("/test.App/Unknown")


def equal(left, right):
    assert left == right, f"{left!r:.500} is not {right!r:.500}"


def failure(call):
    """The error that a call ends with"""
    try:
        answer = call()
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"it succeeds: {answer!r:.100}")


def kinds():
    """A call of each kind, and the health service"""
    app = App()
    for number in range(50):
        message = f"message {number}".encode()
        equal(app.unary(message, timeout=PATIENCE), message)
    equal(app.unary(b"", timeout=PATIENCE), b"")
    sizes = [len(message) for message in app.download(b"1000 400", timeout=PATIENCE)]
    equal(sizes, [400] * 1000)
    equal(list(app.download(b"0 0", timeout=PATIENCE)), [])
    equal(app.upload((b"x" * 300 for _ in range(1000)), timeout=PATIENCE), b"1000 300000")
    equal(app.upload(iter(()), timeout=PATIENCE), b"0 0")
    stub = health_pb2_grpc.HealthStub(app.channel)
    equal(stub.Check(health_pb2.HealthCheckRequest(service=""), timeout=PATIENCE).status, 1)


def chats():
    """Each message of a conversation arrives before the next one is written."""
    app = App()
    turns = threading.Semaphore(0)
    begun = threading.Event()

    def questions():
        begun.wait(PATIENCE)
        for number in range(200):
            yield f"{number}".encode()
            assert turns.acquire(timeout=PATIENCE), "an answer that does not wait for the next question"

    answers = app.chat(questions(), timeout=PATIENCE)
    # The app opens the stream before any message.
    equal(dict(answers.initial_metadata())["x-chat"], "open")
    begun.set()
    for number, answer in enumerate(answers):
        equal(answer, f"re: {number}".encode())
        turns.release()
    equal(number, 199)
    equal(answers.code(), grpc.StatusCode.OK)
    equal(dict(answers.trailing_metadata())["x-end"], "done")


def many():
    """Hundreds of calls at once over one connection"""
    app = App()
    calls = [app.unary.future(f"{number}".encode() * 100, timeout=PATIENCE) for number in range(500)]
    for number, call in enumerate(calls):
        equal(call.result(), f"{number}".encode() * 100)
    chats = [app.chat(iter([b"a", b"b"]), timeout=PATIENCE) for _ in range(50)]
    for answers in chats:
        equal(list(answers), [b"re: a", b"re: b"])


def metadata():
    """Metadata passes both ways, binary too, at the start and at the end."""
    app = App()
    every_byte = bytes(range(256))
    asked = (("x-ask", "text"), ("x-ask-bin", every_byte))
    message, call = app.unary.with_call(b"hi", metadata=asked, timeout=PATIENCE)
    start, end = dict(call.initial_metadata()), dict(call.trailing_metadata())
    equal((message, start["x-seen"], start["x-seen-bin"]), (b"hi", "text", every_byte))
    equal((end["x-end"], end["x-end-bin"]), ("done", every_byte))


def errors():
    """Each status arrives with its text and its details, before and after messages."""
    app = App()
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        error = failure(lambda: app.fail(code.name.encode(), timeout=PATIENCE))
        equal((error.code(), error.details()), (code, "nicht da: 50% größer\nals gedacht"))
        equal(dict(error.trailing_metadata())["grpc-status-details-bin"], b"\x08\x05\x12\x02no")
    messages = []
    error = failure(lambda: messages.extend(app.fail_late(b"DATA_LOSS", timeout=PATIENCE)))
    # An exception in `extend` leaves what came before.
    equal((error.code(), messages), (grpc.StatusCode.DATA_LOSS, [b"one", b"two"]))
    equal(dict(error.trailing_metadata())["grpc-status-details-bin"], b"\x08\x05\x12\x02no")
    equal(failure(lambda: app.unknown(b"", timeout=PATIENCE)).code(), grpc.StatusCode.UNIMPLEMENTED)


def deadlines():
    """The app sees the deadline, and it ends calls."""
    app = App()
    left = float(app.remaining(b"", timeout=20))
    assert 10 < left <= 20, left
    equal(app.remaining(b""), b"none")
    begin = time.monotonic()
    error = failure(lambda: app.sleep(b"short", timeout=1))
    equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert 0.9 < time.monotonic() - begin < 10


def cancels():
    """The app learns that a client has given up; the test reads its log."""
    app = App()
    call = app.sleep.future(b"unary", timeout=PATIENCE)
    ticks = app.ticks(b"tick", timeout=PATIENCE)
    equal(next(ticks), b"tick0")
    say("called")
    assert told.wait(PATIENCE)
    call.cancel()
    ticks.cancel()
    assert call.cancelled() and ticks.cancelled()
    # The connection serves others.
    equal(app.unary(b"after", timeout=PATIENCE), b"after")


def large():
    """Messages of many windows, both ways and at once"""
    app = App()
    message = os.urandom(16 << 20)
    equal(app.unary(message, timeout=PATIENCE), message)
    sizes = [len(message) for message in app.download(b"16 4194304", timeout=PATIENCE)]
    equal(sizes, [4194304] * 16)
    equal(app.upload((message[: 4 << 20] for _ in range(16)), timeout=PATIENCE), b"16 67108864")
    parts = [message[begin : begin + (1 << 20)] for begin in range(0, 16 << 20, 1 << 20)]
    equal(list(app.chat(iter(parts), timeout=PATIENCE)), [b"re: " + part for part in parts])


def large_metadata():
    """Metadata of 6 kB in one value"""
    app = App()
    _, call = app.unary.with_call(b"", metadata=(("x-ask", "m" * 6000),), timeout=PATIENCE)
    equal(dict(call.initial_metadata())["x-seen"], "m" * 6000)


def keepalive():
    """A client that pings as often as grpcio does it with a keep-alive of a second is never sent away."""
    # grpcio pings while calls are open, and with these settings also without one.
    app = App(
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_timeout_ms", 10000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )
    ticks = app.ticks(b"", timeout=PATIENCE)
    sleep = app.sleep.future(b"keepalive", timeout=PATIENCE)
    begin = time.monotonic()
    for _ in ticks:
        if time.monotonic() - begin > 8:
            break
    ticks.cancel()
    # And a while with one silent call alone
    begin = time.monotonic()
    while time.monotonic() - begin < 6:
        assert not sleep.done(), sleep
        time.sleep(0.2)
    sleep.cancel()
    equal(app.unary(b"still here", timeout=PATIENCE), b"still here")


def unavailable():
    """The error of a call that reaches no app; prints its code and details."""
    error = failure(lambda: App().unary(b"", timeout=PATIENCE))
    say(f"{error.code().name}: {error.details()}")


def until_told():
    """Calls without an end, none of which fails, until the test says so; prints their number.

    grpcio itself repeats a call that the server surely did not process, as every gRPC client does. A server by grpcio that stops
    cancels calls that it has accepted and not begun, also without a proxy; those are no failures of the proxy.
    """
    counts = []

    def work(number):
        # A channel each, or grpcio would share one connection.
        app = App(("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 1))
        count = 0
        while not told.is_set():
            message = f"{number} {count}".encode()
            try:
                equal(app.unary(message, timeout=PATIENCE), message)
                if count % 10 == 0:
                    equal(list(app.chat(iter([b"a", b"b"]), timeout=PATIENCE)), [b"re: a", b"re: b"])
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.CANCELLED:
                    raise
            count += 1
            if count == 10:
                say("works")
        counts.append(count)

    def work_or_end(number):
        try:
            work(number)
        except BaseException as error:
            # The other threads would go on for ever.
            print(f"worker {number}: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    workers = [threading.Thread(target=work_or_end, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    say(f"calls {sum(counts)}")


def stream_until_end():
    """One stream that the test's drain ends; prints its end."""
    app = App()
    error = failure(lambda: [say("streams") for number, _ in enumerate(app.ticks(b"", timeout=PATIENCE)) if number == 3])
    say(f"{error.code().name}: {error.details()}")


SCENARIO, TARGET = sys.argv[1:3]
AUTHORITY = sys.argv[3] if len(sys.argv) > 3 else None
signal.signal(signal.SIGHUP, lambda *_: told.set())
globals()[SCENARIO]()
