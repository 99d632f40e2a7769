//! Numbers out of the bytes that they are stored as.

use std::borrow::Cow;

use safetensors::tensor::Dtype;

/// What the name of a tensor's scales ends with.
pub(super) const SCALES: &str = ".sinew_scales";

/// What the scales of a tensor that is stored as small whole numbers are called: one for each of its rows,
/// which number and scale are multiplied to give.
#[must_use]
pub fn scales_of(tensor: &str) -> String {
    format!("{tensor}{SCALES}")
}

pub(super) fn scaled(bytes: &[u8], scales: &[f32]) -> Vec<f32> {
    let row = (bytes.len() / scales.len().max(1)).max(1);
    let rows = bytes.chunks_exact(row).zip(scales);
    rows.flat_map(|(row, scale)| row.iter().map(move |byte| f32::from(byte.cast_signed()) * scale))
        .collect()
}

/// Those of a tensor that is stored so; nothing where it is stored as something else than floats.
pub(super) fn numbers(dtype: Dtype, bytes: &[u8]) -> Option<Cow<'_, [f32]>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
    }
    // SAFETY: every four bytes are an f32.
    let (before, aligned, after) = unsafe { bytes.align_to::<f32>() };
    let as_they_are = before.is_empty() && after.is_empty() && cfg!(target_endian = "little");
    Some(Cow::Owned(match dtype {
        Dtype::F32 if as_they_are => return Some(Cow::Borrowed(aligned)),
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => each(bytes, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F64 => each(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        _ => return None,
    }))
}
