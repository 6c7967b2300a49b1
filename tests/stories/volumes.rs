//! Volumes: the kubelet's changes to them, and the state that a second start finds.

use std::collections::BTreeSet;

use e2e::cluster::{Namespace, Profile, kubectl};

use crate::examples::{changed, example, example_with};

const FILES: u32 = 20_000;

#[test]
fn verify_agrees_with_what_the_kubelet_does_for_fs_group() {
    let namespace = Namespace::new("fs-group", Profile::Restricted);
    let on_disk = example("verify-fs-group.yaml");
    let in_memory = changed(&on_disk, "emptyDir: {}", "emptyDir: { medium: Memory, sizeLimit: 8Mi }");
    for (name, manifest) in [("on-disk", &on_disk), ("in-memory", &in_memory)] {
        namespace.create(&changed(manifest, "name: main-app\nspec", &format!("name: {name}\nspec")));
        let end = namespace.until_pod(name, "fix-perms has ended", |pod| pod.ended("fix-perms"));
        assert_eq!(end.code, 0, "{name}: {end:?}\n{}", namespace.log(name, "fix-perms"));
        namespace.until_pod(name, "the app runs", |pod| pod.is_ready().then_some(()));
    }
}

#[test]
fn verify_agrees_on_a_volume_that_holds_files() {
    let namespace = Namespace::new("fs-group-files", Profile::Baseline);
    let name = namespace.name();
    let directory = format!("/var/lib/sidekit-stories/{name}");
    let _filled =
        Volume::create(&namespace, "filled", &format!("hostPath: {{ path: {directory}, type: DirectoryOrCreate }}"));
    // The kubelet sets fsGroup on local volumes, and never on hostPath.
    let local = format!("local: {{ path: {directory} }}\n  {NODE_AFFINITY}");
    let _local = Volume::create(&namespace, "local", &local);
    let fill = "mkdir -m 700 /data/closed; echo >/data/closed/x; echo >/data/y; chmod 400 /data/y; mkdir -m 2775 /data/open; ln -s y /data/link";
    namespace.create(&format!("{}{}", claim("filled", name), filler(fill)));
    let end = namespace.until_pod("filled", "it has ended", |pod| pod.ended("main-app"));
    assert_eq!(end.code, 0, "{end:?}");

    let claimed = changed(
        &example("verify-fs-group.yaml"),
        "    - name: data\n      emptyDir: {}",
        "    - name: data\n      persistentVolumeClaim: { claimName: local }",
    );
    namespace.create(&format!("{}{claimed}", claim("local", name)));
    let end = namespace.until_pod("main-app", "fix-perms has ended", |pod| pod.ended("fix-perms"));
    let log = namespace.log("main-app", "fix-perms");
    assert_eq!(end.code, 0, "{end:?}\n{log}");
    // The root, two directories, two files and a link
    assert_eq!(summary_in(&log)["seen"], 6, "{log}");
    namespace.until_pod("main-app", "the app runs", |pod| pod.is_ready().then_some(()));
    namespace.shell("main-app", "main-app", "rm -r /data/closed /data/open /data/y /data/link").unwrap();
}

#[test]
fn verify_holds_a_pod_up_whose_volume_is_another_groups() {
    let namespace = Namespace::new("other-group", Profile::Restricted);
    namespace.create(&example_with("verify-fs-group.yaml", "--fs-group=3000", "--fs-group=3001"));
    let end = namespace.until_pod("main-app", "fix-perms has ended", |pod| {
        let container = pod.container("fix-perms")?;
        container.ended().or_else(|| container.previous_end())
    });
    assert_eq!(end.code, 1, "{end:?}");
    assert!(end.message.starts_with("code=1 reason=failed what=\"/data\""), "{end:?}");
    assert!(namespace.pod("main-app").container("main-app").unwrap().running_since().is_none());
}

#[test]
fn the_second_start_of_a_pod_changes_nothing() {
    let namespace = Namespace::new("second-start", Profile::Baseline);
    let _volume = Volume::of(&namespace);
    namespace.create(&changed(&stateful_set(&namespace), r#""--policy=stamp", "#, ""));
    until_ready(&namespace);
    // With the set-group-ID bit, as directories have it that a pod with fsGroup made
    let fill = format!("mkdir -m 2777 /data/many && cd /data/many && umask 0 && seq {FILES} | xargs touch");
    namespace.shell(POD, APP, &fill).unwrap();

    start_again(&namespace);
    let second = summary(&namespace);
    assert_eq!(second["changed"], FILES + 1, "{second}");
    let before = times(&namespace);

    start_again(&namespace);
    let third = summary(&namespace);
    assert_eq!((&third["seen"], &third["changed"]), (&(FILES + 2).into(), &0.into()), "{third}");
    assert_eq!(before, times(&namespace), "a change time has moved");
    namespace.shell(POD, APP, "rm -r /data/many").unwrap();
}

#[test]
fn a_stamped_volume_costs_one_look() {
    let namespace = Namespace::new("stamp", Profile::Baseline);
    let _volume = Volume::of(&namespace);
    namespace.create(&stateful_set(&namespace));
    until_ready(&namespace);
    namespace.shell(POD, APP, "cd /data && seq 100 | xargs touch").unwrap();
    start_again(&namespace);
    let summary = summary(&namespace);
    assert_eq!((&summary["seen"], &summary["changed"]), (&1.into(), &0.into()), "{summary}");
}

const POD: &str = "main-app-0";
const APP: &str = "main-app";

/// The example, bound to the story's own volume
fn stateful_set(namespace: &Namespace) -> String {
    let class = format!("      spec:\n        storageClassName: {}\n        accessModes:", namespace.name());
    example_with("stateful-set.yaml", "      spec:\n        accessModes:", &class)
}

fn until_ready(namespace: &Namespace) {
    namespace.until("the pod is ready", || {
        namespace.find(&format!("pod/{POD}"))?;
        namespace.pod(POD).is_ready().then_some(())
    });
}

/// Deletes the pod; its `StatefulSet` starts another one on the same volume.
fn start_again(namespace: &Namespace) {
    namespace.delete(&format!("pod/{POD}"));
    until_ready(namespace);
}

/// The line in which fix-perms says what it saw and changed
fn summary(namespace: &Namespace) -> serde_json::Value {
    summary_in(&namespace.log(POD, "fix-perms"))
}

fn summary_in(log: &str) -> serde_json::Value {
    let line = log.lines().find(|line| line.contains(r#""changed":"#));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no summary in\n{log}"))).unwrap()
}

/// Each file with its change time, to the nanosecond
fn times(namespace: &Namespace) -> BTreeSet<String> {
    let listing = namespace.shell(POD, APP, "find /data -exec stat -c '%n %z' {} +").unwrap();
    let times: BTreeSet<_> = listing.lines().map(str::to_owned).collect();
    assert_eq!(times.len(), FILES as usize + 2);
    times
}

/// A volume that outlives pods: a directory of the node, which any cluster of one node has
struct Volume(String);

impl Volume {
    /// The only one of the story, which its claims find by the name of the namespace
    fn of(namespace: &Namespace) -> Self {
        let directory = format!("/var/lib/sidekit-stories/{}", namespace.name());
        Self::create(namespace, "", &format!("hostPath: {{ path: {directory}, type: DirectoryOrCreate }}"))
    }

    /// One of several, for the claim of this name; `source` says where it lies.
    fn create(namespace: &Namespace, claim: &str, source: &str) -> Self {
        let class = class(namespace.name(), claim);
        let manifest = format!(
            r"
apiVersion: v1
kind: PersistentVolume
metadata: {{ name: {class} }}
spec:
  storageClassName: {class}
  capacity: {{ storage: 1Gi }}
  accessModes: [ReadWriteOnce]
  {source}
"
        );
        namespace.create(&manifest);
        Self(class)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = kubectl(["delete", "persistentvolume", &self.0, "--wait=false"]).output();
    }
}

/// No class that exists: it only brings a claim and its volume together.
fn class(namespace: &str, claim: &str) -> String {
    if claim.is_empty() { namespace.to_owned() } else { format!("{namespace}-{claim}") }
}

/// Local volumes must say where they are; this is any node.
const NODE_AFFINITY: &str = "nodeAffinity: { required: { nodeSelectorTerms: [\
    { matchExpressions: [{ key: kubernetes.io/os, operator: In, values: [linux] }] }] } }";

/// A claim to the volume of its name, before another document
fn claim(name: &str, namespace: &str) -> String {
    let class = class(namespace, name);
    format!(
        r"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{ name: {name} }}
spec:
  storageClassName: {class}
  accessModes: [ReadWriteOnce]
  resources: {{ requests: {{ storage: 1Gi }} }}
---
"
    )
}

/// A pod that runs this as root in the volume of the claim `filled`, and ends
fn filler(command: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{ name: filled }}
spec:
  restartPolicy: Never
  containers:
    - name: main-app
      image: busybox:1.36
      command: ["sh", "-ec", "{command}"]
      volumeMounts: [{{ name: data, mountPath: /data }}]
  volumes:
    - name: data
      persistentVolumeClaim: {{ claimName: filled }}
"#
    )
}
