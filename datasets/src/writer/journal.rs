//! The running episode's rows, appended to one file so that a cut anywhere loses only the cut row.
//!
//! ```text
//! "sinewjr1" │ length, checksum, heading (JSON) │ length, checksum, row │ length, checksum, row │ …
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::durable::File;
use crate::frame::{Frame, Stamps};
use crate::schema::{BUILT_IN, Feature, Info};
use crate::tables::column::Cells;
use crate::tables::timing::Instant;
use crate::video::Coding;
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"sinewjr1";
/// No row is longer; what claims to be is damage.
const LONGEST: usize = 1 << 28;

/// The features of a journal's rows: what was declared, without cameras and what every dataset has.
pub struct RowFormat {
    columns: Vec<(String, Feature)>,
    cameras: Vec<String>,
}

impl RowFormat {
    /// The rows of a dataset like this.
    pub fn new(info: &Info) -> Self {
        let declared = info.features.iter().filter(|(name, _)| !is_built_in(name));
        let (cameras, columns): (Vec<_>, Vec<_>) =
            declared.cloned().partition(|(_, feature)| feature.is_camera());
        Self { columns, cameras: cameras.into_iter().map(|(name, _)| name).collect() }
    }

    /// The cameras in their order.
    pub fn cameras(&self) -> &[String] {
        &self.cameras
    }

    /// Appends a frame as a record. Nothing is appended when it does not fit.
    pub fn write(
        &self,
        number: u64,
        frame: &Frame,
        repeated: &[bool],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        out.extend([0; 8]);
        let stamps = &frame.stamps;
        out.extend(stamps.tick_ns.to_le_bytes());
        out.extend(stamps.joints_ns.to_le_bytes());
        out.push(u8::from(stamps.late));
        for (at, repeated) in repeated.iter().enumerate() {
            out.extend(stamps.images_ns.get(at).copied().unwrap_or(0).to_le_bytes());
            out.push(u8::from(*repeated));
        }
        out.extend((frame.task.len() as u32).to_le_bytes());
        out.extend(frame.task.as_bytes());
        let fits = if frame.values.len() == self.columns.len() {
            let mut both = frame.values.iter().zip(&self.columns);
            both.try_for_each(|(value, (name, feature))| {
                value.write(feature, out).map_err(|what| (name.clone(), what))
            })
        } else {
            let what = format!(
                "{} values, {} features are declared",
                frame.values.len(),
                self.columns.len()
            );
            Err(("(all)".to_owned(), what))
        };
        if let Err((feature, what)) = fits {
            out.truncate(start);
            return Err(Error::Frame { frame: number, feature, what });
        }
        // Last: a row may be of a time when nobody measured them.
        stamps.stages.list().iter().for_each(|stage| out.extend(stage.to_le_bytes()));
        seal(&mut out[start..]);
        Ok(())
    }

    fn read(&self, payload: &[u8]) -> Option<Row> {
        let mut rest = Rest(payload);
        let mut stamps =
            Stamps { tick_ns: rest.long()?, joints_ns: rest.long()?, ..Stamps::default() };
        stamps.late = rest.take(1)?[0] != 0;
        let mut repeated = Vec::new();
        for _ in &self.cameras {
            stamps.images_ns.push(rest.long()?);
            repeated.push(rest.take(1)?[0] != 0);
        }
        let task = rest.text()?;
        let mut cells = Vec::new();
        for (_, feature) in &self.columns {
            cells.push(match feature.dtype.bytes() {
                Some(bytes) => Cells::Numbers(rest.take(bytes * feature.width())?.to_vec()),
                None => Cells::Texts(vec![rest.text()?]),
            });
        }
        if !rest.0.is_empty() {
            stamps.stages = [rest.long()?, rest.long()?, rest.long()?].into();
        }
        Some(Row { instant: Instant { stamps, repeated }, task, cells })
    }
}

/// What is left of a row.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn long(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        Some(String::from_utf8_lossy(self.take(length as usize)?).into_owned())
    }
}

/// Whether every dataset has a feature of this name.
pub fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
}

/// Fills in a record's length and checksum, for which its first eight bytes were left.
fn seal(record: &mut [u8]) {
    let length = (record.len() - 8) as u32;
    let checksum = crc32fast::hash(&record[8..]);
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// One row as it was journalled.
pub struct Row {
    /// When it was taken.
    pub instant: Instant,
    /// What was being done.
    pub task: String,
    /// One row of each declared column.
    pub cells: Vec<Cells>,
}

/// A journal that is being written.
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins a journal for an episode of a dataset like this.
    pub fn create(path: &Path, info: &Info, episode: u64, coding: &Coding) -> Result<Self> {
        let mut file = File::create_new(path).map_err(Error::io("cannot begin a journal", path))?;
        let features: Json = serde_json::from_str(&info.to_text()).unwrap_or_default();
        let coding = coding.to_heading();
        let heading = json!({ "episode": episode, "info": features, "coding": coding }).to_string();
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0; 8]);
        bytes.extend(heading.as_bytes());
        seal(&mut bytes[MAGIC.len()..]);
        file.write_all(&bytes).map_err(Error::io("cannot write", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends records and hands them to the system.
    pub fn append(&mut self, records: &[u8]) -> Result<()> {
        self.file.write_all(records).map_err(Error::io("cannot write", &self.path))
    }

    /// Waits until everything appended is on the disk.
    pub fn sync(&self) -> Result<()> {
        self.file.sync().map_err(Error::io("cannot make durable", &self.path))
    }
}

/// What a journal holds, up to where it was cut.
pub struct Contents {
    /// The episode's number.
    pub episode: u64,
    /// The dataset's features when it began.
    pub info: Info,
    /// How its videos are encoded; none where this is not known here.
    pub coding: Option<Coding>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Reads a journal, cut or whole; none when not even its heading is.
pub fn read(path: &Path) -> Result<Option<Contents>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(parse(&bytes, path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("cannot read", path)(error)),
    }
}

/// Reads the bytes of a journal; the path is for errors.
pub fn parse(bytes: &[u8], path: &Path) -> Option<Contents> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let heading: Json = serde_json::from_slice(record(&mut rest)?).ok()?;
    let info = Info::parse(heading.get("info")?.to_string().as_bytes(), path).ok()?;
    let format = RowFormat::new(&info);
    let mut rows = Vec::new();
    while let Some(row) = record(&mut rest).and_then(|payload| format.read(payload)) {
        rows.push(row);
    }
    let coding = match heading.get("coding") {
        Some(coding) => Coding::from_heading(coding),
        None => Some(Coding::default()),
    };
    Some(Contents { episode: heading.get("episode")?.as_u64()?, info, coding, rows })
}

/// The next whole record.
fn record<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_first_chunk::<8>()?;
    let [a, b, c, d, e, f, g, h] = *head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let (payload, tail) = tail.split_at_checked(length).filter(|_| length <= LONGEST)?;
    let sound = crc32fast::hash(payload) == u32::from_le_bytes([e, f, g, h]);
    *rest = tail;
    sound.then_some(payload)
}

/// The declared columns of all rows, each put together.
pub fn columns(format: &RowFormat, rows: &[Row]) -> Vec<(String, Cells)> {
    let column = |(at, (name, feature)): (usize, &(String, Feature))| {
        let mut all = Cells::empty(feature);
        for row in rows {
            match (&mut all, &row.cells[at]) {
                (Cells::Numbers(all), Cells::Numbers(one)) => all.extend(one),
                (Cells::Texts(all), Cells::Texts(one)) => all.extend(one.iter().cloned()),
                _ => {}
            }
        }
        (name.clone(), all)
    };
    format.columns.iter().enumerate().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Value;
    use crate::schema::Dtype;

    #[test]
    fn a_row_of_before_the_stages_were_measured_is_read() {
        let features = vec![("action".to_owned(), Feature::vector(Dtype::F32, ["pan"]))];
        let format = RowFormat::new(&Info::new(30, None, features).unwrap());
        let stamps = Stamps { tick_ns: 3, stages: [1, 2, 3].into(), ..Stamps::default() };
        let (task, values) = ("wave".into(), vec![Value::F32(vec![0.5])]);
        let frame = Frame { task, values, images: Vec::new(), stamps: stamps.clone() };
        let mut record = Vec::new();
        format.write(0, &frame, &[], &mut record).unwrap();
        let payload = &record[8..];
        assert_eq!(format.read(payload).unwrap().instant.stamps, stamps);
        let old = format.read(&payload[..payload.len() - 24]).unwrap();
        assert_eq!(old.instant.stamps, Stamps { tick_ns: 3, ..Stamps::default() });
        assert_eq!(old.task, "wave");
        assert!(format.read(&payload[..payload.len() - 8]).is_none());
    }
}
