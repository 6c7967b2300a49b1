//! A pod, as its status tells.

use std::net::IpAddr;

use serde_json::Value;

/// A pod at the time that it was asked for
pub struct Pod(Value);

/// The status of one container
pub struct Container<'a>(&'a Value);

/// The end of a container
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, where a signal n counts as 128 + n
    pub code: i64,
    /// `Completed`, `Error`, `OOMKilled` …
    pub reason: String,
    /// Its message in /dev/termination-log
    pub message: String,
    /// RFC 3339 with whole seconds: their order as text is their order in time
    pub started: String,
    /// The same, of its end
    pub finished: String,
}

impl Pod {
    pub(super) fn of(value: Value) -> Self {
        Self(value)
    }

    /// Its name
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().expect("a name")
    }

    /// `Pending`, `Running`, `Succeeded` or `Failed`
    pub fn phase(&self) -> &str {
        self.0["status"]["phase"].as_str().unwrap_or_default()
    }

    /// Whether it counts as ready for Services
    pub fn is_ready(&self) -> bool {
        let conditions = self.0["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    }

    /// Its address, once it has one
    pub fn ip(&self) -> Option<IpAddr> {
        self.0["status"]["podIP"].as_str()?.parse().ok()
    }

    /// Whether no container of it will ever run again
    pub fn has_ended(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// An init container, a sidecar or an ordinary one; `None` while the kubelet has said nothing of it
    pub fn container<'a>(&'a self, name: &str) -> Option<Container<'a>> {
        self.statuses().find(|status| status["name"] == name).map(Container)
    }

    /// The end of a container, if it has ended and was not started again
    pub fn ended(&self, name: &str) -> Option<Ended> {
        self.container(name)?.ended()
    }

    /// Each container with its state, its last one and its restarts, for messages
    pub(super) fn states(&self) -> Vec<(String, String)> {
        let text = |status: &Value| {
            let [state, last, restarts] = ["state", "lastState", "restartCount"].map(|key| &status[key]);
            let name = status["name"].as_str().unwrap_or_default().to_owned();
            (name, format!("{state}, restarts: {restarts}, before: {last}"))
        };
        self.statuses().map(text).collect()
    }

    fn statuses(&self) -> impl Iterator<Item = &Value> {
        let lists = ["initContainerStatuses", "containerStatuses"];
        lists.into_iter().filter_map(|list| self.0["status"][list].as_array()).flatten()
    }
}

impl<'a> Container<'a> {
    /// When it was started; `None` if it is not running
    pub fn running_since(&self) -> Option<&'a str> {
        self.0["state"]["running"]["startedAt"].as_str()
    }

    /// Whether its startup probe, if it has one, has succeeded
    pub fn has_started(&self) -> bool {
        self.0["started"] == true
    }

    /// Whether its readiness probe, if it has one, succeeds
    pub fn is_ready(&self) -> bool {
        self.0["ready"] == true
    }

    /// How often it was started again
    pub fn restarts(&self) -> u64 {
        self.0["restartCount"].as_u64().unwrap_or_default()
    }

    /// Its end, unless it was started again
    pub fn ended(&self) -> Option<Ended> {
        Ended::of(&self.0["state"]["terminated"])
    }

    /// The end before it was started again
    pub fn previous_end(&self) -> Option<Ended> {
        Ended::of(&self.0["lastState"]["terminated"])
    }
}

impl Ended {
    fn of(terminated: &Value) -> Option<Self> {
        let text = |key: &str| terminated[key].as_str().unwrap_or_default().to_owned();
        terminated.is_object().then(|| Self {
            code: terminated["exitCode"].as_i64().expect("an exit code"),
            reason: text("reason"),
            message: text("message"),
            started: text("startedAt"),
            finished: text("finishedAt"),
        })
    }
}
