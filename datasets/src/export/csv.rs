//! Comma-separated values, as RFC 4180 has them.

use super::{Cell, Column};
use crate::verify::joint_name;

/// The line with the columns' names: a joint's behind its feature's.
pub fn head(columns: &[Column<'_>]) -> String {
    let names = columns.iter().flat_map(|column| {
        (0..column.width).map(move |at| match column.width {
            1 => quoted(column.name),
            _ if column.feature.names.is_null() => quoted(&format!("{}.{at}", column.name)),
            _ => quoted(&format!("{}.{}", column.name, joint_name(column.feature, at))),
        })
    });
    names.collect::<Vec<_>>().join(",")
}

/// The line of a row; a number that is none stays empty.
pub fn line(columns: &[Column<'_>], row: usize) -> String {
    let cells = columns.iter().flat_map(|column| {
        column.cells.iter().skip(row * column.width).take(column.width).map(|cell| match cell {
            Cell::Number(number) => number.clone().unwrap_or_default(),
            Cell::Text(text) => quoted(text),
        })
    });
    cells.collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_would_break_a_line_is_quoted() {
        assert_eq!(super::quoted("pick, \"red\""), "\"pick, \"\"red\"\"\"");
        assert_eq!(super::quoted("plain"), "plain");
    }
}
