//! A checkpoint's weights stored in fewer bits, and a word about it in its model card.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

use crate::checkpoint::Tensors;
use crate::error::{Error, Result};

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Single precision, as they are trained.
    F32,
    /// Half floats.
    F16,
    /// The upper half of single precision.
    Bf16,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Converted {
    /// How large the weights were, in bytes.
    pub before: u64,
    /// How large they are now.
    pub after: u64,
    /// How many tensors are stored otherwise.
    pub tensors: usize,
    /// The largest change of a weight, beside the largest weight of its tensor.
    pub change: f32,
}

impl Storage {
    /// Its name on the command line and in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    /// A number as it will be read again, and its bytes.
    fn store(self, number: f32, bytes: &mut Vec<u8>) -> f32 {
        match self {
            Self::F32 => {
                bytes.extend_from_slice(&number.to_le_bytes());
                number
            }
            Self::F16 => {
                let half = f16::from_f32(number);
                bytes.extend_from_slice(&half.to_le_bytes());
                half.to_f32()
            }
            Self::Bf16 => {
                let half = bf16::from_f32(number);
                bytes.extend_from_slice(&half.to_le_bytes());
                half.to_f32()
            }
        }
    }
}

/// Writes a checkpoint anew, with its matrices and convolutions stored so. Whatever else is in the
/// folder is copied; offsets, scales and statistics, which are few, stay in single precision.
pub fn convert(from: &Path, to: &Path, storage: Storage) -> Result<Converted> {
    fs::create_dir_all(to).map_err(Error::io("cannot make", to))?;
    if from.canonicalize().ok() == to.canonicalize().ok() {
        let what = "the converted checkpoint needs a folder of its own".to_owned();
        return Err(Error::Unsupported { what });
    }
    for entry in fs::read_dir(from).map_err(Error::io("cannot read", from))? {
        let path = entry.map_err(Error::io("cannot read", from))?.path();
        let Some(name) = path.file_name().filter(|name| *name != "model.safetensors") else {
            continue;
        };
        if path.is_file() {
            let copy = to.join(name);
            fs::copy(&path, &copy).map_err(Error::io("cannot write", &copy))?;
        }
    }
    let model = to.join("model.safetensors");
    let converted = weights(&from.join("model.safetensors"), &model, storage)?;
    card(&to.join("README.md"), storage, &converted)?;
    Ok(converted)
}

fn weights(from: &Path, to: &Path, storage: Storage) -> Result<Converted> {
    let tensors = Tensors::open(from)?;
    let mut names: Vec<String> = tensors.names().collect();
    names.sort();
    let mut converted = Converted { before: size(from)?, after: 0, tensors: 0, change: 0.0 };
    let mut stored = Vec::with_capacity(names.len());
    for name in names {
        let shape = tensors.shape(&name)?.to_vec();
        if shape.len() < 2 || !tensors.is_float(&name) {
            let (dtype, bytes) = tensors.raw(&name)?;
            stored.push((name, shape, dtype, bytes.to_vec()));
            continue;
        }
        let (bytes, change) = one(&name, &tensors.read(&name)?, storage)?;
        converted.tensors += 1;
        converted.change = converted.change.max(change);
        stored.push((name, shape, storage.dtype(), bytes));
    }
    let unfit = |error: safetensors::SafeTensorError| Error::Malformed {
        what: format!("cannot write: {error}"),
        path: to.to_owned(),
    };
    let views = stored.iter().map(|(name, shape, dtype, bytes)| {
        Ok((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(unfit)?))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let metadata = HashMap::from([
        ("format".to_owned(), "pt".to_owned()),
        ("sinew.weights".to_owned(), storage.name().to_owned()),
        ("sinew.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    serialize_to_file(views, Some(metadata), to).map_err(unfit)?;
    converted.after = size(to)?;
    Ok(converted)
}

/// A tensor's numbers as they are stored, and how far the farthest is from what it was.
fn one(tensor: &str, numbers: &[f32], storage: Storage) -> Result<(Vec<u8>, f32)> {
    let mut bytes = Vec::with_capacity(numbers.len() * 4);
    let (mut farthest, mut largest) = (0.0_f32, 0.0_f32);
    for number in numbers {
        let stored = storage.store(*number, &mut bytes);
        if !stored.is_finite() {
            return Err(Error::Tensor {
                tensor: tensor.to_owned(),
                what: format!("holds {number}, which {} cannot", storage.name()),
            });
        }
        farthest = farthest.max((stored - number).abs());
        largest = largest.max(number.abs());
    }
    Ok((bytes, if largest > 0.0 { farthest / largest } else { 0.0 }))
}

fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(Error::io("cannot read", path))?.len())
}

/// What the entry in a model card begins with; an older one is replaced.
const HEADING: &str = "## Converted weights";

fn card(path: &Path, storage: Storage, converted: &Converted) -> Result<()> {
    let old = fs::read_to_string(path).unwrap_or_else(|_none| {
        "---\nlibrary_name: lerobot\npipeline_tag: robotics\n---\n".to_owned()
    });
    let (before, after) = match old.split_once(HEADING) {
        Some((before, rest)) => (before, rest.find("\n## ").map_or("", |at| &rest[at..])),
        None => (old.as_str(), ""),
    };
    let entry = format!(
        "{HEADING}\n\n`model.safetensors` holds its {} matrices and convolutions as {} ({:.1} MB instead \
         of {:.1} MB); the largest change of a weight is {:.1e} of the largest weight of its tensor. \
         Converted by sinew {}.\n",
        converted.tensors,
        storage.name(),
        converted.after as f64 / 1e6,
        converted.before as f64 / 1e6,
        converted.change,
        env!("CARGO_PKG_VERSION"),
    );
    let text = format!("{}\n\n{entry}{after}", before.trim_end());
    fs::write(path, text).map_err(Error::io("cannot write", path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Storage, convert};
    use crate::checkpoint::{Named, Tensors, write};

    fn named(name: &str, shape: &[usize], numbers: &[f32]) -> Named {
        Named { name: name.to_owned(), shape: shape.to_vec(), numbers: numbers.to_vec() }
    }

    #[test]
    fn matrices_are_stored_in_half_and_offsets_as_they_were() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let weights = [named("a.weight", &[1, 2], &[0.1, -1.0]), named("a.bias", &[1], &[0.1])];
        write(&from.path().join("model.safetensors"), &weights).unwrap();
        fs::write(from.path().join("config.json"), "{}").unwrap();
        fs::write(from.path().join("README.md"), "---\na: b\n---\n# Mine\n\n## Use\n\nso\n")
            .unwrap();
        for storage in [Storage::F16, Storage::Bf16] {
            let converted = convert(from.path(), to.path(), storage).unwrap();
            assert_eq!(converted.tensors, 1);
            assert!(converted.change > 0.0 && converted.change < 4e-3, "{converted:?}");
            let tensors = Tensors::open(&to.path().join("model.safetensors")).unwrap();
            assert_eq!(tensors.read("a.bias").unwrap(), [0.1]);
            let read = tensors.read("a.weight").unwrap();
            assert!(read[0] != 0.1 && (read[0] - 0.1).abs() < 4e-4 && read[1] == -1.0, "{read:?}");
            assert_eq!(fs::read_to_string(to.path().join("config.json")).unwrap(), "{}");
        }
        let card = fs::read_to_string(to.path().join("README.md")).unwrap();
        assert_eq!(card.matches("## Converted weights").count(), 1, "{card}");
        assert!(card.starts_with("---\na: b\n") && card.contains("as bf16"), "{card}");
    }

    #[test]
    fn what_half_floats_cannot_hold_is_named() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&from.path().join("model.safetensors"), &[named("w", &[1, 1], &[1e6])]).unwrap();
        let error = convert(from.path(), to.path(), Storage::F16).unwrap_err().to_string();
        assert_eq!(error, "tensor w: holds 1000000, which f16 cannot");
        assert!(convert(from.path(), from.path(), Storage::Bf16).is_err());
    }
}
