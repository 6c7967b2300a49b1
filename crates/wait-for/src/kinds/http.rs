//! `http://`, `https://`, `http+unix:///socket:/path`: the kubelet's httpGet, with more to ask for.
//!
//! 200 to 399 is ready, as the kubelet has it. Redirects are not followed unless asked: a login
//! page is no readiness.

mod equal;
mod number;
pub(crate) mod pointer;
mod request_body;
mod wanted;

use std::{ops::RangeInclusive, sync::Arc};

use endpoint::{
    Address, LoginHeaders, Options, TlsClient, UrlLogin, one_line, refuse_login_in_query, split_http_unix,
    without_secrets,
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue},
};
use lifecycle::Secret;
use url::{Position, Url};

use self::{
    request_body::RequestBody,
    wanted::{PATTERN_BODY_LIMIT, Wanted},
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    web::{self, Answer, BODY_LIMIT, Client},
    wire::decode,
};

const REDIRECT_LIMIT: usize = 50;
/// Follows the lack of a body of which not all was read
const CUT_BODY: &str = "; only the first 1 MiB of the body is read";

#[derive(Debug)]
struct Http {
    client: Client,
    uri: Uri,
    method: Method,
    body: Option<RequestBody>,
    login: LoginHeaders,
    wanted: Vec<Wanted>,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    let mut url = url.clone();
    let redirects = options.number("redirects")?.unwrap_or(0);
    if redirects > REDIRECT_LIMIT {
        return Err(format!("option redirects: at most {REDIRECT_LIMIT}"));
    }
    let tls = match url.scheme() {
        "https" => TlsClient::from_options(options)?,
        _ if redirects > 0 => TlsClient::for_redirects(options)?,
        _ => TlsClient::without_options()?,
    };
    refuse_login_in_query(&url)?;
    let login = LoginHeaders::from_options(options, url_login(&url)?, &[])?;
    // Cannot fail: http and https URLs have a host, and the others take no login.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    let unix_socket = if url.scheme() == "http+unix" {
        let (socket, request_url) = split_http_unix(&url)?;
        url = request_url;
        Some(socket)
    } else {
        None
    };
    let mut client = Client::new(Address::of(&url, None)?.host, tls);
    client.unix_socket = unix_socket;
    client.redirects = redirects;
    client.http2 = options.switch("http2")?;
    client.status = match options.all("status") {
        none if none.is_empty() => vec![200..=399],
        lists => status_ranges(&lists.join(",")).map_err(|error| format!("option status: {error}"))?,
    };
    client.resolve =
        options.parsed("resolve", |text| text.parse().map_err(|_| "this is not an IP address".to_owned()))?;
    let body = RequestBody::from_options(options)?;
    let method = options.parsed("method", method)?;
    let method = method.unwrap_or(if body.is_some() { Method::POST } else { Method::GET });
    if body.is_some() && [Method::GET, Method::HEAD].contains(&method) {
        return Err(format!("a {method} has no body: leave the method out, or write method=PUT"));
    }
    let wanted = Wanted::from_options(options)?;
    if method == Method::HEAD && !wanted.is_empty() {
        return Err("an answer to HEAD has no body: leave method=HEAD out, or body, body-regex and json".into());
    }
    Ok(Arc::new(Http {
        client,
        uri: url[..Position::AfterQuery].parse().map_err(|_| "the URL is not one of HTTP")?,
        method,
        body,
        login,
        wanted,
    }))
}

fn url_login(url: &Url) -> Result<UrlLogin, String> {
    let user = Some(decode(url.username())?).filter(|user| !user.is_empty());
    let password = url.password().map(decode).transpose()?.map(|text| Secret::from(text.as_str()));
    Ok(UrlLogin { user, password })
}

fn method(text: &str) -> Result<Method, String> {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    match KNOWN.into_iter().find(|method| method.as_str() == text) {
        Some(method) => Ok(method),
        None => Err("this is not GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS".to_owned()),
    }
}

/// Reads `200`, `200-299` and lists of both.
fn status_ranges(text: &str) -> Result<Vec<RangeInclusive<u16>>, String> {
    let wrong = || {
        let hint = if text.contains(['#', ';', '?']) { "; options are joined by &" } else { "" };
        format!("this is not a list such as 200-299,404{hint}")
    };
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (100 <= first && first <= last && last <= 599).then_some(first..=last)
    };
    text.split(',').map(|part| range(part).ok_or_else(wrong)).collect()
}

impl Check for Http {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let body = match &self.body {
                Some(body) => body.current().await?,
                None => String::new(),
            };
            let login = self.login.current().await?;
            let headers = headers(&login, &self.method, &body);
            let mut request = Request::new(Full::from(body));
            *request.method_mut() = self.method.clone();
            *request.uri_mut() = self.uri.clone();
            *request.headers_mut() = headers;
            let hide = |refusal: NotReady, logins: &HeaderMap| NotReady {
                reason: without_secrets(&refusal.reason, logins),
                ..refusal
            };
            let sent = self.client.send(network, request).await;
            let mut answer = sent.map_err(|refusal| hide(refusal, &login))?;
            let logins = answer.logins(&login);
            let proof = format!("HTTP {}", answer.response.status().as_u16());
            network.progress.hear(answer.named(&format!("{proof}, but its body has not ended yet")));
            let verdict = self.judge(network, &mut answer, &logins).await;
            let verdict = verdict.map_err(|refusal| hide(answer.placed(refusal), &logins));
            answer.leave().await;
            verdict.map(|()| proof)
        }
        .boxed_local()
    }
}

impl Http {
    async fn judge(&self, network: &Network, answer: &mut Answer, logins: &HeaderMap) -> Result<(), NotReady> {
        let status = answer.response.status();
        if let Err(refusal) = self.judge_status(answer) {
            let is_plain = self.uri.scheme_str() == Some("http") && answer.detour.is_none();
            if status == StatusCode::BAD_REQUEST && is_plain {
                let body = answer.body(PATTERN_BODY_LIMIT, network.time_for_answer()).await.unwrap_or_default();
                if web::wants_tls(&body) {
                    return Err(NotReady::never(format!("HTTP {status}: the server wants TLS, so write https://")));
                }
            }
            return Err(refusal);
        }
        if self.wanted.is_empty() {
            return Ok(());
        }
        let body = answer.body(BODY_LIMIT + 1, network.time_for_answer()).await?;
        // The part that has arrived can hold a text, and is no whole in which a pattern or JSON counts.
        let is_part = answer.is_late && self.wanted.iter().any(|wanted| !matches!(wanted, Wanted::Text(_)));
        let verdict = self.judge_body(&body, answer.response.headers().get(CONTENT_ENCODING), logins);
        let is_contrary = verdict.as_ref().is_err_and(|refusal| refusal.cause == Cause::Contrary);
        if is_part || answer.is_late && is_contrary {
            let words = format!("HTTP {}, but its body has not ended within {}", status.as_u16(), network.limit());
            return Err(NotReady::new(Cause::Silent, words));
        }
        verdict
    }

    fn judge_status(&self, answer: &Answer) -> Result<(), NotReady> {
        let status = answer.response.status();
        if self.client.wants(status) {
            return Ok(());
        }
        let mut refusal = web::refusal(status, answer.response.headers());
        if status.is_success() || status.is_redirection() {
            refusal.reason += ", and not the status that is wanted";
        }
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        if refused && answer.detour.as_ref().is_some_and(|detour| detour.lacks_login) {
            let remedy = "the login is not sent to another origin: name that one in the target's URL";
            return Err(NotReady { reason: format!("{}; {remedy}", refusal.reason), ..refusal });
        }
        // Without a login of ours, a server that is still starting may answer every client like
        // that.
        if refused && self.login.has_login() {
            self.login.forget();
            return Err(NotReady::denied(format!("login refused: {}", refusal.reason)));
        }
        Err(refusal)
    }

    fn judge_body(&self, body: &[u8], encoding: Option<&HeaderValue>, logins: &HeaderMap) -> Result<(), NotReady> {
        let told = |found: String| match self.body {
            // Any part of it may be a secret, in any form.
            Some(RequestBody::Named(_)) => None,
            _ => Some(web::without_query(&without_secrets(&found, logins), self.uri.query().unwrap_or_default())),
        };
        let start = &body[..body.len().min(BODY_LIMIT)];
        let verdict = self.wanted.iter().try_for_each(|wanted| wanted.judge(start, &told));
        // The rest of the body, or the decoded body, may be as wanted.
        let doubt = match encoding.and_then(|encoding| encoding.to_str().ok()) {
            Some(encoding) if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") => {
                let encoding = told(encoding.to_owned()).map_or_else(String::new, |encoding| one_line(&encoding));
                format!("; its Content-Encoding {encoding} is not decoded: add header=Accept-Encoding:identity")
            }
            _ if body.len() > BODY_LIMIT => CUT_BODY.to_owned(),
            _ => return verdict,
        };
        verdict.map_err(|refusal| match refusal.cause {
            Cause::Contrary => NotReady::new(Cause::Odd, refusal.reason + &doubt),
            _ => refusal,
        })
    }
}

/// The headers of a request. Servers want to know the length of a body that could be there (RFC
/// 9110, section 8.6).
fn headers(login: &HeaderMap, method: &Method, body: &str) -> HeaderMap {
    let mut headers = login.clone();
    if body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(method) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_status_codes() {
        assert_eq!(status_ranges("200"), Ok(vec![200..=200]));
        assert_eq!(status_ranges("200-299,404"), Ok(vec![200..=299, 404..=404]));
        for wrong in ["", "2xx", "299-200", "200-", "99", "200-600", "200,,201"] {
            assert!(status_ranges(wrong).is_err(), "{wrong}");
        }
    }
}
