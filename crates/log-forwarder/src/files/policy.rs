//! The settings of reading, from flags and configuration, and the catalog's change to new ones.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    files::{catalog::Catalog, reading::Bounds},
    records::{batch::Source, treatment::Treatment},
    settings::input::Input,
};

/// The files to read, and how to read them
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) inputs: Vec<Input>,
    pub(crate) bounds: Bounds,
    pub(crate) max_pinned: u64,
    pub(crate) quiet_period: Duration,
}

impl Settings {
    /// How the file is read that was found by this path: as the first input says that leads to it
    pub(crate) fn treatment(&self, path: &Path) -> Arc<Treatment> {
        let input = self.inputs.iter().find(|input| input.matches(path)).or(self.inputs.first());
        input.map(|input| input.treatment.clone()).unwrap_or_default()
    }
}

impl Catalog {
    /// Takes other settings. Files that no input matches any more are not followed; lines that were read from them are delivered.
    pub(crate) fn take_settings(&mut self, settings: Settings) {
        self.settings = settings;
        let (mut gone, settings) = (Vec::new(), &self.settings);
        for (key, generation) in &mut self.generations {
            let path = &generation.source.path;
            if !settings.inputs.iter().any(|input| input.matches(path)) {
                tracing::info!(file = %path.display(), "no input leads to it any more");
                gone.push(*key);
                continue;
            }
            let (path, generation_name) = (path.clone(), generation.source.generation.clone());
            let treatment = settings.treatment(&path);
            generation.source = Source { path, generation: generation_name, treatment }.into();
        }
        for key in gone {
            self.remove(key);
        }
        let inputs = &self.settings.inputs;
        self.watched.retain(|path| inputs.iter().any(|input| input.matches(path)));
        self.changed = true;
    }
}
