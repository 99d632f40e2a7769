//! A TOML table read key by key, so that every complaint can name its line and its key.

use std::cell::Cell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SpecError;

/// Where a file's text came from and the text itself, for turning offsets into lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl Source<'_> {
    /// The complaint about what stands at `offset`.
    pub fn error(&self, offset: usize, key: &str, message: impl Into<String>) -> SpecError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        SpecError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
            key: key.to_owned(),
            message: message.into(),
        }
    }
}

/// A value with its key's full name and its place.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    source: Source<'a>,
    pub key: String,
    offset: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    pub fn error(&self, message: impl Into<String>) -> SpecError {
        self.source.error(self.offset, &self.key, message)
    }

    fn wrong(&self, wanted: &str) -> SpecError {
        self.error(format!("wants {wanted}, not {}", article(self.value.type_str())))
    }

    pub fn string(&self) -> Result<&'a str, SpecError> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    pub fn boolean(&self) -> Result<bool, SpecError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// A whole number of at least `min` and at most `max`.
    pub fn integer(&self, min: i64, max: i64) -> Result<i64, SpecError> {
        let integer = self.value.as_integer().ok_or_else(|| self.wrong("a whole number"))?;
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(self.error(format!("{integer} is not within {min} to {max}"))),
        }
    }

    /// A finite number of at least `min` and at most `max`.
    pub fn number(&self, min: f64, max: f64) -> Result<f64, SpecError> {
        let text = match self.value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => return Err(self.wrong("a number")),
        };
        match text.parse::<f64>() {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(self.error(format!("{text} is not within {min} to {max}"))),
        }
    }

    pub fn array(&self) -> Result<Vec<Entry<'a>>, SpecError> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("an array"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, item)| Entry {
                source: self.source,
                key: format!("{}[{index}]", self.key),
                offset: item.span().start,
                value: item.get_ref(),
            })
            .collect())
    }

    pub fn table(&self) -> Result<Table<'a>, SpecError> {
        let rows = self.value.as_table().ok_or_else(|| self.wrong("a table"))?;
        Ok(Table::new(self.source, format!("{}.", self.key), self.offset, rows))
    }
}

/// A table whose keys are taken one by one; what is left over at the end is a mistake.
pub(super) struct Table<'a> {
    source: Source<'a>,
    prefix: String,
    offset: usize,
    rows: Vec<(&'a str, Cell<bool>, Entry<'a>)>,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// The file's outermost table.
    pub fn root(source: Source<'a>, root: &'a Spanned<DeTable<'a>>) -> Self {
        Self::new(source, String::new(), root.span().start, root.get_ref())
    }

    fn new(source: Source<'a>, prefix: String, offset: usize, table: &'a DeTable<'a>) -> Self {
        let mut rows: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let name = key.get_ref().as_ref();
                let entry = Entry {
                    source,
                    key: format!("{prefix}{name}"),
                    offset: key.span().start,
                    value: value.get_ref(),
                };
                (name, Cell::new(false), entry)
            })
            .collect();
        // The order of the file is the order in which settings are applied.
        rows.sort_by_key(|row| row.2.offset);
        Self { source, prefix, offset, rows, asked: Vec::new() }
    }

    /// The value of `key`, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.asked.push(key);
        let row = self.rows.iter().find(|row| row.0 == key)?;
        row.1.set(true);
        Some(row.2.clone())
    }

    /// The value of `key`, which must be there.
    pub fn need(&mut self, key: &'static str) -> Result<Entry<'a>, SpecError> {
        self.take(key).ok_or_else(|| self.error(key, "is missing"))
    }

    /// A complaint about this table.
    pub fn error(&self, key: &str, message: impl Into<String>) -> SpecError {
        self.source.error(self.offset, &format!("{}{key}", self.prefix), message)
    }

    /// The tables under `key`, written as `[[key]]`.
    pub fn tables(&mut self, key: &'static str) -> Result<Vec<Table<'a>>, SpecError> {
        let Some(entry) = self.take(key) else { return Ok(Vec::new()) };
        entry.array()?.iter().map(Entry::table).collect()
    }

    /// Everything in it, in the order of the file.
    pub fn into_entries(self) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
        self.rows.into_iter().map(|(name, _, entry)| (name, entry))
    }

    /// Complains of the first key that nobody asked for.
    pub fn finish(self) -> Result<(), SpecError> {
        let Some((name, _, entry)) = self.rows.iter().find(|row| !row.1.get()) else {
            return Ok(());
        };
        Err(entry.error(match nearest(name, &self.asked) {
            Some(near) => format!("is not a key of this table; did you mean `{near}`?"),
            None => format!("is not a key of this table, which knows {}", self.asked.join(", ")),
        }))
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// The word of `known` that `typed` most likely meant.
pub(super) fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|word| (distance(typed, word), *word)).min()?;
    (near.0 <= 2.max(typed.len() / 3)).then_some(near.1)
}

/// How many letters must be added, dropped or changed to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&to) {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
