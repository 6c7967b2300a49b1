//! Whether objects are ready. Pure: the meaning of what the API server has told.

use std::collections::BTreeMap;

use endpoint::{one_line, without_secrets};
use hyper::HeaderMap;

use super::{
    objects::{Condition, Endpoint, Object, Status},
    resource::{Chosen, Kind, Resource},
    rollouts,
};
use crate::not_ready::{Cause, NotReady, Verdict};

/// The state of one object, by itself
#[derive(Debug)]
pub(super) struct Seen {
    /// The name, for people
    name: String,
    /// The pods or endpoints that count; those of different families are the same ones.
    ready: usize,
    family: String,
    verdict: Verdict,
}

impl Seen {
    /// The same without the login, which a server may repeat. Later answers come to other logins.
    pub(super) fn without_secrets(self, sent: &HeaderMap) -> Self {
        let clean = |refusal: NotReady| NotReady { reason: without_secrets(&refusal.reason, sent), ..refusal };
        Self { name: without_secrets(&self.name, sent), verdict: self.verdict.map_err(clean), ..self }
    }
}

/// The state of one object.
pub(super) fn look(kind: Kind, object: &Object) -> Seen {
    let verdict = match kind {
        Kind::Jobs if object.condition("Complete").is_some_and(Condition::is_true) => Ok("is complete".into()),
        // An object that is being deleted can still have a true Ready condition. A failed Job can be
        // deleted to make room for a new one.
        _ if object.metadata.deletion_timestamp.is_some() => Err(NotReady::new(Cause::Busy, "is being deleted")),
        Kind::Jobs => job(object),
        Kind::Pods => pod(object),
        Kind::Services => return slice(object),
        Kind::StatefulSets => rollouts::stateful_set(object),
        Kind::Deployments => rollouts::deployment(object),
        Kind::DaemonSets => rollouts::daemon_set(object),
    };
    Seen { name: one_line(&object.metadata.name), ready: usize::from(verdict.is_ok()), family: String::new(), verdict }
}

/// The state of all objects of a target.
pub(super) fn judge(resource: &Resource, objects: &BTreeMap<String, Seen>, namespace: &str) -> Verdict {
    match &resource.chosen {
        Chosen::Name(name) if resource.kind == Kind::Services => {
            let ready = count(objects);
            if ready >= resource.count {
                return Ok(format!("{ready} ready {} of the Service {name}", plural(ready, "endpoint")));
            }
            let wanted = resource.count;
            let hint =
                if objects.is_empty() { format!("; is there such a Service in {namespace}?") } else { String::new() };
            Err(NotReady::watched(format!("the Service {name} has {ready} of {wanted} ready endpoints{hint}")))
        }
        Chosen::Name(name) => {
            let what = resource.kind.singular();
            let Some(seen) = objects.values().next() else {
                return Err(absent(resource.kind, name, namespace));
            };
            let named = |text: &str| format!("the {what} {name} {text}");
            match &seen.verdict {
                Ok(proof) => Ok(named(proof)),
                Err(refusal) => Err(NotReady::new(refusal.cause, named(&refusal.reason))),
            }
        }
        Chosen::Selector(selector) => {
            let ready = count(objects);
            let selector = one_line(selector);
            if ready >= resource.count {
                return Ok(format!("{ready} ready {} with {selector}", plural(ready, "pod")));
            }
            let first = objects
                .values()
                .find_map(|seen| Some(format!("; {} {}", seen.name, seen.verdict.as_ref().err()?.reason)));
            let wanted = resource.count;
            Err(NotReady::watched(format!(
                "{ready} of {wanted} pods with {selector} are ready{}",
                first.unwrap_or_default()
            )))
        }
    }
}

fn absent(kind: Kind, name: &str, namespace: &str) -> NotReady {
    let hint = if kind == Kind::Jobs { "; is it still to come, or did ttlSecondsAfterFinished delete it?" } else { "" };
    NotReady::watched(format!("no {} {name} in the namespace {namespace}{hint}", kind.singular()))
}

fn count(objects: &BTreeMap<String, Seen>) -> usize {
    let mut families = BTreeMap::<&str, usize>::new();
    for seen in objects.values() {
        *families.entry(&seen.family).or_default() += seen.ready;
    }
    families.into_values().max().unwrap_or_default()
}

fn plural(count: usize, one: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{one}s") }
}

/// A Job that is not complete
fn job(object: &Object) -> Verdict {
    if let Some(failed) = object.condition("Failed").filter(|condition| condition.is_true()) {
        let why = [&failed.reason, &failed.message].into_iter().filter(|words| !words.is_empty());
        let why = why.fold("has failed".to_owned(), |text, words| format!("{text}: {words}"));
        return Err(NotReady::never(one_line(&why)));
    }
    if object.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)) {
        return Err(NotReady::watched("is suspended"));
    }
    let (active, failed) = object.status.as_ref().map_or((0, 0), |status| (status.active, status.failed));
    Err(NotReady::watched(format!("is not complete: pods active {active}, failed {failed}")))
}

fn pod(object: &Object) -> Verdict {
    let ready = object.condition("Ready");
    if ready.is_some_and(Condition::is_true) {
        return Ok("is ready".into());
    }
    let Some(status) = &object.status else { return Err(NotReady::watched("has no status yet")) };
    if ["Succeeded", "Failed"].contains(&&*status.phase) {
        return Err(NotReady::watched(format!("has ended: {}", status.phase)));
    }
    if let Some(reason) = waiting(status) {
        return Err(NotReady::watched(format!("is not ready: {}", one_line(reason))));
    }
    let scheduled = object.condition("PodScheduled").filter(|condition| !condition.is_true());
    let why = scheduled.or(ready).map(|condition| condition.reason.as_str()).filter(|reason| !reason.is_empty());
    Err(NotReady::watched(format!("is not ready: {}", one_line(why.unwrap_or(&status.phase)))))
}

/// Why the kubelet does not start a container, such as `ImagePullBackOff`
fn waiting(status: &Status) -> Option<&str> {
    let lists = [&status.init_container_statuses, &status.container_statuses];
    let containers = lists.into_iter().flatten().flatten();
    let waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    // Each container of a pod that starts is in one of these states for a moment.
    let usual = ["", "PodInitializing", "ContainerCreating"];
    waiting.map(|waiting| waiting.reason.as_str()).find(|reason| !usual.contains(reason))
}

/// The endpoints of one slice. A Service with `publishNotReadyAddresses` calls all of them ready,
/// and then `serving` tells the truth.
fn slice(object: &Object) -> Seen {
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    let endpoints = object.endpoints.iter().flatten().filter(|_| !is_deleted);
    let is_true = |endpoint: &&Endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.is_none_or(|conditions| conditions.ready != Some(false) && conditions.serving != Some(false))
    };
    Seen {
        name: one_line(&object.metadata.name),
        ready: endpoints.filter(is_true).count(),
        family: one_line(&object.address_type),
        verdict: Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;
    use serde_json::{Value, json};

    use super::*;
    use crate::not_ready::Cause;

    fn judged(resource: &Resource, objects: Value) -> Result<String, (Cause, String)> {
        let objects: Vec<Object> = serde_json::from_value(objects).unwrap();
        let seen = objects.iter().enumerate().map(|(at, object)| (format!("o{at}"), look(resource.kind, object)));
        judge(resource, &seen.collect(), "shop").map_err(|refusal| (refusal.cause, refusal.reason))
    }

    fn named(kind: Kind, object: &Value) -> Result<String, (Cause, String)> {
        judged(&Resource { kind, chosen: Chosen::Name("x".into()), count: 1 }, json!([object]))
    }

    fn refused(reason: &str) -> Result<String, (Cause, String)> {
        Err((Cause::Watched, reason.into()))
    }

    fn condition(kind: &str, status: &str) -> Value {
        json!({"type": kind, "status": status, "reason": "Why", "message": "some\nwords"})
    }

    #[test]
    fn a_job_is_ready_when_it_is_complete_and_never_when_it_has_failed() {
        let job = |conditions: Value| json!({"status": {"conditions": conditions, "active": 1, "failed": 2}});
        let judge = |object| named(Kind::Jobs, &object);
        assert_eq!(judge(job(json!([condition("Complete", "True")]))), Ok("the Job x is complete".into()));
        let failed = judge(job(json!([condition("FailureTarget", "True"), condition("Failed", "True")])));
        let never = Cause::Never(Exit::Unavailable);
        assert_eq!(failed, Err((never, "the Job x has failed: Why: some words".into())));
        let waiting = refused("the Job x is not complete: pods active 1, failed 2");
        assert_eq!(judge(job(Value::Null)), waiting);
        assert_eq!(
            judge(job(json!([condition("SuccessCriteriaMet", "True"), condition("Complete", "False")]))),
            waiting
        );
        let without_words = json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]);
        assert_eq!(judge(job(without_words)), Err((never, "the Job x has failed: DeadlineExceeded".into())));
        // Helm deletes a hook's Job before it makes the next one.
        let deleted = |condition: Value| json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"conditions": [condition]}});
        let going = Err((Cause::Busy, "the Job x is being deleted".into()));
        assert_eq!(judge(deleted(condition("Failed", "True"))), going);
        assert_eq!(judge(deleted(condition("Complete", "True"))), Ok("the Job x is complete".into()));
        assert_eq!(judge(json!({"spec": {"suspend": true}})), refused("the Job x is suspended"));
        assert_eq!(judge(json!({})), refused("the Job x is not complete: pods active 0, failed 0"));
    }

    #[test]
    fn a_pod_says_why_it_is_not_ready() {
        let ready = json!({"status": {"conditions": [condition("Ready", "True")]}});
        assert_eq!(named(Kind::Pods, &ready), Ok("the Pod x is ready".into()));
        let mut deleted = ready;
        deleted["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        // It is still there.
        assert_eq!(named(Kind::Pods, &deleted), Err((Cause::Busy, "the Pod x is being deleted".into())));
        let ended = named(Kind::Pods, &json!({"status": {"phase": "Succeeded"}}));
        assert_eq!(ended, refused("the Pod x has ended: Succeeded"));
        let waiting = |reason| json!([{"state": {"waiting": {"reason": reason}}}]);
        for (status, why) in [
            (json!({"conditions": [condition("Ready", "False")]}), "Why"),
            (json!({"phase": "Pending", "containerStatuses": waiting("ImagePullBackOff")}), "ImagePullBackOff"),
            (json!({"phase": "Pending", "initContainerStatuses": waiting("CrashLoopBackOff")}), "CrashLoopBackOff"),
            (json!({"phase": "Pending", "containerStatuses": waiting("PodInitializing")}), "Pending"),
        ] {
            let pod = named(Kind::Pods, &json!({"status": status}));
            assert_eq!(pod, refused(&format!("the Pod x is not ready: {why}")));
        }
    }

    #[test]
    fn enough_pods_of_a_selector_are_ready() {
        let pods = |count| Resource { kind: Kind::Pods, chosen: Chosen::Selector("app=web".into()), count };
        let ready = json!({"status": {"conditions": [condition("Ready", "True")]}});
        let waiting = json!({"metadata": {"name": "web-0"}, "status": {"phase": "Pending"}});
        let both = json!([waiting, ready]);
        assert_eq!(judged(&pods(1), both.clone()), Ok("1 ready pod with app=web".into()));
        assert_eq!(judged(&pods(2), both), refused("1 of 2 pods with app=web are ready; web-0 is not ready: Pending"));
        assert_eq!(judged(&pods(2), json!([ready, ready])), Ok("2 ready pods with app=web".into()));
        assert_eq!(judged(&pods(1), json!([])), refused("0 of 1 pods with app=web are ready"));
    }

    #[test]
    fn a_service_is_ready_by_its_endpoints_each_counted_once() {
        let service = |count| Resource { kind: Kind::Services, chosen: Chosen::Name("db".into()), count };
        let slice = |family: &str, conditions: Value| json!({"addressType": family, "endpoints": conditions});
        let ready = json!({"conditions": {"ready": true, "serving": true}});
        let published = json!({"conditions": {"ready": true, "serving": false}});
        let ending = json!({"conditions": {"ready": false, "serving": true, "terminating": true}});
        let both_families =
            json!([slice("IPv4", json!([ready, ending])), slice("IPv6", json!([ready])), slice("IPv4", json!([{}]))]);
        assert_eq!(judged(&service(1), both_families.clone()), Ok("2 ready endpoints of the Service db".into()));
        assert_eq!(judged(&service(3), both_families), refused("the Service db has 2 of 3 ready endpoints"));
        for none in [json!([]), json!([published]), json!([ending]), Value::Null] {
            let none = judged(&service(1), json!([slice("IPv4", none)]));
            assert_eq!(none, refused("the Service db has 0 of 1 ready endpoints"));
        }
        let absent = refused("the Service db has 0 of 1 ready endpoints; is there such a Service in shop?");
        assert_eq!(judged(&service(1), json!([])), absent);
    }
}
