//! The answer of a token endpoint (RFC 6749, sections 5.1 and 5.2).

use std::collections::BTreeMap;

use lifecycle::Secret;
use serde_json::Value;

use crate::{
    exchange::Answer, source::token_text::is_token, value::fetch_error::FetchError, value::fetched::Fetched,
    value::fields::Fields, value::life,
};

/// The main field
const MAIN: &str = "access_token";
const OTHERS: [&str; 4] = ["token_type", "id_token", "refresh_token", "scope"];

/// A code by which the server refuses: the grant is used up, or was never good
const INVALID_GRANT: &str = "invalid_grant";
/// Codes that may pass; the last one is of RFC 8628.
const PASSING: [&str; 3] = ["temporarily_unavailable", "server_error", "slow_down"];
/// Codes of RFC 6749 and RFC 8707: no other try with the same request has another answer.
const FINAL: [&str; 8] = [
    "invalid_request",
    "invalid_client",
    INVALID_GRANT,
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "access_denied",
];

/// An answer that was read as JSON, if it is JSON
pub(super) struct TokenAnswer {
    answer: Answer,
    document: Option<Value>,
}

impl TokenAnswer {
    pub(super) fn new(answer: Answer) -> Self {
        let document = answer.json().ok().filter(Value::is_object);
        Self { answer, document }
    }

    /// Whether the server has not said what became of the request: it failed, or its words cannot be read
    pub(super) fn leaves_open(&self) -> bool {
        let is_outage = [500, 502, 504].contains(&self.answer.status.as_u16());
        is_outage || (self.answer.status.is_success() && self.document.is_none())
    }

    /// Whether the server says that the grant is no good
    pub(super) fn refuses_grant(&self) -> bool {
        self.error_code() == Some(INVALID_GRANT)
    }

    /// A refresh token of a success
    pub(super) fn refresh_token(&self) -> Option<Secret> {
        let is_success = self.answer.status.is_success();
        let text = self.document.as_ref()?.get("refresh_token")?.as_str();
        text.filter(|text| is_success && is_token(text)).map(Secret::from)
    }

    /// Whether the endpoint is not where the metadata says
    pub(super) fn is_elsewhere(&self) -> bool {
        [404, 405, 410].contains(&self.answer.status.as_u16())
    }

    pub(super) fn server_now(&self) -> std::time::SystemTime {
        self.answer.server_now
    }

    /// The tokens, or why there are none.
    pub(super) fn tokens(&self) -> Result<Fetched, FetchError> {
        let answer = &self.answer;
        if let Some(code) = self.error_code() {
            return Err(self.error(code));
        }
        if !answer.status.is_success() {
            return Err(answer.error());
        }
        let Some(document) = &self.document else {
            return Err(answer.json().err().unwrap_or_else(|| answer.bad("no JSON object")));
        };
        let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let token = text(MAIN).ok_or_else(|| answer.bad("without an access_token"))?;
        if !is_token(token) {
            return Err(answer.bad("wrong: its access_token holds what no token can"));
        }
        match text("token_type") {
            Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
            Some(_) => return Err(answer.bad("wrong: its token_type is not Bearer, and other tokens need a key")),
            None => return Err(answer.bad("without a token_type")),
        }
        let life = life::of_token(document.get("expires_in"), token, answer.server_now)
            .map_err(|fault| answer.bad(format_args!("wrong: expires_in is {fault}")))?;
        if let Some(name) = OTHERS.iter().find(|name| text(name).is_some_and(|text| !is_token(text))) {
            return Err(answer.bad(format_args!("wrong: its {name} holds what no token can")));
        }
        let others = OTHERS.iter().filter_map(|name| Some((*name, text(name)?)));
        let values: BTreeMap<_, Secret> =
            others.chain([(MAIN, token)]).map(|(name, text)| (name.to_owned(), text.into())).collect();
        Ok(Fetched { fields: Fields::new(MAIN, values), life, renewable: false })
    }

    /// `error` of an answer without a token. Some servers give it the status 200.
    fn error_code(&self) -> Option<&str> {
        let document = self.document.as_ref().filter(|document| document.get(MAIN).is_none())?;
        document.get("error")?.as_str()
    }

    fn error(&self, code: &str) -> FetchError {
        let FetchError::BadAnswer(reason) = self.answer.error() else { return self.answer.error() };
        if PASSING.contains(&code) {
            FetchError::Unavailable { reason, retry_after: self.answer.retry_after() }
        } else if FINAL.contains(&code) || self.answer.status.is_success() {
            FetchError::Refused(reason)
        } else {
            FetchError::BadAnswer(reason)
        }
    }
}
