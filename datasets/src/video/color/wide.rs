//! The same with instructions that processors for desktops have had since 2013.

use std::arch::x86_64::*;

/// Pixels that are converted at once.
const PIXELS: usize = 32;

/// Where the bytes of sixteen pixels lie in their `part`th 16 bytes, for each of the three channels.
const fn places(part: usize) -> [[i8; 16]; 3] {
    let mut places = [[-1; 16]; 3];
    let mut at = 0;
    while at < 16 {
        let byte = part * 16 + at;
        places[byte % 3][at] = (byte / 3) as i8;
        at += 1;
    }
    places
}

const PLACES: [[[i8; 16]; 3]; 3] = [places(0), places(1), places(2)];

#[target_feature(enable = "avx2")]
pub fn rgb_to_i420(rgb: &[u8], width: u32, height: u32, out: &mut [u8]) {
    super::to_planes(rgb, width, height, out);
}

/// One row of pixels.
#[target_feature(enable = "avx2")]
pub fn to_row(luma: &[u8], blue: &[u8], red: &[u8], out: &mut [[u8; 3]]) {
    let (luma, last_luma) = luma.as_chunks::<PIXELS>();
    let (blue, last_blue) = blue.split_at((luma.len() * PIXELS / 2).min(blue.len()));
    let (red, last_red) = red.split_at((luma.len() * PIXELS / 2).min(red.len()));
    let (out, last_out) = out.split_at_mut((luma.len() * PIXELS).min(out.len()));
    let colours = blue.as_chunks().0.iter().zip(red.as_chunks().0);
    for ((luma, (blue, red)), out) in luma.iter().zip(colours).zip(out.as_chunks_mut().0) {
        to_pixels(luma, blue, red, out);
    }
    super::to_row(last_luma, last_blue, last_red, last_out);
}

#[inline]
#[target_feature(enable = "avx2")]
fn to_pixels(
    luma: &[u8; PIXELS],
    blue: &[u8; PIXELS / 2],
    red: &[u8; PIXELS / 2],
    out: &mut [[u8; 3]; PIXELS],
) {
    let all = |value: i16| _mm256_set1_epi16(value);
    let colour = |values: &[u8; PIXELS / 2]| {
        // SAFETY: the sixteen bytes are there.
        let values = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
        _mm256_sub_epi16(_mm256_slli_epi16(_mm256_cvtepu8_epi16(values), 3), all(1024))
    };
    let high = |a, b| _mm256_mulhi_epi16(a, all(b));
    let (u, v) = (colour(blue), colour(red));
    let colours =
        [high(v, 13_075), _mm256_add_epi16(high(u, -3209), high(v, -6660)), high(u, 16_525)];

    // SAFETY: the 32 bytes are there.
    let luma = unsafe { _mm256_loadu_si256(luma.as_ptr().cast()) };
    let zero = _mm256_setzero_si256();
    let bright = |y| high(_mm256_sub_epi16(_mm256_slli_epi16(y, 3), all(128)), 9539);
    // Unpacked within each half, pixels and their colours come to lie alike: eight of the sixteen
    // in the lower half of a register, eight of the other sixteen in its upper half.
    let near = bright(_mm256_unpacklo_epi8(luma, zero));
    let far = bright(_mm256_unpackhi_epi8(luma, zero));
    let channels = colours.map(|colour| {
        let near = _mm256_add_epi16(near, _mm256_unpacklo_epi16(colour, colour));
        let far = _mm256_add_epi16(far, _mm256_unpackhi_epi16(colour, colour));
        _mm256_packus_epi16(near, far)
    });
    let [first, second, third] = PLACES.map(|places| {
        let place = |at: usize| {
            // SAFETY: the sixteen bytes are there.
            let places = unsafe { _mm_loadu_si128(places[at].as_ptr().cast()) };
            _mm256_shuffle_epi8(channels[at], _mm256_broadcastsi128_si256(places))
        };
        _mm256_or_si256(_mm256_or_si256(place(0), place(1)), place(2))
    });
    let rows = [
        _mm256_permute2x128_si256(first, second, 0x20),
        _mm256_blend_epi32(third, first, 0xf0),
        _mm256_permute2x128_si256(second, third, 0x31),
    ];
    // SAFETY: 32 pixels are three times 32 bytes.
    unsafe {
        let out: *mut __m256i = out.as_mut_ptr().cast();
        for (at, row) in rows.into_iter().enumerate() {
            _mm256_storeu_si256(out.add(at), row);
        }
    }
}
