//! What an image server publishes: JSON with the newest pictures of its cameras, not always of all of them.
//!
//! ```text
//! {"timestamps": {name: s}, "images": {name: base64 of a JPEG file}}
//! ```
//! Its times are those of another machine's clock and are not looked at.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::camera::jpeg;

/// More cameras than any server has.
const MOST_CAMERAS: usize = 64;
/// The longest name of a camera, in bytes.
const LONGEST_NAME: usize = 256;

/// The pictures of one message, still coded.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    images: Images<'a>,
}

#[derive(Debug)]
struct Images<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Images<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Images<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("cameras with their pictures")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Images<'de>, A::Error> {
                let mut images = Vec::new();
                while let Some((Text(name), Text(file))) = map.next_entry()? {
                    if images.len() == MOST_CAMERAS || name.len() > LONGEST_NAME {
                        return Err(A::Error::custom("more cameras than any server has"));
                    }
                    images.push((name, file));
                }
                Ok(Images(images))
            }
        }

        from.deserialize_map(Each)
    }
}

impl<'a> Message<'a> {
    /// Reads a message.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("what it says is not what an image server does ({error})"))
    }

    /// The cameras of which it has a picture.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.images.0.iter().map(|(name, _)| name.as_ref())
    }

    /// The JPEG file of a camera, if it has one.
    pub fn file(&self, camera: &str) -> Result<Option<Vec<u8>>, String> {
        let found = self.images.0.iter().find(|(name, _)| name == camera);
        let Some((_, text)) = found else { return Ok(None) };
        if base64::decoded_len_estimate(text.len()) > jpeg::LARGEST {
            return Err("a picture is larger than any camera's".to_owned());
        }
        let file = STANDARD.decode(text.as_bytes());
        file.map(Some).map_err(|error| format!("a damaged picture ({error})"))
    }
}
