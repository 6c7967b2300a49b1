//! SELinux labels: their shape, and whether two of them are the same.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// The kernel gives no longer one out: an attribute is read into one page
const LENGTH_LIMIT: usize = 4095;
/// The highest category of the reference policy (`c0.c1023`)
const CATEGORY_LIMIT: u16 = 1023;

/// A whole label, `USER:ROLE:TYPE`, and `:LEVEL` where the policy has levels
///
/// Two labels are equal when the kernel takes them for the same: it sorts categories and joins
/// neighbours (`c0.c3`).
#[derive(Clone)]
pub(crate) struct Label {
    text: String,
    names: [String; 3],
    /// From the lowest to the highest level; the same where only one is written
    levels: Option<(Level, Level)>,
}

/// A sensitivity with its categories
#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    sensitivity: u16,
    categories: BTreeSet<u16>,
}

impl Label {
    /// The label in an attribute, which may end in a zero byte; `None` if there is none of this
    /// shape.
    pub(crate) fn of_attribute(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }

    /// The attribute, with the zero byte that libselinux writes too
    pub(crate) fn attribute(&self) -> Vec<u8> {
        [self.text.as_bytes(), b"\0"].concat()
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| {
            "this is not a whole SELinux label: write user, role, type and level, as in \
             system_u:object_r:container_file_t:s0:c1,c2"
                .into()
        })
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        (&self.names, &self.levels) == (&other.names, &other.levels)
    }
}

/// As it was written
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse(text: &str) -> Option<Label> {
    let mut parts = text.splitn(4, ':');
    let names = [parts.next()?, parts.next()?, parts.next()?];
    if text.len() > LENGTH_LIMIT || !names.into_iter().all(is_name) {
        return None;
    }
    let levels = match parts.next() {
        None => None,
        Some(range) => {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            Some((level(low)?, level(high)?))
        }
    };
    Some(Label { text: text.to_owned(), names: names.map(str::to_owned), levels })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// `s0`, or `s0:c1,c4.c6`
fn level(text: &str) -> Option<Level> {
    let (sensitivity, list) = text.split_once(':').map_or((text, None), |(first, list)| (first, Some(list)));
    let mut categories = BTreeSet::new();
    for range in list.into_iter().flat_map(|list| list.split(',')) {
        let (from, to) = range.split_once('.').unwrap_or((range, range));
        let (from, to) = (number(from, 'c')?, number(to, 'c')?);
        if from > to || to > CATEGORY_LIMIT {
            return None;
        }
        categories.extend(from..=to);
    }
    Some(Level { sensitivity: number(sensitivity, 's')?, categories })
}

fn number(text: &str, letter: char) -> Option<u16> {
    let digits = text.strip_prefix(letter)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label(levels: &str) -> Label {
        format!("system_u:object_r:container_file_t{levels}").parse().unwrap()
    }

    #[test]
    fn labels_are_the_same_however_their_categories_are_written() {
        for (one, other) in [
            (":s0:c2,c1", ":s0:c1,c2"),
            (":s0:c1,c2,c3", ":s0:c1.c3"),
            (":s0:c5,c5", ":s0:c5"),
            (":s0-s0", ":s0"),
            (":s0-s0:c0.c1023", ":s0-s0:c0.c1000,c1001.c1023"),
            ("", ""),
        ] {
            assert_eq!(label(one), label(other), "{one} {other}");
        }
        for (one, other) in [(":s0", ":s1"), (":s0:c1", ":s0:c1,c2"), ("", ":s0"), (":s0:c1.c3", ":s0:c1,c3")] {
            assert_ne!(label(one), label(other), "{one} {other}");
        }
        assert_ne!(label(":s0"), "system_u:object_r:usr_t:s0".parse().unwrap());
    }

    #[test]
    fn what_is_no_whole_label_is_refused() {
        for text in [
            "",
            "container_file_t",
            "system_u:object_r",
            "system_u:object_r:",
            "system_u::container_file_t:s0",
            "system_u:object_r:container_file_t:",
            "system_u:object_r:container_file_t:0",
            "system_u:object_r:container_file_t:s",
            "system_u:object_r:container_file_t:s0:",
            "system_u:object_r:container_file_t:s0:c1,",
            "system_u:object_r:container_file_t:s0:c3.c1",
            "system_u:object_r:container_file_t:s0:c1024",
            "system_u:object_r:container_file_t:s0:c+1",
            "system_u:object_r:container_file_t:s0-",
            "system_u:object_r:container_file_t:s0 ",
            "system_u:object_r:container file_t:s0",
            "system_u:object_r:container_file_t\0:s0",
        ] {
            assert!(text.parse::<Label>().is_err(), "{text:?}");
        }
        assert!("u:r:t:s0".replace('t', &"t".repeat(LENGTH_LIMIT)).parse::<Label>().is_err());
    }

    #[test]
    fn an_attribute_may_end_in_a_zero_byte() {
        let label = label(":s0:c1");
        assert_eq!(Label::of_attribute(&label.attribute()).as_ref(), Some(&label));
        assert_eq!(Label::of_attribute(label.to_string().as_bytes()), Some(label));
        assert_eq!(Label::of_attribute(b"\xff\0"), None);
    }

    proptest! {
        #[test]
        fn a_label_is_the_one_of_its_attribute(text in "[a-z_]{1,8}:[a-z_]{1,8}:[a-z_]{1,8}(:s[0-9](-s[0-9]:c[0-9]{1,3}(,c[0-9]{1,3}){0,3})?)?") {
            let label: Label = text.parse().unwrap();
            prop_assert_eq!(Label::of_attribute(&label.attribute()), Some(label));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z:sc0-9.,-]{0,24}|\\PC*") {
            let _ = text.parse::<Label>();
        }
    }
}
