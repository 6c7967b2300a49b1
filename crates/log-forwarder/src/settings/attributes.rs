//! Fields that each record carries in addition to its line: the names of the pod, its labels, and
//! those of `--field`.
//!
//! Names are those of OpenTelemetry's semantic conventions for Kubernetes.

use std::{fmt, path::Path, str::FromStr};

use lifecycle::{Lines, LinesParser};

/// The prefix of the names of labels
const LABEL: &str = "k8s.pod.label.";
/// Names that records have already
const TAKEN: [&str; 8] = ["time", "file", "generation", "offset", "message", "fields", "cut", "unfinished"];
/// Bytes of a file of labels; a pod's metadata is no longer
const LABELS_LIMIT: u64 = 256 * 1024;

/// Fields, one a line in the variable; their values may be secrets
const FIELDS: LinesParser<StaticField> = LinesParser::verbatim("field", str::parse, field_label);

/// Names and values, in their order
pub(crate) type Attributes = Vec<(String, String)>;

/// One `--field NAME=VALUE`
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StaticField {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Without the value, which may be a secret
impl fmt::Debug for StaticField {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

impl FromStr for StaticField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("it has no =: write NAME=VALUE")?;
        Self::new(name, value)
    }
}

impl StaticField {
    pub(crate) fn new(name: &str, value: &str) -> Result<Self, String> {
        if name.is_empty() || !is_plain(name) {
            return Err("the name of a field has only letters, digits and ._-/".into());
        }
        if TAKEN.contains(&name) {
            return Err(format!("each record has a field {name} of its own: choose another name"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Display for StaticField {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

// Facts from the Downward API. Not a doc comment, because clap would take it for the helper's
// description.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Fields that each record carries")]
pub(crate) struct PodFlags {
    /// The pod's name, as `k8s.pod.name`; from the Downward API
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub(crate) pod_name: Option<String>,
    /// The pod's namespace, as `k8s.namespace.name`
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    pub(crate) pod_namespace: Option<String>,
    /// The node's name, as `k8s.node.name`
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    pub(crate) node_name: Option<String>,
    /// The name of the container whose logs these are, as `k8s.container.name`
    #[arg(long, value_name = "NAME", env = "CONTAINER_NAME")]
    pub(crate) container_name: Option<String>,
    /// The pod's labels, as a Downward API volume writes them, each as `k8s.pod.label.NAME`; read
    /// at the start, if it is there
    #[arg(long, value_name = "FILE", default_value = "/etc/podinfo/labels")]
    pub(crate) labels_file: std::path::PathBuf,
    /// A field for each record; repeat for more; in the variable, one a line
    #[arg(long = "field", value_name = "NAME=VALUE", allow_hyphen_values = true, value_parser = FIELDS)]
    pub(crate) fields: Vec<Lines<StaticField>>,
}

impl PodFlags {
    /// All of them. A wrong file of labels is logged, and is no reason not to deliver.
    pub(crate) fn attributes(&self) -> Attributes {
        let named = [
            ("k8s.namespace.name", &self.pod_namespace),
            ("k8s.pod.name", &self.pod_name),
            ("k8s.container.name", &self.container_name),
            ("k8s.node.name", &self.node_name),
        ];
        let mut attributes: Attributes = named
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone().filter(|value| !value.is_empty())?)))
            .collect();
        match labels(&self.labels_file) {
            Ok(labels) => attributes.extend(labels),
            Err(error) => {
                let file = self.labels_file.display();
                tracing::warn!(%file, error, "cannot read the pod's labels; records go without them");
            }
        }
        add(&mut attributes, self.fields.iter().flat_map(|lines| &lines.0));
        attributes
    }
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
}

/// The name of a field that was written NAME=VALUE
pub(crate) fn field_label(text: &str) -> String {
    text.split_once('=').map(|(name, _)| name).filter(|name| is_plain(name)).unwrap_or("…").to_owned()
}

/// Adds fields; one of the same name is replaced.
pub(crate) fn add<'a>(attributes: &mut Attributes, fields: impl IntoIterator<Item = &'a StaticField>) {
    for field in fields {
        attributes.retain(|(name, _)| *name != field.name);
        attributes.push((field.name.clone(), field.value.clone()));
    }
}

/// The labels in a file of a Downward API volume: none if it is not there.
fn labels(path: &Path) -> Result<Attributes, String> {
    if !path.exists() {
        return Ok(Attributes::new());
    }
    let text = lifecycle::read_text(path, LABELS_LIMIT).map_err(|error| lifecycle::io_text(&error))?;
    text.lines().filter(|line| !line.is_empty()).map(label).collect()
}

/// `name="value"`, with the value quoted as Go quotes strings, of which JSON's escapes are the ones
/// that labels can need.
fn label(line: &str) -> Result<(String, String), String> {
    let wrong = || "it is not what a Downward API volume writes: NAME=\"VALUE\", one a line".to_owned();
    let (name, value) = line.split_once('=').ok_or_else(wrong)?;
    let value = serde_json::from_str(value).map_err(|_| wrong())?;
    Ok((format!("{LABEL}{name}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_of_their_own() {
        let field: StaticField = "team=a=b".parse().unwrap();
        assert_eq!((field.name.as_str(), field.value.as_str()), ("team", "a=b"));
        for text in ["team", "=a", "a b=c", "message=x", "offset=1"] {
            assert!(text.parse::<StaticField>().is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_read_as_the_kubelet_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels");
        assert_eq!(labels(&path), Ok(Vec::new()));
        std::fs::write(&path, "app=\"web\"\napp.kubernetes.io/name=\"shop\"\nempty=\"\"").unwrap();
        let expected = [("app", "web"), ("app.kubernetes.io/name", "shop"), ("empty", "")];
        let expected: Attributes =
            expected.map(|(name, value)| (format!("k8s.pod.label.{name}"), value.to_owned())).into();
        assert_eq!(labels(&path), Ok(expected));
        std::fs::write(&path, "app web").unwrap();
        assert!(labels(&path).unwrap_err().contains("Downward API"));
        assert_eq!(labels(directory.path()), Err("is a directory".into()));
    }

    #[test]
    fn a_field_replaces_what_the_pod_says() {
        let mut flags =
            PodFlags { pod_name: Some("web-1".into()), node_name: Some(String::new()), ..PodFlags::default() };
        flags.fields = vec![Lines(vec!["k8s.pod.name=x".parse().unwrap(), "team=a".parse().unwrap()])];
        assert_eq!(flags.attributes(), [("k8s.pod.name".into(), "x".into()), ("team".into(), "a".into())]);
    }
}
