//! The binary `token-refresher` as a pod meets it.

#[cfg(test)]
mod as_root;
#[cfg(test)]
mod files;
#[cfg(test)]
mod http;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tell;
