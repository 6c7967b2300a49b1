//! Names, as the pod's own resolv.conf has them: the log has the reason why a name is not ready, and the wait ends when it is.

use e2e::cluster::{Namespace, Profile};

use crate::waiting_pod::WaitingPod;

#[test]
fn a_service_that_does_not_exist_yet_is_an_unknown_name() {
    let namespace = Namespace::new("no-service", Profile::Restricted);
    namespace.create(&waits("tcp://web:8080", ""));
    assert_reason(&namespace, "unknown name web");
    namespace.create(&web("ClusterIP", READY));
    assert_ends_well(&namespace);
}

#[test]
fn a_headless_service_has_no_address_until_a_pod_is_ready() {
    let namespace = Namespace::new("headless", Profile::Restricted);
    namespace.create(&web("None", "test -e /tmp/ready"));
    namespace.create(&waits("dns://web", ""));
    assert_reason(&namespace, "unknown name web");
    namespace.until_pod("web", "it runs", |pod| pod.container("web")?.running_since().map(|_| ()));
    assert!(!namespace.pod("web").is_ready() && namespace.pod("main-app").ended("wait-for").is_none());
    namespace.shell("web", "web", "touch /tmp/ready").unwrap();
    assert_ends_well(&namespace);
}

#[test]
fn a_service_without_endpoints_refuses() {
    let namespace = Namespace::new("no-endpoints", Profile::Restricted);
    namespace.create(&web("ClusterIP", "test -e /tmp/ready"));
    namespace.create(&waits("tcp://web:8080", ""));
    assert_reason(&namespace, "connection refused");
    namespace.until_pod("web", "it runs", |pod| pod.container("web")?.running_since().map(|_| ()));
    namespace.shell("web", "web", "touch /tmp/ready").unwrap();
    assert_ends_well(&namespace);
}

#[test]
fn all_forms_of_a_name_are_found_by_the_search_list() {
    let namespace = Namespace::new("search-list", Profile::Restricted);
    let name = namespace.name();
    let forms =
        ["web".to_owned(), format!("web.{name}"), format!("web.{name}.svc"), format!("web.{name}.svc.cluster.local.")];
    let targets = forms.map(|form| format!("http://{form}:8080/")).join(r#"", ""#);
    namespace.create(&web("ClusterIP", READY));
    namespace.create(&waits(&targets, ""));
    assert_ends_well(&namespace);
}

#[test]
fn a_search_list_of_the_pods_own_leads_into_another_namespace() {
    let (here, there) =
        (Namespace::new("search-here", Profile::Restricted), Namespace::new("search-there", Profile::Restricted));
    there.create(&web("ClusterIP", READY));
    let search = format!("dnsConfig: {{ searches: [{}.svc.cluster.local] }}", there.name());
    here.create(&waits("http://web:8080/", &search));
    assert_ends_well(&here);
}

const READY: &str = "true";

fn assert_reason(namespace: &Namespace, reason: &str) {
    namespace.until_log("main-app", "wait-for", &format!(r#""reason":"{reason}""#));
}

fn assert_ends_well(namespace: &Namespace) {
    let end = namespace.until_pod("main-app", "wait-for has ended", |pod| pod.ended("wait-for"));
    assert_eq!(end.code, 0, "{end:?}");
    namespace.until_pod("main-app", "the app has ended", |pod| pod.ended("main-app"));
}

/// A pod that waits for these targets
fn waits(targets: &str, settings: &str) -> String {
    let arguments = format!(r#""{targets}", "--timeout=2m""#);
    WaitingPod { settings, arguments: &arguments, ..WaitingPod::default() }.manifest()
}

/// A web server that is ready when this command says so, behind the Service `web`
fn web(cluster_ip: &str, ready: &str) -> String {
    let address = if cluster_ip == "None" { "clusterIP: None" } else { "type: ClusterIP" };
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{ name: web }}
spec: {{ selector: {{ app: web }}, ports: [{{ port: 8080 }}], {address} }}
---
apiVersion: v1
kind: Pod
metadata: {{ name: web, labels: {{ app: web }} }}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {{ runAsNonRoot: true, runAsUser: 65532, seccompProfile: {{ type: RuntimeDefault }} }}
  containers:
    - name: web
      image: busybox:1.36
      command: ["sh", "-c", "echo here >/tmp/index.html && exec httpd -f -p 8080 -h /tmp"]
      readinessProbe: {{ periodSeconds: 1, exec: {{ command: ["sh", "-c", "{ready}"] }} }}
      securityContext: {{ allowPrivilegeEscalation: false, capabilities: {{ drop: [ALL] }} }}
"#
    )
}
