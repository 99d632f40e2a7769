//! Boxes in a byte slice: a size, four letters, a body. Nothing is trusted, nothing allocated.

/// One box: its four letters and what is inside.
#[derive(Clone, Copy, Debug)]
pub struct Box<'a> {
    /// Its four letters.
    pub kind: [u8; 4],
    /// What is inside.
    pub body: &'a [u8],
}

/// The boxes in a slice, one after the other; ends at the first that does not fit.
#[derive(Clone, Debug)]
pub struct Boxes<'a> {
    rest: &'a [u8],
}

/// The boxes in a slice.
pub fn boxes(bytes: &[u8]) -> Boxes<'_> {
    Boxes { rest: bytes }
}

/// The body of the first box of this kind.
pub fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|inner| inner.kind == *kind).map(|inner| inner.body)
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Box<'a>;

    fn next(&mut self) -> Option<Box<'a>> {
        let bytes = std::mem::take(&mut self.rest);
        let mut fields = Fields::new(bytes);
        let size = u64::from(fields.u32()?);
        let kind = fields.array()?;
        let (header, size) = match size {
            0 => (8, bytes.len() as u64),
            1 => (16, fields.u64()?),
            size => (8, size),
        };
        let body = bytes.get(header..usize::try_from(size).ok()?)?;
        self.rest = bytes.get(header + body.len()..)?;
        Some(Box { kind, body })
    }
}

/// Big-endian numbers taken one by one from a slice; none once it is used up.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Starts at the beginning of the slice.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_end_where_one_does_not_fit() {
        let bytes = [0, 0, 0, 9, b'a', b'b', b'c', b'd', 7, 0, 0, 0, 20, b'e', b'f', b'g', b'h'];
        let all: Vec<_> = boxes(&bytes).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((&all[0].kind, all[0].body), (b"abcd", &[7][..]));
    }

    #[test]
    fn a_size_smaller_than_the_header_ends_the_list() {
        assert_eq!(boxes(&[0, 0, 0, 7, b'a', b'b', b'c', b'd']).count(), 0);
        assert_eq!(boxes(&[0, 0, 0, 1, b'a', b'b', b'c', b'd', 0, 0, 0, 0, 0, 0, 0, 3]).count(), 0);
        assert_eq!(boxes(&[0xff; 40]).count(), 0);
    }
}
