//! Each image starts with nothing given to it, and says what it is.

use serde_json::Value;

use crate::{
    container::run_alone,
    engine::ask,
    image::{FIX_PERMS, LOG_FORWARDER, METRICS_EXPORTER, PROXY, TOKEN_REFRESHER, WAIT_FOR},
};

#[test]
fn help_and_version_need_no_root_file_system_no_capability_and_no_network() {
    let ours = [
        (WAIT_FOR, "wait-for"),
        (FIX_PERMS, "fix-perms"),
        (LOG_FORWARDER, "log-forwarder"),
        (PROXY, "proxy"),
        (TOKEN_REFRESHER, "token-refresher"),
        (METRICS_EXPORTER, "metrics-exporter"),
    ];
    for (image, name) in ours {
        let help = run_alone(image, &["--help"]);
        assert_eq!(help.code, 0, "{}", help.log);
        assert!(help.log.contains(&format!("Usage: {name} ")), "{}", help.log);
        let version = run_alone(image, &["--version"]);
        assert_eq!((version.code, version.log.trim()), (0, format!("{name} {}", env!("CARGO_PKG_VERSION")).as_str()));
    }
}

#[test]
fn an_image_says_what_it_is_whom_it_runs_as_and_what_it_runs() {
    let nonroot = "65532:65532";
    let ours = [
        (WAIT_FOR, "wait-for", nonroot),
        (FIX_PERMS, "fix-perms", "0:0"),
        (LOG_FORWARDER, "log-forwarder", nonroot),
        (PROXY, "proxy", nonroot),
        (TOKEN_REFRESHER, "token-refresher", nonroot),
        (METRICS_EXPORTER, "metrics-exporter", nonroot),
    ];
    for (image, name, user) in ours {
        let config = config(image);
        // The exec form: the shell form needs a shell, which is not there.
        assert_eq!(
            (&config["Entrypoint"], &config["User"]),
            (&[format!("/{name}")][..].into(), &user.into()),
            "{image}"
        );
        let label =
            |key: &str| config["Labels"][format!("org.opencontainers.image.{key}")].as_str().unwrap_or_default();
        assert_eq!((label("title"), label("version")), (name, env!("CARGO_PKG_VERSION")));
        assert_eq!((label("licenses"), label("source")), (env!("CARGO_PKG_LICENSE"), env!("CARGO_PKG_REPOSITORY")));
        assert!(!label("description").is_empty(), "{image} has no description");
    }
}

fn config(image: &str) -> Value {
    serde_json::from_str(&ask(["image", "inspect", "--format={{json .Config}}", image])).unwrap()
}
