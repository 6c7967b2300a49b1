"""An app by Python's own http.server: GET /, and PUT and GET /upload."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

upload = b""


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, upload if self.path == "/upload" else b"hello\n")

    do_HEAD = do_GET

    def do_PUT(self):
        global upload
        upload = self.body()
        self.answer(201, b"")

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # The default of 5 resets clients under load.
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
