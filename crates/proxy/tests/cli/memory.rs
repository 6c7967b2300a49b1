//! The memory limit of a real cgroup: requests are refused before the kernel kills the proxy.

#[cfg(test)]
mod as_root {
    use std::{future::poll_fn, io::Write, time::Duration};

    use crate::{
        client::Client,
        contained::{Contained, LARGER, SMALL, upstream},
        http2_upstream::{Asked, Http2Upstream},
        raw_http2::{PREFACE, SETTINGS, WINDOW_UPDATE, frame, get},
        support::OK,
        upstream::Upstream,
    };

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_thousand_requests_at_once_do_not_end_in_a_kill() {
        let upstream = upstream();
        let mut proxy = Contained::start(SMALL, &upstream);
        let mut clients = proxy.burst(1000, b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
        let answers = proxy.answers(&mut clients, 0);
        assert!(answers.none >= 80 && answers.refused >= 100, "{answers:?}");
        drop(clients);
        proxy.recovers();
    }

    #[test]
    fn slow_readers_of_long_answers_do_not_end_in_a_kill() {
        for count in [300, 900] {
            let upstream = upstream();
            let mut proxy = Contained::start(LARGER, &upstream);
            let mut clients = proxy.burst(count, GET.as_bytes());
            let answers = proxy.answers(&mut clients, 50);
            assert!(answers.good >= 50, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }

    #[test]
    fn slow_readers_of_streams_do_not_end_in_a_kill() {
        let upstream = Http2Upstream::start(|mut asked: Asked| async move {
            if asked.path() == "/short" {
                return asked.ok("ok");
            }
            let mut stream = asked.begin(200, &[]);
            loop {
                stream.reserve_capacity(16 * 1024);
                let room = poll_fn(|context| stream.poll_capacity(context)).await;
                let Some(Ok(room)) = room else { return };
                if stream.send_data(vec![b'x'; room].into(), false).is_err() {
                    return;
                }
            }
        });
        for count in [300, 900] {
            let mut proxy = Contained::before(LARGER, &upstream.url());
            let mut clients = proxy.burst(count, GET.as_bytes());
            let answers = proxy.answers(&mut clients, 50);
            assert!(answers.good >= 50, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }

    /// Without windows, each stream holds a part of its answer; with large ones, what h2 takes of it.
    #[test]
    fn streams_of_clients_that_do_not_read_do_not_end_in_a_kill() {
        for window in [0, u32::MAX >> 1] {
            let upstream = upstream();
            let mut proxy = Contained::start(LARGER, &upstream);
            let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
            let more = (u32::MAX >> 1) - 65_535;
            let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat();
            bytes.extend(frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()));
            bytes.extend((1..200).step_by(2).flat_map(|stream| get(stream, "/")));
            let clients = proxy.burst(60, &bytes);
            proxy.lives();
            drop(clients);
            proxy.recovers();
        }
    }

    #[test]
    fn large_uploads_over_streams_that_nobody_reads_do_not_end_in_a_kill() {
        let upstream = Http2Upstream::start(|asked: Asked| async move {
            if asked.path() == "/short" {
                return asked.ok("ok");
            }
            // It gives no window for the rest, and ends before a stop of the proxy must.
            tokio::time::sleep(Duration::from_secs(15)).await;
            drop(asked);
        });
        let mut proxy = Contained::before(LARGER, &upstream.url());
        let mut clients = proxy.burst(300, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..8 {
            for client in &mut clients {
                let _ = client.write(&piece);
            }
        }
        let answers = proxy.answers(&mut clients, 0);
        assert!(answers.none >= 100, "{answers:?}");
        drop(clients);
        proxy.recovers();
    }

    #[test]
    fn large_uploads_to_an_upstream_that_does_not_read_do_not_end_in_a_kill() {
        let upstream = upstream();
        let mut proxy = Contained::start(LARGER, &upstream);
        let mut clients = proxy.burst(300, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        // More than the proxy's buffers hold
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..8 {
            for client in &mut clients {
                let _ = client.write(&piece);
            }
        }
        let answers = proxy.answers(&mut clients, 0);
        assert!(answers.none >= 100, "{answers:?}");
        drop(clients);
        proxy.recovers();
    }

    /// Larger reads take room, but not in a tunnel, whose reads have one size.
    #[test]
    fn tunnels_with_long_messages_leave_room_for_a_long_head() {
        const MESSAGE: usize = 64 * 1024;
        let upstream = Upstream::start(|connection| {
            while let Some(head) = connection.head() {
                if head.to_lowercase().contains("\r\nupgrade:") {
                    connection.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n");
                    connection.write(vec![b'x'; MESSAGE]);
                } else {
                    connection.write(OK);
                }
            }
        });
        let proxy = Contained::start(LARGER, &upstream);
        let tunnels: Vec<_> = (0..60)
            .map(|_| {
                let mut client = Client::new(proxy.address);
                client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n");
                client.head().unwrap();
                client.raw(MESSAGE);
                client
            })
            .collect();
        let mut client = Client::new(proxy.address);
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(20_000)));
        assert_eq!(client.answer().status, 200);
        drop(tunnels);
        proxy.recovers();
    }
}
