//! Bytes that wait to go out.

/// Bytes in the order they came, as many as there is room for.
pub(super) struct Outbox<const N: usize> {
    bytes: [u8; N],
    len: usize,
    handed_out: bool,
}

impl<const N: usize> Outbox<N> {
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0, handed_out: false }
    }

    pub fn len(&self) -> usize {
        if self.handed_out { 0 } else { self.len }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what was handed out, for which there was time since.
    pub fn begin(&mut self) {
        if core::mem::take(&mut self.handed_out) {
            self.len = 0;
        }
    }

    pub fn clear(&mut self) {
        self.len = 0;
        self.handed_out = false;
    }

    /// What waits; it has gone out by the next [`Outbox::begin`].
    pub fn hand_out(&mut self) -> &[u8] {
        self.handed_out = true;
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Adds what `write` puts into the room there is; what does not fit is not added at all. Returns
    /// whether it did.
    pub fn add<E>(&mut self, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> bool {
        self.begin();
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let most = room.len();
        match write(room) {
            Ok(wrote) if wrote <= most => {
                self.len += wrote;
                true
            }
            _ => false,
        }
    }

    /// Adds these bytes, all or none. Returns whether it did.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.add(|room| match room.get_mut(..bytes.len()) {
            Some(place) => {
                for (place, byte) in place.iter_mut().zip(bytes) {
                    *place = *byte;
                }
                Ok(bytes.len())
            }
            None => Err(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_leaves_the_rest_whole() {
        let mut outbox: Outbox<4> = Outbox::new();
        assert!(outbox.push(&[1, 2, 3]));
        assert!(!outbox.push(&[4, 5]));
        assert!(outbox.push(&[6]));
        assert_eq!(outbox.hand_out(), [1, 2, 3, 6]);
        assert!(outbox.is_empty() && outbox.push(&[7]));
        assert_eq!(outbox.hand_out(), [7]);
    }
}
