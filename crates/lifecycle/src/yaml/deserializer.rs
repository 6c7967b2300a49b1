//! serde's view of a node. Each fault gets the place of the innermost node that it is about.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    fault::Fault,
    node::{Content, Node},
    scalar,
};

/// A node, as serde reads it
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a>(pub(crate) &'a Node);

impl<'de> Deserializer<'de> for Reading<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match &self.0.content {
            Content::Scalar { text, is_plain: true } => scalar::visit(text, visitor),
            Content::Scalar { text, is_plain: false } => visitor.visit_str(text),
            Content::List(list) => visitor.visit_seq(List(list.iter())),
            Content::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        };
        value.map_err(|fault| fault.at(self.0))
    }

    /// The text as it is written, because `0640` as a number would be another mode.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.content {
            Content::Scalar { text, .. } if !self.0.is_null() => {
                visitor.visit_str(text).map_err(|fault: Fault| fault.at(self.0))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }.map_err(|fault| fault.at(self.0))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault| fault.at(self.0))
    }

    /// An empty file is a map without entries, so that the fault names the missing key. A list is no map: serde would read
    /// its entries as the values of a struct's fields, in their order.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() {
            let nothing = Entries { entries: [].iter(), value: None };
            return visitor.visit_map(nothing).map_err(|fault| fault.at(self.0));
        }
        if matches!(self.0.content, Content::List(_)) {
            return Err(Fault::new("this is a list; write a map, as in key: value").at(self.0));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    /// One of several words, or a map with one of several keys
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let value = match &self.0.content {
            Content::Scalar { text, .. } => {
                let word: StrDeserializer<Fault> = text.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            Content::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(Choice { known, key: &entries[0].0, value: &entries[0].1 })
            }
            Content::Map(entries) if !entries.is_empty() => {
                Err(Fault::new(format!("expected one key, which is one of {}", known.join(", "))))
            }
            _ => Err(Fault::new(format!("expected one of the words {}", known.join(", ")))),
        };
        value.map_err(|fault| fault.at(self.0))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
    }
}

struct List<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|node| seed.deserialize(Reading(node)).map_err(|fault| fault.at(node))).transpose()
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(Reading(key)).map(Some).map_err(|fault| fault.at(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.value.take().ok_or_else(|| Fault::new("a value without a key"))?;
        seed.deserialize(Reading(value)).map_err(|fault| fault.at(value))
    }
}

/// The only entry of a map, where the key says what the value is
struct Choice<'a> {
    known: &'static [&'static str],
    key: &'a Node,
    value: &'a Node,
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<K: DeserializeSeed<'de>>(self, seed: K) -> Result<(K::Value, Self), Fault> {
        let key = seed.deserialize(Reading(self.key)).map_err(|fault| fault.at(self.key))?;
        Ok((key, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(Fault::new(format!("expected one of the words {}", self.known.join(", "))))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(Reading(self.value)).map_err(|fault| fault.at(self.value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        Reading(self.value).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        Reading(self.value).deserialize_map(visitor)
    }
}
