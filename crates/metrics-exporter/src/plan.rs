//! The sources of flags and configuration file together, each with a name of its own.

use std::collections::HashSet;

use lifecycle::Misfit;

use crate::{
    args::Args,
    merge::Rule,
    source::{Source, entry::SourceEntry, source_url::SourceUrl},
};

/// The most sources of flags and file together, because each costs a connection and a body at each scrape
const SOURCE_LIMIT: usize = 100;

/// A source that may not have a name yet
struct Draft<'a> {
    url: &'a SourceUrl,
    /// The name that the user gave
    name: Option<&'a str>,
    rules: &'a [Rule],
    /// The path of its entry in the file; empty for a flag
    at: String,
}

/// The sources of the flags, then those of the file. `rules` are the file's rules for all sources.
pub(crate) fn sources(args: &Args, entries: &[SourceEntry], rules: &[Rule]) -> Result<Vec<Source>, Vec<Misfit>> {
    let (drafts, mut misfits) = drafts(args, entries);
    if drafts.len() > SOURCE_LIMIT {
        misfits.push(Misfit { at: String::new(), message: format!("more than {SOURCE_LIMIT} sources") });
    }
    let mut taken = HashSet::new();
    for draft in &drafts {
        if let Some(name) = draft.name
            && !taken.insert(name.to_owned())
        {
            let message = format!("two sources are named {name}: each needs a name of its own");
            misfits.push(Misfit { at: draft.at.clone(), message });
        }
    }
    if !misfits.is_empty() {
        return Err(misfits);
    }
    let source = |draft: Draft| Source {
        name: draft.name.map_or_else(|| free_name(draft.url, &mut taken), str::to_owned),
        client: draft.url.client.clone(),
        rules: [draft.rules, rules].concat(),
    };
    Ok(drafts.into_iter().map(source).collect())
}

fn drafts<'a>(args: &'a Args, entries: &'a [SourceEntry]) -> (Vec<Draft<'a>>, Vec<Misfit>) {
    let mut misfits = Vec::new();
    let of_flag = |url: &'a SourceUrl| Draft { url, name: url.name.as_deref(), rules: &[], at: String::new() };
    let mut drafts: Vec<_> = args.sources().map(of_flag).collect();
    for (number, entry) in entries.iter().enumerate() {
        let at = format!("scrape.{number}");
        if entry.name.is_some() && entry.url.name.is_some() {
            let message = "the name is given twice: beside url, and as an option of it".into();
            misfits.push(Misfit { at: at.clone(), message });
        }
        let name = entry.name.as_deref().or(entry.url.name.as_deref());
        drafts.push(Draft { url: &entry.url, name, rules: &entry.rules, at });
    }
    (drafts, misfits)
}

/// The name of a source without one: host and port or the socket; with the path where that is taken, then with a number.
fn free_name(url: &SourceUrl, taken: &mut HashSet<String>) -> String {
    let with_path = format!("{}{}", url.default_name, url.client.url().path());
    let numbered = (2..).map(|number| format!("{with_path}-{number}"));
    let mut candidates = [url.default_name.clone(), with_path.clone()].into_iter().chain(numbered);
    candidates.find(|name| taken.insert(name.clone())).unwrap_or_default()
}
