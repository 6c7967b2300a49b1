//! The helpers whose documentation is generated. A new helper is a line here.

use clap::Command;

/// A helper's command line and, where it has one, the schema of its configuration file
pub(crate) struct Described {
    pub(crate) command: Command,
    pub(crate) schema: Option<String>,
    /// The part `metrics` of its README
    pub(crate) metrics: String,
}

/// All helpers
pub(crate) fn all() -> Vec<Described> {
    vec![
        describe::<fix_perms::Args>(&fix_perms::HELPER, Some(fix_perms::schema())),
        describe::<log_forwarder::Args>(&log_forwarder::HELPER, Some(log_forwarder::schema())),
        Described {
            metrics: metrics_exporter::metric_list(),
            ..describe::<metrics_exporter::Args>(&metrics_exporter::HELPER, Some(metrics_exporter::schema()))
        },
        describe::<proxy::Args>(&proxy::HELPER, Some(proxy::schema())),
        describe::<token_refresher::Args>(&token_refresher::HELPER, Some(token_refresher::schema())),
        describe::<wait_for::Args>(&wait_for::HELPER, Some(wait_for::schema())),
    ]
}

fn describe<A: clap::CommandFactory>(helper: &lifecycle::Helper, schema: Option<String>) -> Described {
    Described { command: helper.command::<A>().term_width(100), schema, metrics: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number behind the last colon, as in `:9471` and `127.0.0.1:9481`
    fn port(address: &str) -> Option<u16> {
        address.rsplit_once(':')?.1.parse().ok()
    }

    #[test]
    fn no_two_listeners_of_a_pod_have_the_same_port_by_default() {
        let mut ports: Vec<(u16, String)> = Vec::new();
        for Described { command, .. } in all() {
            for flag in command.get_arguments() {
                let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                let suggested = help.split('`').filter(|_| flag.get_id() == "admin_addr");
                let defaults = flag.get_default_values().iter().filter_map(|value| value.to_str());
                let name = format!("--{} of {}", flag.get_id().as_str().replace('_', "-"), command.get_name());
                ports.extend(defaults.chain(suggested).filter_map(port).map(|port| (port, name.clone())));
            }
        }
        ports.sort();
        for pair in ports.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "{} and {} collide", pair[0].1, pair[1].1);
        }
        let numbers: Vec<_> = ports.iter().map(|(port, _)| *port).collect();
        // Sidecars' health listeners, their admin listeners where these are turned on, and the proxy's listener for probes
        assert_eq!(numbers, [9471, 9472, 9473, 9474, 9481, 9482, 9483, 9484, 9491]);
    }
}
