//! One request, taken apart.

use std::collections::BTreeMap;

use http::{Method, Request};
use serde_json::Value;

use super::resource::{Resource, resource};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// All that match.
    List,
    /// What becomes of all that match.
    Watch,
    /// POST.
    Create,
    /// A merge patch.
    Patch,
    /// PUT.
    Update,
    /// DELETE.
    Delete,
}

impl Verb {
    /// Whether it changes anything.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks.
    pub user: String,
    /// What for.
    pub verb: Verb,
    /// Of which kind.
    pub resource: &'static Resource,
    /// Where; everywhere when empty.
    pub namespace: String,
    /// The object's name; none for lists, watches and creates.
    pub name: String,
    /// Whether the path ends in `/status`.
    pub of_status: bool,
    /// Parameters.
    pub query: BTreeMap<String, String>,
    /// The body, null when there is none.
    pub body: Value,
}

impl Call {
    /// Takes a request apart; None when there is no such path.
    pub fn of(user: &str, request: &Request<()>, body: &[u8]) -> Option<Self> {
        let path = request.uri().path().trim_start_matches('/').split('/').collect::<Vec<_>>();
        let rest = match *path.first()? {
            "api" => path.get(2..)?,
            _ => path.get(3..)?,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let query = request.uri().query().unwrap_or_default();
        let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let name = rest.get(1).copied().unwrap_or_default();
        Some(Self {
            user: user.to_owned(),
            verb: verb(request.method(), name, &query)?,
            resource: resource(rest.first()?)?,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            of_status: rest.get(2) == Some(&"status"),
            query,
            body: serde_json::from_slice(body).unwrap_or_default(),
        })
    }
}

fn verb(method: &Method, name: &str, query: &BTreeMap<String, String>) -> Option<Verb> {
    Some(match (method.as_str(), name) {
        ("GET", "") if query.contains_key("watch") => Verb::Watch,
        ("GET", "") => Verb::List,
        ("GET", _) => Verb::Get,
        ("POST", "") => Verb::Create,
        ("PATCH", _) => Verb::Patch,
        ("PUT", _) => Verb::Update,
        ("DELETE", _) => Verb::Delete,
        _ => return None,
    })
}

/// A label selector: `key=value` and `key`, joined by commas.
#[derive(Clone, Debug)]
pub(super) struct Selector(Vec<(String, Option<String>)>);

impl Selector {
    pub(super) fn parse(text: &str) -> Self {
        let terms = text.split(',').filter(|term| !term.is_empty());
        Self(
            terms
                .map(|term| match term.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.trim_start_matches('=').to_owned())),
                    None => (term.to_owned(), None),
                })
                .collect(),
        )
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(key, wanted)| match (&object["metadata"]["labels"][key], wanted) {
            (Value::String(value), Some(wanted)) => value == wanted,
            (value, None) => !value.is_null(),
            _ => false,
        })
    }
}
