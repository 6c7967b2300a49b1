//! What a configuration means: secrets in the order in which they can be fetched.

use std::collections::HashMap;

use lifecycle::Misfit;

use crate::{output::Output, secret_entry::SecretEntry};

/// Secrets, each after those that it builds on
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) secrets: Vec<SecretEntry>,
}

impl Plan {
    /// The plan of these entries, or all their faults.
    pub(crate) fn of(entries: &[SecretEntry]) -> Result<Self, Vec<Misfit>> {
        let mut places = HashMap::new();
        let mut misfits = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if places.insert(entry.name.as_str(), index).is_some() {
                misfits.push(Misfit {
                    at: format!("secrets.{index}.name"),
                    message: "an earlier secret has this name".into(),
                });
            }
        }
        for (index, entry) in entries.iter().enumerate() {
            let unknown = entry.source.depends_on().into_iter().filter(|name| !places.contains_key(name));
            misfits.extend(unknown.map(|_| Misfit {
                at: format!("secrets.{index}.source"),
                message: "it builds on a secret that is not in this file".into(),
            }));
        }
        misfits.extend(collisions(entries));
        if misfits.is_empty() { Ok(Self { secrets: entries.to_vec() }) } else { Err(misfits) }
    }
}

/// Outputs that would overwrite each other
fn collisions(entries: &[SecretEntry]) -> Vec<Misfit> {
    let mut earlier: Vec<&Output> = Vec::new();
    let mut misfits = Vec::new();
    for (secret, entry) in entries.iter().enumerate() {
        for (number, output) in entry.outputs.iter().enumerate() {
            if earlier.iter().any(|other| other.collides_with(output)) {
                let message =
                    "an earlier output writes to the same place: each file and each set has a path of its own";
                misfits.push(Misfit { at: format!("secrets.{secret}.outputs.{number}"), message: message.into() });
            }
            earlier.push(output);
        }
    }
    misfits
}
