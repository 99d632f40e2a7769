//! `device_processor`: LeRobot moves tensors to where the network is. Here the executor knows where
//! that is, and numbers stay f32 around it.

use crate::config::{Fields, Word};
use crate::error::Result;

#[derive(Clone, Copy)]
struct Single;

impl Word for Single {
    const WORDS: &'static [(&'static str, Self)] = &[("float32", Self), ("float", Self)];
}

/// Insists that numbers stay f32.
pub(super) fn read(fields: &Fields<'_>) -> Result<()> {
    fields.ignore(&["device"]);
    if fields.get("float_dtype").is_some_and(|value| !value.is_null()) {
        fields.word("float_dtype", Single)?;
    }
    Ok(())
}
