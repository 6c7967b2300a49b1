//! The sources of Vault and OpenBao, which speak the same protocol.

mod api;
mod kv;
mod kv_answer;
mod login;
mod method;
mod session;
#[cfg(test)]
mod tests;
mod token;

pub(super) use kv::KvSource;
pub(super) use login::LoginSource;
