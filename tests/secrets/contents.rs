//! A secret in a file or a variable that an option of a URL names.

use crate::{
    row::Row,
    secret::{plain, spellings},
};

/// A row for each of these URLs and each content of its `FILE`
pub(crate) fn in_files(urls: &[&str], row: impl Fn(String, &str) -> Row) -> Vec<Row> {
    let rows = urls.iter().flat_map(|url| all().into_iter().map(move |content| (url, content)));
    rows.map(|(url, content)| row(format!("a file of {url}"), url).with_file(&content)).collect()
}

/// A row for each of these URLs and each content of its variable `KEY`
pub(crate) fn in_variables(urls: &[&str], row: impl Fn(String, &str) -> Row) -> Vec<Row> {
    let rows = urls.iter().flat_map(|url| all().into_iter().map(move |content| (url, content.replace('\0', ""))));
    rows.map(|(url, content)| row(format!("a variable of {url}"), url).with_variable("KEY", &content)).collect()
}

/// Every content with two spellings of the secret
fn all() -> Vec<String> {
    [contents(&plain()), contents(&spellings()[1])].concat()
}

/// Contents for a password, a token, a header, a certificate or a key, most of them wrong
fn contents(secret: &str) -> Vec<String> {
    vec![
        secret.to_owned(),
        format!("{secret}\n{secret}\n"),
        format!("{secret}\0{secret}"),
        format!("{secret}\u{7f}é"),
        pem(secret),
        pem(secret).replace('\n', ""),
        pem(secret).replace("PRIVATE KEY", "CERTIFICATE"),
        pem(secret).replace("END", "NED"),
    ]
}

/// A key as PEM has it, whose content is the secret
fn pem(secret: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n")
}
