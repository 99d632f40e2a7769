//! Lists and tables as they are typed: `0,2,5-7`, or in LeRobot's way `[0, 2, 5]` and `{a: 1}`.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_yaml_ng::Value;

/// Numbers of episodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episodes(pub Vec<u64>);

impl FromStr for Episodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
        let mut episodes = Vec::new();
        for part in inner.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let number = |text: &str| {
                text.trim().parse::<u64>().map_err(|_error| format!("{text:?} is no episode"))
            };
            match part.split_once('-') {
                Some((from, to)) => match (number(from)?, number(to)?) {
                    (from, to) if from <= to && to - from < 1 << 20 => episodes.extend(from..=to),
                    _ => return Err(format!("{part:?} is no range of episodes")),
                },
                None => episodes.push(number(part)?),
            }
        }
        match episodes.is_empty() {
            true => Err("name at least one episode".into()),
            false => Ok(Self(episodes)),
        }
    }
}

/// Names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('[') {
            return serde_yaml_ng::from_str(text).map(Self).map_err(|error| error.to_string());
        }
        Ok(Self(text.split(',').map(|name| name.trim().to_owned()).collect()))
    }
}

/// Keys with a value each: `{a: 1, "b": 2}`, or a single `a=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table(pub Vec<(String, String)>);

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            let pair = text.split_once('=').ok_or_else(|| format!("{text:?} has no ="))?;
            return Ok(Self(vec![(pair.0.trim().to_owned(), pair.1.trim().to_owned())]));
        }
        let map: serde_yaml_ng::Mapping =
            serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
        let pair = |(key, value): (&Value, &Value)| Ok((word(key)?, word(value)?));
        map.iter().map(pair).collect::<Result<_, String>>().map(Self)
    }
}

/// A value as it would be typed by itself.
fn word(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Sequence(items) => {
            let items: Result<Vec<String>, String> = items.iter().map(word).collect();
            Ok(format!("[{}]", items?.join(",")))
        }
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("{other:?} is neither a text, a number nor a list")),
    }
}

/// The keys of several tables in one; the last of a key counts.
pub fn joined(tables: &[Table]) -> BTreeMap<String, String> {
    tables.iter().flat_map(|table| table.0.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_are_listed_in_both_ways() {
        let list = |text: &str| text.parse::<Episodes>().map(|list| list.0);
        assert_eq!(list("0,2, 5-7").unwrap(), [0, 2, 5, 6, 7]);
        assert_eq!(list("[0, 2, 5]").unwrap(), [0, 2, 5]);
        for wrong in ["", "[]", "a", "3-1", "-1", "0-99999999999"] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_are_written_in_both_ways() {
        let table = |text: &str| text.parse::<Table>().unwrap().0;
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(table("train=0.8"), [pair("train", "0.8")]);
        assert_eq!(table("{train: 0.8, 'val': 0.2}"), [pair("train", "0.8"), pair("val", "0.2")]);
        assert_eq!(table("{train: [0, 1], 2: x}"), [pair("train", "[0,1]"), pair("2", "x")]);
        assert!("{a: {b: c}}".parse::<Table>().is_err() && "nothing".parse::<Table>().is_err());
    }

    #[test]
    fn names_are_listed_in_both_ways() {
        let names = |text: &str| text.parse::<Names>().unwrap().0;
        assert_eq!(names("a,b"), ["a", "b"]);
        assert_eq!(names("['a', 'b, c']"), ["a", "b, c"]);
    }
}
