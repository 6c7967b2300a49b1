//! The labels of a series or an exemplar.

use bumpalo::Bump;

use crate::exposition::{
    metrics_proto::label as field,
    model::Label,
    names::is_label_name,
    page::Bounds,
    parse::protobuf::wire::{Fault, Message},
};

/// The reason why a series is left out
pub(super) type Reason = &'static str;

/// The labels so far; kept to reuse the memory
#[derive(Debug, Default)]
pub(super) struct Labels<'a> {
    labels: Vec<Label<'a>>,
    /// The first reason why the labels are invalid
    reason: Option<Reason>,
}

impl<'a> Labels<'a> {
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.reason = None;
    }

    pub(super) fn as_slice(&self) -> &[Label<'a>] {
        &self.labels
    }

    /// Reads one `LabelPair`. One invalid label makes all of them invalid.
    pub(super) fn read(&mut self, mut message: Message<'a>, bounds: &Bounds) -> Result<(), Fault> {
        let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
        while let Some((number, content)) = message.field()? {
            match number {
                field::NAME => name = content.bytes()?,
                field::VALUE => value = content.bytes()?,
                _ => {}
            }
        }
        if self.labels.len() == bounds.labels {
            return Err("too many labels");
        }
        if name.len().max(value.len()) > bounds.label_bytes {
            return Err("a label is too long");
        }
        match label(name, value) {
            Err(reason) => _ = self.reason.get_or_insert(reason),
            // In Prometheus a label with an empty value is no label.
            Ok(label) if label.value.is_empty() => {}
            Ok(label) => self.labels.push(label),
        }
        Ok(())
    }

    /// The labels sorted by name, or the reason why they are invalid. `reserved` is the label that the samples of the type have.
    pub(super) fn finish(&mut self, arena: &'a Bump, reserved: Option<&str>) -> Result<&'a [Label<'a>], Reason> {
        if let Some(reason) = self.reason {
            return Err(reason);
        }
        if !self.labels.is_sorted_by(|one, next| one.name < next.name) {
            self.labels.sort_by_key(|label| label.name);
            if self.labels.windows(2).any(|pair| pair[0].name == pair[1].name) {
                return Err("a label with two values");
            }
        }
        if self.labels.iter().any(|label| label.name == "__name__" || Some(label.name) == reserved) {
            return Err("a reserved label");
        }
        Ok(arena.alloc_slice_copy(&self.labels))
    }
}

fn label<'a>(name: &'a [u8], value: &'a [u8]) -> Result<Label<'a>, Reason> {
    let name = str::from_utf8(name).ok().filter(|name| is_label_name(name));
    let name = name.ok_or("a name that labels cannot have")?;
    let value = str::from_utf8(value).map_err(|_| "a label that is not UTF-8")?;
    Ok(Label { name, value })
}
