//! The binary: hands over to lifecycle.

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

/// Wipes memory when it is given back. Secrets pass through buffers of the libraries for HTTP, TLS and JSON, which wipe nothing
/// themselves.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    lifecycle::main(token_refresher::HELPER, token_refresher::run)
}
