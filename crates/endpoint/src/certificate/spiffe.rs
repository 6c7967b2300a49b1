//! SPIFFE IDs, by <https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md>.

/// Bytes of an ID and of its trust domain
const ID_LIMIT: usize = 2048;
const DOMAIN_LIMIT: usize = 255;

/// Whether this is the ID of a workload: `spiffe://DOMAIN/PATH`. The domain alone names an authority.
pub(super) fn is_workload(uri: &str) -> bool {
    let Some((domain, path)) = uri.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_domain = (1..=DOMAIN_LIMIT).contains(&domain.len())
        && domain.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'));
    uri.len() <= ID_LIMIT && is_domain && path.split('/').all(is_segment)
}

fn is_segment(segment: &str) -> bool {
    let is_written = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for id in ["spiffe://a/b", "spiffe://cluster.local/ns/default/sa/My-App_1.x", "spiffe://a_b-1/..."] {
            assert!(is_workload(id), "{id}");
        }
        let too_long = format!("spiffe://a/{}", "b".repeat(ID_LIMIT));
        let long_domain = format!("spiffe://{}/b", "a".repeat(DOMAIN_LIMIT + 1));
        for other in [
            "",
            "spiffe://",
            "spiffe:///b",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/./b",
            "spiffe://a/../b",
            "spiffe://A/b",
            "spiffe://a:1/b",
            "spiffe://u@a/b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/%62",
            "spiffe://a/é",
            "https://a/b",
            "SPIFFE://a/b",
            "ééééé/b",
            &too_long,
            &long_domain,
        ] {
            assert!(!is_workload(other), "{other}");
        }
    }
}
