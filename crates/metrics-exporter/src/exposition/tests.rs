//! Tests of whole pages.

mod bounds;
mod fitness;
mod generator;
mod histograms;
mod models;
mod openmetrics;
mod protobuf;
mod round_trip;
mod text;
