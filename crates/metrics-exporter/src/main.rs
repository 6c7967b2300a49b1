//! The binary: hands over to lifecycle.

fn main() -> std::process::ExitCode {
    lifecycle::main(metrics_exporter::HELPER, metrics_exporter::run)
}
