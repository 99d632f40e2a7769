//! The measured instants beside an episode, which go with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::FieldRef;
use arrow::record_batch::RecordBatch;

use super::plan::Plan;
use crate::schema::{Info, Template, Version};
use crate::tables::episodes::{Episode, FileAt};
use crate::tables::timing::complete;
use crate::tables::{self, TableWriter};
use crate::{Result, reader};

/// Writes the instants of all episodes that have any, in a table beside each data file.
pub fn write(plan: &Plan<'_>, root: &Path, episodes: &[Episode]) -> Result<()> {
    let mut last = Last::default();
    let mut open: Option<(FileAt, TableWriter, RecordBatch)> = None;
    for (part, episode) in plan.parts.iter().zip(episodes) {
        let source = plan.source(part);
        let from = source.root().join(path(source.info(), part.episode.data));
        let all = match last.table(from.clone()) {
            Err(_damaged) if plan.lenient => None,
            table => table?,
        };
        let Some(all) = all else { continue };
        let Some(batch) = of(all, part.episode, episode, &from)? else { continue };
        if let Some((_, table, _)) = open.take_if(|(at, ..)| *at != episode.data) {
            table.finish()?;
        }
        match &mut open {
            // Of sources with other cameras, the first one's count.
            Some((_, _, first)) if first.schema() != batch.schema() => {}
            Some((_, table, _)) => table.push(&batch)?,
            none => {
                let path = root.join(path(&plan.info, episode.data));
                let mut table = TableWriter::begin(&path, &batch.schema())?;
                table.push(&batch)?;
                *none = Some((episode.data, table, batch));
            }
        }
    }
    open.map_or(Ok(()), |(_, table, _)| table.finish())
}

fn path(info: &Info, at: FileAt) -> PathBuf {
    let newest = Info { version: Version::V30, ..info.clone() };
    Template::timing().path(&reader::place(&newest, at, ""))
}

/// The table looked at last, which the next episode is likely in.
#[derive(Default)]
struct Last(PathBuf, Option<RecordBatch>);

impl Last {
    /// All rows of a table; none where the source has not measured.
    fn table(&mut self, path: PathBuf) -> Result<Option<&RecordBatch>> {
        if self.0 != path {
            let batches = if path.exists() { tables::read(&path)? } else { Vec::new() };
            let all = batches
                .first()
                .map(|first| arrow::compute::concat_batches(&first.schema(), &batches))
                .map(|all| all.and_then(complete))
                .transpose();
            *self = Self(path.clone(), all.map_err(tables::unfit(&path))?);
        }
        Ok(self.1.as_ref())
    }
}

/// The rows of one episode, numbered anew; none where there are not as many as frames.
fn of(all: &RecordBatch, old: &Episode, new: &Episode, path: &Path) -> Result<Option<RecordBatch>> {
    let index = all.column_by_name("index").and_then(|column| column.as_primitive_opt());
    let Some(index): Option<&Int64Array> = index else { return Ok(None) };
    let before = |end: u64| index.values().partition_point(|index| *index < end.cast_signed());
    let (begin, end) = (before(old.from_index), before(old.to_index()));
    if (end - begin) as u64 != new.length {
        return Ok(None);
    }
    let rows = all.slice(begin, end - begin);
    let schema = rows.schema();
    let numbers: Int64Array = (new.from_index..new.to_index()).map(u64::cast_signed).collect();
    let column = |(field, column): (&FieldRef, &ArrayRef)| match field.name().as_str() {
        "index" => Arc::new(numbers.clone()) as ArrayRef,
        _ => Arc::clone(column),
    };
    let columns = schema.fields().iter().zip(rows.columns()).map(column).collect();
    RecordBatch::try_new(Arc::clone(&schema), columns).map(Some).map_err(tables::unfit(path))
}
