//! A namespace of one story.

use std::{
    process, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    kubectl::{answer, answer_to, complaint_about, kubectl},
    pod::Pod,
};

/// What any state gets to come about: long on an idle machine, so that a busy one fits too.
const DEADLINE: Duration = Duration::from_secs(180);
/// Each look is a process of its own, and costs more CPU than the pod that it looks at: the pause grows with the wait.
const PACE: Duration = Duration::from_millis(250);
const SLOWEST_PACE: Duration = Duration::from_secs(1);
/// How often an object is asked for before an error counts
const ASKED_AGAIN: u32 = 5;

/// A namespace that is gone, with all in it, when dropped; if the story fails, what happened in it is printed before
pub struct Namespace(String);

/// The pods that the cluster admits to a namespace (Pod Security Standards)
#[derive(Clone, Copy)]
pub enum Profile {
    /// No host namespaces, and only the capabilities that container runtimes give by default
    Baseline,
    /// Nothing that a hardened app does not need
    Restricted,
}

impl Namespace {
    /// A new one for the story of this name; manifests that the profile does not admit are refused
    pub fn new(story: &str, profile: Profile) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set").as_micros();
        let name = format!("{story}-{now:x}");
        let profile = match profile {
            Profile::Baseline => "baseline",
            Profile::Restricted => "restricted",
        };
        let manifest = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: \
             {{pod-security.kubernetes.io/enforce: {profile}, pod-security.kubernetes.io/warn: {profile}}}}}}}"
        );
        answer_to(kubectl(["apply", "--filename=-"]), &manifest).expect("a new namespace");
        let namespace = Self(name);
        // The admission of pods waits for it.
        namespace.until("the default service account is there", || {
            namespace.say(["get", "serviceaccount", "default", "--output=name"]).ok()
        });
        namespace
    }

    /// Its name
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Creates what the manifest says.
    pub fn create(&self, manifest: &str) {
        let created = answer_to(self.kubectl(["create", "--filename=-"]), manifest);
        created.unwrap_or_else(|refusal| panic!("{refusal}\nof\n{manifest}"));
    }

    /// Changes what is there to what the manifest says.
    pub fn replace(&self, manifest: &str) {
        let replaced = answer_to(self.kubectl(["replace", "--filename=-"]), manifest);
        replaced.unwrap_or_else(|refusal| panic!("{refusal}\nof\n{manifest}"));
    }

    /// The cluster's refusal of a manifest, or its warnings; creates nothing
    ///
    /// It refuses a pod that the namespace's profile does not admit, and warns of a Deployment or Job whose pods it would refuse.
    pub fn complaint(&self, manifest: &str) -> String {
        let create = self.kubectl(["create", "--dry-run=server", "--filename=-"]);
        complaint_about(create, manifest)
    }

    /// An object, such as `job/migration`; `None` when it is not there
    pub fn find(&self, object: &str) -> Option<Value> {
        let mut found = Err(String::new());
        // A busy API server may fail once.
        for _ in 0..ASKED_AGAIN {
            found = self.say(["get", object, "--output=json", "--ignore-not-found"]);
            if found.is_ok() {
                break;
            }
            thread::sleep(PACE);
        }
        let text = found.unwrap_or_else(|error| panic!("{object}: {error}"));
        (!text.is_empty()).then(|| serde_json::from_str(&text).expect("JSON"))
    }

    /// A pod, which must be there
    pub fn pod(&self, name: &str) -> Pod {
        Pod::of(self.find(&format!("pod/{name}")).unwrap_or_else(|| panic!("no pod {name}")))
    }

    /// All pods with this label, such as `job-name=migration`
    pub fn pods(&self, label: &str) -> Vec<Pod> {
        let text = self.say(["get", "pods", "--output=json", "--selector", label]).expect("pods");
        let list: Value = serde_json::from_str(&text).expect("JSON");
        list["items"].as_array().expect("a list").iter().cloned().map(Pod::of).collect()
    }

    /// Asks until the answer is something; `what` names the state for the story's failure.
    pub fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let waited = start.elapsed();
            assert!(waited < DEADLINE, "waited {DEADLINE:?} in vain until {what}, in {}", self.0);
            thread::sleep((waited / 4).clamp(PACE, SLOWEST_PACE));
        }
    }

    /// Waits until a pod shows something.
    pub fn until_pod<T>(&self, name: &str, what: &str, mut shows: impl FnMut(&Pod) -> Option<T>) -> T {
        self.until(&format!("{name}: {what}"), || shows(&self.pod(name)))
    }

    /// Waits until the log of a container of this pod, which need not have started, has a line that holds `part`.
    pub fn until_log(&self, pod: &str, container: &str, part: &str) -> String {
        self.until(&format!("{pod}/{container} says {part:?}"), || {
            let log = self.say(["logs", pod, "--container", container]).ok()?;
            log.lines().find(|line| line.contains(part)).map(str::to_owned)
        })
    }

    /// The log of a container
    pub fn log(&self, pod: &str, container: &str) -> String {
        self.say(["logs", pod, "--container", container]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a shell command in a container that has a shell; `Err` what it said when it failed
    pub fn shell(&self, pod: &str, container: &str, command: &str) -> Result<String, String> {
        self.say(["exec", pod, "--container", container, "--", "sh", "-c", command])
    }

    /// Deletes a pod and gives its last status, with the time until all of its containers had ended.
    ///
    /// A finalizer holds the object until then: without it the status would be gone with the pod.
    pub fn delete_pod(&self, name: &str) -> (Pod, Duration) {
        let held = Held::by_finalizer(self, name);
        let start = Instant::now();
        self.say(["delete", "pod", name, "--wait=false"]).expect("a pod that can be deleted");
        let pod = self.until(&format!("all containers of {name} have ended"), || {
            let pod = self.pod(name);
            pod.has_ended().then_some(pod)
        });
        drop(held);
        (pod, start.elapsed())
    }

    /// Deletes an object, and waits until it is gone.
    pub fn delete(&self, object: &str) {
        self.say(["delete", object, "--wait=true"]).unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// `kubectl` in this namespace
    pub fn kubectl<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> process::Command {
        let mut command = kubectl(["--namespace", &self.0]);
        command.args(arguments);
        command
    }

    fn say<'a>(&'a self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
        answer(self.kubectl(arguments))
    }

    /// For a story that fails: events, the state of each container, and the end of each log.
    fn report(&self) -> String {
        let events = self.say(["get", "events", "--sort-by=.lastTimestamp"]).unwrap_or_else(|error| error);
        let mut report = format!("--- events of {}\n{events}", self.0);
        let list = self.say(["get", "pods", "--output=json"]).unwrap_or_default();
        let list: Value = serde_json::from_str(&list).unwrap_or_default();
        for pod in list["items"].as_array().into_iter().flatten().cloned().map(Pod::of) {
            for (container, state) in pod.states() {
                let log = self.say(["logs", pod.name(), "--container", &container, "--tail=40"]);
                let log = log.unwrap_or_else(|error| error);
                report += &["--- ", pod.name(), "/", &container, ": ", &state, "\n", &log].concat();
            }
        }
        report
    }
}

/// A pod whose object stays when it is deleted, until this is dropped: however the story ends, nothing stays behind
struct Held<'a>(&'a Namespace, &'a str);

impl<'a> Held<'a> {
    fn by_finalizer(namespace: &'a Namespace, pod: &'a str) -> Self {
        let held = Self(namespace, pod);
        held.set_finalizers(r#"["sidekit.test/status-is-read"]"#).expect("a pod that can be changed");
        held
    }

    fn set_finalizers(&self, list: &str) -> Result<String, String> {
        let patch = format!(r#"{{"metadata":{{"finalizers":{list}}}}}"#);
        self.0.say(["patch", "pod", self.1, "--type=merge", "--patch", &patch])
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.set_finalizers("null");
    }
}

impl Drop for Namespace {
    #[expect(clippy::print_stderr, reason = "the test's own report")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.report());
        }
        // Does not wait, because pods that still run in it may take all of their grace period.
        let _ = kubectl(["delete", "namespace", &self.0, "--wait=false"]).output();
    }
}
