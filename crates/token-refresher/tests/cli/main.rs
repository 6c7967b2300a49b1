//! The binary `token-refresher` as a pod meets it.
#![expect(clippy::unwrap_used, reason = "a panic here is how a test fails")]

#[cfg(test)]
mod files;
#[cfg(test)]
mod support;
