//! `elasticsearch+http(s)://host/index`: a batch is a bulk request, to Elasticsearch or OpenSearch. Each document has a name
//! of its own, so that one that comes twice is there once, and an answer of its own.

mod documents;
mod reply;
