//! A node of a YAML file: a text, a list or a map, with its place.

use std::fmt;

/// Where a node begins, both counted from 1; columns are characters
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A node and all below it
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Differs from that of every other node, also where an alias repeats one
    pub(crate) number: usize,
    pub(crate) place: Place,
    pub(crate) content: Content,
    /// Some of its entries were removed because they have faults.
    pub(crate) is_incomplete: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A text; a plain one is written without quotes and may be a number, `true` or nothing
    Scalar {
        text: String,
        is_plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(crate) fn new(number: usize, place: Place, content: Content) -> Self {
        Self { number, place, content, is_incomplete: false }
    }

    /// The node at a path such as `outputs.1`; where the path ends early, the nearest node above.
    pub(crate) fn at(&self, path: &str) -> &Self {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let below = match &self.content {
            Content::Scalar { .. } => None,
            Content::List(list) => first.parse::<usize>().ok().and_then(|index| list.get(index)),
            Content::Map(entries) => entries.iter().find(|(key, _)| key.is_text(first)).map(|(_, value)| value),
        };
        below.map_or(self, |node| node.at(rest))
    }

    /// Of a map, the key with this text
    pub(crate) fn key(&self, text: &str) -> Option<&Self> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().map(|(key, _)| key).find(|key| key.is_text(text))
    }

    /// Of a map, the text of the key with this number
    pub(crate) fn key_text(&self, number: usize) -> Option<&str> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().map(|(key, _)| key).find(|key| key.number == number).and_then(|key| match &key.content {
            Content::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The first text that is this path, or that holds it as an option or behind a header's name
    pub(crate) fn naming(&self, path: &str) -> Option<&Self> {
        match &self.content {
            Content::Scalar { text, .. } => {
                let mut parts = text.split(['#', '&', '=', ':']).map(str::trim);
                (text == path || parts.any(|part| part == path)).then_some(self)
            }
            _ => self.children().find_map(|child| child.naming(path)),
        }
    }

    /// Whether an option has this path as its value: as an entry of a map, or in a URL
    pub(crate) fn gives_option(&self, option: &str, path: &str) -> bool {
        match &self.content {
            Content::Scalar { text, .. } => {
                let pairs = text.split(['#', '&']).skip(1);
                pairs.filter_map(|pair| pair.split_once('=')).any(|pair| pair == (option, path))
            }
            Content::Map(entries) if entries.iter().any(|(key, value)| key.is_text(option) && value.is_text(path)) => {
                true
            }
            _ => self.children().any(|child| child.gives_option(option, path)),
        }
    }

    /// Whether nothing stands here.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, is_plain: true } if is_nothing(text))
    }

    fn is_text(&self, expected: &str) -> bool {
        matches!(&self.content, Content::Scalar { text, .. } if text == expected)
    }

    /// Whether the node with this number has lost entries by [`Self::remove`].
    pub(crate) fn lacks_entries(&self, number: usize) -> bool {
        (self.number == number && self.is_incomplete) || self.children().any(|child| child.lacks_entries(number))
    }

    /// Removes the node with this number, and with a key or a value the whole entry. False if there is none below this one.
    pub(crate) fn remove(&mut self, number: usize) -> bool {
        let removed_here = match &mut self.content {
            Content::Scalar { .. } => return false,
            Content::List(list) => {
                let count = list.len();
                list.retain(|node| node.number != number);
                list.len() < count
            }
            Content::Map(entries) => {
                let count = entries.len();
                entries.retain(|(key, value)| key.number != number && value.number != number);
                entries.len() < count
            }
        };
        self.is_incomplete |= removed_here;
        removed_here
            || match &mut self.content {
                Content::Scalar { .. } => false,
                Content::List(list) => list.iter_mut().any(|node| node.remove(number)),
                Content::Map(entries) => {
                    entries.iter_mut().any(|(key, value)| key.remove(number) || value.remove(number))
                }
            }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match &self.content {
            Content::Scalar { .. } => Box::new(std::iter::empty()),
            Content::List(list) => Box::new(list.iter()),
            Content::Map(entries) => Box::new(entries.iter().flat_map(|(key, value)| [key, value])),
        }
    }

    /// Nodes, and bytes of text, of this node and all below it
    pub(crate) fn size(&self) -> (usize, usize) {
        let text = match &self.content {
            Content::Scalar { text, .. } => text.len(),
            _ => 0,
        };
        self.children().map(Self::size).fold((1, text), |sum, size| (sum.0 + size.0, sum.1 + size.1))
    }

    /// The number of levels, this one counted
    pub(crate) fn depth(&self) -> usize {
        1 + self.children().map(Self::depth).max().unwrap_or(0)
    }

    /// Gives this node and all below it numbers of their own.
    pub(crate) fn number_again(&mut self, next: &mut usize) {
        self.number = *next;
        *next += 1;
        match &mut self.content {
            Content::Scalar { .. } => {}
            Content::List(list) => list.iter_mut().for_each(|node| node.number_again(next)),
            Content::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.number_again(next);
                value.number_again(next);
            }),
        }
    }
}

/// Whether a plain text means that there is no value (YAML 1.2, section 10.3.2).
pub(crate) fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
