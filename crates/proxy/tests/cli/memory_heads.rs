//! Heads that clients send at once or do not end, under the memory limit of a real cgroup.

#[cfg(test)]
mod as_root {
    use crate::{
        contained::{Contained, LARGER, SMALL, upstream},
        raw_http2::{
            CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, HEADERS, PREFACE, Raw, SETTINGS, block,
            frame, get, request,
        },
    };

    #[test]
    fn heads_that_do_not_end_do_not_end_in_a_kill() {
        let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}", "x".repeat(31_000));
        for (count, head) in [(5000, "GET / HTTP/1.1\r\n"), (1000, &large)] {
            let upstream = upstream();
            let mut proxy = Contained::start(SMALL, &upstream);
            let mut clients = proxy.burst(count, head.as_bytes());
            let answers = proxy.answers(&mut clients, 0);
            assert!(answers.refused + answers.closed > 0 && answers.good == 0, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }

    /// All heads of a connection may come in one read, and a byte of HPACK may stand for a whole field.
    #[test]
    fn long_heads_of_many_streams_do_not_end_in_a_kill() {
        let long = |bytes| block(&[&request("GET", "/silent")[..], &[("x-large", &"x".repeat(bytes))]].concat());
        // 0x95 is `age` without a value: the field 21 of the static table (RFC 7541, appendix A).
        let many = [block(&request("GET", "/silent")), vec![0x95; 1900]].concat();
        for block in [long(7_000), long(15_000), many] {
            let upstream = upstream();
            let mut proxy = Contained::start(LARGER, &upstream);
            let heads = (1..200).step_by(2).map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &block));
            let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
            let clients = proxy.write_all(60, &heads.fold(begin, |bytes, head| [bytes, head].concat()));
            proxy.lives();
            drop(clients);
            proxy.recovers();
        }
    }

    /// h2 holds a head until its last frame has come, beside what it made of it.
    #[test]
    fn a_head_of_several_frames_ends_the_connection_while_the_proxy_is_crowded() {
        let upstream = upstream();
        let proxy = Contained::start(SMALL, &upstream);
        let large = "x".repeat(30_000);
        let block = block(&[&request("GET", "/short")[..], &[("x-large", &large)]].concat());
        let (first, rest) = block.split_at(16_384);
        let head = [frame(HEADERS, END_STREAM, 1, first), frame(CONTINUATION, END_HEADERS, 1, rest)].concat();
        let mut early = Raw::new(proxy.address);
        early.send(&head);
        assert_eq!(early.end_of(1), End::Answer(200, b"ok".to_vec()));
        let mut crowd = Raw::new(proxy.address);
        crowd.send((1..200).step_by(2).flat_map(|stream| get(stream, "/silent")).collect::<Vec<_>>());
        upstream.wait_for_requests(101);
        let mut late = Raw::new(proxy.address);
        late.send(&head);
        assert_eq!(late.end_of(1), End::GoAway(ENHANCE_YOUR_CALM));
        drop((early, crowd));
        proxy.recovers();
    }
}
