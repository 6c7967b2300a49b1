//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    lifecycle::main(wait_for::HELPER, wait_for::run)
}
