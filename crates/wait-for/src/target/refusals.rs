//! Tests: parts that the URLs of each kind cannot have.

use super::Target;

fn refusal(text: &str) -> String {
    Target::parse(text).map(|target| format!("{target:?} was taken")).unwrap_err()
}

#[test]
fn a_query_is_refused() {
    for url in [
        "tcp://db:1?timeout=5s",
        "unix:///run/app.sock?x",
        "file:///data/ready?min-size=1",
        "dns://db?min=3",
        "grpc://api:1?service=x",
        "mysql://db/?ssl=1",
        "postgres://db/app?sslmode=require",
        "redis://cache?",
        "kafka://k1,k2?topic=orders",
        "mongodb://m1,m2/app?replicaSet=rs0",
        "amqp://queue/shop?heartbeat=5",
        "memcached://cache?x",
        "nats://queue?x",
        "smtp://mail?x",
        "ldap://directory?base",
    ] {
        let scheme = url.split_once(':').unwrap().0;
        let words = format!("a {scheme} target has no query: options stand behind #, such as #");
        assert!(refusal(url).starts_with(&words), "{url}: {}", refusal(url));
    }
    assert!(refusal("postgres://db/app?sslmode=require").ends_with("#tls=require"));
}

#[test]
fn a_login_is_refused_where_there_is_none() {
    for url in ["tcp://app@db:1", "tcp://:hunter2@db:1", "dns://app@db", "grpc://app:hunter2@api:1"] {
        assert!(refusal(url).ends_with("target has no login: leave out what stands before the @"), "{url}");
    }
    for url in ["unix://app@/run/app.sock", "unix://app@host/run/app.sock", "file://app:hunter2@host/x"] {
        assert!(!refusal(url).contains("was taken") && !refusal(url).contains("hunter2"), "{url}");
    }
}

#[test]
fn a_nul_is_refused() {
    for url in [
        "file:///a%00b",
        "unix:///a%00b",
        "http+unix:///a%00b",
        "grpc://api:1/a%00",
        "mysql://a%00b@db",
        "amqp://queue/a%00",
    ] {
        assert_eq!(refusal(url), "the URL has a NUL (%00), which nothing here can hold");
    }
}

#[test]
fn an_ip_address_is_not_looked_up() {
    for url in ["dns://[::1]", "dns://127.0.0.1", "dns://127.0.0.1.", "dns://127.1"] {
        assert_eq!(refusal(url), "an IP address needs no lookup: give a name, or wait for it by tcp://", "{url}");
    }
    assert!(refusal("dns://a..b").contains("can't be a host name"));
}

#[test]
fn an_answer_to_head_is_not_searched() {
    for wanted in ["body=x", "body-regex=x", "json=/a=1"] {
        assert!(refusal(&format!("http://api/#method=HEAD&{wanted}")).contains("to HEAD has no body"), "{wanted}");
    }
    assert!(Target::parse("http://api/#method=HEAD").is_ok());
}

#[test]
fn a_hold_fits_into_an_attempt() {
    for options in ["hold=5s", "hold=1m", "hold=2s&attempt-timeout=2s", "hold=6s&attempt-timeout=1s"] {
        assert!(refusal(&format!("tcp://db:1#{options}")).starts_with("option hold: "), "{options}");
    }
    for options in ["hold=4s", "hold=30s&attempt-timeout=1m", "hold=0s&attempt-timeout=1s"] {
        assert!(Target::parse(&format!("tcp://db:1#{options}")).is_ok(), "{options}");
    }
}

#[test]
fn options_of_other_kinds_and_other_joints_have_their_remedies() {
    for (text, reason) in [
        ("http://a#stable=3,status=200", "option stable: this is not a number in range; options are joined by &"),
        (
            "http://a#status=200#method=HEAD",
            "option status: this is not a list such as 200-299,404; options are joined by &",
        ),
        ("redis://:12#34@db", "the host is missing; write a # in a password as %23"),
        ("https://a#tls=require", r#"https has no option "tls"; TLS: write https://"#),
        (
            "postgres://a#sslmode=require",
            r#"postgres has no option "sslmode"; write tls=require, which checks the certificate and its name"#,
        ),
        ("https://a#sslmode=require", r#"https has no option "sslmode"; TLS: write https://"#),
        (
            "kubernetes://jobs/a#token=hunter2",
            r#"kubernetes has no option "token"; write token-file=PATH or token-env=NAME, because others can read arguments"#,
        ),
        (
            "tcp://a:1#min=3",
            r#"tcp has no option "min"; dns:// has it, and tcp:// takes hold, stable, interval, attempt-timeout, not"#,
        ),
    ] {
        assert_eq!(refusal(text), reason, "{text}");
    }
}

#[test]
fn a_remedy_names_no_option_that_the_kind_does_not_have() {
    for text in
        ["tcp://a:1#password=hunter2", "tcp://a:1#sslmode=require", "tcp://a:1#token=hunter2", "dns://a#token=x"]
    {
        let reason = refusal(text);
        assert!(reason.contains("does not know option number 1; it takes "), "{text}: {reason}");
        for option in ["password-file", "tls=", "token-file", "hunter2"] {
            assert!(!reason.contains(option), "{text}: {reason}");
        }
    }
    assert!(!refusal("postgres://a#token=x").contains("token-file"));
}
