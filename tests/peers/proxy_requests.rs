//! Requests on which proxies differ, as raw bytes.

/// A request, and the part of it to compare
pub(crate) struct Request {
    pub(crate) name: &'static str,
    /// The request line, or all bytes if it has a line's end
    line: &'static str,
    /// Headers behind `Host`, then a body
    rest: &'static str,
    pub(crate) look: Look,
    /// Why the proxy does what it does
    pub(crate) why: &'static str,
}

/// A part of the request that arrives
#[derive(Clone, Copy)]
pub(crate) enum Look {
    Line,
    Headers(&'static [&'static str]),
    Body,
}

impl Request {
    /// The bytes that the client sends; `~` stands for a long text
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let text = if self.line.contains('\n') {
            self.line.to_owned()
        } else {
            format!("{} HTTP/1.1\r\nHost: a\r\n{}", self.line, self.rest)
        };
        // Each character is a byte.
        text.replace('~', &"x".repeat(40_000)).chars().map(|char| u8::try_from(char).expect("a byte")).collect()
    }
}

const fn row(name: &'static str, line: &'static str, rest: &'static str, look: Look, why: &'static str) -> Request {
    Request { name, line, rest, look, why }
}

const FRAMING: Look = Look::Headers(&["transfer-encoding", "content-length"]);
const HOST: Look = Look::Headers(&["host"]);

/// All of them, in the order of the table
pub(crate) const REQUESTS: [Request; 53] = [
    row("no `Host`", "GET / HTTP/1.1\r\n\r\n", "", HOST, "RFC 9112 asks for 400"),
    row("two `Host` lines", "GET /", "Host: b\r\n\r\n", HOST, "RFC 9112 asks for 400"),
    row("`Host: a b`", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "", HOST, "RFC 9112 asks for 400"),
    row("`Host: a/b`", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "", HOST, "no host has a slash"),
    row("`Host: u@a`", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "", HOST, "a login may hide the host that an app sees"),
    row("empty `Host`", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "", HOST, "it names no host of an HTTP URL"),
    row("`GET http://b/`, `Host: a`", "GET http://b/", "\r\n", HOST, "two hosts; an app may route by either"),
    row("`GET http://a/x`", "GET http://a/x", "\r\n", Look::Line, "an absolute target goes on in origin form"),
    row("HTTP/1.0 without `Host`", "GET / HTTP/1.0\r\n\r\n", "", Look::Line, "HTTP/1.0 allows it"),
    row("HTTP/0.9", "GET /\r\n", "", Look::Line, "no client of today speaks it"),
    row(
        "`Transfer-Encoding: gzip, chunked`",
        "POST /",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        FRAMING,
        "an app may not know the coding",
    ),
    row(
        "`Transfer-Encoding: ,chunked`",
        "POST /",
        "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
        FRAMING,
        "apps read lists with empty parts in several ways",
    ),
    row(
        "`Transfer-Encoding: chunked, chunked`",
        "POST /",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        FRAMING,
        "RFC 9112 forbids it",
    ),
    row(
        "`Transfer-Encoding: xchunked`",
        "POST /",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        FRAMING,
        "its body has no end that is known",
    ),
    row(
        "two `Transfer-Encoding` lines",
        "POST /",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        FRAMING,
        "apps use the first or the last",
    ),
    row(
        "`Transfer-Encoding` in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "",
        FRAMING,
        "RFC 9112 calls it faulty framing",
    ),
    row(
        "`Transfer-Encoding` and `Content-Length`",
        "POST /",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        FRAMING,
        "the usual way to smuggle a request",
    ),
    row(
        "two `Content-Length`, equal",
        "POST /",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        FRAMING,
        "RFC 9110 allows it; goes on as one",
    ),
    row(
        "two `Content-Length`, different",
        "POST /",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        FRAMING,
        "two lengths of one body",
    ),
    row(
        "`Content-Length: 2, 2`",
        "POST /",
        "Content-Length: 2, 2\r\n\r\nhi",
        FRAMING,
        "no client writes it by accident",
    ),
    row("`Content-Length: +2`", "POST /", "Content-Length: +2\r\n\r\nhi", FRAMING, "only digits are a length"),
    row(
        "`Content-Length: 002`",
        "POST /",
        "Content-Length: 002\r\n\r\nhi",
        FRAMING,
        "digits; goes on in the plain form",
    ),
    row(
        "lines that end in LF alone",
        "GET / HTTP/1.1\nHost: a\nX-A: 1\n\n",
        "",
        Look::Headers(&["x-a"]),
        "another parser may not see the line's end",
    ),
    row("`Host : a`", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "", HOST, "RFC 9112 asks for 400"),
    row("a folded line", "GET /", "X-A: 1\r\n 2\r\n\r\n", Look::Headers(&["x-a"]), "RFC 9112 allows to refuse it"),
    row("NUL in a value", "GET /", "X-A: 1\0\r\n\r\n", Look::Headers(&["x-a"]), "RFC 9110 forbids it"),
    row("CR in a value", "GET /", "X-A: 1\rX-B: 2\r\n\r\n", Look::Headers(&["x-a", "x-b"]), "RFC 9110 forbids it"),
    row("a byte over 127 in a value", "GET /", "X-A: \u{e9}\r\n\r\n", Look::Headers(&["x-a"]), "RFC 9110 allows it"),
    row(
        "`X_Forwarded_For: 6.6.6.6`",
        "GET /",
        "X_Forwarded_For: 6.6.6.6\r\n\r\n",
        Look::Headers(&["x_forwarded_for"]),
        "CGI, WSGI and Rack read it as `X-Forwarded-For`",
    ),
    row("`X_A: 1`", "GET /", "X_A: 1\r\n\r\n", Look::Headers(&["x_a"]), "it mimics nothing"),
    row(
        "`X-Forwarded-For: 6.6.6.6`",
        "GET /",
        "X-Forwarded-For: 6.6.6.6\r\n\r\n",
        Look::Headers(&["x-forwarded-for"]),
        "only a trusted proxy is believed",
    ),
    row(
        "`Connection: X-A`",
        "GET /",
        "Connection: X-A\r\nX-A: 1\r\n\r\n",
        Look::Headers(&["x-a"]),
        "RFC 9110: such headers are for one connection",
    ),
    row(
        "`Proxy-Authorization`",
        "GET /",
        "Proxy-Authorization: Basic eA==\r\n\r\n",
        Look::Headers(&["proxy-authorization"]),
        "it is for a proxy and not for the app",
    ),
    row(
        "`TE: gzip`",
        "GET /",
        "TE: gzip\r\nConnection: TE\r\n\r\n",
        Look::Headers(&["te"]),
        "it is for one connection",
    ),
    row(
        "`Upgrade: h2c`",
        "GET /",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
        Look::Headers(&["upgrade", "http2-settings"]),
        "an upgrade would get around every rule",
    ),
    row("TRACE", "TRACE /", "Cookie: a=1\r\n\r\n", Look::Line, "an app would show cookies to scripts"),
    row("CONNECT", "CONNECT a:80", "\r\n", Look::Line, "this is no forward proxy"),
    row("`get` in lower case", "get /", "\r\n", Look::Line, "methods are names; the app decides"),
    row("a target with a byte over 127", "GET /\u{e9}", "\r\n", Look::Line, "RFC 3986 has no such byte"),
    row("`GET /a#b`", "GET /a#b", "\r\n", Look::Line, "a fragment is for the client alone"),
    row("`GET a`", "GET a", "\r\n", Look::Line, "neither a path nor a URL"),
    row(
        "`GET //a/../b%2Fc`",
        "GET //a/../b%2Fc",
        "\r\n",
        Look::Line,
        "without routes by path, paths go on byte for byte",
    ),
    row(
        "two spaces in the request line",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "",
        Look::Line,
        "RFC 9112 has one space there",
    ),
    row("`GET /a b`", "GET /a b", "\r\n", Look::Line, "another parser may take `/a` for the target"),
    row(
        "a chunk's size of `+5`",
        "POST /",
        "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        Look::Body,
        "only hexadecimal digits are a size",
    ),
    row(
        "a chunk's size with LF alone",
        "POST /",
        "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        Look::Body,
        "another parser may not see the line's end",
    ),
    row(
        "a chunk's extension",
        "POST /",
        "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        Look::Body,
        "dropped, as RFC 9112 allows",
    ),
    row(
        "a trailer",
        "POST /",
        "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n",
        Look::Body,
        "trailers that are announced go on",
    ),
    row("GET with a body", "GET /", "Content-Length: 2\r\n\r\nhi", Look::Body, "RFC 9110 allows it"),
    row(
        "`Expect: x`",
        "POST /",
        "Expect: x\r\nContent-Length: 2\r\n\r\nhi",
        Look::Headers(&["expect"]),
        "it is for the proxy, which does not know it and goes on",
    ),
    row("a header of 40 kB", "GET /", "X-A: ~\r\n\r\n", Look::Line, "more than `--max-header-size`"),
    row(
        "empty lines before the request",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "",
        Look::Line,
        "RFC 9112 asks servers to skip them",
    ),
    row(
        "HTTP/2 without an upgrade",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "",
        Look::Line,
        "HTTP/2 by prior knowledge (RFC 9113)",
    ),
];
