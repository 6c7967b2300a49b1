//! The binary `fix-perms` as a pod meets it: its exit codes, its words, what it changes and what it
//! never touches.

#[cfg(test)]
mod as_root;
#[cfg(test)]
mod command;
#[cfg(test)]
mod config;
#[cfg(test)]
mod misread_paths;
#[cfg(test)]
mod pid_one;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod support;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod words;
