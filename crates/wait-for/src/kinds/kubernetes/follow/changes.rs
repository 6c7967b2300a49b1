//! The events of a watch, its end, and what they change.

use endpoint::{one_line, without_secrets};
use tokio::time::Instant;

use super::{
    super::{
        events::Event,
        objects::Object,
        resource::{NAME_LIMIT, Resource},
        seen::look,
        trouble::LASTING,
    },
    FORGETS, Followed, MOST_OBJECTS, Position, too_many,
};
use crate::not_ready::{Cause, NotReady};

impl Followed {
    /// The next event; `None` when the watch has ended.
    pub(super) async fn event(&mut self) -> Option<Event> {
        let said = self.watch.as_mut()?.next().await;
        if let Ok(Some(event)) = said {
            return Some(event);
        }
        self.note_end(said.err());
        None
    }

    /// Notes the end of the watch, with its fault if it has one.
    fn note_end(&mut self, fault: Option<&'static str>) {
        let Some(watch) = self.watch.take() else { return };
        let is_barren = !watch.has_brought;
        let was_barren = std::mem::replace(&mut self.was_barren, is_barren);
        if watch.has_lasted() {
            self.trouble.end();
        } else {
            let words = fault.unwrap_or("the API server ends the watch at once");
            self.trouble.note_failure(words.to_owned(), fastrand::f64());
        }
        // A watch brings a bookmark at least, unless it breaks off. Without one, the version may be
        // of a time that is no more: etcd was restored from a backup.
        if is_barren && (was_barren || watch.is_whole()) {
            self.start_again();
        }
    }

    pub(super) fn apply(&mut self, resource: &Resource, event: Option<Event>) -> Result<(), NotReady> {
        let version = match event {
            None | Some(Event::Other) => return Ok(()),
            Some(Event::Expired) => {
                self.expire();
                return Ok(());
            }
            Some(Event::Failed(failure)) => {
                let words = one_line(&without_secrets(&failure.message, &self.sent));
                self.fail(format!("the API server ends the watch: {words}"));
                return Ok(());
            }
            Some(Event::Nonsense(words)) => {
                self.fail(words);
                return Ok(());
            }
            Some(Event::Changed(object)) => {
                self.keep(resource, &object)?;
                object.metadata.resource_version
            }
            Some(Event::Deleted(object)) => {
                self.objects.remove(&object.metadata.name);
                object.metadata.resource_version
            }
            Some(Event::Bookmark(object)) => object.metadata.resource_version,
        };
        if !version.is_empty() {
            self.position = Position::Watch { version };
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, resource: &Resource, object: &Object) -> Result<(), NotReady> {
        let name = &object.metadata.name;
        if !resource.has(name) {
            return Ok(());
        }
        if name.len() > NAME_LIMIT {
            return Err(NotReady::new(Cause::Odd, "an object has a longer name than there can be"));
        }
        if self.objects.len() >= MOST_OBJECTS && !self.objects.contains_key(name) {
            return Err(too_many());
        }
        let seen = look(resource.kind, object).without_secrets(&self.sent);
        self.objects.insert(name.clone(), seen);
        Ok(())
    }

    /// The API server has forgotten the version, so all objects are listed again: at once, but not
    /// in a loop.
    pub(super) fn expire(&mut self) {
        self.start_again();
        if self.expires_again() {
            self.trouble.note_failure(FORGETS.to_owned(), fastrand::f64());
        }
    }

    /// Notes that the API server has forgotten a version, and tells whether it did so a moment ago.
    pub(super) fn expires_again(&mut self) -> bool {
        self.expired.replace(Instant::now()).is_some_and(|last| last.elapsed() < LASTING)
    }

    /// The watch can't go on: after a pause, all objects are listed again.
    pub(super) fn fail(&mut self, words: String) {
        self.trouble.note_failure(words, fastrand::f64());
        self.start_again();
    }

    pub(super) fn start_again(&mut self) {
        self.position = Position::default();
        self.watch = None;
    }
}
