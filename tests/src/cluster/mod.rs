//! The Kubernetes cluster that KUBECONFIG names, as a story sees it.

mod kubectl;
mod namespace;
mod pod;

pub use kubectl::kubectl;
pub use namespace::{Namespace, Profile};
pub use pod::{Container, Ended, Pod};
