//! An image's bytes to a network's numbers, in one pass.

/// What each value of each channel becomes. A byte has 256 values, so whatever the steps do to it,
/// with all their roundings, is known when the policy is loaded.
#[derive(Clone, Debug)]
pub struct Pixels {
    channels: Vec<[f32; 256]>,
}

impl Pixels {
    /// By what the steps make of a channel's value between 0 and 1.
    pub(super) fn new(channels: usize, step: impl Fn(usize, f32) -> f32) -> Self {
        let table = |channel| std::array::from_fn(|byte| step(channel, byte as f32 / 255.0));
        Self { channels: (0..channels).map(table).collect() }
    }

    /// Writes an image, channels last, both as long as the shorter one allows.
    pub fn write(&self, bytes: &[u8], into: &mut [f32]) {
        if let [red, green, blue] = self.channels.as_slice() {
            let (pixels, _) = bytes.as_chunks::<3>();
            let (into, _) = into.as_chunks_mut::<3>();
            for (pixel, into) in pixels.iter().zip(into) {
                *into = [
                    red[usize::from(pixel[0])],
                    green[usize::from(pixel[1])],
                    blue[usize::from(pixel[2])],
                ];
            }
            return;
        }
        let channels = self.channels.len().max(1);
        for (pixel, into) in bytes.chunks_exact(channels).zip(into.chunks_exact_mut(channels)) {
            for ((byte, number), table) in pixel.iter().zip(into).zip(&self.channels) {
                *number = table[usize::from(*byte)];
            }
        }
    }
}
