//! log-forwarder before rsyslog and syslog-ng: each holds what the ledger says was delivered.

use e2e::{
    forwarder::{Logs, assert_lines, finish},
    peers::{
        rsyslog::{Rsyslog, Transport},
        syslog_ng::SyslogNg,
    },
};

const LINES: usize = 20_000;
/// Few, because nothing slows a sender of datagrams down, and a slow receiver loses some.
const DATAGRAMS: usize = 200;

/// Forwards this number of lines there, and checks the result of `received`.
fn delivers(url: &str, lines: usize, received: impl Fn(usize) -> Vec<String>) {
    let logs = Logs::new();
    logs.write_lines(lines);
    let separator = if url.contains('#') { '&' } else { '#' };
    let forwarder =
        logs.forward(&["--output", &format!("{url}{separator}facility=daemon&app=shop"), "--pod-name", "web-0"]);
    received(lines);
    let ledger = finish(forwarder);
    let all = received(lines);
    let texts: Vec<_> = all.iter().map(|line| line.strip_prefix("30 web-0 shop ").unwrap_or(line)).collect();
    assert_lines(&texts, lines);
    assert_eq!(ledger["lines"], lines as u64);
}

#[test]
fn rsyslog_has_every_message_over_tcp() {
    let rsyslog = Rsyslog::start(Transport::Tcp);
    delivers(&rsyslog.url(), LINES, |least| rsyslog.received(least));
}

#[test]
fn rsyslog_has_every_message_over_tls() {
    let rsyslog = Rsyslog::start(Transport::Tls);
    delivers(&rsyslog.url(), LINES, |least| rsyslog.received(least));
}

#[test]
fn rsyslog_has_every_datagram() {
    let rsyslog = Rsyslog::start(Transport::Udp);
    delivers(&rsyslog.url(), DATAGRAMS, |least| rsyslog.received(least));
}

#[test]
fn syslog_ng_has_every_message_over_tcp() {
    let syslog_ng = SyslogNg::start(Transport::Tcp);
    delivers(&syslog_ng.url(), LINES, |least| syslog_ng.received(least));
}

#[test]
fn syslog_ng_has_every_message_over_tls() {
    let syslog_ng = SyslogNg::start(Transport::Tls);
    delivers(&syslog_ng.url(), LINES, |least| syslog_ng.received(least));
}

#[test]
fn syslog_ng_has_every_datagram() {
    let syslog_ng = SyslogNg::start(Transport::Udp);
    delivers(&syslog_ng.url(), DATAGRAMS, |least| syslog_ng.received(least));
}
