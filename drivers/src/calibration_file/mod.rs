//! Calibration files in LeRobot's own format and places, so that an arm calibrated there works
//! here and back.
//!
//! ```text
//! {                                  four spaces, joints in the order of the arm
//!     "shoulder_pan": {
//!         "id": 1,
//!         "drive_mode": 0,
//!         "homing_offset": -1470,
//!         "range_min": 758,
//!         "range_max": 3292
//!     }, …
//! }                                  and no newline at the end
//! ```
//! What LeRobot 0.6 writes is read and written back byte for byte.

mod json;
mod place;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sinew_core::calibration::Calibration;

pub use json::{Malformed, parse, render};
pub use place::{Kind, find, lerobot_home, path_of};

use crate::{Error, durable};

/// A thousand joints fit; a file above this is no calibration.
const LARGEST: u64 = 1 << 17;

/// The joints of the file at `path`, in its order.
pub fn read(path: &Path) -> Result<Vec<(String, Calibration)>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let malformed = |why| Error::CalibrationFile { path: path.to_owned(), why };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(malformed(Malformed::too_large(LARGEST)));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|at| malformed(Malformed::not_text(&bytes, at)))?;
    parse(text).map_err(malformed)
}

/// Writes the joints to `path`, making its folders. The file is on the disk, whole, when this
/// returns; until then the old one stays.
pub fn write(path: &Path, joints: &[(String, Calibration)]) -> Result<(), Error> {
    durable::write(path, &render(joints))
}

#[cfg(test)]
mod tests;
