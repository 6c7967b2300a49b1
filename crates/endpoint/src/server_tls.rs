//! TLS for clients: which certificates to show, and which authorities vouch for clients, from files that are followed.
//!
//! Memory for resumption is a few hundred bytes for any number of sessions, because their state is in tickets that the
//! clients keep. Two random keys seal the tickets: a new one every six hours, and the one before it. New authorities for clients
//! end all sessions, because a resumed client is not verified again. A client's session ends with its certificate.

mod authorities;
mod pair;
mod resolver;
#[cfg(test)]
mod tests;
mod tickets;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use futures_util::future;
use rustls::{
    CommonState, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{NoServerSessionStorage, ProducesTickets},
};

pub use self::authorities::ClientTrust;
use self::{authorities::Authorities, pair::Pair, resolver::Resolver};
use crate::{certificate::Certificate, failure::Failure, source::Source};

/// The files of a server's TLS
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerTlsSettings {
    /// Certificate chains with their keys. A client gets the first one that has the name it asks for and a key of a kind that it
    /// can verify, or else the first one of all.
    pub pairs: Vec<CertificatePair>,
    /// The authorities that clients need a certificate of; without it clients need none
    pub client_ca: Option<PathBuf>,
    /// Also take clients without a certificate, where there are authorities. One that shows a wrong certificate is refused.
    pub client_may_be_anonymous: bool,
}

/// A certificate chain and its key, both as PEM files
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePair {
    /// The certificate with its chain
    pub cert: PathBuf,
    /// The private key
    pub key: PathBuf,
}

/// A part of the settings
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTlsPart {
    /// The pair at this place of the list
    Pair(usize),
    /// The authorities for clients
    ClientCa,
}

/// TLS 1.2 and 1.3 with clients. Nothing is in force before the first [`look`](Self::look).
#[derive(Debug)]
pub struct ServerTls {
    settings: ServerTlsSettings,
    /// For ALPN
    protocols: Vec<Vec<u8>>,
    provider: Arc<CryptoProvider>,
    /// In the order of the settings
    pairs: Vec<Source<Arc<Pair>>>,
    authorities: Option<Source<Arc<Authorities>>>,
    in_force: Mutex<InForce>,
}

/// The TLS that clients meet now
#[derive(Debug, Default)]
struct InForce {
    /// Those that were usable once, in the order of the settings
    pairs: Vec<Option<Arc<Pair>>>,
    authorities: Option<Arc<Authorities>>,
    tickets: Option<Arc<dyn ProducesTickets>>,
    config: Option<Arc<ServerConfig>>,
    resolver: Option<Arc<Resolver>>,
}

impl ServerTls {
    /// Offers these application protocols (ALPN); the first one that a client has too is chosen.
    pub fn new(settings: ServerTlsSettings, protocols: &[&[u8]]) -> Self {
        let provider = Arc::new(ring::default_provider());
        let pair = |files: &CertificatePair| {
            let (paths, files, provider) =
                (vec![files.cert.clone(), files.key.clone()], files.clone(), provider.clone());
            Source::files(paths, move || Pair::read(&files, &provider, SystemTime::now()).map(Arc::new))
        };
        let authorities = |path: &PathBuf| {
            let (paths, path, provider) = (vec![path.clone()], path.clone(), provider.clone());
            let may_be_anonymous = settings.client_may_be_anonymous;
            let read = move || Authorities::read(&path, may_be_anonymous, &provider, SystemTime::now()).map(Arc::new);
            Source::files(paths, read)
        };
        Self {
            pairs: settings.pairs.iter().map(pair).collect(),
            authorities: settings.client_ca.as_ref().map(authorities),
            protocols: protocols.iter().map(|protocol| protocol.to_vec()).collect(),
            provider,
            settings,
            in_force: Mutex::default(),
        }
    }

    /// Looks at the files, which happens once a second at most, and puts into force what has changed and can be used. Returns why
    /// others cannot be used; the last good content of those stays in force.
    pub async fn look(&self) -> Vec<Failure> {
        let Self { pairs, authorities, .. } = self;
        let looks = future::join_all(pairs.iter().map(Source::current));
        let (looked_at, trusted) = future::join(looks, async {
            match authorities {
                Some(source) => Some(source.current().await),
                None => None,
            }
        })
        .await;
        let mut faults: Vec<_> =
            pairs.iter().zip(&looked_at).filter_map(|(source, look)| fault(source, look)).collect();
        if let (Some(source), Some(look)) = (authorities, &trusted) {
            faults.extend(fault(source, look));
        }
        let usable = looked_at.into_iter().map(Result::ok).collect();
        if let Err(reason) = self.put_in_force(usable, trusted.and_then(Result::ok)) {
            faults.push(Failure::File { reason, may_pass: false });
        }
        faults
    }

    /// Reads all files once, and says what is wrong with each part of the settings. It blocks on their volumes.
    pub fn check(&self) -> Vec<(ServerTlsPart, String)> {
        let now = SystemTime::now();
        let pairs = self.settings.pairs.iter().enumerate().filter_map(|(nth, files)| {
            let fault = Pair::read(files, &self.provider, now).err()?;
            Some((ServerTlsPart::Pair(nth), fault))
        });
        let authorities = self.read_authorities(now).and_then(Result::err);
        pairs.chain(authorities.map(|fault| (ServerTlsPart::ClientCa, fault))).collect()
    }

    /// Puts into force what can be used of the files as they are now, where there is no runtime to look at them. Returns what is
    /// wrong with the others. It blocks on their volumes.
    pub fn load(&self) -> Vec<String> {
        let now = SystemTime::now();
        let pairs = self.settings.pairs.iter().map(|files| Pair::read(files, &self.provider, now));
        let authorities = self.read_authorities(now);
        let mut faults = Vec::new();
        let mut usable = |fault| faults.push(fault);
        let pairs = pairs.map(|pair| pair.map_err(&mut usable).ok().map(Arc::new)).collect();
        let authorities = authorities.and_then(|read| read.map_err(&mut usable).ok().map(Arc::new));
        faults.extend(self.put_in_force(pairs, authorities).err());
        faults
    }

    /// The settings that a new connection begins with. There are none until a certificate is
    /// usable, and the authorities where there must be some.
    pub fn config(&self) -> Option<Arc<ServerConfig>> {
        self.in_force().config.clone()
    }

    /// Whether all of the files have been usable once
    pub fn is_whole(&self) -> bool {
        let in_force = self.in_force();
        in_force.config.is_some() && in_force.pairs.iter().all(Option::is_some)
    }

    /// The certificates in force, without those that sign them
    pub fn certificates(&self) -> Vec<Arc<Certificate>> {
        self.in_force().pairs.iter().flatten().map(|pair| pair.certificate.clone()).collect()
    }

    /// The authorities for clients in force
    pub fn authorities(&self) -> Option<Arc<[Certificate]>> {
        self.in_force().authorities.as_ref().map(|authorities| authorities.read.clone())
    }

    /// The certificate for clients that ask for this name, or for none
    pub fn certificate_for(&self, server_name: Option<&str>) -> Option<Arc<Certificate>> {
        let resolver = self.in_force().resolver.clone()?;
        let name = server_name.map(str::to_ascii_lowercase);
        resolver.candidates(name.as_deref()).next().map(|pair| pair.certificate.clone())
    }

    /// The files of a certificate in force
    pub fn files_of(&self, certificate: &Certificate) -> Option<&CertificatePair> {
        let in_force = self.in_force();
        let mut pairs = in_force.pairs.iter().zip(&self.settings.pairs);
        let is_it = |pair: &Option<Arc<Pair>>| pair.as_ref().is_some_and(|pair| *pair.certificate == *certificate);
        pairs.find(|(pair, _)| is_it(pair)).map(|(_, files)| files)
    }

    /// The proof that clients have to give which begin a handshake now
    pub fn client_trust(&self) -> ClientTrust {
        let needs_authorities = self.authorities.is_some();
        ClientTrust {
            needs_authorities,
            may_be_anonymous: !needs_authorities || self.settings.client_may_be_anonymous,
            // Without authorities nothing changes, so that requests need not wait for each other.
            authorities: if needs_authorities { self.in_force().authorities.clone() } else { None },
        }
    }

    /// The settings that it was made with
    pub fn settings(&self) -> &ServerTlsSettings {
        &self.settings
    }

    /// The files that it is made of
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let ServerTlsSettings { pairs, client_ca, .. } = &self.settings;
        let pairs = pairs.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        pairs.chain(client_ca).map(PathBuf::as_path)
    }

    fn read_authorities(&self, now: SystemTime) -> Option<Result<Authorities, String>> {
        let ServerTlsSettings { client_ca, client_may_be_anonymous, .. } = &self.settings;
        client_ca.as_ref().map(|path| Authorities::read(path, *client_may_be_anonymous, &self.provider, now))
    }

    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections that begin from now on meet these.
    fn put_in_force(&self, pairs: Vec<Option<Arc<Pair>>>, authorities: Option<Arc<Authorities>>) -> Result<(), String> {
        let mut in_force = self.in_force();
        // Files that are read again may say the same as before.
        let is_trust_same = authorities == in_force.authorities;
        if is_trust_same && pairs == in_force.pairs {
            return Ok(());
        }
        let tickets = match in_force.tickets.take().filter(|_| is_trust_same) {
            Some(tickets) => tickets,
            None => tickets::new(authorities.is_some())?,
        };
        let resolver = Arc::new(Resolver::new(pairs.clone()));
        let is_ready = pairs.iter().any(Option::is_some) && authorities.is_some() == self.authorities.is_some();
        let config = is_ready.then(|| self.new_config(authorities.as_deref(), &tickets, &resolver)).transpose()?;
        *in_force = InForce {
            pairs,
            authorities,
            tickets: Some(tickets),
            config: config.map(Arc::new),
            resolver: Some(resolver),
        };
        Ok(())
    }

    fn new_config(
        &self,
        authorities: Option<&Authorities>,
        tickets: &Arc<dyn ProducesTickets>,
        resolver: &Arc<Resolver>,
    ) -> Result<ServerConfig, String> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = match authorities {
            Some(authorities) => builder.with_client_cert_verifier(authorities.verifier.clone()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(resolver.clone());
        config.alpn_protocols.clone_from(&self.protocols);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = tickets.clone();
        Ok(config)
    }
}

/// Two are equal that are made with equal settings.
impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings && self.protocols == other.protocols
    }
}

impl Eq for ServerTls {}

/// The verified certificate of the other side of a connection, if it has shown one. One that has
/// expired since it was verified is an error.
pub fn peer_certificate(connection: &CommonState) -> Result<Option<Certificate>, String> {
    let Some(der) = connection.peer_certificates().and_then(|chain| chain.first()) else { return Ok(None) };
    let certificate = Certificate::from_der(der)?;
    match certificate.invalid_at(SystemTime::now()) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(Some(certificate)),
    }
}

/// Why the files of a source cannot be used, also where their last good content stays in force
fn fault<T: Clone + Send + 'static>(source: &Source<T>, look: &Result<T, Failure>) -> Option<Failure> {
    look.as_ref().err().cloned().or_else(|| source.fault())
}
