//! A picture in a terminal: two pixels a letter, or one where there are no colours.

use std::fmt::Write;

/// From dark to bright.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// How many pixels a picture with four columns to three rows may have in so many columns and lines,
/// and how many lines it takes; colours show two pixels above each other in one letter.
pub fn fit(columns: u16, lines: u16) -> (u32, u32) {
    let (columns, rows) = (u32::from(columns).max(4), u32::from(lines).max(2) * 2);
    let width = columns.min(rows * 4 / 3).min(160);
    // An even number, for whole letters.
    (width, (width * 3 / 4).max(2) / 2 * 2)
}

/// The lines of a picture of red, green and blue bytes, each ended.
pub fn lines(pixels: &[u8], width: u32, coloured: bool) -> String {
    let row = width.max(1) as usize * 3;
    let mut text = String::new();
    for pair in pixels.chunks_exact(row * 2) {
        let (upper, lower) = pair.split_at(row);
        let mut before = None;
        for both in upper.chunks_exact(3).zip(lower.chunks_exact(3)) {
            if !coloured {
                text.push(shade(both));
                continue;
            }
            if before != Some(both) {
                // Writing to a string cannot fail.
                ink(&mut text, both).unwrap_or_default();
            }
            before = Some(both);
            text.push('▀');
        }
        text.push_str(if coloured { "\x1b[0m\x1b[K\n" } else { "\n" });
    }
    text
}

/// The colours of two pixels above each other.
fn ink(text: &mut String, both: (&[u8], &[u8])) -> std::fmt::Result {
    match both {
        ([r, g, b], [below_r, below_g, below_b]) => {
            write!(text, "\x1b[38;2;{r};{g};{b};48;2;{below_r};{below_g};{below_b}m")
        }
        _ => Ok(()),
    }
}

/// How bright two pixels are together.
fn shade((upper, lower): (&[u8], &[u8])) -> char {
    let bright: usize = upper.iter().chain(lower).map(|part| usize::from(*part)).sum();
    SHADES.get(bright * SHADES.len() / (6 * 256)).copied().unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_are_one_line_with_colours_and_without() {
        let pixels = [[255; 6], [0; 6], [255; 6], [255; 6]].concat();
        assert_eq!(lines(&pixels, 2, false), "==\n@@\n");
        let coloured = lines(&pixels, 2, true);
        assert_eq!(coloured.lines().count(), 2);
        assert_eq!(coloured.matches('▀').count(), 4);
        assert!(coloured.starts_with("\x1b[38;2;255;255;255;48;2;0;0;0m▀▀\x1b[0m"));
    }

    #[test]
    fn a_picture_fits_whatever_the_terminal_is() {
        for (columns, rows) in [(80, 24), (300, 100), (20, 60), (1, 1), (0, 0)] {
            let (width, height) = fit(columns, rows);
            assert!(width <= u32::from(columns).max(4) && height <= u32::from(rows).max(2) * 2);
            assert!(height % 2 == 0 && height >= 2);
        }
    }
}
