//! The events of a watch: JSON objects, one a line.

use serde::Deserialize;

use super::objects::{Failure, Object};
/// Bytes of one event, which holds a whole object. etcd takes objects of 1.5 MiB.
const EVENT_LIMIT: usize = 4 * 1024 * 1024;
/// Bytes that a reader keeps for the next events
const BUFFER: usize = 16 * 1024;
const GONE: u16 = 410;

/// A change of the objects, as the API server tells it
#[derive(Debug)]
pub(super) enum Event {
    /// There is a new state of it
    Changed(Object),
    Deleted(Object),
    /// No change: only the resource version is news
    Bookmark(Object),
    /// The API server has forgotten the version that the watch began with
    Expired,
    /// The watch fails in another way
    Failed(Failure),
    /// A line that no API server sends
    Nonsense(String),
    /// Of a type that is not known
    Other,
}

#[derive(Deserialize)]
struct Line<T> {
    object: T,
}

#[derive(Deserialize)]
struct Type {
    #[serde(rename = "type")]
    name: String,
}

/// Cuts bytes into events, however they are split
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    bytes: Vec<u8>,
    /// The number of bytes at the start that hold no end of a line
    searched: usize,
}

impl EventReader {
    /// Takes bytes of the answer.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event, if all of it has come.
    pub(super) fn next(&mut self) -> Result<Option<Event>, String> {
        loop {
            let Some(end) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                return if self.searched > EVENT_LIMIT { Err(too_long()) } else { Ok(None) };
            };
            let end = self.searched + end;
            let line = self.bytes[..end].trim_ascii();
            let event = if line.is_empty() { None } else { Some(read(line)) };
            self.bytes.drain(..=end);
            self.bytes.shrink_to(BUFFER);
            self.searched = 0;
            if let Some(event) = event {
                return event.map(Some);
            }
        }
    }
}

fn read(line: &[u8]) -> Result<Event, String> {
    Ok(match &*json::<Type>(line)?.name {
        "ADDED" | "MODIFIED" => Event::Changed(json::<Line<_>>(line)?.object),
        "DELETED" => Event::Deleted(json::<Line<_>>(line)?.object),
        "BOOKMARK" => Event::Bookmark(json::<Line<_>>(line)?.object),
        "ERROR" => match json::<Line<Failure>>(line)?.object {
            Failure { code: GONE, .. } => Event::Expired,
            failure => Event::Failed(failure),
        },
        _ => Event::Other,
    })
}

fn json<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|_| "an event of the watch is not what an API server sends".to_owned())
}

fn too_long() -> String {
    format!("an event of the watch is over {} MiB", EVENT_LIMIT / 1024 / 1024)
}

/// Reads all events of these bytes, cut at these places. For fuzzing and tests.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_in_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
    let mut reader = EventReader::default();
    let mut events = Vec::new();
    for part in parts {
        reader.push(part);
        loop {
            match reader.next() {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(_) => return (events, false),
            }
        }
        assert!(reader.bytes.len() <= EVENT_LIMIT, "{} bytes are kept", reader.bytes.len());
    }
    (events, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: &str = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"},\"endpoints\":null}}\n\
        {\"object\":{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{}},\"type\":\"BOOKMARK\"}\n\n\
        {\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":410}}\n\
        {\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":500}}\n\
        {\"type\":\"NEW\",\"object\":7}\n";

    #[test]
    fn events_of_each_type() {
        let (events, is_right) = read_in_parts([EVENTS.as_bytes()]);
        let names: Vec<_> = events.iter().map(|event| event.split('(').next().unwrap()).collect();
        assert_eq!((&names[..], is_right), (&["Changed", "Bookmark", "Expired", "Failed", "Other"][..], true));
    }

    #[test]
    fn a_line_without_an_end_and_a_line_that_is_no_event_are_refused() {
        let part = vec![b' '; EVENT_LIMIT];
        assert!(!read_in_parts([&part[..], b" "]).1);
        for line in ["no event\n", "[]\n", "{\"type\":\"ADDED\"}\n", "{\"type\":\"ADDED\",\"object\":7}\n"] {
            assert!(!read_in_parts([line.as_bytes()]).1, "{line}");
        }
        let nested = format!("{{\"type\":\"ADDED\",\"object\":{{\"x\":{}\n", "[".repeat(100_000));
        assert!(!read_in_parts([nested.as_bytes()]).1);
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_where_the_network_cuts_them(place in 0..EVENTS.len()) {
            let (one, other) = EVENTS.as_bytes().split_at(place);
            prop_assert_eq!(read_in_parts([one, other]), read_in_parts([EVENTS.as_bytes()]));
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_in_parts([&bytes[..]]);
        }
    }
}
