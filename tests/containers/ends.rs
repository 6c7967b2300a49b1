//! How a container ends: exit codes, and SIGTERM to a helper that is the first process.

use crate::{
    container::{Container, HARDENED, run, run_alone},
    image::{FIX_PERMS, Image, LOG_FORWARDER, METRICS_EXPORTER, PROXY, SIDECAR, TOKEN_REFRESHER, WAIT_FOR},
};

/// Seconds: an end that does not come by itself is 137.
const GRACE: u32 = 2;
/// Nothing listens there.
const CLOSED: &str = "tcp://127.0.0.1:1";

#[test]
fn a_wait_that_is_stopped_ends_within_the_grace_with_143() {
    let container = Container::start(&HARDENED, WAIT_FOR, &[CLOSED]);
    container.says("connection refused");
    assert_eq!(container.stop(GRACE), 143);
}

#[test]
fn a_sidecar_that_is_stopped_ends_within_the_grace_with_0() {
    let container = Container::start(&HARDENED, SIDECAR, &[]);
    container.says("test-sidecar starts");
    assert_eq!(container.stop(GRACE), 0);
}

#[test]
fn a_forwarder_that_is_stopped_has_said_its_ledger_and_ends_with_0() {
    let options = [&HARDENED[..], &["--network=none", "--volume=/state"]].concat();
    let arguments = ["--input=/var/log/app/*.log", "--output=stdout://", "--state-dir=/state"];
    let container = Container::start(&options, LOG_FORWARDER, &arguments);
    container.says("log-forwarder starts");
    assert_eq!(container.stop(GRACE), 0);
    container.says("ledger: read=0 ");
}

#[test]
fn a_proxy_that_is_stopped_ends_with_0_after_its_drain_delay() {
    let options = [&HARDENED[..], &["--network=none"]].concat();
    let arguments = ["--listen=:8000", "--upstream=http://127.0.0.1:8080", "--drain-delay=500ms"];
    let container = Container::start(&options, PROXY, &arguments);
    container.says("listening");
    assert_eq!(container.stop(GRACE), 0);
}

#[test]
fn a_refresher_that_is_stopped_ends_within_the_grace_with_0() {
    let configured = Image::of(
        &format!("FROM {TOKEN_REFRESHER}\nCOPY secrets.yaml token /etc/\n"),
        &[
            ("secrets.yaml", "secrets: [{name: t, source: {file: {path: /etc/token}}, outputs: [{file: /tmp/t/t}]}]\n"),
            ("token", "a token\n"),
        ],
    );
    let options = [&HARDENED[..], &["--network=none", "--tmpfs=/tmp/t:mode=1777"]].concat();
    let container = Container::start(&options, configured.name(), &["--config=/etc/secrets.yaml"]);
    container.says("refreshed");
    assert_eq!(container.stop(GRACE), 0);
}

#[test]
fn an_exporter_that_is_stopped_ends_within_the_grace_with_0() {
    let options = [&HARDENED[..], &["--network=none"]].concat();
    let container = Container::start(&options, METRICS_EXPORTER, &[]);
    container.says("metrics-exporter starts");
    assert_eq!(container.stop(GRACE), 0);
}

#[test]
fn a_flag_that_is_not_there_is_64() {
    for image in [WAIT_FOR, FIX_PERMS, LOG_FORWARDER, PROXY, TOKEN_REFRESHER, METRICS_EXPORTER] {
        let ended = run_alone(image, &["--no-such-flag"]);
        assert_eq!(ended.code, 64, "{image}: {}", ended.log);
    }
}

#[test]
fn a_wait_in_vain_is_124() {
    let ended = run_alone(WAIT_FOR, &[CLOSED, "--timeout=1s"]);
    assert_eq!(ended.code, 124, "{}", ended.log);
    assert!(ended.log.contains("code=124 reason=timed-out"), "{}", ended.log);
}

#[test]
fn an_owner_that_may_not_be_set_is_77_and_names_the_capability() {
    let with = |capabilities: &[&str]| {
        let options = [&HARDENED[..], &["--network=none", "--volume=/data"], capabilities].concat();
        run(&options, FIX_PERMS, &["--owner=1000:1000", "/data"])
    };
    let denied = with(&[]);
    assert_eq!(denied.code, 77, "{}", denied.log);
    assert!(denied.log.contains("CAP_CHOWN"), "{}", denied.log);
    let allowed = with(&["--cap-add=CHOWN"]);
    assert_eq!(allowed.code, 0, "{}", allowed.log);
}
