//! The binary as a pod meets it; one module a theme.

#[cfg(test)]
mod cgroup;
#[cfg(test)]
mod collectors;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod lint;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod loops;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod merge;
#[cfg(test)]
mod metric_list;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod scrape;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod support;
