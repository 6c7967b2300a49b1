//! Programs and whole tests in namespaces of their own, as in a pod.
//!
//! Without root this needs user namespaces; where they are denied, the tests fail and say so.

use std::{fs, process::Command};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, netlink};

pub(crate) use harness::{id_of_pid_one, is_root, start_as_pid_one};

/// All of /etc is the test's own: hosts file, resolv.conf, and no name service but those two. /run
/// is empty, so no nscd or systemd-resolved of the machine has a say.
const SCRIPT: &str = r#"
    mount -t tmpfs none /etc
    mount -t tmpfs none /run
    echo "hosts: files dns" >/etc/nsswitch.conf
    echo "multi on" >/etc/host.conf
"#;

/// Runs a test's body in a network of its own with nothing but a loopback, and with an /etc of its
/// own that is nearly empty.
#[track_caller]
pub(crate) fn inside<F: FnOnce()>(body: F) {
    let prepare = || {
        assert!(Command::new("/bin/sh").args(["-ec", SCRIPT]).status().unwrap().success(), "{SCRIPT}");
        bring_loopback_up();
    };
    harness::with_own_namespaces(&["--net", "--mount"], prepare, body);
}

/// Names and addresses as in a pod whose cluster has the domain `cluster`: server, search list,
/// ndots.
pub(crate) fn use_dns() {
    resolv_conf("nameserver 127.0.0.1\nsearch default.cluster cluster\noptions ndots:5\n");
}

pub(crate) fn resolv_conf(text: &str) {
    fs::write("/etc/resolv.conf", text).unwrap();
}

pub(crate) fn hosts(text: &str) {
    fs::write("/etc/hosts", text).unwrap();
}

/// What `ip link set lo up` does, on machines without it: `RTM_NEWLINK` with `IFF_UP` for interface
/// 1 (rtnetlink(7)).
fn bring_loopback_up() {
    const LENGTH: u32 = 32;
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 5;
    const LOOPBACK: u32 = 1;
    const UP: u32 = 1;
    let [length, none] = [LENGTH, 0].map(u32::to_ne_bytes);
    let [kind, flags] = [NEW_LINK, REQUEST_AND_ACKNOWLEDGE].map(u16::to_ne_bytes);
    let [index, up] = [LOOPBACK, UP].map(u32::to_ne_bytes);
    let request = [&length[..], &kind, &flags, &none, &none, &none, &index, &up, &up].concat();
    let socket = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0)).unwrap();
    let mut answer = [0; 64];
    let (_, length) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
    assert!(length >= 20 && answer[16..20] == [0; 4], "the loopback does not come up: {answer:?}");
}
