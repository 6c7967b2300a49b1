//! The names that streams and entries carry: a few labels make a stream, all else is metadata of
//! each entry.

use std::borrow::Cow;

use endpoint::Options;

use crate::records::span::Source;

/// Short names of what a pod says of itself, as other shippers to Loki have them
const SHORT: [(&str, &str); 4] = [
    ("k8s.namespace.name", "namespace"),
    ("k8s.pod.name", "pod"),
    ("k8s.container.name", "container"),
    ("k8s.node.name", "node"),
];
/// Labels of pods that name the app, the first one first
const APP: [&str; 2] = ["k8s.pod.label.app.kubernetes.io/name", "k8s.pod.label.app"];
/// Labels of few values, also when pods and files come and go: neither the pod nor the file
const DEFAULT: [&str; 3] = ["namespace", "container", "app"];
/// A stream needs a label, also where no name is known.
const JOB: (&str, &str) = ("job", "log-forwarder");

/// Which names make streams
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Labels {
    names: Vec<String>,
    fixed: Vec<(String, String)>,
}

/// The names that all records of a batch carry
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) labels: Vec<(String, String)>,
    pub(super) metadata: Vec<(String, String)>,
}

impl Labels {
    /// Takes `labels=NAME,NAME` and each `label=NAME=VALUE`.
    pub(super) fn from_options(options: &mut Options) -> Result<Self, String> {
        let mut fixed = vec![(JOB.0.to_owned(), JOB.1.to_owned())];
        for text in options.all("label") {
            let (name, value) = text.split_once('=').ok_or("option label: write label=NAME=VALUE")?;
            checked(name)?;
            fixed.retain(|(other, _)| other != name);
            fixed.push((name.to_owned(), value.to_owned()));
        }
        let names = match options.text("labels")? {
            None => DEFAULT.map(str::to_owned).to_vec(),
            Some(text) => text.split(',').filter(|name| !name.is_empty()).map(checked).collect::<Result<_, _>>()?,
        };
        Ok(Self { names, fixed })
    }

    /// Whether the records of two sources belong to one stream
    pub(super) fn are_the_same(&self, one: &Source, other: &Source) -> bool {
        self.of(one).labels == self.of(other).labels
    }

    /// The names and values of what the records of a source carry. None comes twice, and none is
    /// empty.
    pub(super) fn of(&self, source: &Source) -> Names {
        let mut known = vec![
            (Cow::from("filename"), source.path.to_string_lossy()),
            ("generation".into(), source.generation.as_ref().into()),
        ];
        let attributes = &source.treatment.attributes;
        let app = APP.iter().find_map(|name| attributes.iter().find(|(other, _)| other == name));
        known.extend(app.map(|(_, value)| (Cow::from("app"), Cow::from(value))));
        known.extend(attributes.iter().filter(|(name, _)| !APP.contains(&name.as_str())).map(|(name, value)| {
            let short = SHORT.iter().find(|(long, _)| long == name).map(|(_, short)| Cow::from(*short));
            (short.unwrap_or_else(|| sanitised(name)), Cow::from(value))
        }));
        let mut names = Names { labels: self.fixed.clone(), metadata: Vec::new() };
        for (name, value) in known {
            if value.is_empty() || names.has(&name) {
                continue;
            }
            let is_label = self.names.iter().any(|label| *label == name);
            let group = if is_label { &mut names.labels } else { &mut names.metadata };
            group.push((name.into_owned(), value.into_owned()));
        }
        names.labels.retain(|(_, value)| !value.is_empty());
        names
    }
}

impl Names {
    pub(super) fn has(&self, name: &str) -> bool {
        self.labels.iter().chain(&self.metadata).any(|(other, _)| other == name)
    }
}

/// A name that is a label's as it is
fn checked(name: &str) -> Result<String, String> {
    if name.is_empty() || sanitised(name) != name {
        return Err(format!("{name:?} is no name of a label: letters, digits and _, and no digit first"));
    }
    Ok(name.to_owned())
}

/// As Prometheus writes names: `[a-zA-Z_][a-zA-Z0-9_]*`. Two may become one.
pub(super) fn sanitised(name: &str) -> Cow<'_, str> {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if starts && name.bytes().all(is_usual) {
        return name.into();
    }
    let replaced = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' });
    if starts { replaced.collect() } else { std::iter::once('_').chain(replaced).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::span::{Mark, of, with_attributes};

    fn labels(fragment: &str) -> Labels {
        Labels::from_options(&mut Options::from_fragment(fragment).unwrap()).unwrap()
    }

    fn names(fragment: &str, attributes: &[(&str, &str)]) -> (String, String) {
        let names = labels(fragment).of(&with_attributes(of(b"one\n", Mark::Whole), attributes).source);
        let text = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        (text(&names.labels), text(&names.metadata))
    }

    const POD: [(&str, &str); 6] = [
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", "web-1"),
        ("k8s.container.name", "nginx"),
        ("k8s.pod.label.app", "web"),
        ("k8s.pod.label.tier", "front"),
        ("team", "a"),
    ];

    #[test]
    fn few_names_are_labels_and_all_others_metadata() {
        let metadata = "filename=/logs/app.log generation=0123456789abcdef pod=web-1 k8s_pod_label_tier=front team=a";
        let labels = "job=log-forwarder app=web namespace=shop container=nginx";
        assert_eq!(names("", &POD), (labels.into(), metadata.into()));
        let metadata = "filename=/logs/app.log generation=0123456789abcdef";
        assert_eq!(names("", &[("node", "")]), ("job=log-forwarder".into(), metadata.into()));
    }

    #[test]
    fn options_choose_and_add_labels() {
        let (labels, metadata) = names("labels=filename,team&label=job=web&label=env=x%3Dy", &POD);
        assert_eq!(labels, "job=web env=x=y filename=/logs/app.log team=a");
        assert!(metadata.contains("namespace=shop") && metadata.contains("app=web"), "{metadata}");
        assert_eq!(names("labels=&label=pod=mine&label=job=", &POD).0, "pod=mine");
    }

    #[test]
    fn what_is_no_label_is_said() {
        for fragment in ["label=x", "label=a-b=c", "label==c", "labels=a,b.c", "labels=1a"] {
            assert!(Labels::from_options(&mut Options::from_fragment(fragment).unwrap()).is_err(), "{fragment}");
        }
    }

    #[test]
    fn names_are_what_prometheus_takes() {
        for (name, expected) in [("a_B9", "a_B9"), ("a.b/c-d", "a_b_c_d"), ("9a", "_9a"), ("", "_"), ("é", "_")] {
            assert_eq!(sanitised(name), expected);
        }
    }
}
