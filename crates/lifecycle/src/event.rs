//! What happens to a helper, as the main thread hears of it.

use crate::{exit::End, signals::Signal};

/// What the main thread waits for
pub(crate) enum Event {
    /// A stop signal
    Stop(Signal),
    /// The same end without a signal, and what asked for it
    Quit(&'static str),
    /// `POST /drain`
    Drain,
    /// SIGHUP
    Reload,
    /// Flags and variables are read, for better or worse
    SettingsRead,
    /// The job is over
    Ended(End),
}
