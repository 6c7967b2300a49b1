//! The binary `proxy` as a pod meets it: raw bytes in front, scripted upstreams behind, and every connection in between.

#[cfg(test)]
mod access_log;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod app;
#[cfg(test)]
mod app_down;
#[cfg(test)]
mod app_faults;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod check;
#[cfg(test)]
mod client;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod contained;
#[cfg(test)]
mod draining;
#[cfg(test)]
mod event_streams;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hold_start;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod http2_client;
#[cfg(test)]
mod http2_drains;
#[cfg(test)]
mod http2_floods;
#[cfg(test)]
mod http2_limits;
#[cfg(test)]
mod http2_parts;
#[cfg(test)]
mod http2_slow;
#[cfg(test)]
mod http2_tls;
#[cfg(test)]
mod http2_upstream;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod memory_heads;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod names;
#[cfg(test)]
mod open_loop;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod raw_http2;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_client;
#[cfg(test)]
mod tls_front;
#[cfg(test)]
mod tls_handshakes;
#[cfg(test)]
mod tls_reload;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod unix;
#[cfg(test)]
mod unreachable;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod upstream_http2;
#[cfg(test)]
mod upstream_tls;
#[cfg(test)]
mod websocket;
#[cfg(test)]
mod websockets;
#[cfg(test)]
mod websockets_http2;
