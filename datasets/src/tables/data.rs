//! The data table: one row per frame, every feature but video a column.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value, json};

use super::column::{self, Cells};
use crate::schema::{Dtype, Feature, Info, Version};
use crate::{Error, Result};

/// The rows of one episode, a column per feature in the order of [`Info::columns`].
pub type Rows = Vec<Cells>;

/// How Hugging Face's `datasets` describes the feature in the table's metadata.
fn described(feature: &Feature, version: Version) -> Value {
    let value = json!({ "dtype": feature.dtype.name(), "_type": "Value" });
    // What the `datasets` of the time called a list.
    let list = if version == Version::V30 { "List" } else { "Sequence" };
    match (&feature.shape[..], feature.dtype) {
        (_, Dtype::Image | Dtype::Video) => json!({ "_type": "Image" }),
        ([1], _) => value,
        ([width], _) => json!({ "feature": value, "length": width, "_type": list }),
        (shape, dtype) => {
            let kind = format!("Array{}D", shape.len());
            json!({ "shape": shape, "dtype": dtype.name(), "_type": kind })
        }
    }
}

/// The table's schema, with the metadata by which `datasets` knows images from plain bytes.
pub fn schema(info: &Info) -> SchemaRef {
    let field =
        |(name, feature): (&str, &Feature)| Field::new(name, column::data_type(feature), true);
    let fields: Vec<Field> = info.columns().map(field).collect();
    let entry =
        |(name, feature): (&str, &Feature)| (name.to_owned(), described(feature, info.version));
    let features: Map<String, Value> = info.columns().map(entry).collect();
    let metadata = json!({ "info": { "features": features } }).to_string();
    Arc::new(Schema::new_with_metadata(fields, HashMap::from([("huggingface".into(), metadata)])))
}

/// The rows as an Arrow batch.
pub fn batch(info: &Info, rows: &Rows) -> Result<RecordBatch> {
    let columns = info.columns().zip(rows);
    let arrays: Result<Vec<_>> =
        columns.map(|((_, feature), cells)| column::to_array(feature, cells)).collect();
    RecordBatch::try_new(schema(info), arrays?)
        .map_err(|error| Error::Refused { what: error.to_string() })
}

/// Writes a data file, one row group per episode.
pub fn write(path: &Path, info: &Info, episodes: &[Rows]) -> Result<()> {
    let batches: Result<Vec<_>> = episodes.iter().map(|rows| batch(info, rows)).collect();
    super::write(path, &schema(info), &batches?)
}

/// The columns of a batch that was read, in the order of [`Info::columns`]; columns that info.json
/// does not declare are left aside.
pub fn rows(info: &Info, batch: &RecordBatch, path: &Path) -> Result<Rows> {
    let column = |(name, feature): (&str, &Feature)| match batch.column_by_name(name) {
        Some(array) => column::from_array(name, feature, array, path),
        None => Err(Error::malformed(path, format!("column {name}"), "is missing")),
    };
    info.columns().map(column).collect()
}
