//! Names of one directory that are still to be looked at, packed: no allocation each.

use std::ffi::CStr;

/// A list of names, taken from its end
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Each with its final NUL
    bytes: Vec<u8>,
    /// Where each begins
    starts: Vec<u32>,
}

impl Names {
    pub(crate) fn push(&mut self, name: &CStr) {
        // A list holds what one reading of a directory gave: far from 4 GiB.
        self.starts.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(name.to_bytes_with_nul());
    }

    /// Moves the last name into `name`, with its NUL; false when there is none.
    pub(crate) fn pop(&mut self, name: &mut Vec<u8>) -> bool {
        let Some(start) = self.starts.pop() else { return false };
        name.clear();
        name.extend(self.bytes.drain(start as usize..));
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Bytes that it takes
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity() + size_of::<u32>() * self.starts.capacity()
    }

    /// Takes away the second half of the names.
    pub(crate) fn split(&mut self) -> Self {
        let middle = self.starts.len() / 2;
        let Some(&from) = self.starts.get(middle) else { return Self::default() };
        let bytes = self.bytes.split_off(from as usize);
        let starts = self.starts.split_off(middle).into_iter().map(|start| start - from).collect();
        Self { bytes, starts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut names: Names) -> Vec<String> {
        let mut name = Vec::new();
        let mut all = Vec::new();
        while names.pop(&mut name) {
            all.push(CStr::from_bytes_with_nul(&name).unwrap().to_str().unwrap().to_owned());
        }
        all
    }

    #[test]
    fn names_come_back_from_the_end() {
        let mut names = Names::default();
        for name in [c"one", c"two", c"three"] {
            names.push(name);
        }
        let half = names.split();
        assert_eq!((names.len(), half.len()), (1, 2));
        assert_eq!(all(names), ["one"]);
        assert_eq!(all(half), ["three", "two"]);
        assert_eq!(Names::default().split().len(), 0);
    }
}
