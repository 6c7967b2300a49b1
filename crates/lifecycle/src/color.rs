//! Colours on a terminal.

use std::{
    io::{self, IsTerminal},
    sync::OnceLock,
};

use tracing::Level;

use crate::variables::variable;

/// When text on stderr has colours
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set (<https://no-color.org>)
    #[default]
    Auto,
    Always,
    Never,
}

/// The meaning of a painted text
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Green
    Good,
    /// Yellow
    Doubtful,
    /// Red
    Bad,
    /// Less bright than other text
    Minor,
}

/// Decided once, before the first line
static IS_ON: OnceLock<bool> = OnceLock::new();

/// Decides for this process, by its stderr.
pub(crate) fn decide(color: Color, is_dumb: bool) {
    let no_color = || variable("NO_COLOR").is_ok_and(|value| !value.is_empty());
    let is_on = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stderr().is_terminal() && !is_dumb && !no_color(),
    };
    let _ = IS_ON.set(is_on);
}

/// The text in the colour of its meaning, where colours are on. Only for stderr.
pub fn painted(text: &str, paint: Paint) -> String {
    if IS_ON.get() != Some(&true) {
        return text.to_owned();
    }
    // Select Graphic Rendition (ECMA-48, 8.3.117)
    let code = match paint {
        Paint::Good => 32,
        Paint::Doubtful => 33,
        Paint::Bad => 31,
        Paint::Minor => 2,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

impl Paint {
    pub(crate) fn of(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Bad,
            Level::WARN => Self::Doubtful,
            Level::INFO => Self::Good,
            Level::DEBUG | Level::TRACE => Self::Minor,
        }
    }
}
