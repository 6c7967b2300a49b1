//! The exporters that a scrape has come through, in the header `Via` (RFC 9110, section 7.6.3). The chain shows that a source
//! leads back to this exporter, which would otherwise look like a slow source.

use std::hash::{BuildHasher as _, RandomState};

use http::{HeaderMap, HeaderValue, header::VIA};

const PREFIX: &str = "metrics-exporter-";
/// The most exporters in a chain; a longer one is a mistake
const LIMIT: usize = 8;

/// The name of this process in the header
#[derive(Debug)]
pub(crate) struct Pseudonym(String);

/// The exporters that a scrape has come through, this one last
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) via: HeaderValue,
    /// True when the scraper is no exporter
    pub(crate) is_first: bool,
}

impl Pseudonym {
    /// A pseudonym that no other process has.
    pub(crate) fn random() -> Self {
        Self(format!("{PREFIX}{:016x}", RandomState::new().hash_one(PREFIX)))
    }

    /// The chain of a scrape with these headers; `None` for a loop, and for a chain that is too long. Proxies do not count.
    pub(crate) fn follow(&self, headers: &HeaderMap) -> Option<Chain> {
        let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        let hops = values.flat_map(|value| value.split(','));
        // RFC 9110: a hop is a protocol version, then a name.
        let names = hops.filter_map(|hop| hop.split_ascii_whitespace().nth(1));
        let mut names: Vec<_> = names.filter(|name| name.starts_with(PREFIX)).collect();
        if names.len() >= LIMIT || names.contains(&&*self.0) {
            return None;
        }
        let is_first = names.is_empty();
        names.push(&self.0);
        let hops: Vec<_> = names.iter().map(|name| format!("1.1 {name}")).collect();
        Some(Chain { via: HeaderValue::try_from(hops.join(", ")).ok()?, is_first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(name: &Pseudonym, via: &[&str]) -> Option<(String, bool)> {
        let headers = via.iter().map(|via| (VIA, HeaderValue::from_str(via).unwrap()));
        let chain = name.follow(&headers.collect())?;
        Some((chain.via.to_str().unwrap().to_owned(), chain.is_first))
    }

    #[test]
    fn a_chain_ends_where_it_began() {
        let [one, two] = ["metrics-exporter-1", "metrics-exporter-2"].map(|name| Pseudonym(name.into()));
        assert_eq!(follow(&one, &[]), Some(("1.1 metrics-exporter-1".into(), true)));
        assert_eq!(
            follow(&one, &["1.1 squid, HTTP/2 x (y)", "", "1.1"]),
            Some(("1.1 metrics-exporter-1".into(), true))
        );
        let both = "1.1 metrics-exporter-1, 1.1 metrics-exporter-2";
        assert_eq!(follow(&two, &["1.1 metrics-exporter-1"]), Some((both.into(), false)));
        assert_eq!(follow(&one, &[both]), None);
        assert_eq!(follow(&two, &["1.0 squid", both]), None);
        assert_eq!(follow(&one, &["1.1 metrics-exporter-3"; LIMIT]), None);
        assert_ne!(Pseudonym::random().0, Pseudonym::random().0);
    }
}
