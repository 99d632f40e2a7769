//! A dataset's rows as text that any program reads. Images stay where they are.

mod csv;
mod jsonl;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::frame::Value;
use crate::reader::Dataset;
use crate::schema::{Dtype, Feature};
use crate::tables::column::Cells;
use crate::tables::episodes::Episode;
use crate::{Error, Result};

/// What the text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Commas between values, a line with names first; a column per joint.
    Csv,
    /// A JSON object per line, vectors as lists.
    Jsonl,
}

/// One column of an episode as text.
struct Column<'a> {
    name: &'a str,
    feature: &'a Feature,
    /// How many texts one row has.
    width: usize,
    /// The texts, one row after the other.
    cells: Vec<Cell>,
}

/// A number or a text.
enum Cell {
    /// As every format writes it; none where it is NaN or infinite.
    Number(Option<String>),
    Text(String),
}

/// Writes the rows of all episodes to a file, which appears once it is whole; tells the number of
/// rows. `watch` hears how many episodes are done.
pub fn export(
    dataset: &Dataset,
    format: Format,
    out: &Path,
    watch: &mut dyn FnMut(u64),
) -> Result<u64> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".export-").tempfile_in(folder);
    let file = file.map_err(Error::io("cannot write", out))?;
    let rows = write(dataset, format, file.as_file(), out, watch)?;
    file.as_file().sync_all().map_err(Error::io("cannot make durable", out))?;
    file.persist(out).map_err(|error| Error::io("cannot write", out)(error.error))?;
    Ok(rows)
}

fn write(
    dataset: &Dataset,
    format: Format,
    file: &File,
    out: &Path,
    watch: &mut dyn FnMut(u64),
) -> Result<u64> {
    let mut text = BufWriter::new(file);
    let mut rows = 0;
    for (done, episode) in (0..).zip(dataset.episodes()) {
        watch(done);
        let columns = columns(dataset, episode)?;
        if rows == 0 && format == Format::Csv {
            writeln!(text, "{}", csv::head(&columns)).map_err(Error::io("cannot write", out))?;
        }
        for row in 0..usize::try_from(episode.length).unwrap_or(usize::MAX) {
            let line = match format {
                Format::Csv => csv::line(&columns, row),
                Format::Jsonl => jsonl::line(&columns, row),
            };
            writeln!(text, "{line}").map_err(Error::io("cannot write", out))?;
        }
        rows += episode.length;
    }
    text.flush().map_err(Error::io("cannot write", out))?;
    Ok(rows)
}

/// Every column of an episode but the images, and the task of each frame in words.
fn columns<'a>(dataset: &'a Dataset, episode: &Episode) -> Result<Vec<Column<'a>>> {
    let mut columns = Vec::new();
    for (name, feature) in dataset.info().columns() {
        if feature.is_camera() {
            continue;
        }
        let cells = dataset.cells(name, episode.from_index, episode.length)?;
        let (width, cells) = match cells {
            Cells::Texts(texts) => (1, texts.into_iter().map(Cell::Text).collect()),
            Cells::Numbers(bytes) => (feature.width(), numbers(feature.dtype, &bytes)),
            Cells::Images(_) => continue,
        };
        if name == "task_index" {
            columns.push(Column { name: "task", feature, width: 1, cells: tasks(dataset, &cells) });
        }
        columns.push(Column { name, feature, width, cells });
    }
    Ok(columns)
}

fn tasks(dataset: &Dataset, indices: &[Cell]) -> Vec<Cell> {
    let task = |index: &Cell| {
        let index = match index {
            Cell::Number(Some(text)) => text.parse::<usize>().ok(),
            _ => None,
        };
        let task = index.and_then(|index| dataset.tasks().get(index));
        Cell::Text(task.cloned().unwrap_or_default())
    };
    indices.iter().map(task).collect()
}

fn numbers(dtype: Dtype, bytes: &[u8]) -> Vec<Cell> {
    // The shortest text that reads back to the same number, in the number's own precision.
    let cells: Vec<Option<String>> = match Value::read(dtype, bytes) {
        Value::F32(all) => all.iter().map(|v| v.is_finite().then(|| v.to_string())).collect(),
        Value::F64(all) => all.iter().map(|v| v.is_finite().then(|| v.to_string())).collect(),
        // Unsigned 64-bit numbers pass through signed ones.
        Value::Int(all) if dtype == Dtype::U64 => {
            all.iter().map(|v| Some(v.cast_unsigned().to_string())).collect()
        }
        Value::Int(all) => all.iter().map(|v| Some(v.to_string())).collect(),
        Value::Bool(all) => all.iter().map(|v| Some(v.to_string())).collect(),
        Value::Text(_) => Vec::new(),
    };
    cells.into_iter().map(Cell::Number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(name: &str, format: Format) -> String {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/datasets");
        let dataset = Dataset::open(&golden.join(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let rows = export(&dataset, format, &out, &mut |_| {}).unwrap();
        assert_eq!(rows, dataset.len());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::read_to_string(out).unwrap()
    }

    #[test]
    fn every_value_reads_back_from_json() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/datasets");
        let dataset = Dataset::open(&golden.join("v30_rich")).unwrap();
        let text = exported("v30_rich", Format::Jsonl);
        assert_eq!(text.lines().count() as u64, dataset.len());
        for (frame, line) in (0..).zip(text.lines()) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let wanted = dataset.values("action", frame, 1).unwrap().numbers();
            let action: Vec<f64> = line["action"]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| f64::from(value.as_f64().unwrap() as f32))
                .collect();
            assert_eq!(action, wanted);
            assert_eq!(line["task"], dataset.item(frame).unwrap().task.as_str());
            assert_eq!(line["index"], frame);
        }
    }

    #[test]
    fn a_table_has_a_column_per_joint() {
        let text = exported("v30_image", Format::Csv);
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        assert!(head.starts_with("observation.state.pan.pos,"), "{head}");
        assert!(
            head.ends_with("timestamp,frame_index,episode_index,index,task,task_index"),
            "{head}"
        );
        let fields = head.split(',').count();
        assert!(lines.all(|line| line.split(',').count() == fields));
    }
}
