//! What a configuration means: secrets in the order in which they can be fetched.

use std::collections::HashMap;

use lifecycle::Misfit;

use crate::{output::Output, secret_entry::SecretEntry, tell::way::Way};

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
            misfits.extend(unknown.map(|_| {
                Misfit {
                    at: format!("secrets.{index}.source"),
                    message:
                        "it builds on a secret that is not in this file: {secret: NAME} takes the name of another entry"
                            .into(),
                }
            }));
        }
        for (index, entry) in entries.iter().enumerate() {
            misfits.extend(faults_of(index, entry));
        }
        if misfits.is_empty()
            && let Err(cycle) = in_order(entries)
        {
            let message = format!("secrets build on each other in a circle: {cycle}");
            misfits.push(Misfit { at: "secrets".into(), message });
        }
        misfits.extend(collisions(entries));
        match in_order(entries) {
            Ok(secrets) if misfits.is_empty() => Ok(Self { secrets }),
            _ => Err(misfits),
        }
    }
}

/// Faults of one entry alone
fn faults_of(index: usize, entry: &SecretEntry) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    if !is_name(&entry.name) {
        let message = "a name has at most 63 small letters, digits and dashes, and a dash at neither end";
        misfits.push(Misfit { at: format!("secrets.{index}.name"), message: message.into() });
    }
    for (number, tell) in entry.tell.iter().enumerate() {
        if let Err(message) = Way::of(tell) {
            misfits.push(Misfit { at: format!("secrets.{index}.tell.{number}"), message });
        }
    }
    misfits
}

fn is_name(name: &str) -> bool {
    let is_ordinary = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(is_ordinary) && !name.starts_with('-') && !name.ends_with('-')
}

/// The entries, each after those that it builds on, and else as they were; or the names of a circle.
fn in_order(entries: &[SecretEntry]) -> Result<Vec<SecretEntry>, String> {
    let mut ordered: Vec<SecretEntry> = Vec::new();
    let mut rest: Vec<&SecretEntry> = entries.iter().collect();
    while !rest.is_empty() {
        let waits = |entry: &SecretEntry, rest: &[&SecretEntry]| {
            let bases = entry.source.depends_on();
            rest.iter().find(|other| bases.contains(&other.name.as_str())).map(|other| other.name.clone())
        };
        let Some(next) = rest.iter().position(|entry| waits(entry, &rest).is_none()) else {
            return Err(circle(&rest));
        };
        ordered.push(rest.remove(next).clone());
    }
    Ok(ordered)
}

/// Each of these builds on another one of them: following that leads into a circle.
fn circle(entries: &[&SecretEntry]) -> String {
    let mut path: Vec<&str> = Vec::new();
    let mut name = entries.first().map_or("", |entry| entry.name.as_str());
    while !path.contains(&name) {
        path.push(name);
        let entry = entries.iter().find(|entry| entry.name == name);
        let bases = entry.map(|entry| entry.source.depends_on()).unwrap_or_default();
        let base = entries.iter().find(|other| bases.contains(&other.name.as_str()));
        name = base.map_or(name, |base| base.name.as_str());
    }
    let start = path.iter().position(|known| *known == name).unwrap_or_default();
    path.push(name);
    path[start..].join(" → ")
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
