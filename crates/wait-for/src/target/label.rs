//! The part of a target that may be printed.

use endpoint::one_line;

use super::faults;
use crate::hosts;

/// The part of a text that may be printed, where the text should be a target. Two targets of pods
/// differ in the selector, which is their only query.
pub(crate) fn label(text: &str) -> String {
    // Behind the first, a password may stand where no label looks for one.
    if let Some(first) = faults::first_of_list(text) {
        return format!("{},…", label(first));
    }
    // A path has no login, so the text is torn or a list that is none.
    if let Some((scheme, rest)) = text.split_once("://") {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let has_login = path.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'));
        if has_login && path.starts_with('/') {
            return one_line(&format!("{scheme}://…"));
        }
    }
    let label = hosts::label(text);
    let url = text.split('#').next().unwrap_or_default();
    // Another byte is of no selector: a password may stand behind it.
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=!,()<> %+".contains(&byte);
    match url.split_once("?selector=") {
        Some((_, selector)) if label.starts_with("kubernetes://") && selector.bytes().all(is_usual) => {
            format!("{label}?selector={}", one_line(selector))
        }
        _ => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_printed_without_its_password() {
        for (text, printed) in [
            ("redis://:secret@cache", "redis://cache"),
            ("kubernetes://pods?selector=app%20in%20(a,b)#insecure", "kubernetes://pods?selector=app%20in%20(a,b)"),
            ("kubernetes://pods?selector=app=web http://u:secret@h", "kubernetes://pods?selector=app=web,…"),
            ("http://api/?selector=secret", "http://api/"),
            ("file:///x,redis://:secret@h:1", "file:///x,…"),
            ("file:///x,foo://:secret@h", "file://…"),
            ("unix:///x,:secret@h", "unix://…"),
            ("file:///run/user@1000:x", "file:///run/user@1000:x"),
        ] {
            assert_eq!(label(text), printed);
        }
    }
}
