"""An app by Python's h2, which sends any frame at will: `h2_app.py PORT [KEY CERTIFICATE]`; the path says what it does.

It speaks HTTP/2 alone, without TLS by prior knowledge. It prints a line for each connection and for each request that has arrived
whole.
"""

import socket
import ssl
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError, StreamClosedError, StreamIDTooLowError
from h2.events import DataReceived, PingAckReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

# How often each path has been asked for; some of them fail the first time only.
asked = {}
lock = threading.Lock()


def say(line):
    print(line, flush=True)


def is_first(path):
    with lock:
        asked[path] = asked.get(path, 0) + 1
        return asked[path] == 1


def raw_frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Connection:
    def __init__(self, stream):
        self.socket = stream
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests = {}
        # What is left to send of each answer: the bytes, and the trailers
        self.bodies = {}
        self.pings = set()
        # The last stream that is processed, once the connection is to end
        self.last = None

    def run(self):
        say("connection")
        try:
            self.h2.initiate_connection()
            self.flush()
            while received := self.socket.recv(65536):
                for event in self.h2.receive_data(received):
                    try:
                        self.take(event)
                    except (StreamClosedError, StreamIDTooLowError):
                        # The client has reset the stream in the same bytes.
                        self.bodies.pop(event.stream_id, None)
                self.send_bodies()
                self.flush()
                if self.last and not self.requests and not self.bodies:
                    # What still comes is read, so that no reset takes answers along.
                    self.socket.shutdown(socket.SHUT_WR)
        except ProtocolError as error:
            say(f"fault {error}")
            self.flush()
        except OSError:
            pass
        finally:
            self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def take(self, event):
        if isinstance(event, RequestReceived):
            if self.last and event.stream_id > self.last:
                return
            self.requests[event.stream_id] = [dict(event.headers), bytearray()]
            self.begin(event.stream_id)
        elif isinstance(event, DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.requests:
                self.requests[event.stream_id][1].extend(event.data)
        elif isinstance(event, StreamEnded):
            if request := self.requests.pop(event.stream_id, None):
                say(f"{request[0][':method']} {request[0][':path']}")
                self.answer(event.stream_id, *request)
        elif isinstance(event, StreamReset):
            self.requests.pop(event.stream_id, None)
            self.bodies.pop(event.stream_id, None)
            say(f"reset {event.error_code!r}")
        elif isinstance(event, PingAckReceived):
            if event.ping_data not in self.pings:
                say("fault an answer to a ping of another connection")

    def begin(self, stream):
        """What does not wait for the end of the request"""
        path = self.requests[stream][0][":path"]
        if path in ("/early", "/early-trailers"):
            self.respond(stream, b"early", trailers=[("x-end", "early")] if path == "/early-trailers" else [])
            self.send_bodies()
            # RFC 9113, section 8.1: the rest of the request is not needed.
            self.h2.reset_stream(stream, ErrorCodes.NO_ERROR)
            del self.requests[stream]

    def answer(self, stream, headers, body):
        path = headers[":path"]
        if path == "/echo":
            self.respond(stream, bytes(body))
        elif path == "/refused" and is_first(path):
            self.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        elif path == "/broken":
            self.h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif path == "/goaway-before" and is_first(path):
            # This stream was not processed; the connection ends.
            self.h2.close_connection(last_stream_id=stream - 2)
        elif path == "/goaway-behind":
            # This stream is processed, and no other one will be.
            self.respond(stream, b"last")
            self.flush()
            # By hand, because the library sends nothing more behind its own.
            self.socket.sendall(raw_frame(7, 0, 0, stream.to_bytes(4, "big") + b"\0\0\0\0"))
            self.last = stream
        elif path == "/goaway-zero" and is_first(path):
            # Control frames that wait for an answer, and the end: none of it belongs to the next connection.
            self.ping(b"the last")
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
            self.h2.close_connection(last_stream_id=0)
            self.flush()
            self.socket.shutdown(socket.SHUT_WR)
        elif path == "/zero-window":
            self.flush()
            # RFC 9113, section 6.9: an error of the stream
            self.socket.sendall(raw_frame(8, 0, stream, b"\0\0\0\0"))
            self.respond(stream, b"after an update of 0")
        elif path == "/trailers-only":
            self.h2.send_headers(stream, [(":status", "200"), ("x-status", "5")], end_stream=True)
        elif path == "/padded":
            self.h2.send_headers(stream, [(":status", "200")])
            for number in range(10):
                self.h2.send_data(stream, b"0123456789", pad_length=number * 25)
            self.h2.send_data(stream, b"", end_stream=True)
        elif path == "/empty-frames":
            self.h2.send_headers(stream, [(":status", "200")])
            for _ in range(20):
                self.h2.send_data(stream, b"")
            self.h2.send_data(stream, b"after empty frames", end_stream=True)
        elif path == "/trailers":
            self.respond(stream, b"with trailers", trailers=[("x-checksum", "1234"), ("x-long", "t" * 20000)])
        elif path == "/informational":
            self.h2.send_headers(stream, [(":status", "103"), ("link", "</style.css>")])
            self.respond(stream, b"after hints")
        elif path == "/unknown-frames":
            self.flush()
            # RFC 9113, section 5.5: unknown types are ignored. 0x0a is ALTSVC, 0x0c ORIGIN.
            for kind, number in [(0xBB, stream), (0xBB, 0), (0x0C, 0), (0x0A, stream)]:
                self.socket.sendall(raw_frame(kind, 0xFF, number, b"\0\0" + b"x" * 300))
            self.respond(stream, b"after unknown frames")
        elif path == "/many-settings":
            for window, table in [(1, 0), (70000, 4096)]:
                self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window, SettingCodes.HEADER_TABLE_SIZE: table})
            self.ping(b"settings")
            self.respond(stream, b"after settings")
        elif path == "/push":
            self.flush()
            # A promise although the client turned them off: a connection error (RFC 9113, section 8.4).
            self.socket.sendall(raw_frame(5, 4, stream, (2).to_bytes(4, "big") + b"\x82\x84\x86"))
        elif path == "/cut":
            self.h2.send_headers(stream, [(":status", "200"), ("content-length", "1000000")])
            self.h2.send_data(stream, b"x" * 1000)
            self.flush()
            self.socket.shutdown(socket.SHUT_RDWR)
        elif path == "/short":
            self.h2.send_headers(stream, [(":status", "200"), ("content-length", "100")])
            self.h2.send_data(stream, b"too short", end_stream=True)
        elif path == "/big-head":
            self.h2.send_headers(stream, [(":status", "200")] + [(f"x-{number}", "v" * 1000) for number in range(40)])
            self.h2.send_data(stream, b"big head", end_stream=True)
        elif path == "/connection-header":
            self.flush()
            # A literal field "connection: close", which h2 itself refuses to send (RFC 9113, section 8.2.2)
            block = b"\x88\x00\x0aconnection\x05close"
            self.socket.sendall(raw_frame(1, 5, stream, block))
        elif path == "/slow":
            # Others wait meanwhile, as in an app with few threads.
            time.sleep(0.3)
            self.respond(stream, b"slow")
        elif path.startswith("/large"):
            self.respond(stream, b"0123456789abcdef" * (1 << 20))
        else:
            self.respond(stream, b"hello\n")

    def ping(self, data):
        self.pings.add(data)
        self.h2.ping(data)

    def respond(self, stream, body, trailers=()):
        length = [] if trailers else [("content-length", str(len(body)))]
        self.h2.send_headers(stream, [(":status", "200"), ("content-type", "text/plain"), *length])
        self.bodies[stream] = [memoryview(body), trailers]

    def send_bodies(self):
        """Sends as much as the windows allow."""
        for stream, (body, trailers) in list(self.bodies.items()):
            while size := min(len(body), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size):
                if size <= 0:
                    break
                self.h2.send_data(stream, body[:size].tobytes())
                body = body[size:]
            self.bodies[stream][0] = body
            if not body:
                del self.bodies[stream]
                if trailers:
                    self.h2.send_headers(stream, list(trailers), end_stream=True)
                else:
                    self.h2.end_stream(stream)


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
    context = None
    if len(sys.argv) == 4:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3], sys.argv[2])
        context.set_alpn_protocols(["h2"])
    say("serving")
    while True:
        stream, _ = listener.accept()
        if context:
            stream = context.wrap_socket(stream, server_side=True)
        threading.Thread(target=Connection(stream).run, daemon=True).start()


main()
