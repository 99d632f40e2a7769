//! `formula.py` in Rust: weights and images that follow from their names.

/// What LeRobot computes itself, and no network here may need.
const LEFT: [&str; 3] = ["pos_enc", "pos_grid", ".attn.bias"];

fn hash(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

/// Numbers in 0..1.
fn units(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let mut state = hash(name);
    (0..count).map(move |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
    })
}

/// The weights of this name and shape.
pub fn weights(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    let units = units(name, count);
    if LEFT.iter().any(|left| name.contains(left)) {
        return vec![0.0; count];
    }
    let fan: usize = shape.iter().skip(1).product();
    match shape.len() {
        0 | 1 if name.ends_with("running_var") => units.map(|u| 0.5 + u).collect(),
        0 | 1 if name.ends_with("weight") => units.map(|u| 0.75 + 0.5 * u).collect(),
        0 | 1 => units.map(|u| 0.1 * (2.0 * u - 1.0)).collect(),
        dimensions => {
            let spread = if dimensions == 4 { 6.0 } else { 3.0 };
            let scale = (spread / fan as f64).sqrt() as f32;
            units.map(|u| scale * (2.0 * u - 1.0)).collect()
        }
    }
}

/// A picture, channels last.
pub fn image(tag: &str, channels: usize, height: usize, width: usize) -> Vec<u8> {
    let tint = (hash(tag) % 97) as usize;
    let mut pixels = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                let value = x * 3 + y * 5 + channel * 40 + ((x * y) >> 6) + tint * 7;
                pixels.push((value & 255) as u8);
            }
        }
    }
    pixels
}
