//! A panic is a bug of ours: it is logged, and a helper that it ends has code 70.
//!
//! A sidecar unwinds, so that a panic costs one connection and not all. A task is built without
//! unwinding (`[profile.task]`), and any panic ends it with the same last line.

use std::{any::Any, panic, process, thread, time::Instant};

use crate::{
    exit::{End, Exit},
    log, stderr,
};

/// Reports every panic from here on: in the log, or as plain text before there is one.
/// `speaks_for_container` says whether the termination message is this process's to write.
pub(crate) fn listen(born: Instant, speaks_for_container: impl Fn() -> bool + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |panic| {
        if tracing::dispatcher::has_been_set() {
            tracing::error!("{panic}");
        } else {
            log::say(&format!("thread '{}' {panic}", thread::current().name().unwrap_or("unnamed")));
        }
        if cfg!(panic = "abort") {
            end_process(born, panic.payload(), speaks_for_container());
        }
    }));
}

/// The end that a panic in a thread or loop causes.
pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> End {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    End { what: Some(what.into()), last: Some(text.unwrap_or("panic").into()), ..Exit::Bug.into() }
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "without unwinding nothing leads back to main")]
fn end_process(born: Instant, panic: &(dyn Any + Send), speaks_for_container: bool) -> ! {
    let what = match thread::current().name() {
        Some("main" | "settings") => "main",
        _ => "job",
    };
    let end = panicked(what, panic);
    log::write_last_line(&end, born.elapsed(), speaks_for_container);
    stderr::flush();
    process::exit(end.exit.code().into())
}
