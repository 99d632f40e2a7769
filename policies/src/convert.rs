//! A checkpoint's weights stored in fewer bits, and a word about it in its model card.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

use crate::checkpoint::{Tensors, scales_of};
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
    /// Whole numbers of eight bits, with a scale for each row. LeRobot reads no such file.
    Int8,
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

/// A tensor as it goes into the file.
struct Stored {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: Vec<u8>,
}

impl Storage {
    /// Its name on the command line and in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Whether LeRobot reads what is stored so.
    #[must_use]
    pub fn is_lerobots(self) -> bool {
        self != Self::Int8
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
            Self::Int8 => Dtype::I8,
        }
    }

    /// A number as it will be read again, and its bytes; it is scaled where whole numbers are stored.
    fn store(self, number: f32, scale: f32, bytes: &mut Vec<u8>) -> f32 {
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
            Self::Int8 => {
                let whole = (number / scale).round().clamp(-MOST, MOST) as i8;
                bytes.extend_from_slice(&whole.to_le_bytes());
                f32::from(whole) * scale
            }
        }
    }
}

/// The largest of the whole numbers, on either side of zero.
const MOST: f32 = 127.0;

/// Writes a checkpoint anew, with its matrices and convolutions stored so. Whatever else is in the
/// folder is copied; offsets, scales and statistics, which are few, stay in single precision. Weights that
/// cannot be stored so leave no folder behind.
pub fn convert(from: &Path, to: &Path, storage: Storage) -> Result<Converted> {
    if to.exists() && from.canonicalize().ok() == to.canonicalize().ok() {
        let what = "the converted checkpoint needs a folder of its own".to_owned();
        return Err(Error::Unsupported { what });
    }
    let source = from.join("model.safetensors");
    let (stored, tensors, change) = stored(&source, storage)?;
    fs::create_dir_all(to).map_err(Error::io("cannot make", to))?;
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
    write(&model, stored, storage)?;
    Ok(Converted { before: size(&source)?, after: size(&model)?, tensors, change })
}

/// All tensors as they will be stored, how many of them otherwise than they were, and the largest change.
fn stored(from: &Path, storage: Storage) -> Result<(Vec<Stored>, usize, f32)> {
    let tensors = Tensors::open(from)?;
    let mut names: Vec<String> = tensors.names().collect();
    names.sort();
    let (mut all, mut count, mut change) = (Vec::with_capacity(names.len()), 0, 0.0_f32);
    for name in names {
        let shape = tensors.shape(&name)?.to_vec();
        if shape.len() < 2 || !tensors.is_float(&name) {
            let (dtype, bytes) = tensors.raw(&name)?;
            all.push(Stored { name, shape, dtype, bytes: bytes.to_vec() });
            continue;
        }
        let rows = shape.first().copied().unwrap_or_default();
        let (bytes, scales, changed) = one(&name, &tensors.read(&name)?, rows, storage)?;
        count += 1;
        change = change.max(changed);
        if storage == Storage::Int8 {
            let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
            let (name, shape) = (scales_of(&name), vec![scales.len()]);
            all.push(Stored { name, shape, dtype: Dtype::F32, bytes });
        }
        all.push(Stored { name, shape, dtype: storage.dtype(), bytes });
    }
    Ok((all, count, change))
}

fn write(to: &Path, stored: Vec<Stored>, storage: Storage) -> Result<()> {
    let unfit = |error: safetensors::SafeTensorError| Error::Malformed {
        what: format!("cannot write: {error}"),
        path: to.to_owned(),
    };
    let views = stored.iter().map(|Stored { name, shape, dtype, bytes }| {
        Ok((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(unfit)?))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let metadata = HashMap::from([
        ("format".to_owned(), "pt".to_owned()),
        ("sinew.weights".to_owned(), storage.name().to_owned()),
        ("sinew.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    // Whole or not at all.
    let part = to.with_extension("safetensors.part");
    serialize_to_file(views, Some(metadata), &part).map_err(unfit)?;
    let synced = fs::File::open(&part).and_then(|file| file.sync_all());
    synced.map_err(Error::io("cannot write", &part))?;
    fs::rename(&part, to).map_err(Error::io("cannot write", to))?;
    let folder = to.parent().unwrap_or(Path::new("."));
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io("cannot write", folder))
}

/// A tensor's numbers as they are stored, its rows' scales, and how far the farthest is from what it was.
fn one(
    tensor: &str,
    numbers: &[f32],
    rows: usize,
    storage: Storage,
) -> Result<(Vec<u8>, Vec<f32>, f32)> {
    let mut bytes = Vec::with_capacity(numbers.len() * 4);
    let mut scales = Vec::with_capacity(rows);
    let (mut farthest, mut largest) = (0.0_f32, 0.0_f32);
    // Rows may be there, and have nothing in them.
    let width = numbers.len() / rows.max(1);
    for row in (0..rows).filter_map(|row| numbers.get(row * width..(row + 1) * width)) {
        let most = row.iter().fold(0.0, |most: f32, number| most.max(number.abs()));
        let scale = if most > 0.0 { (most / MOST).max(f32::MIN_POSITIVE) } else { 1.0 };
        scales.push(scale);
        largest = largest.max(most);
        for number in row {
            let stored = storage.store(*number, scale, &mut bytes);
            if !stored.is_finite() {
                return Err(Error::Tensor {
                    tensor: tensor.to_owned(),
                    what: format!("holds {number}, which {} cannot", storage.name()),
                });
            }
            farthest = farthest.max((stored - number).abs());
        }
    }
    Ok((bytes, scales, if largest > 0.0 { farthest / largest } else { 0.0 }))
}

fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(Error::io("cannot read", path))?.len())
}

/// What the entry in a model card begins with; an older one is replaced.
const HEADING: &str = "## Converted weights";

/// Says in a converted checkpoint's model card what became of its weights, and how far its actions are off
/// where that was measured.
pub fn describe(
    folder: &Path,
    storage: Storage,
    converted: &Converted,
    off: Option<&str>,
) -> Result<()> {
    let path = &folder.join("README.md");
    let old = fs::read_to_string(path).unwrap_or_else(|_none| {
        "---\nlibrary_name: lerobot\npipeline_tag: robotics\n---\n".to_owned()
    });
    let (before, after) = match old.split_once(HEADING) {
        Some((before, rest)) => (before, rest.find("\n## ").map_or("", |at| &rest[at..])),
        None => (old.as_str(), ""),
    };
    let entry = format!(
        "{HEADING}\n\n`model.safetensors` holds its {} matrices and convolutions as {} ({:.1} MB instead \
         of {:.1} MB); the largest change of a weight is {:.1e} of the largest weight of its tensor.{}{} \
         Converted by sinew {}.\n",
        converted.tensors,
        storage.name(),
        converted.after as f64 / 1e6,
        converted.before as f64 / 1e6,
        converted.change,
        off.map(|off| format!(" The {off}.")).unwrap_or_default(),
        if storage.is_lerobots() { "" } else { " Sinew reads it, and LeRobot does not." },
        env!("CARGO_PKG_VERSION"),
    );
    let text = format!("{}\n\n{entry}{after}", before.trim_end());
    fs::write(path, text).map_err(Error::io("cannot write", path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Dtype, Storage, TensorView, convert, describe};
    use crate::checkpoint::{Named, Tensors, scales_of, write};

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
            describe(to.path(), storage, &converted, Some("actions are off by 3")).unwrap();
        }
        let card = fs::read_to_string(to.path().join("README.md")).unwrap();
        assert_eq!(card.matches("## Converted weights").count(), 1, "{card}");
        assert!(card.starts_with("---\na: b\n") && card.contains("as bf16"), "{card}");
        assert!(card.contains("The actions are off by 3.") && !card.contains("does not"), "{card}");
    }

    #[test]
    fn rows_become_small_whole_numbers_and_are_the_same_when_they_do_so_again() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let again = tempfile::tempdir().unwrap();
        let rows = [0.1, -1.0, 0.5, 0.0, 0.0, 0.0, 3e-3, 1e-3, -2e-3];
        let weights = [
            named("a.weight", &[3, 3], &rows),
            named("a.bias", &[3], &[0.1, 0.2, 0.3]),
            named("none", &[2, 0], &[]),
        ];
        write(&from.path().join("model.safetensors"), &weights).unwrap();
        let converted = convert(from.path(), to.path(), Storage::Int8).unwrap();
        assert_eq!(converted.tensors, 2);
        let tensors = Tensors::open(&to.path().join("model.safetensors")).unwrap();
        assert_eq!(tensors.read("none").unwrap(), [0.0; 0]);
        let mut names: Vec<_> = tensors.names().collect();
        names.sort();
        assert_eq!(names, ["a.bias", "a.weight", "none"], "scales are no weights of their own");
        assert_eq!(tensors.read("a.bias").unwrap(), [0.1, 0.2, 0.3]);
        let read = tensors.read("a.weight").unwrap();
        for (at, (read, number)) in read.iter().zip(rows).enumerate() {
            let most = [1.0, 0.0, 3e-3][at / 3];
            assert!((read - number).abs() <= most / 254.0 * 1.001, "{at}: {read} of {number}");
        }
        convert(to.path(), again.path(), Storage::Int8).unwrap();
        let same = Tensors::open(&again.path().join("model.safetensors")).unwrap();
        let twice = same.read("a.weight").unwrap();
        let off = twice.iter().zip(&read).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-7, "{twice:?} of {read:?}");
        describe(to.path(), Storage::Int8, &converted, None).unwrap();
        let card = fs::read_to_string(to.path().join("README.md")).unwrap();
        assert!(card.contains("LeRobot does not"), "{card}");
    }

    #[test]
    fn small_whole_numbers_without_scales_that_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let told = |scales: Option<&[f32]>| {
            let whole = TensorView::new(Dtype::I8, vec![2, 2], &[1, 2, 3, 4]).unwrap();
            let bytes: Vec<u8> =
                scales.iter().flat_map(|all| all.iter()).flat_map(|x| x.to_le_bytes()).collect();
            let mut views = vec![("w".to_owned(), whole)];
            if let Some(scales) = scales {
                let view = TensorView::new(Dtype::F32, vec![scales.len()], &bytes).unwrap();
                views.push((scales_of("w"), view));
            }
            fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
            Tensors::open(&path).unwrap().read("w").map_err(|error| error.to_string())
        };
        assert_eq!(told(Some(&[1.0, 0.5])), Ok(vec![1.0, 2.0, 1.5, 2.0]));
        for (scales, wanted) in [
            (None, "tensor w: is I8, and w.sinew_scales is not there"),
            (Some(&[1.0][..]), "tensor w: has 2 rows, and w.sinew_scales has 1 numbers"),
            (Some(&[1.0, 0.0]), "tensor w: holds a scale of 0 in w.sinew_scales"),
            (Some(&[f32::NAN, 1.0]), "tensor w: holds a scale of NaN in w.sinew_scales"),
        ] {
            assert_eq!(told(scales).unwrap_err(), wanted);
        }
    }

    #[test]
    fn weights_that_cannot_be_stored_so_leave_no_folder() {
        let (from, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let to = beside.path().join("new");
        write(&from.path().join("model.safetensors"), &[named("w", &[1, 1], &[f32::NAN])]).unwrap();
        fs::write(from.path().join("config.json"), "{}").unwrap();
        for storage in [Storage::F16, Storage::Int8] {
            assert!(convert(from.path(), &to, storage).is_err());
            assert!(!to.exists());
        }
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
