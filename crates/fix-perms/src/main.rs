//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    lifecycle::main(fix_perms::HELPER, fix_perms::run)
}
