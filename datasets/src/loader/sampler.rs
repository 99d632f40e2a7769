//! In which order the frames of an epoch are looked at.

/// The order of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they were recorded.
    Sequential,
    /// Each epoch anew at random, the same for the same seed.
    Shuffled {
        /// What the order follows from.
        seed: u64,
    },
}

/// The places of all frames of an epoch, in order.
pub fn places(order: Order, epoch: u64, frames: u64) -> Vec<u64> {
    let mut places: Vec<u64> = (0..frames).collect();
    if let Order::Shuffled { seed } = order {
        let mut random = Random(seed ^ epoch.wrapping_mul(0xA076_1D64_78BD_642F));
        for at in (1..places.len()).rev() {
            places.swap(at, random.below(at as u64 + 1) as usize);
        }
    }
    places
}

/// Splitmix64: an order that was trained with must come out the same in years to come, so that it
/// does not hang on the version of a package.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_comes_once_and_the_seed_decides_when() {
        let order = Order::Shuffled { seed: 7 };
        let first = places(order, 0, 1000);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, places(Order::Sequential, 0, 1000));
        assert_eq!(first, places(order, 0, 1000));
        assert_ne!(first, places(order, 1, 1000));
        // The order is part of what was trained: it may never change.
        assert_eq!(places(Order::Shuffled { seed: 1 }, 0, 8), [0, 3, 7, 1, 2, 6, 5, 4]);
    }
}
