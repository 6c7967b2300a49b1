//! The families of a page so far. A family may stand in pieces.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::exposition::{
    example,
    model::{Family, Kind, Label},
    notes::Notes,
    parse::openmetrics::claims::{Claim, Claims},
};

/// Families in the order of their first line, with their names
#[derive(Default)]
pub(super) struct Gathered<'a> {
    families: Vec<Family<'a>>,
    /// The names of the families, without suffix
    names: Vec<&'a str>,
    claims: Claims<'a>,
    /// The labels of the families that stand in pieces
    labels: HashMap<usize, HashSet<&'a [Label<'a>], RandomState>, RandomState>,
}

impl<'a> Gathered<'a> {
    /// Name and type of the family that samples of this name belong to.
    pub(super) fn owner(&self, sample: &'a str) -> Option<(&'a str, Kind)> {
        let owner = self.claims.owner(sample)?;
        Some((self.names[owner], self.families[owner].kind))
    }

    /// Adds a family, or a piece of one. `name` has no suffix.
    pub(super) fn add(&mut self, name: &'a str, family: Family<'a>, notes: &mut Notes) {
        let kind = family.kind;
        match self.claims.take(name, kind, self.families.len()) {
            Claim::New => {}
            Claim::NameTwice => {
                notes.add_many(name, "two types with one name", 0, || format!("{name} and {kind:?} {name}"));
            }
            Claim::TakenBy(owner) => {
                let has_same_series = [Kind::Unknown, Kind::Gauge];
                let owner_kind = self.families[owner].kind;
                let is_piece = self.names[owner] == name
                    && (owner_kind == kind || [owner_kind, kind].iter().all(|kind| has_same_series.contains(kind)));
                if is_piece {
                    self.add_piece(owner, family, notes);
                } else {
                    notes.add_many(name, "a name of another family", family.series.len(), || name.to_owned());
                }
                return;
            }
        }
        self.families.push(family);
        self.names.push(name);
    }

    /// All families with series.
    pub(super) fn into_families(mut self) -> Vec<Family<'a>> {
        self.families.retain(|family| !family.series.is_empty());
        self.families
    }

    /// Adds a piece to its family. The first help and the first unit stay, like the first type.
    fn add_piece(&mut self, owner: usize, piece: Family<'a>, notes: &mut Notes) {
        let family = &mut self.families[owner];
        let labels =
            self.labels.entry(owner).or_insert_with(|| family.series.iter().map(|series| series.labels).collect());
        if family.help.is_empty() {
            family.help = piece.help;
        }
        if family.unit.is_empty() {
            family.unit = piece.unit;
        }
        for series in piece.series {
            if labels.insert(series.labels) {
                family.series.push(series);
            } else {
                notes.add(family.name, "repeated series", || example::without_values(family.name, series.labels));
            }
        }
    }
}
