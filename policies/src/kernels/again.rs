//! The loops that are the same on all processors, compiled again for one that has wider registers.

/// Makes them for a processor that has these features, with so many channels side by side in Winograd's
/// transforms.
macro_rules! again {
    ($features:tt, $side:tt) => {
        #[target_feature(enable = $features)]
        fn round(from: &[f32], into: &mut [i16]) -> f32 {
            super::whole::rounded(from, into)
        }

        #[target_feature(enable = $features)]
        fn curve(activation: crate::graph::Activation, numbers: &mut [f32]) {
            super::curves::curve::<true>(activation, numbers);
        }

        #[target_feature(enable = $features)]
        fn softmax(row: &mut [f32]) {
            super::curves::softmax::<true>(row);
        }

        #[target_feature(enable = $features)]
        fn normalize(from: &[f32], into: &mut [f32], scales: &super::norms::Scales) {
            super::curves::normalize::<true>(from, into, scales);
        }

        #[target_feature(enable = $features)]
        fn affine(into: &mut [f32], scale: &[f32], shift: &[f32]) {
            super::curves::affine::<true>(into, scale, shift);
        }

        #[target_feature(enable = $features)]
        fn add(into: &mut [f32], by: &[f32]) {
            super::curves::add(into, by);
        }

        #[target_feature(enable = $features)]
        fn multiply(into: &mut [f32], by: &[f32]) {
            super::curves::multiply(into, by);
        }

        /// # Safety
        /// The processor has the features, and the rest is as for the twin.
        #[target_feature(enable = $features)]
        unsafe fn greatest(taps: &[*const f32], into: &mut [f32]) {
            // SAFETY: as the caller promises.
            unsafe { super::curves::greatest(taps, into) };
        }

        /// # Safety
        /// The processor has the features, and the rest is as for the twin.
        #[target_feature(enable = $features)]
        unsafe fn winograd_in(
            patch: &[*const f32; 36],
            channels: usize,
            into: *mut f32,
            step: usize,
        ) {
            // SAFETY: as the caller promises.
            unsafe { super::winograd::patch_in::<$side>(patch, channels, into, step) };
        }

        /// # Safety
        /// The processor has the features, and the rest is as for the twin.
        #[target_feature(enable = $features)]
        unsafe fn winograd_out(
            from: *const f32,
            step: usize,
            places: &[super::winograd::Place; 16],
            finish: &super::winograd::Finish,
        ) {
            // SAFETY: as the caller promises.
            unsafe { super::winograd::patch_out::<$side>(from, step, places, finish) };
        }
    };
}

pub(super) use again;
