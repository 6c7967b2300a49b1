//! The binary `token-refresher` as a pod meets it.

#[cfg(test)]
mod files;
#[cfg(test)]
mod support;
