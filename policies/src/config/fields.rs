//! Reading a JSON object field by field, so that every value is checked and what nobody asked for
//! can be told.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// No policy is larger in any one direction.
const LARGEST_SIZE: usize = 1 << 16;

/// A number larger than this as a size is a mistake or an attack.
const LARGEST: u64 = 1 << 31;

/// A type that a field's value can be.
pub(crate) trait Readable: Sized {
    /// What is accepted, for the error.
    const WANTED: &'static str;
    /// The value, if it is one of these.
    fn read(value: &Value) -> Option<Self>;
}

/// A type whose values are words.
pub(crate) trait Word: Copy + 'static {
    /// Every word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
}

/// A JSON object, and which of its fields were asked for.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a Path,
    /// The names around it, each with a dot behind.
    prefix: String,
    asked: RefCell<BTreeSet<&'static str>>,
    assumed: RefCell<Vec<String>>,
}

impl<'a> Fields<'a> {
    /// The fields of an object that stands under this name; `""` for the whole file.
    pub(crate) fn of(value: &'a Value, name: &str, path: &'a Path) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| wrong(name, value, "an object", path))?;
        let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
        let (asked, assumed) = (RefCell::default(), RefCell::default());
        Ok(Self { map, path, prefix, asked, assumed })
    }

    /// Where the object was read from.
    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// A field's value; `null` counts as one.
    pub(crate) fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(name);
        self.map.get(name)
    }

    /// A field that has to be there.
    pub(crate) fn need<T: Readable>(&self, name: &'static str) -> Result<T> {
        let value = self.get(name).ok_or_else(|| self.error(name, "is missing".to_owned()))?;
        T::read(value).ok_or_else(|| wrong(&self.full(name), value, T::WANTED, self.path))
    }

    /// A field that may be absent, with what stands for it then.
    pub(crate) fn or<T: Readable>(&self, name: &'static str, default: T) -> Result<T> {
        if self.get(name).is_none() {
            self.assumed.borrow_mut().push(self.full(name));
            return Ok(default);
        }
        self.need(name)
    }

    /// A size that may be absent, that is at least 1, and no greater than memory can be asked for
    /// before the weights have been looked at.
    pub(crate) fn size(&self, name: &'static str, default: usize) -> Result<usize> {
        match self.or(name, default)? {
            0 => Err(self.error(name, "0 is too small; at least 1 is needed".to_owned())),
            size if size > LARGEST_SIZE => Err(self
                .error(name, format!("{size} is too large; at most {LARGEST_SIZE} is accepted"))),
            size => Ok(size),
        }
    }

    /// A number that may be absent, from the one of these to the other.
    pub(crate) fn within(&self, name: &'static str, default: f64, most: [f64; 2]) -> Result<f64> {
        let value = self.or(name, default)?;
        let [least, most] = most;
        match (least..=most).contains(&value) {
            true => Ok(value),
            false => {
                let most =
                    if most == f64::MAX { "or more".to_owned() } else { format!("to {most}") };
                Err(self.error(name, format!("{value} is not accepted; accepted: {least} {most}")))
            }
        }
    }

    /// One word of several, which may be absent.
    pub(crate) fn word<T: Word>(&self, name: &'static str, default: T) -> Result<T> {
        match self.get(name) {
            None => {
                self.assumed.borrow_mut().push(self.full(name));
                Ok(default)
            }
            Some(value) => word(value, &self.full(name), self.path),
        }
    }

    /// Fields that are known and mean nothing here.
    pub(crate) fn ignore(&self, names: &[&'static str]) {
        self.asked.borrow_mut().extend(names);
    }

    /// The error that this field is not as it should be.
    pub(crate) fn error(&self, name: &str, what: String) -> Error {
        Error::Field { field: self.full(name), what, path: self.path.to_owned() }
    }

    /// The fields that nobody asked for.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        let unknown = self.map.keys().filter(|name| !asked.contains(name.as_str()));
        unknown.map(|name| self.full(name)).collect()
    }

    /// The fields that were absent and for which a default stands.
    pub(crate) fn assumed(&self) -> Vec<String> {
        self.assumed.borrow().clone()
    }

    /// What to tell of the fields that nobody asked for.
    pub(crate) fn odd(&self) -> impl Iterator<Item = String> + use<> {
        let unknown = self.unknown().into_iter();
        unknown.map(|name| format!("{name} is not known and has no effect"))
    }

    /// A field's name with the names around it.
    pub(crate) fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// A word's meaning, or the error that says which words there are.
pub(crate) fn word<T: Word>(value: &Value, field: &str, path: &Path) -> Result<T> {
    let found = T::WORDS.iter().find(|(word, _)| value.as_str() == Some(word));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        wrong(field, value, &words.join(", "), path)
    })
}

/// The error for a value that is not one of the accepted.
pub(crate) fn wrong(field: &str, value: &Value, accepted: &str, path: &Path) -> Error {
    let mut found = value.to_string();
    if let Some((cut, _)) = found.char_indices().nth(60) {
        found.truncate(cut);
        found.push('…');
    }
    let field = if field.is_empty() { "the whole file" } else { field };
    let what = format!("{found} is not accepted; accepted: {accepted}");
    Error::Field { field: field.to_owned(), what, path: path.to_owned() }
}

impl Readable for usize {
    const WANTED: &'static str = "a whole number from 0 to 2147483648";
    fn read(value: &Value) -> Option<Self> {
        // Python's JSON has 8 and 8.0, and some tools write the one for the other.
        let whole = |float: f64| (float.fract() == 0.0 && float >= 0.0).then_some(float as u64);
        let number = value.as_u64().or_else(|| value.as_f64().and_then(whole))?;
        (number <= LARGEST).then_some(number as Self)
    }
}

impl Readable for f64 {
    const WANTED: &'static str = "a number";
    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }
}

impl Readable for bool {
    const WANTED: &'static str = "true, false";
    fn read(value: &Value) -> Option<Self> {
        // ACT's replace_final_stride_with_dilation is declared an integer whose default is False.
        value.as_bool().or_else(|| value.as_u64().map(|number| number != 0))
    }
}

impl Readable for String {
    const WANTED: &'static str = "a text";
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(ToOwned::to_owned)
    }
}

impl Readable for [usize; 2] {
    const WANTED: &'static str = "a pair of whole numbers";
    fn read(value: &Value) -> Option<Self> {
        Vec::<usize>::read(value)?.try_into().ok()
    }
}

impl<T: Readable> Readable for Vec<T> {
    const WANTED: &'static str = "a list";
    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::read).collect()
    }
}

impl<T: Readable> Readable for Option<T> {
    const WANTED: &'static str = T::WANTED;
    fn read(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value).map(Some) }
    }
}
