//! What is to be done, as the flags and the configuration file say together.

use std::collections::BTreeSet;

use crate::{args::Args, config::Config, destination::Destination, input::Input};

/// Inputs and outputs, each of which may stand in a file or on the command line
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Destination>,
}

impl Plan {
    /// An error is a fault that can't be told from one flag or one entry alone.
    pub(crate) fn of(args: &Args, config: Option<&Config>) -> Result<Self, String> {
        let mut plan = Self { inputs: args.inputs()?, outputs: args.outputs().cloned().collect() };
        if let Some(config) = config {
            for entry in &config.inputs {
                plan.inputs.push(entry.input(args)?);
            }
            plan.outputs.extend(config.outputs.iter().cloned());
        }
        plan.check(args)?;
        Ok(plan)
    }

    fn check(&self, args: &Args) -> Result<(), String> {
        if self.inputs.is_empty() {
            return Err("there is no input: give --input, or inputs in --config".into());
        }
        if self.outputs.is_empty() {
            return Err("there is no output: give --output, or outputs in --config".into());
        }
        let mut labels = BTreeSet::new();
        if let Some(twice) = self.outputs.iter().map(Destination::label).find(|label| !labels.insert(label.clone())) {
            return Err(format!("output {twice} is there twice, and its place in a file would be ambiguous: drop one"));
        }
        let needed = args.max_line.saturating_add(1).saturating_mul(self.outputs.len() as u64);
        if needed > args.max_in_flight {
            return Err(format!(
                "--max-in-flight does not hold a line of --max-line for each output: make it {needed} at least"
            ));
        }
        Ok(())
    }
}
