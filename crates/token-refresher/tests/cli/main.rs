//! The binary `token-refresher` as a pod meets it.

#[cfg(test)]
mod adoption;
#[cfg(test)]
mod as_root;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod files;
#[cfg(test)]
mod http;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod once;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tell;
