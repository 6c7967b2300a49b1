//! A signal that asks a helper to stop.

/// A signal that asks a helper to stop
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: the kubelet, `docker stop`, `kill`
    Term,
    /// SIGINT: Ctrl-C
    Int,
    /// SIGQUIT: nginx's images set it as their `STOPSIGNAL`
    Quit,
}

impl Signal {
    pub(crate) const ALL: [Self; 3] = [Self::Term, Self::Int, Self::Quit];

    /// The signal's number on Linux
    pub fn number(self) -> u8 {
        match self {
            Self::Int => 2,
            Self::Quit => 3,
            Self::Term => 15,
        }
    }

    /// The signal's name, such as `SIGTERM`
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Term => "SIGTERM",
        }
    }
}
