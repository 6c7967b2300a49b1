//! Tests of logins.

use std::fs;

use super::*;

fn headers(fragment: &str) -> Result<LoginHeaders, String> {
    let reserved = [http::header::CONTENT_LENGTH];
    LoginHeaders::from_options(&mut Options::from_fragment(fragment).unwrap(), UrlLogin::default(), &reserved)
}

#[tokio::test]
async fn a_file_is_read_again_when_the_server_refuses_what_it_held() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let headers = headers(&format!("token-file={}&header=X-Scope-OrgID: team", path.display())).unwrap();
    assert!(headers.has_login());
    let missing = headers.current().await.unwrap_err().to_string();
    let expected = "option token-file: cannot read ";
    assert!(missing.starts_with(expected) && missing.contains("no such file"), "{missing}");
    fs::write(&path, "one\n").unwrap();
    headers.forget();
    assert_eq!(headers.current().await.unwrap()["authorization"], "Bearer one");
    fs::write(directory.path().join("new"), "two\n").unwrap();
    fs::rename(directory.path().join("new"), &path).unwrap();
    headers.forget();
    let current = headers.current().await.unwrap();
    assert_eq!(current["authorization"], "Bearer two");
    assert_eq!(current["x-scope-orgid"], "team");
    for (content, error) in [("\n", "is empty"), ("one\ntwo\n", "holds what no header can: is it one line?")] {
        fs::write(&path, content).unwrap();
        headers.forget();
        let failure = headers.current().await.unwrap_err().to_string();
        assert!(failure.ends_with(error) && !failure.contains("two"), "{failure}");
    }
}

#[tokio::test]
async fn a_user_and_a_password_are_basic_authentication() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    fs::write(&path, "open sesame\n").unwrap();
    let from_option = headers(&format!("user=Aladdin&password-file={}", path.display())).unwrap();
    assert_eq!(from_option.current().await.unwrap()["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let url = UrlLogin { user: Some("Aladdin".into()), password: Some("open sesame".into()) };
    let from_url = LoginHeaders::from_options(&mut Options::default(), url, &[]).unwrap();
    assert_eq!(from_url.current().await.unwrap()["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert!(!format!("{from_url:?}").contains("QWxh"), "{from_url:?}");
    let url = UrlLogin { user: Some("me".into()), password: None };
    let without_password = LoginHeaders::from_options(&mut Options::default(), url, &[]).unwrap();
    assert_eq!(without_password.current().await.unwrap()["authorization"], "Basic bWU6");
}

#[tokio::test]
async fn a_password_that_becomes_empty_is_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    let password = || {
        let mut options = Options::from_fragment(&format!("password-file={}", path.display())).unwrap();
        Password::from_options(&mut options, None).unwrap().unwrap()
    };
    fs::write(&path, "").unwrap();
    let empty = password();
    assert_eq!(empty.current().await.unwrap().expose(), "");
    fs::write(&path, "good").unwrap();
    empty.forget();
    assert_eq!(empty.current().await.unwrap().expose(), "good");
    fs::write(&path, "").unwrap();
    empty.forget();
    let failure = empty.current().await.unwrap_err();
    assert!(
        matches!(&failure, Failure::File { may_pass: true, reason } if reason.ends_with("is empty")),
        "{failure:?}"
    );
    assert_eq!(password().current().await.unwrap().expose(), "");
}

#[tokio::test]
async fn variables_hold_tokens_and_passwords() {
    // cargo sets this one for each test.
    let name = env!("CARGO_PKG_NAME");
    let token = headers("token-env=CARGO_PKG_NAME").unwrap().current().await.unwrap();
    assert_eq!(token["authorization"], format!("Bearer {name}"));
    let mut options = Options::from_fragment("password-env=CARGO_PKG_NAME").unwrap();
    let password = Password::from_options(&mut options, None).unwrap().unwrap();
    assert_eq!(password.current().await.unwrap().expose(), name);
    assert_eq!(headers("token-env=NONE").unwrap_err(), "option token-env: variable NONE is not set");
    let error = headers("token-env=AKIAIOSFODNN7EXAMPLE").unwrap_err();
    assert_eq!(error, "option token-env: no such variable; give the name of a variable, not its value");
    let value = headers("token-env=hunter2").unwrap_err();
    assert_eq!(value, "option token-env: no such variable; give the name of a variable, not its value");
}

const LOGIN_TWICE: &str = "the header Authorization and a token, a user or a password exclude each other";

#[test]
fn a_login_in_the_url_and_a_header_exclude_each_other() {
    let url = UrlLogin { user: Some("me".into()), password: None };
    let mut options = Options::from_fragment("header=Authorization:a").unwrap();
    assert_eq!(LoginHeaders::from_options(&mut options, url, &[]).unwrap_err(), LOGIN_TWICE);
}

#[test]
fn a_header_may_have_several_values() {
    assert!(headers("header=X-A:a&header=X-A:b&token-file=/t").is_ok());
}

#[test]
fn what_is_wrong_is_said() {
    for (fragment, words) in [
        ("user=me&password-file=/p&token-file=/t", "a token and a user or a password exclude each other"),
        ("password-file=/p&password-env=P", "the password is given twice"),
        ("token-file=/p&token-env=P", "options token-file and token-env exclude each other"),
        ("user=me", "option user goes together with password-file or password-env"),
        ("header=X-A", "option header: write it as header=Name:value"),
        ("header-file=X A:/p", "option header-file: write it as header-file=Name:PATH"),
        ("header=Content-Length:3", "option header: content-length is not yours to set"),
        ("header=X-A:a%0aSECRET", "option header: x-a has no such value"),
        ("header=Authorization:a&header=authorization:b", "the header authorization is given twice"),
        ("header=X-A:a&header-file=x-a:/p", "the header x-a is given twice"),
        ("header-file=X-A:/p&header-file=X-A:/q", "the header x-a is given twice"),
        ("header=Authorization:a&token-file=/t", LOGIN_TWICE),
        ("header-file=Authorization:/p&token-env=CARGO_PKG_NAME", LOGIN_TWICE),
        ("header=Authorization:a&user=me&password-file=/p", LOGIN_TWICE),
    ] {
        assert_eq!(headers(fragment).err().as_deref(), Some(words));
    }
}
