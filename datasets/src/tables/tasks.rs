//! The table of tasks: a text each, which LeRobot looks up as the index of a pandas table.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use serde_json::json;

use crate::{Error, Result};

/// Where the table is, below a dataset's folder.
pub const PATH: &str = "meta/tasks.parquet";

/// What pandas must know to take the text as the index of its table.
fn pandas() -> String {
    let column = |name: &str, pandas_type: &str, numpy_type: &str| {
        json!({ "name": name, "field_name": name, "pandas_type": pandas_type,
                "numpy_type": numpy_type, "metadata": null })
    };
    json!({
        "index_columns": ["task"],
        "column_indexes": [{ "name": null, "field_name": null, "pandas_type": "unicode",
                             "numpy_type": "object", "metadata": { "encoding": "UTF-8" } }],
        "columns": [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
        "attributes": {},
        "creator": { "library": "sinew", "version": env!("CARGO_PKG_VERSION") },
        "pandas_version": "2.0.0",
    })
    .to_string()
}

/// Writes the tasks; their place in the list is their index.
pub fn write(path: &Path, tasks: &[String]) -> Result<()> {
    let fields = vec![
        Field::new("task_index", DataType::Int64, true),
        Field::new("task", DataType::Utf8, true),
    ];
    let metadata = HashMap::from([("pandas".to_owned(), pandas())]);
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let indices: Int64Array = (0..tasks.len() as i64).collect();
    let texts = StringArray::from_iter_values(tasks);
    let columns: Vec<ArrayRef> = vec![Arc::new(indices), Arc::new(texts)];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(|error| Error::Refused { what: error.to_string() })?;
    super::write(path, &schema, &[batch])
}

/// Reads the tasks in the order of their indices.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let mut tasks: Vec<Option<String>> = Vec::new();
    for batch in super::read(path)? {
        let missing = |name: &str| Error::malformed(path, format!("column {name}"), "is missing");
        let texts =
            batch.column_by_name("task").or_else(|| batch.column_by_name("__index_level_0__"));
        let texts = texts.ok_or_else(|| missing("task"))?;
        let texts = arrow::compute::cast(texts, &DataType::Utf8).map_err(super::unfit(path))?;
        let indices = batch.column_by_name("task_index").ok_or_else(|| missing("task_index"))?;
        let indices =
            arrow::compute::cast(indices, &DataType::Int64).map_err(super::unfit(path))?;
        let indices = indices.as_primitive::<Int64Type>();
        for (row, text) in texts.as_string::<i32>().iter().enumerate() {
            let index = indices.is_valid(row).then(|| indices.value(row));
            let wrong = |what: &str| {
                Error::malformed(path, format!("column task_index, row {row}"), what.to_owned())
            };
            // As many tasks as rows at most, so that no index makes a huge list.
            let index = index.and_then(|index| usize::try_from(index).ok());
            let index =
                index.filter(|index| *index < 1 << 20).ok_or_else(|| wrong("is no index"))?;
            if tasks.len() <= index {
                tasks.resize(index + 1, None);
            }
            tasks[index] = Some(text.unwrap_or("").to_owned());
        }
    }
    let hole = tasks.iter().position(Option::is_none);
    match hole {
        Some(index) => {
            Err(Error::malformed(path, "column task_index", format!("no row has index {index}")))
        }
        None => Ok(tasks.into_iter().flatten().collect()),
    }
}
