//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    log_forwarder::share_heap();
    lifecycle::main(log_forwarder::HELPER, log_forwarder::run)
}
