//! An HTTP proxy in front of a server: plain requests go to it in absolute form, and TLS through a
//! tunnel (RFC 9110, sections 7.1 and 9.3.6; RFC 9112, section 3.2.2). Only an option names one;
//! the environment does not.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use endpoint::{Address, Failure, Names, Options, Password, Stream, TlsClient, server_name};
use hyper::{StatusCode, header::HeaderValue};
use lifecycle::Secret;
use rustls_pki_types::ServerName;
use url::Url;

/// The options that [`Proxy::from_options`] takes
pub(super) const OPTIONS: [&str; 4] =
    ["proxy=http://HOST:PORT", "proxy-user=NAME", "proxy-password-file=PATH", "proxy-password-env=NAME"];

/// A proxy, and the login there
pub(super) struct Proxy {
    address: Address,
    secure: Option<(TlsClient, ServerName<'static>)>,
    login: Option<(String, Password)>,
}

impl Proxy {
    /// Takes [`OPTIONS`]. No error repeats a value, because a URL may hold a login.
    pub(super) fn from_options(options: &mut Options) -> Result<Option<Self>, String> {
        let url = options.text("proxy")?;
        let user = options.text("proxy-user")?;
        let password = Password::named(options, "proxy-password-file", "proxy-password-env")?;
        let Some(url) = url else {
            return match (user, password) {
                (None, None) => Ok(None),
                _ => {
                    Err("option proxy is missing: a login for it needs its URL, such as proxy=http://HOST:PORT".into())
                }
            };
        };
        let login = match (user, password) {
            (None, None) => None,
            (Some(user), Some(password)) if !user.contains(':') => Some((user, password)),
            (Some(_), Some(_)) => return Err("option proxy-user: a name cannot hold a colon (RFC 7617)".into()),
            _ => return Err("option proxy-user goes together with proxy-password-file or proxy-password-env".into()),
        };
        let (address, secure) = target(&url).map_err(|error| format!("option proxy: {error}"))?;
        Ok(Some(Self { address, secure, login }))
    }

    /// A connection to the proxy
    pub(super) async fn connect(&self, names: &Names, silence: Duration) -> Result<Box<dyn Stream>, Failure> {
        let stream = endpoint::dial_with_limit(&self.address, names, silence).await?;
        Ok(match &self.secure {
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream, &[]).await?),
            None => Box::new(stream),
        })
    }

    /// A connection to a server through the proxy
    pub(super) async fn tunnel(
        &self,
        names: &Names,
        silence: Duration,
        address: &Address,
    ) -> Result<Box<dyn Stream>, Failure> {
        let login = self.login().await?;
        let stream = self.connect(names, silence).await?;
        let tunnel = endpoint::tunnel(stream, address, login.as_ref().map(HeaderValue::as_bytes)).await;
        if let Err(Failure::ProxyRefused(status)) = &tunnel {
            self.heed(*status);
        }
        tunnel
    }

    /// The value of `Proxy-Authorization`, as its file is now
    pub(super) async fn login(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some((user, password)) = &self.login else { return Ok(None) };
        let password = password.current().await?;
        // Base64 is always a header's value.
        let mut login = HeaderValue::from_str(&basic(user, &password)).ok();
        // The reason of a failure does not repeat a sensitive value, where an error page does.
        if let Some(login) = &mut login {
            login.set_sensitive(true);
        }
        Ok(login)
    }

    /// After an answer of this status, which may be the proxy's own: a login that it refuses is
    /// read again.
    pub(super) fn heed(&self, status: StatusCode) {
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && let Some((_, password)) = &self.login
        {
            password.forget();
        }
    }
}

fn target(text: &str) -> Result<(Address, Option<(TlsClient, ServerName<'static>)>), String> {
    let form = "write http://HOST:PORT or https://HOST:PORT";
    let url = Url::parse(text).map_err(|_| form)?;
    if url.password().is_some() || !url.username().is_empty() {
        let remedy = "write proxy-user=NAME and proxy-password-file=PATH";
        return Err(format!("a URL holds no user and no password: {remedy}"));
    }
    let is_whole = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_whole || !["http", "https"].contains(&url.scheme()) {
        return Err(form.into());
    }
    let address = Address::of(&url, None).map_err(|_| form)?;
    let secure = if url.scheme() == "https" {
        // The options of TLS are about the server, so the proxy is judged by the authorities of the
        // system.
        let tls = TlsClient::from_options(&mut Options::default())?;
        let name = server_name(&address.host)?;
        Some((tls, name))
    } else {
        None
    };
    Ok((address, secure))
}

fn basic(user: &str, password: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fragment: &str) -> Result<Option<Proxy>, String> {
        Proxy::from_options(&mut Options::from_fragment(fragment).unwrap())
    }

    #[test]
    fn a_proxy_has_a_host_and_perhaps_a_login() {
        assert!(of("").unwrap().is_none());
        let proxy = of("proxy=http://proxy.corp:3128&proxy-user=me&proxy-password-file=/run/pw").unwrap().unwrap();
        assert_eq!((&*proxy.address.host, proxy.address.port, proxy.secure.is_some()), ("proxy.corp", 3128, false));
        assert_eq!(basic("me", &Secret::from("hunter2")), "Basic bWU6aHVudGVyMg==");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        let form = "option proxy: write http://HOST:PORT or https://HOST:PORT";
        let login =
            "option proxy: a URL holds no user and no password: write proxy-user=NAME and proxy-password-file=PATH";
        let pair = "option proxy-user goes together with proxy-password-file or proxy-password-env";
        for (fragment, expected) in [
            ("proxy=", form),
            ("proxy=hunter2", form),
            ("proxy=socks5://hunter2:1080", form),
            ("proxy=http://proxy/hunter2", form),
            ("proxy=http://me:hunter2@proxy:3128", login),
            ("proxy=http://proxy&proxy-user=hunter2", pair),
            ("proxy=http://proxy&proxy-password-file=/hunter2", pair),
            (
                "proxy=http://proxy&proxy-user=a:hunter2&proxy-password-file=/x",
                "option proxy-user: a name cannot hold a colon (RFC 7617)",
            ),
            (
                "proxy-user=hunter2",
                "option proxy is missing: a login for it needs its URL, such as proxy=http://HOST:PORT",
            ),
        ] {
            assert_eq!(of(fragment).err().as_deref(), Some(expected), "{fragment}");
        }
    }
}
