//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    lifecycle::main(proxy::HELPER, proxy::run)
}
