//! One feature of a dataset: what a column or a camera holds, as info.json declares it.

use serde_json::{Map, Value, json};

use crate::depth::Scale;

/// What one value of a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// Signed 8-bit.
    I8,
    /// Signed 16-bit.
    I16,
    /// Signed 32-bit.
    I32,
    /// Signed 64-bit.
    I64,
    /// Unsigned 8-bit.
    U8,
    /// Unsigned 16-bit.
    U16,
    /// Unsigned 32-bit.
    U32,
    /// Unsigned 64-bit.
    U64,
    /// True or false.
    Bool,
    /// A text.
    Text,
    /// An image, kept as PNG in the data table.
    Image,
    /// An image, kept as one frame of a video file.
    Video,
}

impl Dtype {
    const NAMES: [(Self, &str); 14] = [
        (Self::F32, "float32"),
        (Self::F64, "float64"),
        (Self::I8, "int8"),
        (Self::I16, "int16"),
        (Self::I32, "int32"),
        (Self::I64, "int64"),
        (Self::U8, "uint8"),
        (Self::U16, "uint16"),
        (Self::U32, "uint32"),
        (Self::U64, "uint64"),
        (Self::Bool, "bool"),
        (Self::Text, "string"),
        (Self::Image, "image"),
        (Self::Video, "video"),
    ];

    /// The name that info.json uses.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(dtype, _)| *dtype == self).map_or("", |(_, name)| name)
    }

    /// The dtype of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(dtype, _)| *dtype)
    }

    /// How many bytes one number takes; none for what is not a number.
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::I8 | Self::U8 | Self::Bool => Some(1),
            Self::I16 | Self::U16 => Some(2),
            Self::F32 | Self::I32 | Self::U32 => Some(4),
            Self::F64 | Self::I64 | Self::U64 => Some(8),
            Self::Text | Self::Image | Self::Video => None,
        }
    }
}

/// One feature as info.json declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// What one value is.
    pub dtype: Dtype,
    /// Its shape: `[6]` for six joints, `[480, 640, 3]` for an image, `[1]` for a single number.
    pub shape: Vec<u64>,
    /// What the positions are called: a list, a table of lists, or null.
    pub names: Value,
    /// Whatever else is declared, `info` of a video among it, kept as it was found.
    pub extra: Map<String, Value>,
}

impl Feature {
    /// No feature that makes sense has more numbers in one frame.
    const MAX_WIDTH: u64 = 1 << 24;

    /// A vector of numbers with a name for each.
    pub fn vector(dtype: Dtype, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<Value> = names.into_iter().map(|name| Value::String(name.into())).collect();
        Self {
            dtype,
            shape: vec![names.len() as u64],
            names: Value::Array(names),
            extra: Map::new(),
        }
    }

    /// A single number or text.
    pub fn scalar(dtype: Dtype) -> Self {
        Self { dtype, shape: vec![1], names: Value::Null, extra: Map::new() }
    }

    /// A camera of this size, kept as video or as images.
    pub fn camera(dtype: Dtype, width: u32, height: u32) -> Self {
        Self {
            dtype,
            shape: vec![height.into(), width.into(), 3],
            names: Value::from(vec!["height", "width", "channels"]),
            extra: Map::new(),
        }
    }

    /// A camera of this size that sees depth in millimetres, kept as video or as images.
    pub fn depth(dtype: Dtype, width: u32, height: u32) -> Self {
        let mut feature = Self::camera(dtype, width, height);
        feature.shape[2] = 1;
        feature.extra.insert("info".into(), json!({ "is_depth_map": true, "depth_unit": "mm" }));
        feature
    }

    /// Whether this is a camera, however its images are kept.
    pub fn is_camera(&self) -> bool {
        matches!(self.dtype, Dtype::Image | Dtype::Video)
    }

    /// Whether a camera's images are depth rather than colour.
    pub fn is_depth(&self) -> bool {
        let flag = |part, key| {
            let said = self.extra.get(part).and_then(|part: &Value| part.get(key));
            said.and_then(Value::as_bool).unwrap_or(false)
        };
        flag("info", "is_depth_map")
            || flag("info", "video.is_depth_map")
            || flag("video_info", "video.is_depth_map")
    }

    /// What a number of a depth camera's statistics is of a millimetre: LeRobot keeps those of a camera
    /// that gave metres in metres.
    pub fn depth_unit(&self) -> f64 {
        let unit = self.extra.get("info").and_then(|info| info.get("depth_unit"));
        if unit.and_then(Value::as_str) == Some("m") { 0.001 } else { 1.0 }
    }

    /// Says of a depth camera that does not say otherwise that its depth is in millimetres.
    pub fn say_depth_unit(&mut self) {
        if self.is_depth()
            && let Some(Value::Object(info)) = self.extra.get_mut("info")
        {
            info.entry("depth_unit").or_insert_with(|| "mm".into());
        }
    }

    /// Which depth the steps of a depth camera's video stand for; none of other features.
    pub fn depth_scale(&self) -> Option<Result<Scale, String>> {
        (self.dtype == Dtype::Video && self.is_depth()).then(|| Scale::of(self))
    }

    /// How many numbers one frame has of it.
    pub fn width(&self) -> usize {
        usize::try_from(self.shape.iter().product::<u64>()).unwrap_or(usize::MAX)
    }

    /// Width and height of a camera's image. Datasets declare height first, some channels first.
    pub fn image_size(&self) -> Option<(u32, u32)> {
        let [a, b, c] = self.shape[..] else { return None };
        let channels_first = self.names.get(0).and_then(Value::as_str) == Some("channels")
            || self.names.get(0).and_then(Value::as_str) == Some("channel");
        let (height, width) = if channels_first { (b, c) } else { (a, b) };
        Some((u32::try_from(width).ok()?, u32::try_from(height).ok()?))
    }

    /// Reads one entry of info.json's `features`; the text says what is wrong with it.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        let map = value.as_object().ok_or("is not an object")?;
        let dtype = map.get("dtype").and_then(Value::as_str).ok_or("has no dtype")?;
        let dtype = Dtype::from_name(dtype).ok_or_else(|| format!("unknown dtype {dtype:?}"))?;
        let shape = map.get("shape").and_then(Value::as_array).ok_or("has no shape")?;
        let shape: Option<Vec<u64>> = shape.iter().map(Value::as_u64).collect();
        let shape = shape.ok_or("shape must be a list of whole numbers")?;
        let mut extra = map.clone();
        for key in ["dtype", "shape", "names"] {
            extra.shift_remove(key);
        }
        let names = map.get("names").cloned().unwrap_or_default();
        let feature = Self { dtype, shape, names, extra };
        feature.check()?;
        Ok(feature)
    }

    /// Whether the declaration can work; the text says what cannot.
    pub fn check(&self) -> Result<(), String> {
        let width = self.shape.iter().try_fold(1_u64, |all, side| all.checked_mul(*side));
        match width {
            Some(1..=Self::MAX_WIDTH) if (1..=5).contains(&self.shape.len()) => {}
            _ => return Err(format!("shape {:?} cannot be stored", self.shape)),
        }
        if self.is_camera() && self.shape.len() != 3 {
            return Err(format!("a camera's shape has three sides, not {:?}", self.shape));
        }
        if self.dtype == Dtype::Text && self.shape != [1] {
            return Err(format!("a text has shape [1], not {:?}", self.shape));
        }
        Ok(())
    }

    /// The entry as info.json holds it.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("dtype".into(), self.dtype.name().into());
        map.insert("shape".into(), self.shape.clone().into());
        map.insert("names".into(), self.names.clone());
        map.extend(self.extra.clone());
        Value::Object(map)
    }
}
