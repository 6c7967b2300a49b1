//! A strict issuer: it takes nothing that the RFCs do not allow, and fails where a test wants it to.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use harness::{Asked, HttpServer, Reply};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey},
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};
use url::form_urlencoded;

/// The only client. Both parts have characters that are encoded in Basic credentials.
pub(crate) const CLIENT: &str = "billing:eu";
pub(crate) const SECRET: &str = "p%q r+ü-hunter2";
/// The refresh token that a user's login gave
pub(crate) const SEED: &str = "refresh-seed-hunter2";
/// The client's key, in PEM
pub(crate) const KEY: &str = include_str!("../../../../tests/keys/p256.pem");

/// The issuer and what it knows
pub(crate) struct Issuer {
    pub(crate) server: HttpServer,
    pub(crate) state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    /// What becomes of the next requests for tokens, instead of an answer
    pub(crate) next: VecDeque<Fault>,
    /// Over those of an answer
    pub(crate) answer: Value,
    /// The refresh token that is valid; `None` once a used one came back
    pub(crate) refresh_token: Option<String>,
    pub(crate) rotates: bool,
    used: HashSet<String>,
    assertions: HashSet<String>,
    tokens: usize,
}

/// Instead of an answer
pub(crate) enum Fault {
    /// The request is worked on, and its answer gets lost.
    Lost,
    /// The request is answered so, and not worked on.
    Reply(Reply),
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            next: VecDeque::new(),
            answer: json!({}),
            refresh_token: Some(SEED.to_owned()),
            rotates: true,
            used: HashSet::new(),
            assertions: HashSet::new(),
            tokens: 0,
        }));
        let shared = state.clone();
        let server = HttpServer::start(move |asked| handle(asked, &mut shared.lock().unwrap()));
        Self { server, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Does this with the next request for a token.
    pub(crate) fn next(&self, fault: Fault) {
        self.state().next.push_back(fault);
    }

    /// Settings of the source that ask here, with these as well
    pub(crate) fn settings(&self, more: &Value) -> Value {
        let mut settings = json!({"token-endpoint": self.server.url("/token"), "client-id": CLIENT});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    /// How often a token was asked for
    pub(crate) fn requests(&self) -> usize {
        self.server.asked().iter().filter(|asked| asked.path == "/token").count()
    }
}

fn handle(asked: &Asked, state: &mut State) -> Reply {
    if asked.path != "/token" {
        return Reply::status(404);
    }
    match state.next.pop_front() {
        Some(Fault::Reply(reply)) => reply,
        Some(Fault::Lost) => {
            answer(asked, state);
            Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"access_tok".into())
        }
        None => answer(asked, state),
    }
}

fn answer(asked: &Asked, state: &mut State) -> Reply {
    match judge(asked, state) {
        Ok(answer) => Reply::json(200, &answer),
        Err((status, code)) => Reply::json(status, &json!({"error": code, "error_description": asked.body})),
    }
}

type Refusal = (u16, &'static str);

fn judge(asked: &Asked, state: &mut State) -> Result<Value, Refusal> {
    let form: Vec<(String, String)> = form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    let names: HashSet<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    let repeated =
        form.len() - form.iter().filter(|(name, _)| name == "resource").count().saturating_sub(1) != names.len();
    let is_form = asked.header("content-type") == Some("application/x-www-form-urlencoded");
    if asked.method != "POST" || !is_form || repeated {
        return Err((400, "invalid_request"));
    }
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    log_in(asked, &field, state)?;
    let mut answer =
        json!({"access_token": format!("token-{}", state.tokens), "token_type": "bearer", "expires_in": 60});
    state.tokens += 1;
    match field("grant_type") {
        Some("client_credentials") => {}
        Some("refresh_token") => {
            let given = field("refresh_token").ok_or((400, "invalid_request"))?;
            if state.refresh_token.as_deref() != Some(given) {
                if state.used.contains(given) {
                    state.refresh_token = None;
                }
                return Err((400, "invalid_grant"));
            }
            if state.rotates {
                state.used.insert(given.to_owned());
                let new = format!("refresh-{}-hunter2", state.tokens);
                answer["refresh_token"] = new.clone().into();
                state.refresh_token = Some(new);
            }
        }
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
            let assertion = field("assertion").ok_or((400, "invalid_request"))?;
            verify(asked, assertion, state).ok_or((400, "invalid_grant"))?;
        }
        _ => return Err((400, "unsupported_grant_type")),
    }
    if let Some(scope) = field("scope") {
        answer["scope"] = scope.into();
    }
    answer.as_object_mut().unwrap().extend(state.answer.as_object().unwrap().clone());
    Ok(answer)
}

fn log_in<'a>(asked: &Asked, field: &impl Fn(&str) -> Option<&'a str>, state: &mut State) -> Result<(), Refusal> {
    let refused = (401, "invalid_client");
    if let Some(credentials) = asked.header("authorization").and_then(|value| value.strip_prefix("Basic ")) {
        // One way of logging in only (RFC 6749, section 2.3)
        let credentials = String::from_utf8(BASE64_STANDARD.decode(credentials).map_err(|_| refused)?).unwrap();
        let (id, secret) = credentials.split_once(':').ok_or(refused)?;
        let decoded =
            |text: &str| form_urlencoded::parse(format!("x={text}").as_bytes()).next().unwrap().1.into_owned();
        let is_known = decoded(id) == CLIENT && decoded(secret) == SECRET && !secret.contains([':', ' ', 'ü']);
        return if is_known && field("client_id").is_none() { Ok(()) } else { Err(refused) };
    }
    if let Some(assertion) = field("client_assertion") {
        let is_jwt = field("client_assertion_type") == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let claims = verify(asked, assertion, state).ok_or(refused)?;
        return if is_jwt && claims["sub"] == claims["iss"] { Ok(()) } else { Err(refused) };
    }
    let by_secret = field("client_secret").is_none_or(|secret| secret == SECRET);
    if field("client_id") == Some(CLIENT) && by_secret { Ok(()) } else { Err(refused) }
}

/// The claims of an assertion that is signed by the client's key, for this server, now, and for the first time
fn verify(asked: &Asked, assertion: &str, state: &mut State) -> Option<Value> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let read =
        |part: &str| -> Option<Value> { serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &SystemRandom::new())
        .unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
        .verify(signed.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?)
        .ok()?;
    let (header, claims) = (read(header)?, read(payload)?);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let life = now..now + 300;
    let endpoint = format!("http://{}/token", asked.header("host")?);
    let is_fine = header["alg"] == "ES256"
        && header["kid"] == "k1"
        && claims["iss"] == CLIENT
        && claims["aud"] == endpoint
        && life.contains(&claims["exp"].as_u64()?)
        && claims["iat"].as_u64()? <= now + 1;
    (is_fine && state.assertions.insert(claims["jti"].as_str()?.to_owned())).then_some(claims)
}
