//! A panic is a bug of ours: it is told, and what it ends has code 70.
//!
//! A sidecar unwinds, so that a panic costs one connection and not all. A task is built without that (`[profile.task]`), and
//! any panic ends it, in the same words.

use std::{any::Any, panic, process, thread, time::Instant};

use crate::{
    exit::{End, Exit},
    log,
};

/// Tells of every panic from here on: in the log, or before there is one as Rust itself does it.
pub(crate) fn listen(born: Instant) {
    let without_log = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if tracing::dispatcher::has_been_set() {
            tracing::error!("{panic}");
        } else {
            without_log(panic);
        }
        if cfg!(panic = "abort") {
            end_process(born, panic.payload());
        }
    }));
}

/// The end of who has panicked.
pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> End {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    End { what: Some(what.into()), last: Some(text.unwrap_or("panic").into()), ..Exit::Bug.into() }
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "without unwinding nothing leads back to main")]
fn end_process(born: Instant, panic: &(dyn Any + Send)) -> ! {
    let what = match thread::current().name() {
        Some("main" | "settings") => "main",
        _ => "job",
    };
    let end = panicked(what, panic);
    log::last_words(&end, born.elapsed());
    process::exit(end.exit.code().into())
}
