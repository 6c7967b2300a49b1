//! Whether the rollout of a workload is done, as `kubectl rollout status` judges it. One thing
//! differs: a workload that wants no pod at all serves nobody, and is not ready.

use super::objects::{Object, Spec, Status};
use crate::not_ready::{NotReady, Verdict};

const DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";

pub(super) fn deployment(object: &Object) -> Verdict {
    let status = observed(object)?;
    let wanted = wanted(object)?;
    // The controller goes on, and a pod may get ready later.
    let is_stuck = object.condition("Progressing").is_some_and(|condition| condition.reason == DEADLINE_EXCEEDED);
    let hint = if is_stuck { format!(" ({DEADLINE_EXCEEDED})") } else { String::new() };
    if status.updated_replicas < wanted {
        return Err(NotReady::watched(format!("has updated {} of {wanted} replicas{hint}", status.updated_replicas)));
    }
    let old = status.replicas.saturating_sub(status.updated_replicas);
    if old > 0 {
        return Err(NotReady::watched(format!("has {old} old replicas that end{hint}")));
    }
    available(status.available_replicas, status.updated_replicas, &hint)
}

pub(super) fn stateful_set(object: &Object) -> Verdict {
    let status = observed(object)?;
    let wanted = wanted(object)?;
    let strategy = object.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    if status.ready_replicas < wanted {
        return Err(NotReady::watched(format!("has {} of {wanted} replicas ready", status.ready_replicas)));
    }
    if strategy.is_some_and(|strategy| strategy.kind == "OnDelete") {
        // No rollout goes on by itself: pods are replaced when somebody deletes them.
        return Ok(format!("has {} ready replicas", status.ready_replicas));
    }
    let partition = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition).unwrap_or_default();
    let to_update = wanted.saturating_sub(partition).max(0);
    if partition > 0 {
        if status.updated_replicas < to_update {
            return Err(NotReady::watched(format!("has updated {} of {to_update} replicas", status.updated_replicas)));
        }
    } else if status.update_revision != status.current_revision {
        return Err(NotReady::watched(format!("has updated {} of {wanted} replicas", status.updated_replicas)));
    }
    Ok(format!("is rolled out, with {} ready replicas", status.ready_replicas))
}

pub(super) fn daemon_set(object: &Object) -> Verdict {
    let status = observed(object)?;
    let wanted = status.desired_number_scheduled;
    if wanted == 0 {
        return Err(NotReady::watched("fits no node"));
    }
    let strategy = object.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    let updates_by_itself = strategy.is_none_or(|strategy| strategy.kind != "OnDelete");
    if updates_by_itself && status.updated_number_scheduled < wanted {
        return Err(NotReady::watched(format!("has updated {} of {wanted} pods", status.updated_number_scheduled)));
    }
    available(status.number_available, wanted, "")
}

/// The status, if the controller has seen the object as it is now
fn observed(object: &Object) -> Result<&Status, NotReady> {
    let status = object.status.as_ref();
    let status = status.filter(|status| status.observed_generation > 0);
    status
        .filter(|status| status.observed_generation >= object.metadata.generation)
        .ok_or_else(|| NotReady::watched("has a change that its controller has not seen yet"))
}

fn wanted(object: &Object) -> Result<i64, NotReady> {
    match object.spec.as_ref().and_then(|spec: &Spec| spec.replicas).unwrap_or(1) {
        0 => Err(NotReady::watched("is scaled to 0 replicas")),
        wanted => Ok(wanted),
    }
}

fn available(available: i64, wanted: i64, hint: &str) -> Verdict {
    if available < wanted {
        return Err(NotReady::watched(format!("has {available} of {wanted} replicas available{hint}")));
    }
    Ok(format!("is rolled out, with {available} available replicas"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(judge: fn(&Object) -> Verdict, spec: &Value, status: &Value) -> Result<String, String> {
        let object = json!({"metadata": {"generation": 2}, "spec": spec, "status": status});
        judge(&serde_json::from_value(object).unwrap()).map_err(|refusal| refusal.reason)
    }

    fn refused(reason: &str) -> Result<String, String> {
        Err(reason.into())
    }

    /// A status that is up to date, with these counts
    fn status(counts: Value) -> Value {
        let mut status = counts;
        status["observedGeneration"] = 2.into();
        status
    }

    #[test]
    fn a_deployment_is_rolled_out_when_all_replicas_are_new_and_available() {
        let judge = |counts| judged(deployment, &json!({"replicas": 3}), &status(counts));
        let all = json!({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
        assert_eq!(judge(all.clone()), Ok("is rolled out, with 3 available replicas".into()));
        assert_eq!(judge(json!({"updatedReplicas": 2})), refused("has updated 2 of 3 replicas"));
        let old = json!({"replicas": 4, "updatedReplicas": 3, "availableReplicas": 4});
        assert_eq!(judge(old), refused("has 1 old replicas that end"));
        let mut stuck = json!({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 1});
        assert_eq!(judge(stuck.clone()), refused("has 1 of 3 replicas available"));
        stuck["conditions"] = json!([{"type": "Progressing", "status": "False", "reason": DEADLINE_EXCEEDED}]);
        assert_eq!(judge(stuck), refused("has 1 of 3 replicas available (ProgressDeadlineExceeded)"));
        let unseen = refused("has a change that its controller has not seen yet");
        let mut earlier = all;
        earlier["observedGeneration"] = 1.into();
        assert_eq!(judged(deployment, &json!({"replicas": 3}), &earlier), unseen);
        assert_eq!(judged(deployment, &json!({"replicas": 3}), &Value::Null), unseen);
        assert_eq!(judged(deployment, &json!({"replicas": 0}), &status(json!({}))), refused("is scaled to 0 replicas"));
    }

    #[test]
    fn a_stateful_set_is_rolled_out_when_all_replicas_are_ready_and_of_one_revision() {
        let rolling = |partition: Value| json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": partition}});
        let done = json!({"readyReplicas": 3, "updatedReplicas": 3, "currentRevision": "b", "updateRevision": "b"});
        let half = json!({"readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"});
        let judge = |spec, counts: &Value| judged(stateful_set, &spec, &status(counts.clone()));
        let ready = || Ok("is rolled out, with 3 ready replicas".into());
        assert_eq!(judge(rolling(Value::Null), &done), ready());
        assert_eq!(judge(rolling(json!({"partition": 0})), &half), refused("has updated 1 of 3 replicas"));
        assert_eq!(judge(rolling(json!({"partition": 2})), &half), ready());
        assert_eq!(judge(rolling(json!({"partition": 1})), &half), refused("has updated 1 of 2 replicas"));
        assert_eq!(judge(rolling(Value::Null), &json!({"readyReplicas": 2})), refused("has 2 of 3 replicas ready"));
        let by_hand = json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}});
        assert_eq!(judge(by_hand, &half), Ok("has 3 ready replicas".into()));
    }

    #[test]
    fn a_daemon_set_is_rolled_out_when_each_node_has_its_new_pod() {
        let judge = |counts| judged(daemon_set, &json!({}), &status(counts));
        let counts = |updated, available| json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": available});
        assert_eq!(judge(counts(2, 2)), Ok("is rolled out, with 2 available replicas".into()));
        assert_eq!(judge(counts(1, 2)), refused("has updated 1 of 2 pods"));
        assert_eq!(judge(counts(2, 1)), refused("has 1 of 2 replicas available"));
        assert_eq!(judge(json!({})), refused("fits no node"));
        let by_hand = judged(daemon_set, &json!({"updateStrategy": {"type": "OnDelete"}}), &status(counts(0, 2)));
        assert_eq!(by_hand, Ok("is rolled out, with 2 available replicas".into()));
    }
}
