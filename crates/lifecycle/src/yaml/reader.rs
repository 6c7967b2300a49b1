//! Makes a tree of a YAML file, within bounds.
//!
//! A file of one MiB can hold half a million nodes, and aliases can multiply them. The parser gives one event at a time, so
//! that the first event over a bound ends the reading.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{
    fault::Fault,
    node::{Content, Node, Place},
};

/// Nodes of a file, those behind aliases counted each time. A node takes about 100 bytes.
const NODE_LIMIT: usize = 20_000;
/// Lists and maps within one another; no configuration has more than five.
const DEPTH_LIMIT: usize = 20;
/// Bytes of all texts, those behind aliases counted each time
const TEXT_LIMIT: usize = 1024 * 1024;

/// Reads a file with one document; an empty one is an empty text.
pub(crate) fn read(text: &str) -> Result<Node, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        let place = place(&span.start);
        reader.take(event, place).map_err(|fault| fault.at_place(place))?;
    }
    let nothing =
        || Node::new(0, Place { line: 1, column: 1 }, Content::Scalar { text: String::new(), is_plain: true });
    Ok(reader.root.unwrap_or_else(nothing))
}

/// The parser's own messages are constants; at most they name one character.
fn not_yaml(error: &ScanError) -> Fault {
    Fault::new(format!("this is not YAML: {}", error.info())).at_place(place(error.marker()))
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

/// A list or a map that is not complete yet
struct Open {
    node: Node,
    anchor: usize,
    /// Of a map, the key whose value comes next
    key: Option<Node>,
    /// Of a map, the keys so far
    keys: HashSet<String>,
}

#[derive(Default)]
struct Reader {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    bytes: usize,
}

impl Reader {
    fn take(&mut self, event: Event, place: Place) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(Fault::new("a second document: a file has only one")),
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && !is_text(tag.as_deref())?;
                self.count(1, text.len())?;
                let node = Node::new(self.nodes, place, Content::Scalar { text: text.into_owned(), is_plain });
                self.remember(anchor, &node)?;
                self.place(node)
            }
            Event::SequenceStart(anchor, tag) => self.open(Content::List(Vec::new()), anchor, tag.as_deref(), place),
            Event::MappingStart(anchor, tag) => self.open(Content::Map(Vec::new()), anchor, tag.as_deref(), place),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { node, anchor, .. }) = self.open.pop() else { return Ok(()) };
                self.remember(anchor, &node)?;
                self.place(node)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or_else(|| Fault::new("an alias within its own anchor"))?;
                let (nodes, bytes) = node.size();
                if self.open.len() + node.depth() > DEPTH_LIMIT {
                    return Err(too_deep());
                }
                let mut node = node.clone();
                let mut number = self.nodes + 1;
                self.count(nodes, bytes)?;
                node.number_again(&mut number);
                node.place = place;
                self.place(node)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, content: Content, anchor: usize, tag: Option<&Tag>, place: Place) -> Result<(), Fault> {
        is_text(tag)?;
        if self.open.len() >= DEPTH_LIMIT {
            return Err(too_deep());
        }
        self.count(1, 0)?;
        let node = Node::new(self.nodes, place, content);
        self.open.push(Open { node, anchor, key: None, keys: HashSet::new() });
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn place(&mut self, node: Node) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.content, open.key.take()) {
            (Content::Map(entries), Some(key)) => entries.push((key, node)),
            (Content::Map(_), None) => {
                let Content::Scalar { text, .. } = &node.content else {
                    return Err(Fault::new("a key is a text, not a list or a map"));
                };
                if !open.keys.insert(text.clone()) {
                    return Err(Fault::new("this key is given twice"));
                }
                open.key = Some(node);
            }
            (Content::List(list), _) => list.push(node),
            (Content::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    /// Keeps a copy for aliases; the copy counts, because it takes memory too.
    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Fault> {
        if anchor > 0 {
            let (nodes, bytes) = node.size();
            self.count(nodes, bytes)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, bytes: usize) -> Result<(), Fault> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes > NODE_LIMIT {
            return Err(Fault::new(format!("the file has more than {NODE_LIMIT} values, aliases counted")));
        }
        if self.bytes > TEXT_LIMIT {
            return Err(Fault::new(format!(
                "the file has more than {} KiB of text, aliases counted",
                TEXT_LIMIT / 1024
            )));
        }
        Ok(())
    }
}

fn too_deep() -> Fault {
    Fault::new(format!("more than {DEPTH_LIMIT} lists and maps within one another"))
}

/// Whether a tag says that a value is a text. No configuration needs any other tag.
fn is_text(tag: Option<&Tag>) -> Result<bool, Fault> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(true),
        Some(_) => Err(Fault::new("a tag that no configuration has: leave it out")),
    }
}
