//! The weights of a checkpoint: `model.safetensors`, mapped into memory and never copied whole.

mod stored;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::UNIX_EPOCH;

use memmap2::{Mmap, UncheckedAdvice};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView, serialize_to_file};
use serde_json::{Value, json};
pub use stored::scales_of;
use stored::{SCALES, numbers, scaled};

use crate::error::{Error, Result};
use crate::kept::Kept;
use crate::kernels::slab::{Held, Slab};

/// The tensors of one safetensors file. Remembers which were asked for, so that the ones which
/// nobody needed can be told.
pub struct Tensors {
    map: Mmap,
    /// Where the numbers begin.
    data: usize,
    header: Metadata,
    asked: Mutex<BTreeSet<String>>,
    path: PathBuf,
    /// Whether what the system is given back of the map comes back from a file.
    on_disk: bool,
    kept: Option<Kept>,
    /// Packed weights that somebody holds, by their keys.
    held: Mutex<BTreeMap<String, Shared>>,
}

/// What one makes and the others wait for.
type Shared = Arc<Mutex<Weak<Held>>>;

/// From one looked-at piece of a file to the next one, and how much of each is looked at.
const SAMPLES: [usize; 2] = [1 << 20, 4 << 10];

impl Tensors {
    /// Opens a safetensors file and checks its header: lengths, bounds and overlaps.
    pub fn open(path: &Path) -> Result<Self> {
        crate::folder::insist_on_a_file(path)?;
        let file = File::open(path).map_err(Error::io("cannot open", path))?;
        // SAFETY: the file is read only through this map. Another process that cuts it off while it
        // is mapped makes the system end ours, as with every mapped file.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("cannot map", path))?;
        Self::over(map, path, true)
    }

    /// The same over memory that holds what such a file does.
    pub(crate) fn in_memory(map: Mmap, name: &Path) -> Result<Self> {
        Self::over(map, name, false)
    }

    fn over(map: Mmap, path: &Path, on_disk: bool) -> Result<Self> {
        let (length, header) = SafeTensors::read_metadata(&map)
            .map_err(|error| Error::Malformed { what: error.to_string(), path: path.to_owned() })?;
        let data = length + size_of::<u64>();
        Ok(Self {
            map,
            data,
            header,
            asked: Mutex::default(),
            path: path.to_owned(),
            on_disk,
            kept: None,
            held: Mutex::default(),
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a tensor of this name. Does not count as asking for it.
    #[must_use]
    pub fn contains(&self, tensor: &str) -> bool {
        self.header.info(tensor).is_some()
    }

    /// The names of all tensors; scales belong to what they scale.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.header.tensors().into_keys().filter(|name| !name.ends_with(SCALES))
    }

    /// The names that nobody asked for.
    #[must_use]
    pub fn left_over(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left: Vec<_> = self.names().filter(|name| !asked.contains(name)).collect();
        left.sort();
        left
    }

    /// How large a tensor is.
    pub fn shape(&self, tensor: &str) -> Result<&[usize]> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(tensor.to_owned());
        drop(asked);
        let info = self.header.info(tensor);
        info.map(|info| info.shape.as_slice())
            .ok_or_else(|| Error::NoTensor { tensor: tensor.to_owned() })
    }

    /// How large a tensor of so many dimensions is.
    pub fn dims<const N: usize>(&self, tensor: &str) -> Result<[usize; N]> {
        let shape = self.shape(tensor)?;
        shape.try_into().map_err(|_wrong| Error::Shape {
            tensor: tensor.to_owned(),
            found: shape.to_vec(),
            wanted: format!("a tensor of {N} dimensions"),
        })
    }

    /// Insists on a shape.
    pub fn expect(&self, tensor: &str, wanted: &[usize]) -> Result<()> {
        let found = self.shape(tensor)?;
        match found == wanted {
            true => Ok(()),
            false => Err(Error::Shape {
                tensor: tensor.to_owned(),
                found: found.to_vec(),
                wanted: format!("{wanted:?}"),
            }),
        }
    }

    /// A tensor's numbers, whatever they are stored as; an error where one is no number.
    pub fn read(&self, tensor: &str) -> Result<Vec<f32>> {
        let numbers = self.view(tensor)?.into_owned();
        self.release(tensor);
        Ok(numbers)
    }

    /// The same, in the file's memory where they are stored as they are needed.
    pub fn view(&self, tensor: &str) -> Result<Cow<'_, [f32]>> {
        self.shape(tensor)?;
        let info = self
            .header
            .info(tensor)
            .ok_or_else(|| Error::NoTensor { tensor: tensor.to_owned() })?;
        let wrong = |what: String| Error::Tensor { tensor: tensor.to_owned(), what };
        let bytes = self.stored(info.data_offsets);
        let numbers = match info.dtype {
            Dtype::I8 => Some(Cow::Owned(scaled(bytes, &self.scales(tensor)?))),
            dtype => numbers(dtype, bytes),
        };
        let numbers = numbers.ok_or_else(|| {
            let kinds = "F32, F16, BF16, F64 and I8 with scales";
            wrong(format!("is stored as {:?}, and only {kinds} are read", info.dtype))
        })?;
        // The exponent of what is no number is all ones. Looking for the greatest is quick; where
        // the broken one is, matters only if there is one.
        let greatest =
            numbers.iter().fold(0, |most, number| (number.abs().to_bits() as i32).max(most));
        let broken = || numbers.iter().position(|number| !number.is_finite());
        match (greatest >= f32::INFINITY.to_bits() as i32).then(broken).flatten() {
            None => Ok(numbers),
            Some(at) => {
                let found = numbers[at];
                Err(wrong(format!("holds {found} at {at}, which nothing can be computed with")))
            }
        }
    }

    /// What the rows of a tensor of small whole numbers are multiplied by.
    fn scales(&self, tensor: &str) -> Result<Vec<f32>> {
        let rows = self.shape(tensor)?.first().copied().unwrap_or_default();
        let name = scales_of(tensor);
        let scales = self.header.info(&name).filter(|info| info.dtype == Dtype::F32);
        let wrong = |what: String| Error::Tensor { tensor: tensor.to_owned(), what };
        let scales = scales.and_then(|info| numbers(info.dtype, self.stored(info.data_offsets)));
        let scales = scales.ok_or_else(|| wrong(format!("is I8, and {name} is not there")))?;
        if scales.len() != rows {
            return Err(wrong(format!("has {rows} rows, and {name} has {} numbers", scales.len())));
        }
        match scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            Some(scale) => Err(wrong(format!("holds a scale of {scale} in {name}"))),
            None => Ok(scales.into_owned()),
        }
    }

    /// Lets the system have a tensor's memory back; it is read from the file again if need be.
    pub fn release(&self, tensor: &str) {
        if let Some(info) = self.header.info(tensor).filter(|_| self.on_disk) {
            let (from, to) = info.data_offsets;
            // SAFETY: the map is of a file and is never written, so that what is dropped comes back
            // as it was. It is only advice: whether it is taken does not matter.
            let _taken = unsafe {
                self.map.unchecked_advise_range(
                    UncheckedAdvice::DontNeed,
                    self.data + from,
                    to - from,
                )
            };
        }
    }

    /// From now on keeps packed weights in a folder, or finds them there. `how` is whatever else
    /// their form depends on.
    pub(crate) fn keep(&mut self, folder: &Path, how: &str) {
        let path = self.path.canonicalize().unwrap_or_else(|_gone| self.path.clone());
        let names = path.iter().rev().filter_map(|name| name.to_str());
        let mut names = names.filter(|name| *name != "pretrained_model").skip(1);
        let stem = format!("{}-{}", names.next().unwrap_or("policy"), how.replace(' ', "-"));
        let hash = crc32fast::hash(path.as_os_str().as_encoded_bytes());
        let source = self.source(&path, how);
        self.kept = Some(Kept::open(folder, &format!("{stem}-{hash:08x}"), source));
    }

    /// What tells this file from what it was before: its size and age, all of its header, and some
    /// of its numbers from everywhere. Reading all of them would take as long as packing them.
    fn source(&self, path: &Path, how: &str) -> Value {
        let [every, some] = SAMPLES;
        let mut sum = crc32fast::Hasher::new();
        sum.update(&self.map[..self.data]);
        self.map[self.data..].chunks(every).for_each(|piece| {
            sum.update(&piece[..some.min(piece.len())]);
        });
        let modified = path.metadata().and_then(|about| about.modified()).ok();
        let modified = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        json!({
            "path": path.to_string_lossy(),
            "size": self.map.len(),
            "modified_ns": modified.map(|at| at.as_nanos().to_string()),
            "sum": sum.finalize(),
            "how": how,
            "version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// A tensor's weights in the form that a key describes: as another part of the network holds
    /// them, from the file in which they are kept, or made of its numbers.
    pub(crate) fn packed(
        &self,
        tensor: &str,
        key: &str,
        size: usize,
        make: impl FnOnce(&[f32]) -> Result<Slab>,
    ) -> Result<Arc<Held>> {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = all.entry(key.to_owned()).or_default().clone();
        drop(all);
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = shared.upgrade() {
            return Ok(held);
        }
        let held = Arc::new(self.found_or_made(tensor, key, size, make)?);
        *shared = Arc::downgrade(&held);
        Ok(held)
    }

    fn found_or_made(
        &self,
        tensor: &str,
        key: &str,
        size: usize,
        make: impl FnOnce(&[f32]) -> Result<Slab>,
    ) -> Result<Held> {
        if let Some(held) = self.kept.as_ref().and_then(|kept| kept.get(key, size)) {
            return Ok(held);
        }
        let mut slab = make(&self.view(tensor)?)?;
        self.release(tensor);
        if let Some(kept) = &self.kept {
            kept.put(key, &slab.numbers::<u8>()[..size]);
        }
        Ok(slab.into())
    }

    /// To be called when all weights have been packed. Says why where they could not be kept.
    pub(crate) fn finish(&mut self) -> Option<String> {
        self.kept.take().and_then(Kept::finish)
    }

    /// A tensor's bytes, where it is one of bytes.
    pub fn bytes(&self, tensor: &str) -> Result<&[u8]> {
        match self.raw(tensor)? {
            (Dtype::U8, bytes) => Ok(bytes),
            _ => Err(Error::Tensor {
                tensor: tensor.to_owned(),
                what: "is no tensor of bytes".to_owned(),
            }),
        }
    }

    /// A tensor's whole numbers, which count something: few enough to be told apart as they are here.
    pub fn choices(&self, tensor: &str) -> Result<Vec<f32>> {
        match self.raw(tensor)? {
            (Dtype::I64, bytes) => {
                let (numbers, _) = bytes.as_chunks::<8>();
                Ok(numbers.iter().map(|bytes| i64::from_le_bytes(*bytes) as f32).collect())
            }
            _ => Err(Error::Tensor {
                tensor: tensor.to_owned(),
                what: "is no tensor of whole numbers".to_owned(),
            }),
        }
    }

    /// Whether a tensor's numbers are floating.
    #[must_use]
    pub fn is_float(&self, tensor: &str) -> bool {
        let info = self.header.info(tensor);
        let floats = [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F64];
        let scaled =
            |info: &TensorInfo| info.dtype == Dtype::I8 && self.contains(&scales_of(tensor));
        info.is_some_and(|info| floats.contains(&info.dtype) || scaled(info))
    }

    /// How a tensor is stored.
    pub fn raw(&self, tensor: &str) -> Result<(Dtype, &[u8])> {
        self.shape(tensor)?;
        let info = self.header.info(tensor);
        info.map(|info| (info.dtype, self.stored(info.data_offsets)))
            .ok_or_else(|| Error::NoTensor { tensor: tensor.to_owned() })
    }

    /// How many bytes the tensors are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.map.len()
    }

    // read_metadata has checked that the offsets lie in the file and fit shape and type.
    fn stored(&self, (from, to): (usize, usize)) -> &[u8] {
        self.map.get(self.data + from..self.data + to).unwrap_or_default()
    }
}

/// A tensor that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its lengths.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub numbers: Vec<f32>,
}

/// Writes tensors to a safetensors file, as f32.
pub fn write(path: &Path, tensors: &[Named]) -> Result<()> {
    let malformed = |what: String| Error::Malformed {
        what: format!("cannot write: {what}"),
        path: path.to_owned(),
    };
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| tensor.numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        view.map(|view| (&tensor.name, view)).map_err(|error| malformed(error.to_string()))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    serialize_to_file(views, None, path).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::graph::weights::tensors;
    use crate::kernels::slab::Slab;

    #[test]
    fn what_two_parts_of_a_network_pack_alike_is_there_once() {
        let tensors = tensors(&[("w", &[4, 4])]);
        let pack = |key| tensors.packed("w", key, 64, |_| Ok(Slab::bytes(64))).unwrap();
        let (first, second, other) = (pack("a"), pack("a"), pack("b"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &other));
        drop((first, second));
        assert_eq!(Arc::strong_count(&pack("a")), 1, "nobody else keeps it");
    }
}
