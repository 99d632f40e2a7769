//! One tick of a recording: the values of every column, an image per camera, and when they were
//! really taken.

use std::sync::Arc;

use crate::image::Image;
use crate::schema::{Dtype, Feature};

/// The value of one feature in one frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// Whole numbers, of whatever width and sign the feature declares.
    Int(Vec<i64>),
    /// True or false.
    Bool(Vec<bool>),
    /// A text.
    Text(String),
}

impl Value {
    /// How many numbers it has; a text counts as one.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(_) => 1,
        }
    }

    /// Whether there is no number in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers as 64-bit floats; none of a text.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::F64(values) => values.clone(),
            Self::Int(values) => values.iter().map(|value| *value as f64).collect(),
            Self::Bool(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Text(_) => Vec::new(),
        }
    }

    /// The one whole number in it.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(values) => values.first().copied(),
            _ => None,
        }
    }

    /// Appends the value as the bytes of one row of its column; the text says what does not fit.
    pub(crate) fn write(&self, feature: &Feature, out: &mut Vec<u8>) -> Result<(), String> {
        if self.len() != feature.width() {
            return Err(format!("has {} values, {} are declared", self.len(), feature.width()));
        }
        match (self, feature.dtype) {
            (Self::F32(values), Dtype::F32) => {
                values.iter().for_each(|value| out.extend(value.to_le_bytes()));
            }
            (Self::F64(values), Dtype::F64) => {
                values.iter().for_each(|value| out.extend(value.to_le_bytes()));
            }
            (Self::Bool(values), Dtype::Bool) => {
                out.extend(values.iter().map(|value| u8::from(*value)))
            }
            (Self::Text(text), Dtype::Text) => {
                let length =
                    u32::try_from(text.len()).map_err(|_too_long| "is longer than 4 GB")?;
                out.extend(length.to_le_bytes());
                out.extend(text.as_bytes());
            }
            (Self::Int(values), dtype) if is_whole(dtype) => {
                for value in values {
                    write_int(*value, dtype, out)?;
                }
            }
            (_, dtype) => return Err(format!("is not {}, as declared", dtype.name())),
        }
        Ok(())
    }

    /// Reads the bytes of one row of a column that is not text.
    pub(crate) fn read(dtype: Dtype, bytes: &[u8]) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(fixed(bytes, f32::from_le_bytes)),
            Dtype::F64 => Self::F64(fixed(bytes, f64::from_le_bytes)),
            Dtype::Bool => Self::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
            Dtype::I8 => {
                Self::Int(bytes.iter().map(|byte| i64::from(byte.cast_signed())).collect())
            }
            Dtype::U8 => Self::Int(bytes.iter().map(|byte| i64::from(*byte)).collect()),
            Dtype::I16 => Self::Int(fixed(bytes, |b| i64::from(i16::from_le_bytes(b)))),
            Dtype::U16 => Self::Int(fixed(bytes, |b| i64::from(u16::from_le_bytes(b)))),
            Dtype::I32 => Self::Int(fixed(bytes, |b| i64::from(i32::from_le_bytes(b)))),
            Dtype::U32 => Self::Int(fixed(bytes, |b| i64::from(u32::from_le_bytes(b)))),
            Dtype::I64 => Self::Int(fixed(bytes, i64::from_le_bytes)),
            Dtype::U64 => Self::Int(fixed(bytes, |b| u64::from_le_bytes(b).cast_signed())),
            Dtype::Text | Dtype::Image | Dtype::Video => {
                Self::Text(String::from_utf8_lossy(bytes).into_owned())
            }
        }
    }
}

/// Whether the dtype holds whole numbers.
pub(crate) fn is_whole(dtype: Dtype) -> bool {
    use Dtype::{I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(dtype, I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
}

/// The numbers that lie one after the other in these bytes.
pub(crate) fn fixed<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| number(*chunk)).collect()
}

fn write_int(value: i64, dtype: Dtype, out: &mut Vec<u8>) -> Result<(), String> {
    let outside = |_error| format!("{value} is outside {}", dtype.name());
    match dtype {
        Dtype::I8 => out.extend(i8::try_from(value).map_err(outside)?.to_le_bytes()),
        Dtype::U8 => out.extend(u8::try_from(value).map_err(outside)?.to_le_bytes()),
        Dtype::I16 => out.extend(i16::try_from(value).map_err(outside)?.to_le_bytes()),
        Dtype::U16 => out.extend(u16::try_from(value).map_err(outside)?.to_le_bytes()),
        Dtype::I32 => out.extend(i32::try_from(value).map_err(outside)?.to_le_bytes()),
        Dtype::U32 => out.extend(u32::try_from(value).map_err(outside)?.to_le_bytes()),
        Dtype::U64 => out.extend(u64::try_from(value).map_err(outside)?.to_le_bytes()),
        _ => out.extend(value.to_le_bytes()),
    }
    Ok(())
}

/// What the stages of a tick took, in nanoseconds; all 0 where nobody measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// From when it was due until it began.
    pub wake_ns: i64,
    /// The motors' bus: requests going out, and their answers.
    pub bus_ns: i64,
    /// The tick's own work.
    pub work_ns: i64,
}

impl Stages {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// What they are called.
    pub const NAMES: [&str; Self::COUNT] = ["wake", "bus", "work"];

    /// In the order of their names.
    pub fn list(&self) -> [i64; Self::COUNT] {
        [self.wake_ns, self.bus_ns, self.work_ns]
    }
}

impl From<[i64; Stages::COUNT]> for Stages {
    fn from([wake_ns, bus_ns, work_ns]: [i64; Self::COUNT]) -> Self {
        Self { wake_ns, bus_ns, work_ns }
    }
}

/// When the parts of a frame were really taken, in nanoseconds of the recorder's monotonic clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When the tick began.
    pub tick_ns: i64,
    /// When the joints were read.
    pub joints_ns: i64,
    /// When each camera's image was taken, in the order of the cameras; 0 where there was none.
    pub images_ns: Vec<i64>,
    /// Whether the tick began later than it should.
    pub late: bool,
    /// What the tick took; where a frame has several, the one that took longest.
    pub stages: Stages,
}

/// One tick of a recording.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What is being done.
    pub task: Arc<str>,
    /// The value of each declared feature that is not a camera, in their order.
    pub values: Vec<Value>,
    /// The newest image of each camera, in their order; none repeats the last one, and is counted.
    pub images: Vec<Option<Image>>,
    /// When it was really taken.
    pub stamps: Stamps,
}
