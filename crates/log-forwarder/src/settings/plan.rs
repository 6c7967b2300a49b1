//! Inputs and outputs, from flags and the configuration file together.

use std::{
    collections::BTreeSet,
    path::{self, Path, PathBuf},
};

use lifecycle::Misfit;

use crate::settings::{args::Args, destination::Destination, entry::Entry, input::Input};

/// Inputs and outputs, each of which may stand in a file or on the command line
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Destination>,
}

impl Plan {
    /// The inputs and outputs of flags and file together, or everything that does not fit and could
    /// not be seen in one flag or one entry.
    pub(crate) fn of(args: &Args, entries: &[Entry], outputs: &[Destination]) -> Result<Self, Vec<Misfit>> {
        let mut misfits = Vec::new();
        let mut plan = Self { inputs: Vec::new(), outputs: args.outputs().cloned().collect() };
        match args.inputs() {
            Ok(inputs) => plan.inputs = inputs,
            Err(message) => misfits.push(Misfit { at: String::new(), message }),
        }
        let outputs_of_flags = plan.outputs.len();
        for (index, entry) in entries.iter().enumerate() {
            match entry.input(args) {
                Ok(input) => plan.inputs.push(input),
                Err(message) => misfits.push(Misfit { at: format!("inputs.{index}"), message }),
            }
        }
        plan.outputs.extend(outputs.iter().cloned());
        misfits.extend(plan.outputs_given_twice(outputs_of_flags));
        if misfits.is_empty() {
            misfits.extend(plan.check(args).err().map(|message| Misfit { at: String::new(), message }));
        }
        if misfits.is_empty() { Ok(plan) } else { Err(misfits) }
    }

    /// The files that outputs write
    pub(crate) fn own_files(&self) -> impl Iterator<Item = PathBuf> {
        self.outputs.iter().filter_map(Destination::own_file)
    }

    /// The place of an output in a file is known by its label.
    fn outputs_given_twice(&self, of_flags: usize) -> Vec<Misfit> {
        let mut labels = BTreeSet::new();
        let labels_in_order = self.outputs.iter().map(Destination::label).enumerate();
        let twice = labels_in_order.filter(|(_, label)| !labels.insert(label.clone()));
        let misfit = |(index, label): (usize, String)| Misfit {
            at: index.checked_sub(of_flags).map(|index| format!("outputs.{index}")).unwrap_or_default(),
            message: format!(
                "output {label} is there twice, and its place in a file would be ambiguous: drop one, or give one of \
                 them the option name=NAME if they differ in their query or headers"
            ),
        };
        twice.map(misfit).collect()
    }

    fn check(&self, args: &Args) -> Result<(), String> {
        if self.inputs.is_empty() {
            return Err("there is no input: give --input, or inputs in --config".into());
        }
        if self.outputs.is_empty() {
            return Err("there is no output: give --output, or outputs in --config".into());
        }
        let absolute = |path: &Path| path::absolute(path).ok();
        if let Some(letters) = &args.dead_letter
            && self.own_files().any(|file| absolute(&file) == absolute(letters))
        {
            return Err("--dead-letter and an output write one file: give each a file of its own".into());
        }
        let needed = args.max_line.saturating_add(1).saturating_mul(self.outputs.len() as u64);
        if needed > args.max_in_flight {
            return Err(format!(
                "--max-in-flight does not hold a line of --max-line for each output: make it {needed} at least"
            ));
        }
        match usize::try_from(args.max_line) {
            Ok(_) => Ok(()),
            Err(_) => Err("--max-line is more than memory holds".into()),
        }
    }
}
