//! What a source gives: the values of a secret and their life, what a request for them needs, and why there are none.

pub(crate) mod bounded_json;
pub(crate) mod date;
pub(crate) mod fetch_error;
pub(crate) mod fetched;
pub(crate) mod fields;
pub(crate) mod given;
pub(crate) mod input;
pub(crate) mod life;
