"""An app by WSGI, for gunicorn: GET /, and PUT and GET /upload."""

upload = b""


def app(environment, start):
    global upload
    if environment["REQUEST_METHOD"] == "PUT":
        upload = environment["wsgi.input"].read()
        start("201 Created", [("Content-Length", "0")])
        return [b""]
    body = upload if environment["PATH_INFO"] == "/upload" else b"hello\n"
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
