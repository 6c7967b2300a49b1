//! `loki+http(s)://host`: a batch is a push of one stream.

mod labels;
mod push;
