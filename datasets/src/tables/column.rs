//! Between the bytes of a column and its Arrow array.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, FixedSizeListArray,
    ListArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{self as arrow_types, DataType, Field, Fields};
use bytes::Bytes;

use crate::frame::fixed;
use crate::schema::{Dtype, Feature};
use crate::{Error, Result};

/// One column of some rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers, each row's little-endian bytes one after the other.
    Numbers(Vec<u8>),
    /// A text per row.
    Texts(Vec<String>),
    /// The bytes of an image file per row.
    Images(Vec<Bytes>),
}

impl Cells {
    /// A column of this feature without rows.
    pub fn empty(feature: &Feature) -> Self {
        match feature.dtype {
            Dtype::Text => Self::Texts(Vec::new()),
            Dtype::Image | Dtype::Video => Self::Images(Vec::new()),
            _ => Self::Numbers(Vec::new()),
        }
    }
}

/// What Arrow calls one number of this dtype.
fn number_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::F32 => DataType::Float32,
        Dtype::F64 => DataType::Float64,
        Dtype::I8 => DataType::Int8,
        Dtype::I16 => DataType::Int16,
        Dtype::I32 => DataType::Int32,
        Dtype::I64 => DataType::Int64,
        Dtype::U8 => DataType::UInt8,
        Dtype::U16 => DataType::UInt16,
        Dtype::U32 => DataType::UInt32,
        Dtype::U64 => DataType::UInt64,
        Dtype::Bool => DataType::Boolean,
        Dtype::Text | Dtype::Image | Dtype::Video => DataType::Utf8,
    }
}

fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, true))
}

fn image_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

/// The column's type: a plain value for shape `[1]`, a fixed list for vectors, lists of lists beyond.
pub fn data_type(feature: &Feature) -> DataType {
    let number = number_type(feature.dtype);
    match (&feature.shape[..], feature.dtype) {
        (_, Dtype::Image | Dtype::Video) => DataType::Struct(image_fields()),
        ([1], _) => number,
        ([width], _) => {
            DataType::FixedSizeList(element(number), i32::try_from(*width).unwrap_or(i32::MAX))
        }
        (sides, _) => sides.iter().fold(number, |inner, _| DataType::List(element(inner))),
    }
}

fn numbers<T: ArrowPrimitiveType, const N: usize>(
    bytes: &[u8],
    number: fn([u8; N]) -> T::Native,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(fixed(bytes, number)))
}

fn flat(dtype: Dtype, bytes: &[u8]) -> ArrayRef {
    use arrow_types::{
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type,
    };
    match dtype {
        Dtype::F32 => numbers::<Float32Type, 4>(bytes, f32::from_le_bytes),
        Dtype::F64 => numbers::<Float64Type, 8>(bytes, f64::from_le_bytes),
        Dtype::I8 => numbers::<Int8Type, 1>(bytes, i8::from_le_bytes),
        Dtype::I16 => numbers::<Int16Type, 2>(bytes, i16::from_le_bytes),
        Dtype::I32 => numbers::<Int32Type, 4>(bytes, i32::from_le_bytes),
        Dtype::I64 => numbers::<Int64Type, 8>(bytes, i64::from_le_bytes),
        Dtype::U8 => numbers::<UInt8Type, 1>(bytes, u8::from_le_bytes),
        Dtype::U16 => numbers::<UInt16Type, 2>(bytes, u16::from_le_bytes),
        Dtype::U32 => numbers::<UInt32Type, 4>(bytes, u32::from_le_bytes),
        Dtype::U64 => numbers::<UInt64Type, 8>(bytes, u64::from_le_bytes),
        Dtype::Bool | Dtype::Text | Dtype::Image | Dtype::Video => {
            Arc::new(bytes.iter().map(|byte| Some(*byte != 0)).collect::<BooleanArray>())
        }
    }
}

/// The Arrow array of a column.
pub fn to_array(feature: &Feature, cells: &Cells) -> Result<ArrayRef> {
    let unfit = |error: arrow::error::ArrowError| Error::Refused { what: error.to_string() };
    let bytes = match cells {
        Cells::Texts(texts) => return Ok(Arc::new(StringArray::from_iter_values(texts))),
        Cells::Images(images) => {
            let data = BinaryArray::from_iter_values(images);
            let path = StringArray::new_null(images.len());
            let columns: Vec<ArrayRef> = vec![Arc::new(data), Arc::new(path)];
            return Ok(Arc::new(
                StructArray::try_new(image_fields(), columns, None).map_err(unfit)?,
            ));
        }
        Cells::Numbers(bytes) => bytes,
    };
    let values = flat(feature.dtype, bytes);
    let DataType::FixedSizeList(field, width) = data_type(feature) else {
        // Lists of lists: every list of a level is equally long.
        let lists = feature.shape.iter().rev().take(if feature.shape == [1] { 0 } else { 5 });
        return lists.into_iter().try_fold(values, |inner, side| {
            let side = usize::try_from(*side).unwrap_or(usize::MAX);
            let lengths = std::iter::repeat_n(side, inner.len().checked_div(side).unwrap_or(0));
            let field = element(inner.data_type().clone());
            let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), inner, None);
            Ok(Arc::new(list.map_err(unfit)?) as ArrayRef)
        });
    };
    Ok(Arc::new(FixedSizeListArray::try_new(field, width, values, None).map_err(unfit)?))
}

/// The column of an Arrow array, checked against what info.json declares.
pub fn from_array(name: &str, feature: &Feature, array: &ArrayRef, path: &Path) -> Result<Cells> {
    let wrong = |what: String| Error::malformed(path, format!("column {name}"), what);
    let rows = array.len();
    if array.null_count() > 0 {
        let row = (0..rows).find(|row| array.is_null(*row)).unwrap_or(0);
        return Err(Error::malformed(path, format!("column {name}, row {row}"), "has no value"));
    }
    match feature.dtype {
        Dtype::Text => {
            let held = array.data_type();
            if !matches!(held, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
                return Err(wrong(format!("holds {held}, not texts")));
            }
            let texts =
                arrow::compute::cast(array, &DataType::Utf8).map_err(|e| wrong(e.to_string()))?;
            let texts = texts.as_string::<i32>();
            return Ok(Cells::Texts(
                texts.iter().map(|text| text.unwrap_or("").to_owned()).collect(),
            ));
        }
        Dtype::Image | Dtype::Video => return images(array, &wrong),
        _ => {}
    }
    let mut inner = Arc::clone(array);
    while !inner.data_type().is_primitive() && inner.data_type() != &DataType::Boolean {
        inner = match inner.data_type() {
            DataType::FixedSizeList(..) => {
                let list = inner.as_fixed_size_list();
                let width = usize::try_from(list.value_length()).unwrap_or(0);
                list.values().slice(list.value_offset(0) as usize, list.len() * width)
            }
            DataType::List(_) => {
                let list = inner.as_list::<i32>();
                let offsets = list.value_offsets();
                let (first, last) = (offsets[0] as usize, offsets[list.len()] as usize);
                list.values().slice(first, last - first)
            }
            other => return Err(wrong(format!("holds {other}, not numbers"))),
        };
    }
    if inner.len() != rows.saturating_mul(feature.width()) {
        let what = format!("has {} numbers in {rows} rows of {}", inner.len(), feature.width());
        return Err(wrong(what));
    }
    if inner.null_count() > 0 {
        let at = (0..inner.len()).find(|at| inner.is_null(*at)).unwrap_or(0);
        let row = at.checked_div(feature.width()).unwrap_or(0);
        return Err(Error::malformed(path, format!("column {name}, row {row}"), "has no value"));
    }
    let cast = arrow::compute::cast(&inner, &number_type(feature.dtype));
    let cast = cast.map_err(|error| wrong(error.to_string()))?;
    if cast.null_count() > 0 {
        return Err(wrong(format!("has numbers outside {}", feature.dtype.name())));
    }
    Ok(Cells::Numbers(bytes_of(&cast)))
}

/// The little-endian bytes of a flat array.
fn bytes_of(array: &ArrayRef) -> Vec<u8> {
    if let Some(flags) = array.as_boolean_opt() {
        return flags.values().iter().map(u8::from).collect();
    }
    let data = array.to_data();
    let width = data.data_type().primitive_width().unwrap_or(0);
    let from = data.offset() * width;
    // Arrow keeps numbers in the machine's order; every machine this runs on is little-endian.
    data.buffers()[0].as_slice()[from..from + data.len() * width].to_vec()
}

fn images(array: &ArrayRef, wrong: &impl Fn(String) -> Error) -> Result<Cells> {
    let data = match array.data_type() {
        DataType::Struct(_) => array.as_struct().column_by_name("bytes").cloned(),
        DataType::Binary | DataType::LargeBinary => Some(Arc::clone(array)),
        _ => None,
    };
    let data = data.ok_or_else(|| wrong("holds no images".into()))?;
    let data = arrow::compute::cast(&data, &DataType::Binary).map_err(|e| wrong(e.to_string()))?;
    let data = data.as_binary::<i32>();
    let all = (0..data.len()).map(|row| match data.is_null(row) {
        true => Err(wrong(format!("row {row} has no image bytes, only a path"))),
        false => Ok(Bytes::copy_from_slice(data.value(row))),
    });
    Ok(Cells::Images(all.collect::<Result<_>>()?))
}
