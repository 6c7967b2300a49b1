//! The crate as a pod meets it, by way of small programs: `programs/sidecar.rs`, `programs/task.rs` and `programs/once.rs`.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod app_exit_watch;
#[cfg(test)]
mod command;
#[cfg(test)]
mod config;
#[cfg(test)]
mod config_links;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod exits;
#[cfg(test)]
mod hardening;
#[cfg(test)]
mod health;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod once;
#[cfg(test)]
mod own_command;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pid_one;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod stalled_reader;
#[cfg(test)]
mod start;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod support;
#[cfg(test)]
mod termination_message;
