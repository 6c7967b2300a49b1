//! A port where no process listens.

use e2e::process::{Process, command, wait_for};

#[test]
fn a_connection_of_wait_for_to_itself_is_not_readiness() {
    // The system picks a client's port from a range. When that is the very port it dials, TCP connects it to itself
    // (simultaneous open), and so it does every time where the range has no other port.
    let mut helper = wait_for();
    helper.args(["tcp://127.0.0.1:40000", "--timeout", "1s"]);
    let mut alone = command("unshare");
    let prepare = "ip link set lo up && echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range && exec \"$@\"";
    alone.args(["--net", "sh", "-c", prepare, "sh"]).arg(helper.get_program()).args(helper.get_args());
    let end = Process::start(alone).ends_with(124);
    assert!(end.log.contains("connection refused"), "{}", end.log);
}
