//! The binary `log-forwarder` as a pod meets it: rotations, restarts, collectors that fail, and every line counted.

#[cfg(test)]
mod as_root;
#[cfg(test)]
mod attributes;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod compressed;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod default_linger;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod directories;
#[cfg(test)]
mod elasticsearch;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod file_output;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod fluentd;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod forward;
#[cfg(test)]
mod gathering;
mod holes;
mod inputs;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod lingering;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod loki;
#[cfg(test)]
mod loki_times;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod neighbours;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod otlp_receiver;
#[cfg(test)]
mod packed;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod secrets;
mod selection;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod support;
#[cfg(test)]
mod syslog;
#[cfg(test)]
mod syslog_message;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod trial;
#[cfg(test)]
mod usage;
