//! The head of a message: its bytes, its judgement, and the headers that do not go on or that name
//! the client.

pub(crate) mod field_section;
pub(crate) mod forwarded;
pub(crate) mod hop_by_hop;
pub(crate) mod raw_head;
pub(crate) mod request_head;
pub(crate) mod spelling;
pub(crate) mod upgrade;
