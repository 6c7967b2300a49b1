//! A reader for DER (X.690), the encoding of certificates. It copies nothing, and it reads no further than the bytes that it is
//! given, so that its work is bounded by their length.

/// The tag of a type: its class, whether it is constructed, and its number below 31
pub(crate) type Tag = u8;

pub(crate) const BOOLEAN: Tag = 0x01;
pub(crate) const INTEGER: Tag = 0x02;
pub(crate) const BIT_STRING: Tag = 0x03;
pub(crate) const OCTET_STRING: Tag = 0x04;
pub(crate) const OBJECT_IDENTIFIER: Tag = 0x06;
pub(crate) const UTF8_STRING: Tag = 0x0c;
pub(crate) const PRINTABLE_STRING: Tag = 0x13;
pub(crate) const TELETEX_STRING: Tag = 0x14;
pub(crate) const IA5_STRING: Tag = 0x16;
pub(crate) const UTC_TIME: Tag = 0x17;
pub(crate) const GENERALIZED_TIME: Tag = 0x18;
pub(crate) const BMP_STRING: Tag = 0x1e;
pub(crate) const SEQUENCE: Tag = 0x30;
pub(crate) const SET: Tag = 0x31;

/// The bytes are not DER, or not of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The rest of the bytes that hold elements, one behind the other
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element: its tag and its content; nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(Tag, &'a [u8])>, Malformed> {
        let Some((&tag, rest)) = self.0.split_first() else { return Ok(None) };
        // A number of 31 or more would follow in bytes of its own; no field of a certificate has one.
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Some((tag, content)))
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: Tag) -> Result<&'a [u8], Malformed> {
        self.take_optional(tag)?.ok_or(Malformed)
    }

    /// The content of the next element, if it has this tag.
    pub(crate) fn take_optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, Malformed> {
        if self.0.first() != Some(&tag) {
            return Ok(None);
        }
        Ok(self.next()?.map(|(_, content)| content))
    }

    /// The elements in the next element, which must have this tag.
    pub(crate) fn enter(&mut self, tag: Tag) -> Result<Self, Malformed> {
        self.take(tag).map(Self)
    }

    /// Refuses bytes behind the last element.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// A length in its shortest form, which is the only one in DER, and the bytes behind it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (&first, rest) = bytes.split_first().ok_or(Malformed)?;
    if first < 0x80 {
        return Ok((first.into(), rest));
    }
    // 0x80 is the indefinite length of BER.
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Malformed);
    }
    let (digits, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
    let length = digits.iter().fold(0_u64, |length, digit| length << 8 | u64::from(*digit));
    let is_shortest = digits.first() != Some(&0) && length >= 0x80;
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    if is_shortest { Ok((length, rest)) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An element in DER
    fn element(tag: Tag, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes = vec![tag];
        match length {
            0..0x80 => bytes.push(u8::try_from(length).unwrap()),
            0x80..0x100 => bytes.extend([0x81, u8::try_from(length).unwrap()]),
            _ => {
                bytes.push(0x82);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        bytes.extend(content);
        bytes
    }

    #[test]
    fn lengths_have_one_form() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let content = vec![7; length];
            let bytes = element(OCTET_STRING, &content);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.take(OCTET_STRING), Ok(&*content), "{length}");
            assert_eq!((reader.next(), reader.end()), (Ok(None), Ok(())));
        }
        let refused: [&[u8]; 9] = [
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81],
            &[4, 0x81, 0x7f],
            &[4, 0x82, 0, 0x80],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[4, 0x85, 1, 0, 0, 0, 0],
            &[0x1f, 0x81, 0],
        ];
        for bytes in refused {
            assert_eq!(Reader::new(bytes).next(), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn an_element_of_another_type_stays() {
        let bytes = element(BOOLEAN, &[0xff]);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.take(SEQUENCE), Err(Malformed));
        assert_eq!(reader.take_optional(SEQUENCE), Ok(None));
        assert_eq!((reader.end(), reader.take(BOOLEAN)), (Err(Malformed), Ok(&[0xff_u8] as &[u8])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            let mut read = 0;
            while let Ok(Some((_, content))) = reader.next() {
                read += content.len() + 2;
            }
            prop_assert!(read <= bytes.len());
        }

        #[test]
        fn what_is_written_is_read(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..9)) {
            let elements: Vec<_> = contents.iter().flat_map(|content| element(OCTET_STRING, content)).collect();
            let outer = element(SEQUENCE, &elements);
            let mut inner = Reader::new(&outer).enter(SEQUENCE).unwrap();
            for content in &contents {
                prop_assert_eq!(inner.take(OCTET_STRING), Ok(&**content));
            }
            prop_assert_eq!(inner.end(), Ok(()));
        }
    }
}
