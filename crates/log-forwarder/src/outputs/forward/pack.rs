//! Writes `MessagePack`, as far as the forward protocol needs it.

/// Writes `MessagePack` to the end of some bytes, each value in its shortest form.
pub(super) struct Pack<'a>(pub(super) &'a mut Vec<u8>);

impl Pack<'_> {
    pub(super) fn nil(&mut self) {
        self.0.push(0xc0);
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.0.push(if value { 0xc3 } else { 0xc2 });
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        let bytes = value.to_be_bytes();
        match value {
            0..=0x7f => self.0.push(bytes[7]),
            0x80..=0xff => self.tagged(0xcc, &bytes[7..]),
            0x100..=0xffff => self.tagged(0xcd, &bytes[6..]),
            0x1_0000..=0xffff_ffff => self.tagged(0xce, &bytes[4..]),
            _ => self.tagged(0xcf, &bytes),
        }
    }

    pub(super) fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => self.tagged(0xd3, &value.to_be_bytes()),
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        self.tagged(0xcb, &value.to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        let length = length(text.len());
        let bytes = length.to_be_bytes();
        match length {
            0..=31 => self.0.push(0xa0 | bytes[3]),
            32..=0xff => self.tagged(0xd9, &bytes[3..]),
            0x100..=0xffff => self.tagged(0xda, &bytes[2..]),
            _ => self.tagged(0xdb, &bytes),
        }
        self.0.extend_from_slice(text.as_bytes());
    }

    /// The head of this number of bytes, which follow
    pub(super) fn binary(&mut self, size: usize) {
        self.tagged(0xc6, &length(size).to_be_bytes());
    }

    /// The head of this number of values
    pub(super) fn array(&mut self, size: usize) {
        self.collection(size, 0x90, 0xdc);
    }

    /// The head of this number of names, each with its value
    pub(super) fn map(&mut self, size: usize) {
        self.collection(size, 0x80, 0xde);
    }

    /// An `EventTime`: the extension 0, with seconds since 1970 and nanoseconds
    pub(super) fn time(&mut self, nanoseconds: i64) {
        const PER_SECOND: u64 = 1_000_000_000;
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or_default();
        let (seconds, fraction) = (nanoseconds / PER_SECOND, nanoseconds % PER_SECOND);
        self.tagged(0xd7, &[0]);
        self.0.extend_from_slice(&u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(&u32::try_from(fraction).unwrap_or_default().to_be_bytes());
    }

    /// Begins an array or a map of a size that is not known yet. It ends with [`Pack::close`].
    pub(super) fn open(&mut self, kind: Collection) -> usize {
        self.tagged(kind as u8, &[0; 4]);
        self.0.len()
    }

    /// Ends the array or map that begins there, and has this number of values or names.
    pub(super) fn close(&mut self, opened: usize, size: usize) {
        self.0[opened - 4..opened].copy_from_slice(&length(size).to_be_bytes());
    }

    fn collection(&mut self, size: usize, short: u8, long: u8) {
        match u8::try_from(size) {
            Ok(size @ 0..=15) => self.0.push(short | size),
            _ => self.tagged(long + 1, &length(size).to_be_bytes()),
        }
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.extend_from_slice(bytes);
    }
}

/// The kinds that [`Pack::open`] begins
#[derive(Clone, Copy, Debug)]
pub(super) enum Collection {
    Array = 0xdd,
    Map = 0xdf,
}

/// No batch has 4 GiB.
fn length(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
