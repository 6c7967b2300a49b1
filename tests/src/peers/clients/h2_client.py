"""Odd but allowed clients, and forbidden frames, by Python's h2: `h2_client.py SCENARIO HOST:PORT [CA]`.

The scenario is a function of this file; it exits with 0 if all is as it should be. Behind the proxy is `h2_app.py`, or any app
that answers `/` with `hello` and echoes at `/echo`.
"""

import socket
import ssl
import sys
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    PingAckReceived,
    ResponseReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes, Settings

# Long enough for a busy machine; no scenario waits for it.
PATIENCE = 60


def equal(left, right):
    assert left == right, f"{left!r:.300} is not {right!r:.300}"


def raw_frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Answer:
    def __init__(self):
        self.hints, self.head, self.body, self.trailers, self.reset, self.has_ended = [], {}, bytearray(), {}, None, False


class Client:
    """One connection"""

    def __init__(self, settings=None, takes=True):
        """With `takes`, windows are opened as data comes."""
        host, port = ADDRESS.rsplit(":", 1)
        stream = socket.create_connection((host, int(port)), PATIENCE)
        if AUTHORITY:
            context = ssl.create_default_context(cafile=AUTHORITY)
            context.set_alpn_protocols(["h2"])
            stream = context.wrap_socket(stream, server_hostname="localhost")
            equal(stream.selected_alpn_protocol(), "h2")
        self.socket, self.takes = stream, takes
        # What the scenarios send is not judged by the library.
        configuration = H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = H2Connection(configuration)
        if settings:
            # Before the preface, which `update_settings` would come before
            self.h2.local_settings = Settings(client=True, initial_values=settings)
            self.h2.decoder.max_allowed_table_size = self.h2.local_settings.header_table_size
        self.h2.initiate_connection()
        self.answers, self.events, self.received, self.goaway = {}, [], b"", None
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def raw(self, data):
        self.flush()
        try:
            self.socket.sendall(data)
        except OSError:
            # The proxy may have closed before everything was sent; what it said is read.
            pass

    def ask(self, path="/", method="GET", headers=(), body=None, end=True):
        """Sends a request; the number of its stream."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", SCHEME), (":authority", "localhost"), (":path", path), *headers]
        self.h2.send_headers(stream, head, end_stream=body is None and end)
        self.answers[stream] = Answer()
        self.flush()
        if body is not None:
            self.send(stream, body, end)
        return stream

    def send(self, stream, body, end=True):
        """Sends a body as the windows allow."""
        body = memoryview(body)
        while body and self.answers[stream].reset is None:
            size = min(len(body), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if size > 0:
                self.h2.send_data(stream, body[:size].tobytes())
                body = body[size:]
                self.flush()
            elif not self.step():
                raise AssertionError("closed while a body is sent")
        # Nobody wants the rest of a stream that was reset.
        if end and not body:
            self.h2.end_stream(stream)
            self.flush()

    def step(self):
        """Takes what comes next; false at the end of the connection."""
        try:
            received = self.socket.recv(65536)
        except ConnectionResetError:
            received = b""
        if not received:
            return False
        for event in self.h2.receive_data(self.without_goaway(received)):
            self.events.append(event)
            answer = self.answers.get(getattr(event, "stream_id", None))
            if answer is None:
                continue
            if isinstance(event, InformationalResponseReceived):
                answer.hints.append(dict(event.headers))
            elif isinstance(event, ResponseReceived):
                answer.head = dict(event.headers)
            elif isinstance(event, DataReceived):
                answer.body.extend(event.data)
                if self.takes:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived):
                answer.trailers = dict(event.headers)
            elif isinstance(event, StreamEnded):
                answer.has_ended = True
            elif isinstance(event, StreamReset):
                answer.reset = event.error_code
        self.flush()
        return True

    def without_goaway(self, received):
        """Notes and drops GOAWAY frames, because the library takes nothing more behind one."""
        self.received += received
        passed = b""
        while len(self.received) >= 9 and len(self.received) >= (end := 9 + int.from_bytes(self.received[:3], "big")):
            frame, self.received = self.received[:end], self.received[end:]
            if frame[3] == 7:
                self.goaway = ErrorCodes(int.from_bytes(frame[13:17], "big")).name
            else:
                passed += frame
        return passed

    def until(self, state):
        end = time.monotonic() + PATIENCE
        while not state():
            if not self.step():
                raise AssertionError(f"the connection ends: {self.goaway}")
            assert time.monotonic() < end, "nothing happens"

    def whole(self, stream):
        """The answer, once it has ended"""
        answer = self.answers[stream]
        self.until(lambda: answer.has_ended or answer.reset is not None)
        assert answer.reset is None, f"reset with {answer.reset!r}"
        return answer

    def get(self, *arguments, **more):
        return self.whole(self.ask(*arguments, **more))

    def serves(self):
        answer = self.get()
        equal((answer.head[":status"], bytes(answer.body)), ("200", b"hello\n"))

    def is_reset(self, stream):
        """The error of a stream that is reset, or the status of a refusal"""
        answer = self.answers[stream]
        self.until(lambda: answer.reset is not None or answer.has_ended)
        return answer.head.get(":status") or ErrorCodes(answer.reset).name

    def ends(self):
        """The error with which the connection ends"""
        while self.step():
            pass
        return self.goaway or "closed"


def interleaved():
    """Many streams, whose bodies come and go in turns"""
    client = Client()
    streams = [client.ask("/echo", "POST", end=False) for _ in range(50)]
    for turn in range(20):
        for stream in streams:
            client.send(stream, f"{stream} {turn} ".encode() * 50, end=turn == 19)
    for stream in streams:
        expected = b"".join(f"{stream} {turn} ".encode() * 50 for turn in range(20))
        equal(bytes(client.whole(stream).body), expected)


def small_windows():
    """A client that takes a byte at a time at first, and one that never opens the connection's window early"""
    client = Client({SettingCodes.INITIAL_WINDOW_SIZE: 1})
    body = bytes(range(200))
    equal(bytes(client.get("/echo", "POST", body=body).body), body)
    # Windows grow and shrink while an answer is under way, below zero too (RFC 9113, section 6.9.2).
    client = Client({SettingCodes.INITIAL_WINDOW_SIZE: 60000}, takes=False)
    stream = client.ask("/large")
    client.until(lambda: len(client.answers[stream].body) >= 60000)
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    client.flush()
    client.until(lambda: any(isinstance(event, SettingsAcknowledged) for event in client.events[1:]))
    client.h2.increment_flow_control_window(1 << 25)
    client.h2.increment_flow_control_window(1 << 25, stream)
    client.flush()
    equal(len(client.whole(stream).body), 16 << 20)
    client.serves()


def padding():
    """Padded DATA and HEADERS, priorities, and empty frames"""
    client = Client()
    stream = client.ask("/echo", "POST", end=False)
    for number in range(10):
        client.h2.send_data(stream, b"padded", pad_length=number * 25)
        client.h2.send_data(stream, b"")
    client.h2.end_stream(stream)
    client.flush()
    equal(bytes(client.whole(stream).body), b"padded" * 10)
    stream = client.h2.get_next_available_stream_id()
    head = [(":method", "GET"), (":scheme", SCHEME), (":authority", "localhost"), (":path", "/")]
    client.answers[stream] = Answer()
    client.h2.send_headers(stream, head, end_stream=True, priority_weight=7, priority_depends_on=0, priority_exclusive=True)
    client.flush()
    equal(bytes(client.whole(stream).body), b"hello\n")


def continued():
    """A head in five frames"""
    client = Client()
    client.flush()
    stream = client.h2.get_next_available_stream_id()
    # The answer's owner learns of the stream by sending; the frames are cut by hand.
    client.answers[stream] = Answer()
    head = [(":method", "GET"), (":scheme", SCHEME), (":authority", "localhost"), (":path", "/")]
    client.h2.send_headers(stream, head + [("x-long", "v" * 3000)], end_stream=True)
    whole = client.h2.data_to_send()
    length, block = int.from_bytes(whole[:3], "big"), whole[9:]
    equal(length, len(block))
    cuts = [block[begin : begin + 700] for begin in range(0, len(block), 700)]
    frames = [raw_frame(1 if number == 0 else 9, 1 if number == 0 else 0, stream, cut) for number, cut in enumerate(cuts)]
    frames[-1] = raw_frame(9, 4, stream, cuts[-1])
    for frame in frames:
        client.raw(frame)
    equal(client.whole(stream).head[":status"], "200")
    client.serves()


def compression():
    """Tables of other sizes, also none"""
    for size in [0, 100, 65536]:
        client = Client({SettingCodes.HEADER_TABLE_SIZE: size})
        for _ in range(3):
            client.serves()
        # The table of requests shrinks as well.
        client.h2.encoder.header_table_size = 0
        client.serves()
        client.h2.encoder.header_table_size = 4096
        client.serves()


def unknown():
    """Unknown frames, settings and flags are ignored (RFC 9113, sections 4.1, 5.5 and 6.5)."""
    client = Client()
    client.raw(raw_frame(0xFA, 0xFF, 0, b"x" * 100) + raw_frame(0x0A, 0, 0, b"\0\0") + raw_frame(0x10, 0, 0, b"\0\0\0\1u=1"))
    client.raw(raw_frame(4, 0, 0, b"\xfa\xfa\xff\xff\xff\xff"))
    client.serves()
    stream = client.ask("/echo", "POST", end=False)
    client.raw(raw_frame(0xFA, 0, stream, b"x" * 1000))
    client.send(stream, b"after unknown frames")
    equal(bytes(client.whole(stream).body), b"after unknown frames")


def pings():
    """Pings are answered with their own bytes, in the midst of an answer too."""
    client = Client()
    client.ask("/large")
    for number in range(10):
        client.h2.ping(number.to_bytes(8, "big"))
        client.flush()
        data = number.to_bytes(8, "big")
        client.until(lambda: any(isinstance(event, PingAckReceived) and event.ping_data == data for event in client.events))


def trailers():
    """Trailers of a request and of an answer"""
    client = Client()
    stream = client.ask("/echo", "POST", headers=[("te", "trailers"), ("trailer", "x-sum")], body=b"body", end=False)
    client.h2.send_headers(stream, [("x-sum", "1")], end_stream=True)
    client.flush()
    equal(bytes(client.whole(stream).body), b"body")
    answer = client.get("/trailers", headers=[("te", "trailers")])
    equal((bytes(answer.body), answer.trailers["x-checksum"], len(answer.trailers["x-long"])), (b"with trailers", "1234", 20000))


def gives_up():
    """Streams that a client resets, at any moment, leave the others alone."""
    client = Client()
    kept = client.ask("/large")
    for number in range(30):
        stream = client.ask("/large")
        if number % 3 == 0:
            client.until(lambda: client.answers[stream].body)
        client.h2.reset_stream(stream, ErrorCodes.CANCEL)
        client.flush()
        # A client that gives up this fast would look like rapid reset, so it takes a whole answer after each.
        equal(bytes(client.get().body), b"hello\n")
    equal(len(client.whole(kept).body), 16 << 20)


def leaves_politely():
    """GOAWAY of a client, which still gets its answers"""
    client = Client()
    stream = client.ask("/slow")
    client.raw(raw_frame(7, 0, 0, b"\0\0\0\0\0\0\0\0"))
    equal(bytes(client.whole(stream).body), b"slow")


def odd_answers():
    """What an app may send, however odd, arrives."""
    client = Client()
    for path, body in [
        ("/padded", b"0123456789" * 10),
        ("/empty-frames", b"after empty frames"),
        ("/informational", b"after hints"),
        ("/unknown-frames", b"after unknown frames"),
        ("/many-settings", b"after settings"),
        ("/big-head", b"big head"),
    ]:
        answer = client.get(path)
        equal((path, answer.head[":status"], bytes(answer.body)), (path, "200", body))
    equal(len(client.get("/big-head").head), len(client.get("/").head) - 2 + 40)


def early_answer():
    """An answer that comes before the request's body, which then nobody wants"""
    client = Client()
    stream = client.ask("/early", "POST", end=False)
    answer = client.answers[stream]
    client.until(lambda: answer.body == b"early")
    client.serves()


def faulty_answers():
    """Answers that break off or may not be, end as what they are, and others do not suffer."""
    client = Client()
    kept = client.ask("/large")
    equal(client.is_reset(client.ask("/broken")), "502")
    equal(client.is_reset(client.ask("/push")), "502")
    equal(client.is_reset(client.ask("/connection-header")), "502")
    cut = client.ask("/cut")
    client.until(lambda: client.answers[cut].reset is not None)
    short = client.ask("/short")
    client.until(lambda: client.answers[short].reset is not None)
    client.serves()
    answer = client.answers[kept]
    # It may have shared a connection with one of those that broke.
    client.until(lambda: answer.has_ended or answer.reset is not None)


def refused_streams():
    """Streams that the app surely did not process are sent again, POST too, as long as no body of theirs was read."""
    client = Client()
    equal(client.get("/refused", "POST").head[":status"], "200")
    equal(client.get("/goaway-before", "POST").head[":status"], "200")
    for _ in range(3):
        equal(bytes(client.get("/goaway-behind").body), b"last")
        client.serves()


# What other proxies have done wrong; each names a public report of it.


def answer_and_reset():
    """RST_STREAM(NO_ERROR) behind a whole answer takes nothing of it away, its trailers neither (envoyproxy/envoy#44749)."""
    client = Client()
    for _ in range(20):
        stream = client.ask("/early-trailers", "POST", [("te", "trailers")], end=False)
        client.h2.send_data(stream, b"some")
        client.flush()
        answer = client.answers[stream]
        client.until(lambda: answer.trailers or answer.reset is not None)
        equal((bytes(answer.body), answer.trailers), (b"early", {"x-end": "early"}))


def early_answer_to_an_upload():
    """A client whose upload nobody reads is set free, and does not wait for windows (haproxy/haproxy#3495)."""
    client = Client()
    stream = client.ask("/early", "POST", end=False)
    client.send(stream, bytes(5 << 20))
    answer = client.answers[stream]
    equal((bytes(answer.body), answer.has_ended, answer.reset), (b"early", True, ErrorCodes.NO_ERROR))
    # The bytes that were dropped are given back to the connection's window.
    equal(len(client.get("/echo", "POST", body=bytes(200_000)).body), 200_000)


def goaway_with_control_frames():
    """A repeated request takes no answers to control frames of the former connection along (nginx/nginx#1136)."""
    equal(bytes(Client().get("/goaway-zero").body), b"hello\n")


def update_of_zero():
    """A WINDOW_UPDATE of 0 from an app is an error (nginx/nginx#1622)."""
    client = Client()
    stream = client.ask("/zero-window")
    outcome = client.is_reset(stream)
    assert outcome in ("502", "INTERNAL_ERROR", "PROTOCOL_ERROR"), outcome
    client.serves()


def trailers_only():
    """An answer that is a head alone ends with it, without an empty DATA frame (grpc/grpc-java#5176)."""
    client = Client()
    answer = client.get("/trailers-only")
    equal((answer.head["x-status"], bytes(answer.body)), ("5", b""))
    head = next(event for event in client.events if isinstance(event, ResponseReceived))
    assert head.stream_ended is not None


def goaway_with_many_in_flight():
    """GOAWAY while many requests are in flight fails none of them (hyperium/hyper#2500)."""
    client = Client()
    for _ in range(20):
        streams = [client.ask("/goaway-behind" if number == 3 else "/slow" if number == 0 else "/") for number in range(20)]
        for stream in streams:
            equal(client.whole(stream).head[":status"], "200")


def bodies_through_a_drain():
    """Answers in flight arrive whole although the proxy says GOAWAY (haproxy/haproxy#3209)."""
    client = Client({SettingCodes.INITIAL_WINDOW_SIZE: 5000})
    streams = [client.ask("/large") for _ in range(5)]
    client.until(lambda: all(client.answers[stream].body for stream in streams))
    print("reads", flush=True)
    client.until(lambda: client.goaway)
    for stream in streams:
        equal(len(client.whole(stream).body), 16 << 20)


def forbidden():
    """What RFC 9113 forbids: each with the error that it names, on the stream or on the connection."""
    authority = (":authority", "localhost")
    plain = [(":method", "GET"), (":scheme", SCHEME), authority, (":path", "/")]
    heads = {
        "upper case": plain + [("X-Upper", "1")],
        "connection": plain + [("connection", "close")],
        "upgrade": plain + [("upgrade", "websocket")],
        "transfer-encoding": plain + [("transfer-encoding", "chunked")],
        "keep-alive": plain + [("keep-alive", "1")],
        "te: gzip": plain + [("te", "gzip")],
        "no method": plain[1:],
        "no scheme": [plain[0], *plain[2:]],
        "no path": plain[:3],
        "empty path": plain[:3] + [(":path", "")],
        "two paths": plain + [(":path", "/b")],
        "pseudo-header behind": [plain[0], ("x-a", "1"), *plain[1:]],
        "unknown pseudo-header": plain + [(":other", "1")],
        "status of an answer": plain + [(":status", "200")],
        "another host": plain + [("host", "elsewhere")],
        "no host": [plain[0], plain[1], plain[3]],
        "line feed in a value": plain + [("x-a", "1\nx-b: 2")],
        "NUL in a value": plain + [("x-a", "1\0")],
        "space in a name": plain + [("x a", "1")],
        "space in the path": plain[:3] + [(":path", "/a b")],
        "login in the authority": [*plain[:2], (":authority", "u@localhost"), plain[3]],
    }
    for name, head in heads.items():
        client = Client()
        stream = client.h2.get_next_available_stream_id()
        client.answers[stream] = Answer()
        client.h2.send_headers(stream, head, end_stream=True)
        client.flush()
        try:
            outcome = client.is_reset(stream)
        except AssertionError:
            outcome = client.goaway or "closed"
        assert outcome in ("PROTOCOL_ERROR", "400"), f"{name}: {outcome}"
    # A length that does not fit the body (section 8.1.1)
    for length, body in [("5", b"four"), ("3", b"four")]:
        client = Client()
        outcome = client.is_reset(client.ask("/echo", "POST", [("content-length", length)], body))
        assert outcome in ("PROTOCOL_ERROR", "400"), f"length {length}: {outcome}"
    frames = {
        "DATA on stream 0": (raw_frame(0, 0, 0, b"x"), "PROTOCOL_ERROR"),
        "HEADERS on an even stream": (raw_frame(1, 5, 2, b"\x82\x84\x86"), "PROTOCOL_ERROR"),
        "RST_STREAM on an idle stream": (raw_frame(3, 0, 99, b"\0\0\0\0"), "PROTOCOL_ERROR"),
        "WINDOW_UPDATE of 0": (raw_frame(8, 0, 0, b"\0\0\0\0"), "PROTOCOL_ERROR"),
        "a window beyond 2^31": (raw_frame(8, 0, 0, b"\x7f\xff\xff\xff"), "FLOW_CONTROL_ERROR"),
        "SETTINGS of 5 bytes": (raw_frame(4, 0, 0, b"\0\0\0\0\0"), "FRAME_SIZE_ERROR"),
        "PING of 7 bytes": (raw_frame(6, 0, 0, b"1234567"), "FRAME_SIZE_ERROR"),
        "a frame above the limit": (raw_frame(0, 0, 1, b"x" * 20000), "FRAME_SIZE_ERROR"),
        "PUSH_PROMISE of a client": (raw_frame(5, 4, 1, b"\0\0\0\2\x82\x84\x86"), "PROTOCOL_ERROR"),
        "CONTINUATION alone": (raw_frame(9, 4, 1, b"\x82"), "PROTOCOL_ERROR"),
        "an index that does not exist": (raw_frame(1, 5, 1, b"\xff\xff\xff\x0f"), "COMPRESSION_ERROR"),
    }
    for name, (frame, error) in frames.items():
        client = Client()
        client.raw(frame)
        outcome = client.ends()
        # RFC 9113, section 5.4.1, lets an endpoint name a more general error.
        assert outcome in (error, "PROTOCOL_ERROR"), f"{name}: {outcome}"


def no_preface():
    """HTTP/2 without TLS, but not the preface's own bytes"""
    for preface in [b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"]:
        host, port = ADDRESS.rsplit(":", 1)
        stream = socket.create_connection((host, int(port)), PATIENCE)
        stream.sendall(preface)
        answer = b""
        try:
            while part := stream.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
        assert b" 200 " not in answer, answer


SCENARIO, ADDRESS = sys.argv[1:3]
AUTHORITY = sys.argv[3] if len(sys.argv) > 3 else None
SCHEME = "https" if AUTHORITY else "http"
globals()[SCENARIO]()
