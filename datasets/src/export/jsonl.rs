//! JSON, an object per line.

use super::{Cell, Column};

/// The object of a row; a number that is none is null.
pub fn line(columns: &[Column<'_>], row: usize) -> String {
    let fields = columns.iter().map(|column| {
        let cells = column.cells.iter().skip(row * column.width).take(column.width).map(text);
        let cells = cells.collect::<Vec<_>>().join(",");
        let alone = column.feature.shape == [1];
        let value = if alone { cells } else { format!("[{cells}]") };
        format!("{}:{value}", quoted(column.name))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => number.clone().unwrap_or_else(|| "null".to_owned()),
        Cell::Text(text) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
