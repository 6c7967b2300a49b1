//! YAML files: read within bounds; faults have line and column, and messages repeat no value.
//!
//! A file becomes a tree of nodes with places (`reader`, `node`), which serde reads (`deserializer`). The errors of serde
//! would repeat values; a [`Fault`] holds only the place and what was expected there (`fault`).

mod deserializer;
mod fault;
mod node;
mod reader;
mod scalar;

pub(crate) use deserializer::Reading;
pub use fault::AtKey;
pub(crate) use fault::Fault;
pub(crate) use node::Node;
pub(crate) use reader::read;

#[cfg(test)]
mod tests;
