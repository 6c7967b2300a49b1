//! Upstreams that speak HTTP/2: well, as a script answers each request, or frame by frame, as no library would.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use h2::{
    RecvStream, SendStream,
    server::{Builder, SendResponse},
};
use http::{Response, request::Parts};
use hyper::body::Bytes;
use tokio::{runtime, task};

use crate::{
    raw_http2::{
        ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame,
    },
    upstream::Connection,
};

/// An upstream that speaks HTTP/2 over TCP; its thread ends with the test's process
pub(crate) struct Http2Upstream {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

/// A request
pub(crate) struct Asked {
    pub(crate) head: Parts,
    pub(crate) body: RecvStream,
    answer: SendResponse<Bytes>,
    /// The number of its connection, from 0
    pub(crate) connection: usize,
}

impl Http2Upstream {
    /// Each request is answered by the script.
    pub(crate) fn start<F: Future<Output = ()> + 'static>(script: impl Fn(Asked) -> F + Send + Sync + 'static) -> Self {
        Self::with(&Builder::new(), script)
    }

    /// The same with settings
    pub(crate) fn with<F: Future<Output = ()> + 'static>(
        builder: &Builder,
        script: impl Fn(Asked) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicUsize::new(0)));
        let upstream = Self { address, heard: heard.clone(), connections: connections.clone() };
        let (builder, script) = (builder.clone(), Arc::new(script));
        thread::spawn(move || {
            let serve = async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    let (builder, script, heard) = (builder.clone(), script.clone(), heard.clone());
                    let connection = connections.fetch_add(1, SeqCst);
                    task::spawn_local(async move {
                        let Ok(mut requests) = builder.handshake(stream).await else { return };
                        while let Some(Ok((request, answer))) = requests.accept().await {
                            let (asked, body) = request.into_parts();
                            heard.lock().unwrap().push(text(&asked));
                            task::spawn_local(script(Asked { head: asked, body, answer, connection }));
                        }
                    });
                }
            };
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            task::LocalSet::new().block_on(&runtime, serve);
        });
        upstream
    }

    /// `http://127.0.0.1:PORT`, with the option for HTTP/2 without TLS
    pub(crate) fn url(&self) -> String {
        format!("http://{}#http=2", self.address)
    }

    /// The heads of all requests so far: the method and the URI, then headers, a line each
    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Connections so far
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

fn text(head: &Parts) -> String {
    let mut lines = vec![format!("{} {}\n", head.method, head.uri)];
    lines.extend(head.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?"))));
    lines.concat()
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// All of the body, and its trailers as `name: value`
    pub(crate) async fn whole_body(&mut self) -> Option<(String, Vec<String>)> {
        let mut body = Vec::new();
        while let Some(data) = self.body.data().await {
            let data = data.ok()?;
            let _ = self.body.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let trailers = self.body.trailers().await.ok()?.unwrap_or_default();
        let trailers = trailers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        Some((String::from_utf8(body).unwrap(), trailers.collect()))
    }

    /// Answers with a head, and gives the stream for the body.
    pub(crate) fn begin(&mut self, status: u16, headers: &[(&str, &str)]) -> SendStream<Bytes> {
        self.send(status, headers, false).unwrap()
    }

    /// Answers with 200 and this body.
    pub(crate) fn ok(mut self, body: &'static str) {
        let length = body.len().to_string();
        if let Some(mut stream) = self.send(200, &[("content-length", &length)], false) {
            let _ = stream.send_data(Bytes::from_static(body.as_bytes()), true);
        }
    }

    /// Answers with a head alone; a client may have gone.
    pub(crate) fn status(mut self, status: u16, headers: &[(&str, &str)]) {
        self.send(status, headers, true);
    }

    /// Waits until the other side resets the stream, and says why.
    pub(crate) async fn reset_by_peer(&mut self) -> Option<h2::Reason> {
        std::future::poll_fn(|context| self.answer.poll_reset(context)).await.ok()
    }

    fn send(&mut self, status: u16, headers: &[(&str, &str)], is_end: bool) -> Option<SendStream<Bytes>> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        self.answer.send_response(response.body(()).unwrap(), is_end).ok()
    }
}

/// `:status: 200`, as the static table has it (RFC 7541, appendix A)
pub(crate) const STATUS_200: &[u8] = &[0x88];

/// One connection, frame by frame
pub(crate) struct Frames<'a>(pub(crate) &'a mut Connection);

impl<'a> Frames<'a> {
    /// Reads the client's preface, and sends these settings.
    pub(crate) fn begin(connection: &'a mut Connection, settings: &[(u16, u32)]) -> Option<Self> {
        let mut preface = [0; PREFACE.len()];
        connection.stream.read_exact(&mut preface).ok()?;
        assert_eq!(preface, PREFACE);
        let mut frames = Self(connection);
        let payload: Vec<_> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        frames.send(SETTINGS, 0, 0, &payload);
        Some(frames)
    }

    /// Sends a frame; the client may have gone.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.0.stream.write_all(&frame(kind, flags, stream, payload));
    }

    /// Says that streams behind `last` were not processed (RFC 9113, section 6.8).
    pub(crate) fn go_away(&mut self, last: u32, reason: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), reason.to_be_bytes()].concat());
    }

    pub(crate) fn reset(&mut self, stream: u32, reason: u32) {
        self.send(RST_STREAM, 0, stream, &reason.to_be_bytes());
    }

    /// Answers 200 with this body.
    pub(crate) fn ok(&mut self, stream: u32, body: &str) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200);
        self.send(DATA, END_STREAM, stream, body.as_bytes());
    }

    /// The next frame; settings and pings are acknowledged on the way.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.stream.read_exact(&mut head).ok()?;
            let [high, middle, low, kind, flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, high, middle, low]);
            let stream = u32::from_be_bytes(stream);
            let mut payload = vec![0; length as usize];
            self.0.stream.read_exact(&mut payload).ok()?;
            if [SETTINGS, PING].contains(&kind) {
                if flags & ACK == 0 {
                    let echo = if kind == PING { payload } else { Vec::new() };
                    self.send(kind, ACK, 0, &echo);
                }
                continue;
            }
            return Some(Frame { kind, flags, stream, payload });
        }
    }

    /// The stream of the next request, at its head
    pub(crate) fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.next()?;
            if frame.kind == HEADERS {
                return Some(frame.stream);
            }
        }
    }

    /// The number of bytes in the rest of this request's body
    pub(crate) fn body(&mut self, stream: u32) -> usize {
        let mut length = 0;
        while let Some(frame) = self.next() {
            if frame.kind == DATA && frame.stream == stream {
                length += frame.payload.len();
                if frame.flags & END_STREAM != 0 {
                    break;
                }
            }
        }
        length
    }

    /// The next reset of a stream, with its reason
    pub(crate) fn reset_by_peer(&mut self) -> Option<(u32, u32)> {
        loop {
            let frame = self.next()?;
            if frame.kind == RST_STREAM {
                return Some((frame.stream, u32::from_be_bytes(frame.payload.try_into().ok()?)));
            }
        }
    }
}
