//! Redis: ready, not yet, and the traces of our attempts.

use e2e::{peers::redis::Redis, process::Process};
use harness::{Authority, until};

use crate::late::starts_ten_seconds_late;

#[test]
fn a_redis_that_starts_ten_seconds_late_is_waited_for() {
    let mut redis = Redis::new(&[]);
    starts_ten_seconds_late(&redis.url(), || redis.start());
}

#[test]
fn a_redis_that_loads_its_data_is_not_ready_yet() {
    let mut redis = Redis::new(&[]);
    redis.start();
    redis.command("DEBUG POPULATE 10000 key 100");
    redis.command("SAVE");
    // Minutes, unless told otherwise; and it listens to others in between.
    let mark = redis.server.log().len();
    redis.launch(&["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"]);
    redis.server.says(mark, "Loading RDB");
    let mut helper = Process::wait_for([redis.url()]);
    helper.says("LOADING");
    assert!(helper.runs());
    redis.command("CONFIG SET key-load-delay 0");
    helper.ends_with(0);
}

#[test]
fn a_replica_without_its_master_is_not_ready_yet() {
    let mut redis = Redis::new(&["--replica-serve-stale-data", "no", "--replicaof", "127.0.0.1 1"]);
    redis.start();
    let mut helper = Process::wait_for([redis.url()]);
    helper.says("MASTERDOWN");
    redis.command("REPLICAOF NO ONE");
    helper.ends_with(0);
}

#[test]
fn a_redis_with_a_password_is_ready_with_the_right_one_and_never_with_a_wrong_one() {
    let mut redis = Redis::new(&["--requirepass", "secret"]);
    redis.start();
    let end = Process::wait_for([redis.url()]).ends_with(0);
    assert!(end.log.contains("without a password"), "{}", end.log);
    let with = |password: &str| {
        let file = redis.server.directory.write(password, password);
        Process::wait_for([format!("{}#password-file={}", redis.url(), file.display())])
    };
    with("secret").ends_with(0);
    with("guessed").ends_with(77);
}

#[test]
fn a_node_of_a_cluster_is_ready_once_it_has_its_slots() {
    let mut redis = Redis::new(&["--cluster-enabled", "yes"]);
    redis.start();
    let mut helper = Process::wait_for([redis.url()]);
    helper.says("a node of a cluster that has no slots yet");
    redis.command("CLUSTER ADDSLOTSRANGE 0 16383");
    helper.ends_with(0);
    let end = Process::wait_for([format!("{}/1", redis.url())]).ends_with(69);
    assert!(end.log.contains("SELECT is not allowed in cluster mode"), "{}", end.log);
}

#[test]
fn a_sentinel_is_ready_once_it_knows_a_primary() {
    let (mut redis, mut sentinel) = (Redis::new(&[]), Redis::sentinel());
    redis.start();
    sentinel.start();
    let mut helper = Process::wait_for([sentinel.url()]);
    helper.says("a Sentinel that knows no primary");
    sentinel.command(&format!("SENTINEL MONITOR cache 127.0.0.1 {} 1", redis.server.port()));
    helper.ends_with(0);
}

#[test]
fn a_role_and_a_database_are_asked_for() {
    let (mut primary, mut replica) = (Redis::new(&[]), Redis::new(&[]));
    primary.start();
    replica.start();
    replica.command(&format!("REPLICAOF 127.0.0.1 {}", primary.server.port()));
    Process::wait_for([format!("{}/15#role=primary", primary.url())]).ends_with(0);
    Process::wait_for([format!("{}#role=replica", replica.url())]).ends_with(0);
    let mut helper = Process::wait_for([format!("{}#role=primary", replica.url())]);
    helper.says("is a replica, not the primary");
    replica.command("REPLICAOF NO ONE");
    helper.ends_with(0);
    let end = Process::wait_for([format!("{}/16", primary.url())]).ends_with(69);
    assert!(end.log.contains("DB index is out of range"), "{}", end.log);
}

#[test]
fn a_user_without_the_right_to_ping_can_log_in() {
    let mut redis = Redis::new(&[]);
    redis.start();
    redis.command("ACL SETUSER app on >secret ~* +get");
    let file = redis.server.directory.write("password", "secret");
    let url = redis.url().replace("://", "://app@");
    let end = Process::wait_for([format!("{url}#password-file={}", file.display())]).ends_with(0);
    assert!(end.log.contains("the user may not send PING"), "{}", end.log);
}

#[test]
fn a_redis_that_speaks_tls_is_named() {
    let mut redis = Redis::with_tls(&Authority::new().identity("localhost"));
    redis.start();
    let mut helper = Process::wait_for([redis.url()]);
    helper.says("does the server want TLS? then write rediss://");
    drop(helper);
}

#[test]
fn a_connection_by_tls_is_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut redis = Redis::with_tls(&authority.identity("localhost"));
    redis.start();
    let waits_trusting = |authority: &Authority| {
        let file = redis.server.directory.write("ca.pem", &authority.certificate());
        let url = redis.url().replace("redis://127.0.0.1", "rediss://localhost");
        Process::wait_for([format!("{url}#ca={}", file.display())])
    };
    waits_trusting(&authority).ends_with(0);
    waits_trusting(&stranger).ends_with(69);
}

#[test]
fn an_attempt_leaves_nothing_in_the_log_and_neither_does_a_dropped_connection() {
    let mut redis = Redis::new(&[]);
    redis.start();
    let ours = logged(&redis, || drop(Process::wait_for([redis.url(), "--stable=3".into()]).ends_with(0)));
    let theirs = logged(&redis, || (0..3).for_each(|_| redis.server.connect_and_drop()));
    assert_eq!(ours, "");
    println!("Redis's log of three attempts:\n{ours}and of three dropped connections:\n{theirs}");
}

/// The log of `deed`, once no client is left
fn logged(redis: &Redis, deed: impl FnOnce()) -> String {
    let mark = redis.server.log().len();
    deed();
    // The client that asks is the only one.
    until("every client is gone", || redis.command("INFO clients").contains("connected_clients:1\r").then_some(()));
    redis.server.log().split_off(mark)
}
