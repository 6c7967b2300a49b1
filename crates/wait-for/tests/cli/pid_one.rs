//! As PID 1 of a PID namespace, as in a pod: no shell, no default actions for signals.

use crate::support::{
    Signal, namespace, send,
    server::{ClosedPort, Server, hold},
    wait_for,
};

#[test]
fn a_stop_signal_ends_the_wait_and_what_was_missing_is_told() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let (port, ready) = (ClosedPort::new(), Server::start(|stream, _| hold(stream)));
        let mut program = namespace::start_as_pid_one(&wait_for(&[&port.url(), &ready.url("tcp")]));
        program.wait_for_message("ready");
        let id = namespace::id_of_pid_one(&program);
        send(id, Signal::HUP);
        send(id, signal);
        let ended = program.end();
        let words = format!(r#"reason=stopped what="{}" last="connection refused" attempts="#, port.url());
        ended.ended_with(code, &words);
        assert_eq!(ended.message("missing")["target"], port.url());
        assert_eq!(ended.message("the wait ends: stopped")["ready"], 1);
    }
}

#[test]
fn a_stop_signal_ends_a_wait_that_hardly_pauses() {
    let inside = wait_for(&["--interval", "1ms", "file:///none"]);
    let mut program = namespace::start_as_pid_one(&inside);
    program.wait_for_message("not ready");
    send(namespace::id_of_pid_one(&program), Signal::TERM);
    program.end().ended_with(143, r#"reason=stopped what="file:///none" last="no such file" attempts="#);
}

#[test]
fn the_command_becomes_pid_one() {
    let inside = wait_for(&["file:///dev/null", "--", "/bin/sh", "-c", "echo PID $$; exit 3"]);
    let ended = namespace::start_as_pid_one(&inside).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), "PID 1\n"));
}
