//! Which certificate a client gets, by the name that it asks for (SNI, RFC 6066) and the kinds of keys that it can verify.

use std::{collections::HashMap, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::pair::Pair;

/// The pairs, and where each name is found
#[derive(Debug)]
pub(super) struct Resolver {
    /// In the order of the settings; those that could not be read yet are missing.
    pairs: Vec<Option<Arc<Pair>>>,
    /// Places in `pairs`, in their order, by name. A wildcard is there with its `*`.
    by_name: HashMap<String, Vec<usize>>,
}

impl Resolver {
    pub(super) fn new(pairs: Vec<Option<Arc<Pair>>>) -> Self {
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for (place, pair) in pairs.iter().enumerate() {
            for name in pair.iter().flat_map(|pair| pair.certificate.dns_names()) {
                let places = by_name.entry(name.to_owned()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        Self { pairs, by_name }
    }

    /// The pairs for a name in lower case, the best one first: those with the name itself, or else those with a wildcard for its
    /// first label. Clients that ask for no name, or for one that no pair has, get the first pair of all, or one of its name.
    pub(super) fn candidates(&self, name: Option<&str>) -> impl Iterator<Item = &Arc<Pair>> {
        let exact = || self.by_name.get(name?);
        let wildcard = || self.by_name.get(&format!("*.{}", name?.split_once('.')?.1));
        let first = || self.by_name.get(self.pairs.first()?.as_ref()?.certificate.dns_names().next()?);
        let places = exact().or_else(wildcard).or_else(first);
        places.map_or(&[0][..], Vec::as_slice).iter().filter_map(|place| self.pairs.get(*place)?.as_ref())
    }
}

impl ResolvesServerCert for Resolver {
    /// Of several pairs for one name, the first one whose key the client can verify
    fn resolve(&self, hello: ClientHello) -> Option<Arc<CertifiedKey>> {
        let is_known = |pair: &&Arc<Pair>| pair.certified.key.choose_scheme(hello.signature_schemes()).is_some();
        let mut candidates = self.candidates(hello.server_name());
        let first = candidates.next()?;
        let fitting = Some(first).filter(is_known).or_else(|| candidates.find(is_known));
        Some(fitting.unwrap_or(first).certified.clone())
    }
}
