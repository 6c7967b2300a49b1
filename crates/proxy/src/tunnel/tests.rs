//! Tunnels between two ends in memory, with paused time.

use std::future;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const IDLE: Duration = Duration::from_secs(60);
const MASK: [u8; 4] = [1, 2, 3, 4];
/// The client's answer to a Close
const ANSWER: [u8; 8] = [0x88, 0x82, 9, 9, 9, 9, 3 ^ 9, 0xe9 ^ 9];
const TEXT: [u8; 4] = [0x81, 2, b'h', b'i'];

/// Opens a tunnel that drains after a second: the client's end, the upstream's end, and what the tunnel ends with.
fn opened(
    room: usize,
    is_websocket: bool,
    deadline: Duration,
) -> (DuplexStream, DuplexStream, impl Future<Output = (Ended, u64)>) {
    let ((client, near_client), (upstream, near_upstream)) = (duplex(room), duplex(room));
    let counter = || IntCounter::new("x", "x").unwrap();
    let side = |stream, early: &'static [u8]| Side { stream, early: Bytes::from_static(early), counter: counter() };
    let terms = Terms { idle_timeout: IDLE, websocket_mask: is_websocket.then_some(MASK) };
    let sides = (side(near_client, if is_websocket { b"" } else { b"early" }), side(near_upstream, b""));
    let drain = sleep(Duration::from_secs(1));
    let cut = async move {
        sleep(deadline).await;
        Ended::Deadline
    };
    let tunnel = run(sides.0, sides.1, terms, drain, cut);
    (client, upstream, tunnel)
}

async fn read(stream: &mut DuplexStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn rest(stream: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn bytes_pass_both_ways_through_less_room_and_each_side_ends_by_itself() {
    let (mut client, mut upstream, tunnel) = opened(7, false, IDLE);
    let sides = async {
        assert_eq!(read(&mut upstream, 5).await, b"early");
        let sent = vec![7; 100_000];
        let (_, got) = tokio::join!(client.write_all(&sent), read(&mut upstream, sent.len()));
        assert_eq!(got, sent);
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut upstream).await, b"");
        // The other direction goes on.
        let (_, got) = tokio::join!(upstream.write_all(&sent), read(&mut client, sent.len()));
        assert_eq!(got, sent);
        upstream.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, b"");
    };
    assert_eq!(tokio::join!(tunnel, sides).0, (Ended::Both, 100_000));
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_without_bytes_ends() {
    let (mut client, _upstream, tunnel) = opened(100, false, 10 * IDLE);
    let start = Instant::now();
    let side = async {
        tokio::time::sleep(IDLE / 2).await;
        client.write_all(b"x").await.unwrap();
        future::pending::<()>().await;
    };
    let ended = tokio::select! { ended = tunnel => ended, () = side => unreachable!() };
    assert_eq!((ended, start.elapsed().as_secs()), ((Ended::Idle, 0), 90));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_protocol_ends_at_the_deadline() {
    let (_client, _upstream, tunnel) = opened(100, false, Duration::from_secs(20));
    let start = Instant::now();
    assert_eq!((tunnel.await, start.elapsed().as_secs()), ((Ended::Deadline, 0), 20));
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_behind_a_message_and_passes_what_the_client_still_sends() {
    let (mut client, mut upstream, tunnel) = opened(100, true, IDLE);
    let start = Instant::now();
    let sides = async {
        // The first half of a frame, when the drain is due
        upstream.write_all(&TEXT[..3]).await.unwrap();
        assert_eq!(read(&mut client, 3).await, &TEXT[..3]);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        upstream.write_all(&[&TEXT[3..], &TEXT[..]].concat()).await.unwrap();
        assert_eq!(read(&mut client, 5).await, [&TEXT[3..], &close::TO_CLIENT[..]].concat());
        let ping = [0x89, 0x80, 0, 0, 0, 0];
        client.write_all(&[&ping[..], &ANSWER].concat()).await.unwrap();
        assert_eq!(read(&mut upstream, 14).await, [&ping[..], &ANSWER].concat());
        // The upstream's own answer to the client's Close
        upstream.write_all(&close::TO_CLIENT).await.unwrap();
        upstream.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, b"");
        client.shutdown().await.unwrap();
    };
    assert_eq!(tokio::join!(tunnel, sides).0, (Ended::Both, 8));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_lasts_is_cut_between_two_frames() {
    let (mut client, mut upstream, tunnel) = opened(100, true, IDLE);
    let start = Instant::now();
    let sides = async {
        // The first frame of a message, whose others do not come
        upstream.write_all(&[0x01, 0]).await.unwrap();
        assert_eq!(read(&mut client, 6).await, [&[0x01, 0][..], &close::TO_CLIENT].concat());
        assert!((1900..2100).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        drop(client);
        rest(&mut upstream).await
    };
    tokio::join!(tunnel, sides);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_is_left_and_the_upstream_gets_a_close_too() {
    let (mut client, mut upstream, tunnel) = opened(100, true, IDLE);
    let start = Instant::now();
    let sides = async {
        assert_eq!(read(&mut client, 4).await, close::TO_CLIENT);
        assert_eq!(rest(&mut upstream).await, close::to_upstream(MASK));
        assert_eq!(rest(&mut client).await, b"");
    };
    assert_eq!(tokio::join!(tunnel, sides).0, (Ended::Both, 4));
    assert_eq!(start.elapsed().as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_is_closing_gets_no_other_close() {
    let (mut client, mut upstream, tunnel) = opened(100, true, IDLE);
    let sides = async {
        client.write_all(&ANSWER).await.unwrap();
        assert_eq!(read(&mut upstream, 8).await, ANSWER);
        // The upstream takes its time, and the drain comes.
        tokio::time::sleep(Duration::from_secs(3)).await;
        upstream.write_all(&[0x88, 0]).await.unwrap();
        upstream.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, [0x88, 0]);
        client.shutdown().await.unwrap();
    };
    assert_eq!(tokio::join!(tunnel, sides).0, (Ended::Both, 2));
}

#[tokio::test(start_paused = true)]
async fn frames_that_cannot_be_read_are_left_to_the_deadline() {
    let (mut client, mut upstream, tunnel) = opened(100, true, Duration::from_secs(20));
    let sides = async {
        upstream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        read(&mut client, 17).await
    };
    assert_eq!(tokio::join!(tunnel, sides).0, (Ended::Deadline, 17));
}
