//! The objects that a target names, and their place in the API.

use endpoint::Options;
use url::{Url, form_urlencoded::Serializer};

use crate::{kinds::shape, wire::decode};

/// Bytes of a name of an object, and of one that is the value of a label or a name in DNS
pub(super) const NAME_LIMIT: usize = 253;
pub(super) const LABEL_LIMIT: usize = 63;

/// The objects of one target
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) chosen: Chosen,
    /// How many pods or endpoints must be ready
    pub(super) count: usize,
}

/// One object, or all that have the labels
#[derive(Debug)]
pub(super) enum Chosen {
    Name(String),
    Selector(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Jobs,
    Pods,
    Services,
    StatefulSets,
    Deployments,
    DaemonSets,
}

const KINDS: [Kind; 6] =
    [Kind::Jobs, Kind::Pods, Kind::Services, Kind::StatefulSets, Kind::Deployments, Kind::DaemonSets];

impl Kind {
    /// The first word of a target, which is the name in the API
    fn plural(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Pods => "pods",
            Self::Services => "services",
            Self::StatefulSets => "statefulsets",
            Self::Deployments => "deployments",
            Self::DaemonSets => "daemonsets",
        }
    }

    /// One of them, for people
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Jobs => "Job",
            Self::Pods => "Pod",
            Self::Services => "Service",
            Self::StatefulSets => "StatefulSet",
            Self::Deployments => "Deployment",
            Self::DaemonSets => "DaemonSet",
        }
    }

    /// The API's group, empty for the core, and the resource in it that shows whether one is ready
    pub(super) fn watched(self) -> (&'static str, &'static str) {
        match self {
            Self::Jobs => ("batch", self.plural()),
            Self::Pods => ("", self.plural()),
            Self::Services => ("discovery.k8s.io", "endpointslices"),
            Self::StatefulSets | Self::Deployments | Self::DaemonSets => ("apps", self.plural()),
        }
    }
}

impl Resource {
    pub(super) fn parse(url: &Url, options: &mut Options) -> Result<Self, String> {
        shape::no_login(url)?;
        if url.port().is_some() {
            return Err("a kubernetes target has no port: server=URL names the API server".into());
        }
        let kind = kind(url.host_str().unwrap_or_default())?;
        let chosen = chosen(kind, url)?;
        let count = options.number("count")?;
        let is_counted = matches!(chosen, Chosen::Selector(_)) || kind == Kind::Services;
        match count {
            Some(_) if !is_counted => {
                Err("option count: only pods with a selector and endpoints of a Service are counted".into())
            }
            Some(0) => Err("option count: at least 1".into()),
            count => Ok(Self { kind, chosen, count: count.unwrap_or(1) }),
        }
    }

    /// The path of its list
    pub(super) fn path(&self, namespace: &str) -> String {
        match self.kind.watched() {
            ("", resource) => format!("/api/v1/namespaces/{namespace}/{resource}"),
            (group, resource) => format!("/apis/{group}/v1/namespaces/{namespace}/{resource}"),
        }
    }

    /// A query that selects the objects, with further parameters. RBAC counts a list by
    /// `metadata.name` as a list of this one name, so that a Role may have `resourceNames`.
    pub(super) fn query(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        match (&self.chosen, self.kind) {
            (Chosen::Name(name), Kind::Services) => {
                query.append_pair("labelSelector", &format!("kubernetes.io/service-name={name}"))
            }
            (Chosen::Name(name), _) => query.append_pair("fieldSelector", &format!("metadata.name={name}")),
            (Chosen::Selector(selector), _) => query.append_pair("labelSelector", selector),
        };
        query.extend_pairs(parameters);
        query.finish()
    }

    /// The words about a right that RBAC refuses, and the rule that gives it. The API server names
    /// the user.
    pub(super) fn missing_right(&self, verb: &str, namespace: &str, words: &str) -> String {
        let (group, resource) = self.kind.watched();
        let user = words.split_once("User \"").and_then(|(_, rest)| rest.split_once('"'));
        let user = user.map_or("the service account", |(user, _)| user);
        // Services have slices of other names.
        let names = match &self.chosen {
            Chosen::Name(name) if self.kind != Kind::Services => format!(" resourceNames: [{name}],"),
            _ => String::new(),
        };
        format!(
            "{user} may not {verb} {resource} in the namespace {namespace}: give it a Role there with \
             apiGroups: [\"{group}\"], resources: [{resource}],{names} verbs: [list, watch]"
        )
    }

    /// Whether an object of this name is one of them, where the API server does not select
    pub(super) fn has(&self, object: &str) -> bool {
        match &self.chosen {
            Chosen::Name(name) if self.kind != Kind::Services => name == object,
            _ => true,
        }
    }
}

fn kind(word: &str) -> Result<Kind, String> {
    let word = word.to_ascii_lowercase();
    if let Some(kind) = KINDS.into_iter().find(|kind| kind.plural() == word) {
        return Ok(kind);
    }
    let words = || KINDS.into_iter().map(Kind::plural);
    let hint = match lifecycle::nearest(&word, words()) {
        Some(near) => format!("did you mean kubernetes://{near}/NAME?"),
        None => format!("there are {}", words().collect::<Vec<_>>().join(", ")),
    };
    Err(format!("the first word of a kubernetes target is the kind of object; {hint}"))
}

fn chosen(kind: Kind, url: &Url) -> Result<Chosen, String> {
    let plural = kind.plural();
    let name = decode(url.path().trim_start_matches('/'))?;
    let selectors: Vec<_> = url.query_pairs().collect();
    match &selectors[..] {
        _ if url.query().is_some() && kind != Kind::Pods => {
            Err(format!("only pods have a selector: write kubernetes://{plural}/NAME, with options behind #"))
        }
        [] if url.query().is_none() && is_name(kind, &name) => Ok(Chosen::Name(name)),
        [] if name.is_empty() && kind == Kind::Pods => {
            Err("which pods? write kubernetes://pods?selector=app=web or kubernetes://pods/NAME".into())
        }
        [] if name.is_empty() => Err(format!("the name is missing: write kubernetes://{plural}/NAME")),
        [] => {
            let has_namespace = name.contains('/') || kind == Kind::Services && name.contains('.');
            let hint = if has_namespace { "; another namespace is given by namespace=NAME" } else { "" };
            Err(format!("{name:?} can't be the name of a {}{hint}", kind.singular()))
        }
        _ if !name.is_empty() => Err("a name and a selector exclude each other".into()),
        [(key, selector)] if key == "selector" && !selector.trim().is_empty() => {
            Ok(Chosen::Selector(selector.trim().to_owned()))
        }
        _ => Err("the only query of a kubernetes target is ?selector=app=web; options stand behind #".into()),
    }
}

/// Names of objects are subdomains of DNS, those of Services one label (RFC 1123).
fn is_name(kind: Kind, name: &str) -> bool {
    if kind == Kind::Services {
        return name.len() <= LABEL_LIMIT && is_label(name);
    }
    name.len() <= NAME_LIMIT && name.split('.').all(is_label)
}

/// Whether a text is a label of DNS but for its length, in lower case, as Kubernetes wants it
pub(super) fn is_label(text: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_usual) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Resource, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut options = Options::from_fragment(fragment).unwrap();
        Resource::parse(&Url::parse(&format!("kubernetes://{url}")).unwrap(), &mut options)
    }

    #[test]
    fn a_target_has_a_place_in_the_api() {
        for (text, path, query) in [
            ("jobs/migrate", "/apis/batch/v1/namespaces/shop/jobs", "fieldSelector=metadata.name%3Dmigrate"),
            ("pods/web-0", "/api/v1/namespaces/shop/pods", "fieldSelector=metadata.name%3Dweb-0"),
            (
                "pods?selector=app=web,tier%20in%20(a,b)",
                "/api/v1/namespaces/shop/pods",
                "labelSelector=app%3Dweb%2Ctier+in+%28a%2Cb%29",
            ),
            (
                "services/db",
                "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices",
                "labelSelector=kubernetes.io%2Fservice-name%3Ddb",
            ),
            ("deployments/web.v2", "/apis/apps/v1/namespaces/shop/deployments", "fieldSelector=metadata.name%3Dweb.v2"),
            ("DaemonSets/agent", "/apis/apps/v1/namespaces/shop/daemonsets", "fieldSelector=metadata.name%3Dagent"),
        ] {
            let resource = parsed(text).unwrap();
            assert_eq!((&*resource.path("shop"), &*resource.query(&[])), (path, query));
        }
    }

    #[test]
    fn a_target_that_names_nothing_is_refused_with_a_remedy() {
        for (text, remedy) in [
            ("job/migrate", "did you mean kubernetes://jobs/NAME?"),
            ("secrets/key", "there are jobs, pods, services, statefulsets, deployments, daemonsets"),
            ("jobs", "the name is missing: write kubernetes://jobs/NAME"),
            ("jobs/", "the name is missing: write kubernetes://jobs/NAME"),
            ("pods", "kubernetes://pods?selector=app=web"),
            ("jobs/Migrate", r#""Migrate" can't be the name of a Job"#),
            ("jobs/shop/migrate", r#""shop/migrate" can't be the name of a Job; another namespace is given by"#),
            ("services/db.shop", r#""db.shop" can't be the name of a Service; another namespace is given by"#),
            ("jobs/migrate.", r#""migrate." can't be the name of a Job"#),
            ("pods/-web", r#""-web" can't be the name of a Pod"#),
            ("jobs?selector=app=web", "only pods have a selector"),
            ("pods/web-0?selector=app=web", "a name and a selector exclude each other"),
            ("pods?app=web", "the only query of a kubernetes target is ?selector=app=web"),
            ("pods?selector=", "the only query of a kubernetes target is ?selector=app=web"),
            ("pods:80/web", "server=URL"),
            ("me@pods/web", "no login"),
            ("jobs/migrate#count=2", "only pods with a selector"),
            ("pods/web-0#count=2", "only pods with a selector"),
            ("pods?selector=app=web#count=0", "at least 1"),
        ] {
            let refusal = parsed(text).map(|resource| format!("{resource:?} was taken")).unwrap_err();
            assert!(refusal.contains(remedy), "{text}: {refusal}");
        }
    }
}
