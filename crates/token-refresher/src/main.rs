//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    lifecycle::main(token_refresher::HELPER, token_refresher::run)
}
