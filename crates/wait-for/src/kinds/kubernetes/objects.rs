//! The fields of objects that tell whether they are ready, of all kinds in one shape. Other fields
//! are skipped while they are read, so that a large object costs no more than its text.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// Entries of one list within an answer; an API server has 1000 endpoints in a slice at most.
const MOST_ENTRIES: usize = 10_000;

/// Reads a list of bounded length, because entries are much larger than their shortest text.
fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
    struct Entries<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
        type Value = Option<Vec<T>>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a list")
        }

        /// `null`, where Go has an empty list
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = sequence.next_element()? {
                if entries.len() >= MOST_ENTRIES {
                    return Err(A::Error::custom("a list is too long"));
                }
                entries.push(entry);
            }
            Ok(Some(entries))
        }
    }

    deserializer.deserialize_any(Entries(PhantomData))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct List {
    pub(super) metadata: ListMetadata,
    /// `null` where Go has an empty list
    #[serde(deserialize_with = "bounded")]
    pub(super) items: Option<Vec<Object>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMetadata {
    pub(super) resource_version: String,
    #[serde(rename = "continue")]
    pub(super) next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) metadata: Metadata,
    pub(super) spec: Option<Spec>,
    pub(super) status: Option<Status>,
    /// Of an `EndpointSlice`: `IPv4` or `IPv6`
    pub(super) address_type: String,
    #[serde(deserialize_with = "bounded")]
    pub(super) endpoints: Option<Vec<Endpoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    pub(super) deletion_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) replicas: Option<i64>,
    pub(super) suspend: Option<bool>,
    pub(super) update_strategy: Option<UpdateStrategy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateStrategy {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) rolling_update: Option<RollingUpdate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RollingUpdate {
    pub(super) partition: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(deserialize_with = "bounded")]
    pub(super) conditions: Option<Vec<Condition>>,
    pub(super) observed_generation: i64,
    /// Of a Pod
    pub(super) phase: String,
    #[serde(deserialize_with = "bounded")]
    pub(super) init_container_statuses: Option<Vec<Container>>,
    #[serde(deserialize_with = "bounded")]
    pub(super) container_statuses: Option<Vec<Container>>,
    /// Pods of a Job
    pub(super) active: i64,
    pub(super) failed: i64,
    /// Of a Deployment or a `StatefulSet`
    pub(super) replicas: i64,
    pub(super) ready_replicas: i64,
    pub(super) updated_replicas: i64,
    pub(super) available_replicas: i64,
    pub(super) current_revision: String,
    pub(super) update_revision: String,
    /// Of a DaemonSet
    pub(super) desired_number_scheduled: i64,
    pub(super) updated_number_scheduled: i64,
    pub(super) number_available: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) state: Option<ContainerState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Waiting>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    pub(super) reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) conditions: Option<EndpointConditions>,
}

/// An unknown condition counts as true
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointConditions {
    pub(super) ready: Option<bool>,
    pub(super) serving: Option<bool>,
}

/// The API server's own words about a failed request
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    /// `Status`, unless somebody else has answered
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) code: u16,
}

impl Object {
    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        let conditions = self.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.kind == kind)
    }
}

impl Condition {
    pub(super) fn is_true(&self) -> bool {
        self.status == "True"
    }
}
