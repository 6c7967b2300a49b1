//! An app that dies, hangs and comes back, and what its clients see of that: rows of the table in proxy's README.

use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use e2e::cluster::{Namespace, Profile};
use harness::http::{self, Answer};

use crate::examples::{changed, example};

const AS_IN_THE_EXAMPLE: &str = r#"args: ["--listen=:8000", "--upstream=http://127.0.0.1:8080"]"#;
const APP: &str = "      image: nginxinc/nginx-unprivileged:1.29\n";
/// nginx, but while `/tmp/down` is there
const WITH_A_SWITCH: &str = r#"      image: nginxinc/nginx-unprivileged:1.29
          command: ["sh", "-c", "while true; do [ -e /tmp/down ] || nginx -g 'daemon off;'; sleep 0.1; done"]
"#;

#[test]
fn an_app_that_dies_and_hangs_is_told_apart_and_served_again() {
    let namespace = Namespace::new("proxy-app", Profile::Restricted);
    // Longer than it takes to look for a request that waits, also on a busy node
    let app = App::start(&namespace, "--request-timeout=15s");
    assert_eq!(app.ask().status, 200);

    app.stops();
    let down = app.until(503);
    assert!(down.head.contains("app-down") && down.head.contains("retry-after: "), "{}", down.head);
    app.does("rm /tmp/down");
    app.until(200);

    app.does("killall -STOP nginx");
    let silent = app.ask();
    assert!(silent.status == 504 && silent.head.contains("upstream-silent"), "{}", silent.head);
    app.does("killall -CONT nginx");
    app.until(200);

    app.does("touch /tmp/down; killall -STOP nginx");
    let address = app.address;
    let in_flight = thread::spawn(move || ask(address).unwrap());
    namespace.until("the request has reached the app", || {
        // Bytes that nginx has not read
        let unread = "netstat -tn | awk '$4 == \"127.0.0.1:8080\" && $2 > 0' | grep -c .; true";
        let count = namespace.shell(&app.pod, "nginx", unread).unwrap();
        (count.trim() != "0").then_some(())
    });
    app.does("killall -KILL nginx");
    let lost = in_flight.join().unwrap();
    assert!(lost.status == 502 && lost.head.contains("upstream-closed"), "{}", lost.head);
    app.does("rm /tmp/down");
    app.until(200);
    assert_eq!(namespace.pod(&app.pod).container("proxy").unwrap().restarts(), 0);
}

#[test]
fn requests_wait_for_an_app_that_restarts_where_the_manifest_says_queue() {
    let namespace = Namespace::new("proxy-queue", Profile::Restricted);
    let app = App::start(&namespace, "--app-down=queue");
    app.stops();
    let address = app.address;
    let waiting: Vec<_> = (0..20).map(|_| thread::spawn(move || ask(address).unwrap().status)).collect();
    // Longer than all of them take to arrive; an answer before the app is back would be another than 200.
    thread::sleep(Duration::from_secs(1));
    app.does("rm /tmp/down");
    let answers: Vec<_> = waiting.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(answers, [200; 20]);
}

#[test]
fn a_pod_whose_app_is_down_takes_no_connection_where_the_manifest_says_refuse() {
    let namespace = Namespace::new("proxy-refuse", Profile::Restricted);
    let app = App::start(&namespace, "--app-down=refuse");
    app.stops();
    namespace.until("the pod refuses connections", || ask(app.address).is_err().then_some(()));
    namespace.until_pod(&app.pod, "the kubelet calls its proxy unready", |pod| {
        (!pod.container("proxy")?.is_ready()).then_some(())
    });
    app.does("rm /tmp/down");
    app.until(200);
    namespace.until_pod(&app.pod, "it is ready again", |pod| pod.is_ready().then_some(()));
}

/// A pod of the example whose app can be switched off
struct App<'a> {
    namespace: &'a Namespace,
    pod: String,
    address: SocketAddr,
}

impl<'a> App<'a> {
    fn start(namespace: &'a Namespace, flag: &str) -> Self {
        let manifest = changed(&example("proxy.yaml"), "replicas: 3", "replicas: 1");
        let with_flag = format!(r#"args: ["--listen=:8000", "--upstream=http://127.0.0.1:8080", "{flag}"]"#);
        let manifest = changed(&changed(&manifest, AS_IN_THE_EXAMPLE, &with_flag), APP, WITH_A_SWITCH);
        namespace.create(&manifest);
        let (pod, ip) = namespace.until("a pod is ready", || {
            let pods = namespace.pods("app=web");
            let pod = pods.first().filter(|pod| pod.is_ready())?;
            Some((pod.name().to_owned(), pod.ip()?))
        });
        Self { namespace, pod, address: SocketAddr::new(ip, 8000) }
    }

    /// Runs a command beside nginx.
    fn does(&self, command: &str) {
        self.namespace.shell(&self.pod, "nginx", command).unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// Ends nginx, keeps it down, and waits until its port is closed. Its master alone gets the signal, because its workers
    /// may have gone before a signal of their own would come.
    fn stops(&self) {
        self.does("touch /tmp/down; kill $(cat /tmp/nginx.pid)");
        let port = SocketAddr::new(self.address.ip(), 8080);
        self.namespace.until("the app's port is closed", || TcpStream::connect(port).is_err().then_some(()));
    }

    fn ask(&self) -> Answer {
        ask(self.address).unwrap()
    }

    fn until(&self, status: u16) -> Answer {
        self.namespace.until(&format!("the answer is {status}"), || {
            ask(self.address).ok().filter(|answer| answer.status == status)
        })
    }
}

/// HTTP/1.0, so that the answer ends with its connection
fn ask(address: SocketAddr) -> std::io::Result<Answer> {
    http::try_raw(address, "GET / HTTP/1.0\r\nHost: web\r\n\r\n")
}
