//! A network of one test.

use crate::{
    engine::{ask, docker},
    image::unique,
};

/// A network where containers find each other by name; gone when dropped, so declare it before its containers
pub(crate) struct Network {
    name: String,
    option: String,
}

impl Network {
    /// A new one
    pub(crate) fn new() -> Self {
        let name = unique("network");
        ask(["network", "create", &name]);
        Self { option: format!("--network={name}"), name }
    }

    /// The option of `docker run` that puts a container there
    pub(crate) fn option(&self) -> &str {
        &self.option
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = docker(["network", "rm", &self.name]).output();
    }
}
