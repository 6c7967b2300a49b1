//! The binary `wait-for` as a pod meets it: its exit codes, its words, its targets' servers.

#[cfg(test)]
mod dns;
#[cfg(test)]
mod file;
#[cfg(test)]
mod srv;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod unix;
