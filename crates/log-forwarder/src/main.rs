//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    lifecycle::main(log_forwarder::HELPER, log_forwarder::run)
}
