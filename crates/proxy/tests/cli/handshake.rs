//! A client behind a slow network, packet by packet: its handshake is half done when the listener closes.

use std::{
    io::Read,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    support::{OK, Proxy, Signal},
    upstream::Upstream,
};

const PROXY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
/// No host has it: packets to this address vanish in the loopback interface, where the test reads
/// them.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const CLIENT_PORT: u16 = 40_000;

// Flags of TCP (RFC 9293, section 3.1)
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A client that writes its packets itself
struct FarClient {
    raw: Socket,
    /// Sees all packets of this network
    seen: Socket,
    server: SocketAddr,
}

/// A packet from the server
struct Packet {
    sequence: u32,
    flags: u8,
    data: Vec<u8>,
}

impl FarClient {
    fn new(server: SocketAddr) -> Self {
        /// All protocols (packet(7)), in the network's byte order
        const ALL: u16 = 0x0003_u16.to_be();
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).unwrap();
        let seen = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(ALL)))).unwrap();
        seen.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { raw, seen, server }
    }

    /// A packet with a header of its own
    fn send(&self, sequence: u32, acknowledged: u32, flags: u8, data: &[u8]) {
        let mut tcp = Vec::new();
        tcp.extend(CLIENT_PORT.to_be_bytes());
        tcp.extend(self.server.port().to_be_bytes());
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(acknowledged.to_be_bytes());
        // The header's length in words, flags, window, checksum, urgent pointer
        tcp.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(data);
        let length = u16::try_from(tcp.len()).unwrap().to_be_bytes();
        let pseudo = [&CLIENT.octets()[..], &PROXY.octets(), &[0, 6], &length, &tcp].concat();
        tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
        // The kernel fills in length and checksum (raw(7)).
        let ip = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0];
        let packet = [&ip[..], &CLIENT.octets(), &PROXY.octets(), &tcp].concat();
        self.raw.send_to(&packet, &SocketAddr::from((PROXY, 0)).into()).unwrap();
    }

    /// The next packet to the client that a test wants
    fn receive(&self, is_wanted: impl Fn(&Packet) -> bool) -> Packet {
        harness::until("the server sends", || {
            let mut room = [0; 4096];
            let length = (&self.seen).read(&mut room).ok()?;
            let is_ours = length >= 40 && room[9] == 6 && room[16..20] == CLIENT.octets();
            let tcp = &room[20..length.max(40)];
            let packet = Packet {
                sequence: u32::from_be_bytes(tcp[4..8].try_into().unwrap()),
                flags: tcp[13],
                data: tcp[usize::from(tcp[12] >> 4) * 4..].to_vec(),
            };
            (is_ours && is_wanted(&packet)).then_some(packet)
        })
    }
}

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// An address of the proxy's own, and a way to another one that no host has
fn lay_network() {
    for words in ["link set lo up", "address add 10.9.0.1/32 dev lo", "route add 10.9.0.2/32 dev lo"] {
        assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success(), "ip {words}");
    }
}

#[test]
fn a_handshake_that_has_begun_ends_well_although_the_listener_closes() {
    harness::with_own_namespaces(&["--net"], lay_network, || {
        let upstream = Upstream::answering(OK);
        let proxy = Proxy::run(&["--listen", "10.9.0.1:0", "--upstream", &upstream.url()]);
        let client = FarClient::new(proxy.address);
        client.send(1000, 0, SYN, b"");
        let answer = client.receive(|packet| packet.flags == SYN | ACK);
        proxy.program.signal(Signal::TERM);
        // The way there and back takes a tenth of a second.
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        client.send(1001, answer.sequence + 1, ACK, b"");
        client.send(1001, answer.sequence + 1, ACK, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.receive(|packet| !packet.data.is_empty() || packet.flags & RST != 0);
        let text = String::from_utf8_lossy(&answer.data);
        assert!(answer.flags & RST == 0 && text.starts_with("HTTP/1.1 200 OK"), "{:?}: {text:?}", start.elapsed());
    });
}
