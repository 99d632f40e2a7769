//! Lists and maps of so many at most: what would be refused afterwards is not put together first.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A list.
pub(super) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(Few::<T, MOST>(PhantomData))
}

/// A map by names.
pub(super) fn few_named<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    from.deserialize_map(FewNamed::<T, MOST>(PhantomData))
}

struct Few<T, const MOST: usize>(PhantomData<T>);
struct FewNamed<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Few<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut taken = Vec::new();
        while let Some(one) = list.next_element()? {
            if taken.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            taken.push(one);
        }
        Ok(taken)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for FewNamed<T, MOST> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "a map of at most {MOST}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut taken = BTreeMap::new();
        while let Some((name, one)) = map.next_entry()? {
            if taken.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            taken.insert(name, one);
        }
        Ok(taken)
    }
}
