//! A client that sends bytes as they are, and reads answers one by one.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use harness::DEADLINE;

/// An answer as it came
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, names in lower case
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A connection to the proxy
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    /// Through a Unix socket
    pub(crate) fn of_unix(path: &Path) -> Self {
        Self::of(OwnedFd::from(UnixStream::connect(path).unwrap()).into())
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // A Unix socket has no such setting.
        let _ = stream.set_nodelay(true);
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends while the proxy may have closed already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
    }

    /// The same connection for another thread, or without a buffer
    pub(crate) fn writer(&self) -> TcpStream {
        self.reader.get_ref().try_clone().unwrap()
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: app\r\n\r\n"));
        self.answer()
    }

    /// Asks again and again for this time; the number of answers, which are all good.
    #[track_caller]
    pub(crate) fn get_for(&mut self, time: Duration) -> usize {
        let deadline = Instant::now() + time;
        let mut answers = 0;
        while Instant::now() < deadline {
            let answer = self.get("/");
            assert_eq!(answer.status, 200, "request {answers}: {answer:?}");
            answers += 1;
        }
        answers
    }

    /// Begins a request with a body of 10 MB, which a thread sends.
    pub(crate) fn post_much(&mut self) {
        self.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\nhello");
        let mut writer = self.writer();
        thread::spawn(move || {
            let _ = writer.write_all(&vec![b'x'; 9_999_995]);
        });
    }

    /// Nothing if the connection ends before an answer begins.
    pub(crate) fn try_get(&mut self, path: &str) -> Option<Answer> {
        self.try_send(format!("GET {path} HTTP/1.1\r\nHost: app\r\n\r\n"));
        self.try_answer()
    }

    /// The next answer to a request that was not HEAD
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer")
    }

    /// Nothing if the connection ends before an answer begins.
    #[track_caller]
    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        let head = self.head()?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 100 {
            return self.try_answer();
        }
        let body = match (header(&head, "transfer-encoding"), header(&head, "content-length")) {
            (Some("chunked"), _) => self.chunks(),
            (_, Some(length)) => self.bytes(length.parse().unwrap()),
            _ if [204, 304].contains(&status) => String::new(),
            _ => {
                let mut body = String::new();
                self.reader.read_to_string(&mut body).unwrap();
                body
            }
        };
        Some(Answer { status, head, body })
    }

    /// The head of an answer
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).ok()? == 0 {
                assert_eq!(head, "", "the head broke off");
                return None;
            }
            if line == "\r\n" {
                return Some(head);
            }
            match line.split_once(':') {
                Some((name, value)) => head += &[&name.to_lowercase(), ":", value].concat(),
                None => head += &line,
            }
        }
    }

    /// This number of bytes of a body
    pub(crate) fn bytes(&mut self, length: usize) -> String {
        String::from_utf8(self.raw(length)).unwrap()
    }

    /// The same, of any bytes
    pub(crate) fn raw(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// One chunk; the last is empty, and is followed by trailers in `trailers`
    pub(crate) fn chunk(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("{line:?} is no chunk"));
        let chunk = if length == 0 { String::new() } else { self.bytes(length) };
        if length > 0 {
            assert_eq!(self.bytes(2), "\r\n");
        }
        chunk
    }

    fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let chunk = self.chunk();
            if chunk.is_empty() {
                // Trailers, and the empty line behind them
                while self.trailer().is_some() {}
                return body;
            }
            body += &chunk;
        }
    }

    /// The next trailer
    pub(crate) fn trailer(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        (line != "\r\n").then(|| line.trim_end().to_lowercase())
    }

    /// Whether the proxy has closed the connection, or does so now
    #[track_caller]
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0) | Err(_))
    }

    /// Everything until the connection ends
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        String::from_utf8(rest).unwrap()
    }
}

/// A header of a head
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}
