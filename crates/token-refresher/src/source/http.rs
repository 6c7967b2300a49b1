//! `http`: any endpoint that answers with JSON, or with the value itself.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path, time::Duration};

use endpoint::HttpRequest;
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use lifecycle::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    exchange::Answer,
    exchange::json_pointer::JsonPointer,
    exchange::request_headers::RequestHeaders,
    exchange::server::Server,
    value::fetch_error::FetchError,
    value::fetched::Fetched,
    value::fields::Fields,
    value::given::Given,
    value::input::{Input, Inputs},
    value::life,
};

/// The main field
const MAIN: &str = "value";

/// The settings of the source `http`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct HttpSource {
    /// What is asked; options of the URL say how (authorities, certificates, logins)
    url: Server,
    /// GET, or POST where there is a body
    #[serde(default, deserialize_with = "method")]
    #[schemars(with = "Option<String>")]
    method: Option<Method>,
    #[serde(default)]
    headers: RequestHeaders,
    #[serde(default)]
    body: Option<Body>,
    /// Where in the answer the field `value` is; without this and `values`, it is the whole answer
    value: Option<JsonPointer>,
    /// Where in the answer further fields are
    #[serde(default)]
    values: BTreeMap<String, JsonPointer>,
    /// Where in the answer the number of seconds is that the values are valid
    expires_in: Option<JsonPointer>,
    /// Where in the answer the moment is at which they expire: a date of RFC 3339, or a Unix time
    expires_at: Option<JsonPointer>,
}

/// The body of a request
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Body {
    /// The pairs of a form
    Form(BTreeMap<String, Given>),
    /// The texts of a JSON object
    Json(BTreeMap<String, Given>),
    /// As it is
    Text(Given),
}

impl HttpSource {
    pub(crate) async fn fetch(&self, inputs: &Inputs) -> Result<Fetched, FetchError> {
        let mut secrets = Vec::new();
        let mut headers = self.headers.read(inputs, &mut secrets).await?;
        let body = match &self.body {
            Some(body) => {
                if let Some(kind) = body.content_type() {
                    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
                }
                body.bytes(inputs, &mut secrets).await?
            }
            None => Vec::new(),
        };
        let usual = if self.body.is_some() { Method::POST } else { Method::GET };
        let method = self.method.clone().unwrap_or(usual);
        let Server(client) = &self.url;
        let request = HttpRequest { method, url: client.url().clone(), headers, body };
        self.read(&Answer::to(client, request, secrets).await?.success()?)
    }

    /// Where it asks, as it may be printed
    pub(crate) fn label(&self) -> String {
        self.url.0.label()
    }

    pub(crate) fn depends_on(&self) -> impl Iterator<Item = &str> {
        self.inputs().filter_map(Input::depends_on)
    }

    pub(crate) fn server(&self) -> &Server {
        &self.url
    }

    /// The files that each request reads
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.url.0.files().chain(self.inputs().filter_map(Input::file))
    }

    fn inputs(&self) -> impl Iterator<Item = &Input> {
        let in_body: Vec<&Given> = match &self.body {
            Some(Body::Form(pairs) | Body::Json(pairs)) => pairs.values().collect(),
            Some(Body::Text(text)) => vec![text],
            None => Vec::new(),
        };
        self.headers.given().chain(in_body).filter_map(Given::input)
    }

    fn read(&self, answer: &Answer) -> Result<Fetched, FetchError> {
        let is_text = self.value.is_none() && self.values.is_empty();
        if is_text && self.expires_in.is_none() && self.expires_at.is_none() {
            let text = str::from_utf8(&answer.body).map_err(|_| answer.bad("not UTF-8"))?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                return Err(answer.bad("empty"));
            }
            let life = own_life(None, text, answer)?;
            return Ok(Fetched { fields: Fields::single(MAIN, text.into()), life, renewable: false });
        }
        let document = answer.json()?;
        let whole = JsonPointer::default();
        let main = self.value.as_ref().or(is_text.then_some(&whole)).map(|pointer| (MAIN, pointer));
        let others = self.values.iter().map(|(name, pointer)| (name.as_str(), pointer));
        let mut values = BTreeMap::new();
        for (name, pointer) in others.chain(main) {
            let value = pointer.text(&document).ok_or_else(|| answer.bad(format_args!("without {pointer}")))?;
            values.insert(name.to_owned(), value);
        }
        let said = self.life(&document, answer)?;
        let life = own_life(said, values.get(MAIN).map_or("", Secret::expose), answer)?;
        Ok(Fetched { fields: Fields::new(MAIN, values), life, renewable: false })
    }

    /// The shorter one of the lives that the answer names. A pointer that finds none is an error: a refresh that comes
    /// too late would show much later.
    fn life(&self, document: &Value, answer: &Answer) -> Result<Option<Duration>, FetchError> {
        let mut lives = Vec::new();
        for (pointer, is_moment) in [(&self.expires_in, false), (&self.expires_at, true)] {
            let Some(pointer) = pointer else { continue };
            let value = pointer.find(document).ok_or_else(|| answer.bad(format_args!("without {pointer}")))?;
            let life = if is_moment {
                life::moment(value).and_then(|at| at.map(|at| life::until(at, answer.server_now)).transpose())
            } else {
                life::of_seconds(value)
            };
            lives.extend(life.map_err(|fault| answer.bad(format_args!("wrong: {pointer} is {fault}")))?);
        }
        Ok(lives.into_iter().min())
    }
}

/// The life that the answer names, but no longer than a value says that is a JWT.
fn own_life(said: Option<Duration>, value: &str, answer: &Answer) -> Result<Option<Duration>, FetchError> {
    life::or_own(said, value, answer.server_now).map_err(|fault| answer.bad(format_args!("wrong: exp is {fault}")))
}

impl Body {
    fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
            Self::Json(_) => Some("application/json"),
            Self::Text(_) => None,
        }
    }

    /// The bytes to send; their values are added to `secrets`.
    async fn bytes(&self, inputs: &Inputs, secrets: &mut Vec<Secret>) -> Result<Vec<u8>, FetchError> {
        let (Self::Form(pairs) | Self::Json(pairs)) = self else {
            let Self::Text(given) = self else { return Ok(Vec::new()) };
            let text = given.read(inputs).await?;
            secrets.push(text.clone());
            return Ok(text.expose().into());
        };
        let mut texts = Vec::with_capacity(pairs.len());
        for (name, given) in pairs {
            texts.push((name.as_str(), given.read(inputs).await?));
        }
        let exposed = texts.iter().map(|(name, text)| (*name, text.expose()));
        let bytes = match self {
            Self::Form(_) => form_urlencoded::Serializer::new(String::new()).extend_pairs(exposed).finish(),
            _ => Value::Object(exposed.map(|(name, text)| (name.to_owned(), text.into())).collect()).to_string(),
        };
        secrets.extend(texts.into_iter().map(|(_, text)| text));
        Ok(bytes.into())
    }
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Method>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Some(method)),
        _ => Err(D::Error::custom("this is not a method such as GET or POST")),
    }
}
