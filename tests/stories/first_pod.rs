//! The pod that starts in order: it waits for its database, gets its volume, and only then starts its app.

use e2e::cluster::{Namespace, Profile};

use crate::{
    examples::{changed, example},
    waiting_pod::WaitingPod,
};

/// MariaDB with a host cache, so that it can block hosts that leave handshakes unfinished: the image's own settings turn both off.
const BLOCKS_AFTER_FIVE: &str = r#"      args: ["--skip-name-resolve=0", "--host-cache-size=128", "--performance-schema=ON", "--max-connect-errors=5"]
"#;

#[test]
fn each_container_starts_once_the_one_before_has_done_its_work() {
    let namespace = Namespace::new("first-pod", Profile::Baseline);
    namespace.create(&example("main-app.yaml"));
    namespace.until_log("main-app", "init-check-db", "not ready");
    namespace.create(&late_database());
    namespace.until_pod("main-app", "its app runs", |pod| pod.is_ready().then_some(()));

    let (database, pod) = (namespace.pod("db"), namespace.pod("main-app"));
    let (check, permissions) = (pod.ended("init-check-db").unwrap(), pod.ended("init-permissions").unwrap());
    assert_eq!((check.code, permissions.code), (0, 0), "{check:?} {permissions:?}");
    let times = [
        &check.started,
        &database.ended("ten-seconds-late").unwrap().finished,
        database.container("mariadb").unwrap().running_since().unwrap(),
        &check.finished,
        &permissions.started,
        &permissions.finished,
        pod.container("main-app").unwrap().running_since().unwrap(),
    ];
    assert!(times.is_sorted(), "{times:?}");

    let log = namespace.log("main-app", "init-check-db");
    assert!(log.contains(r#""message":"not ready""#) && log.contains("asks for a login"), "{log}");
    let written = namespace.shell("main-app", "main-app", "echo mine >/data/x && stat -c '%u:%g %a' /data /data/x");
    assert_eq!(written.unwrap(), "1000:1000 750\n1000:1000 644\n");
}

#[test]
fn mariadb_does_not_block_the_pod_that_waited_for_it() {
    let namespace = Namespace::new("not-blocked", Profile::Restricted);
    namespace.create(&database());
    namespace.create(&client("waits", "mysql://db:3306#stable=20&interval=50ms", "true"));
    let end = namespace.until_pod("waits", "its client has ended", |pod| pod.ended("main-app"));
    assert_eq!(end.code, 0, "{end:?}\n{}", namespace.log("waits", "main-app"));

    // The same as a loop around `nc -z`, to show that this server blocks a host that leaves its greeting unanswered.
    let connect_and_drop = "for i in 1 2 3 4 5 6 7 8; do nc -w 1 db 3306 </dev/null >/dev/null; done";
    namespace.create(&client("drops", "mysql://db:3306", connect_and_drop));
    let end = namespace.until_pod("drops", "its client has ended", |pod| pod.ended("main-app"));
    let log = namespace.log("drops", "main-app");
    assert!(end.code != 0 && log.contains("is blocked because of many connection errors"), "{end:?}\n{log}");
}

/// The database of the examples, with a container before it that sleeps
fn late_database() -> String {
    let late = r#"  initContainers:
    - name: ten-seconds-late
      image: busybox:1.36
      command: ["sleep", "10"]
      securityContext: { runAsUser: 65532 }
  containers:
"#;
    changed(&database(), "  containers:\n", late)
}

fn database() -> String {
    let image = "      image: mariadb:10.11\n";
    changed(&example("database.yaml"), image, &format!("{image}{BLOCKS_AFTER_FIVE}"))
}

/// A pod that waits, does what `first` says, and logs in
fn client(name: &str, target: &str, first: &str) -> String {
    let login = "mariadb --host=db --user=app --password=only-for-trying-out --execute='select 1' app";
    let (arguments, command) = (format!(r#""{target}""#), format!(r#""sh", "-c", "{first}; {login}""#));
    let image = "mariadb:10.11";
    WaitingPod { name, arguments: &arguments, image, command: &command, ..WaitingPod::default() }.manifest()
}
