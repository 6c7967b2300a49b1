//! Pods that wait for objects of the cluster, by their service account and the Roles of the README.

use e2e::cluster::{Namespace, Profile};

use crate::{
    examples::{changed, example},
    waiting_pod::WaitingPod,
};

const EXAMPLE: &str = "wait-for-job.yaml";
const SPEC: &str = "  backoffLimit: 3\n";

#[test]
fn the_app_of_the_example_starts_once_its_job_is_complete() {
    let namespace = Namespace::new("wait-for-job", Profile::Restricted);
    namespace.create(&changed(&example(EXAMPLE), SPEC, &format!("{SPEC}  suspend: true\n")));
    let pods = || namespace.pods("app=main-app").iter().map(|pod| pod.name().to_owned()).collect::<Vec<_>>();
    let both = namespace.until("both pods are there", || Some(pods()).filter(|pods| pods.len() == 2));
    for pod in &both {
        namespace.until_log(pod, "wait-for", "the Job migrate-1 is suspended");
    }
    let mut resume = namespace.kubectl(["patch", "job", "migrate-1", "--patch", r#"{"spec":{"suspend":false}}"#]);
    assert!(resume.status().unwrap().success());
    for pod in &both {
        namespace.until_pod(pod, "it is ready", |pod| pod.is_ready().then_some(()));
        namespace.until_log(pod, "wait-for", "the Job migrate-1 is complete");
    }
}

#[test]
fn a_failed_job_ends_the_wait_of_its_app() {
    let namespace = Namespace::new("failed-job", Profile::Restricted);
    let failing = changed(&example(EXAMPLE), "echo migrated", "exit 3");
    namespace.create(&changed(&failing, "backoffLimit: 3", "backoffLimit: 0"));
    let message = message_of_an_end(&namespace, 69);
    let words = "the Job migrate-1 has failed: BackoffLimitExceeded";
    assert!(message.contains(words), "{message}");
}

#[test]
fn an_app_without_the_right_names_what_is_missing() {
    let namespace = Namespace::new("no-role", Profile::Restricted);
    namespace.create(&changed(&example(EXAMPLE), "resourceNames: [migrate-1]", "resourceNames: [migrate-0]"));
    let message = message_of_an_end(&namespace, 77);
    let account = format!("system:serviceaccount:{}:main-app", namespace.name());
    let words = format!("{account} may not list jobs in the namespace {}: give it a Role", namespace.name());
    assert!(message.contains(&words), "{message}");
}

#[test]
fn a_pod_without_a_service_account_says_so() {
    let namespace = Namespace::new("no-account", Profile::Restricted);
    let pod = WaitingPod {
        settings: "automountServiceAccountToken: false",
        arguments: r#""kubernetes://jobs/migrate""#,
        ..WaitingPod::default()
    };
    namespace.create(&pod.manifest());
    let end = namespace.until_pod("main-app", "wait-for has ended", |pod| pod.ended("wait-for"));
    assert_eq!(end.code, 64, "{end:?}");
    assert!(end.message.contains("the pod has no service account: set automountServiceAccountToken: true"), "{end:?}");
}

#[test]
fn a_pod_waits_for_pods_a_service_and_workloads() {
    let namespace = Namespace::new("wait-for-objects", Profile::Restricted);
    namespace.create(ROLE);
    let pod = WaitingPod {
        arguments: r#""kubernetes://pods?selector=app=web#count=2", "kubernetes://services/web#count=2",
            "kubernetes://deployments/web", "kubernetes://statefulsets/state", "kubernetes://daemonsets/agent",
            "kubernetes://pods/state-0""#,
        ..WaitingPod::default()
    };
    namespace.create(&pod.manifest());
    for reason in [
        "0 of 2 pods with app=web are ready",
        "the Service web has 0 of 2 ready endpoints; is there such a Service in",
        "no Deployment web in the namespace",
        "no StatefulSet state in the namespace",
        "no DaemonSet agent in the namespace",
        "no Pod state-0 in the namespace",
    ] {
        namespace.until_log("main-app", "wait-for", reason);
    }
    namespace.create(OBJECTS);
    namespace.create(&workload("Deployment", "web", "replicas: 2"));
    namespace.create(&workload("StatefulSet", "state", "serviceName: state"));
    namespace.create(&workload("DaemonSet", "agent", "minReadySeconds: 0"));
    for proof in [
        "2 ready pods with app=web",
        "2 ready endpoints of the Service web",
        "the Deployment web is rolled out, with 2 available replicas",
        "the StatefulSet state is rolled out, with 1 ready replicas",
        "the DaemonSet agent is rolled out, with 1 available replicas",
        "the Pod state-0 is ready",
    ] {
        namespace.until_log("main-app", "wait-for", proof);
    }
    let end = namespace.until_pod("main-app", "wait-for has ended", |pod| pod.ended("wait-for"));
    assert_eq!(end.code, 0, "{end:?}");
}

/// The end of wait-for in a pod of the example with this code; its kubelet starts it again.
fn message_of_an_end(namespace: &Namespace, code: i64) -> String {
    let end = namespace.until("wait-for has ended", || {
        let pods = namespace.pods("app=main-app");
        let container = pods.first()?.container("wait-for")?;
        container.ended().or(container.previous_end())
    });
    assert_eq!(end.code, code, "{end:?}");
    end.message
}

/// The rows of the README
const ROLE: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: wait-for }
rules:
  - { apiGroups: [""], resources: [pods], verbs: [list, watch] }
  - { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch] }
  - { apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: [list, watch] }
  - { apiGroups: [apps], resources: [statefulsets], resourceNames: [state], verbs: [list, watch] }
  - { apiGroups: [apps], resources: [daemonsets], resourceNames: [agent], verbs: [list, watch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: wait-for }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: wait-for }
subjects:
  - { kind: ServiceAccount, name: default }
"#;

const OBJECTS: &str = r"
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: { app: web }
  ports: [{ port: 8080 }]
";

/// A workload of nginx, whose pods are ready when nginx answers
fn workload(kind: &str, name: &str, setting: &str) -> String {
    format!(
        r"
apiVersion: apps/v1
kind: {kind}
metadata: {{ name: {name} }}
spec:
  {setting}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      securityContext: {{ runAsNonRoot: true, runAsUser: 101, seccompProfile: {{ type: RuntimeDefault }} }}
      containers:
        - name: nginx
          image: nginxinc/nginx-unprivileged:1.29
          readinessProbe: {{ tcpSocket: {{ port: 8080 }}, periodSeconds: 1 }}
          securityContext: {{ allowPrivilegeEscalation: false, capabilities: {{ drop: [ALL] }} }}
          volumeMounts: [{{ name: tmp, mountPath: /tmp }}]
      volumes: [{{ name: tmp, emptyDir: {{}} }}]
"
    )
}
