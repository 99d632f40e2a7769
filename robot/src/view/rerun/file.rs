//! Messages written to a file. Rerun's own sink for files tells nobody but its log when a disk is
//! full; this one tells whoever ends it.

use std::fs::File;
use std::io::BufWriter;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use re_sdk::external::re_log_encoding::{EncodeError, Encoder, EncodingOptions};
use re_sdk::log::LogMsg;
use re_sdk::sink::{LogSink, SinkFlushError};

/// A file on its way.
pub struct FileSink(Mutex<Writing>);

struct Writing {
    encoder: Encoder<BufWriter<File>>,
    file: File,
    failed: Option<String>,
}

impl FileSink {
    /// Begins to write into a file that was just made.
    pub fn new(file: File) -> Result<Self, String> {
        let (version, options) =
            (re_sdk::build_info().version, EncodingOptions::PROTOBUF_COMPRESSED);
        let handle = file.try_clone().map_err(|error| error.to_string())?;
        let encoder = Encoder::new_eager(version, options, BufWriter::new(file));
        let encoder = encoder.map_err(|error| error.to_string())?;
        Ok(Self(Mutex::new(Writing { encoder, file: handle, failed: None })))
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the file with its table of contents; the first thing that failed is what went wrong.
    pub fn end(&self) -> Result<(), String> {
        let mut writing = self.writing();
        writing.attempt(Encoder::finish);
        writing.attempt(Encoder::flush_blocking);
        if let Some(failed) = &writing.failed {
            return Err(failed.clone());
        }
        writing.file.sync_all().map_err(|error| error.to_string())
    }
}

impl Writing {
    /// Does something, unless something failed before.
    fn attempt<T>(
        &mut self,
        what: impl FnOnce(&mut Encoder<BufWriter<File>>) -> Result<T, EncodeError>,
    ) {
        if self.failed.is_none() {
            self.failed = what(&mut self.encoder).err().map(|error| error.to_string());
        }
    }
}

impl LogSink for FileSink {
    fn send(&self, message: LogMsg) {
        self.writing().attempt(|encoder| encoder.append(&message));
    }

    fn flush_blocking(&self, _timeout: Duration) -> Result<(), SinkFlushError> {
        let mut writing = self.writing();
        writing.attempt(Encoder::flush_blocking);
        writing.failed.clone().map_or(Ok(()), |message| Err(SinkFlushError::Failed { message }))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Whether a file ends as only one does that was ended: with where its contents are listed.
    pub fn ends_well(file: &[u8]) -> bool {
        file.windows(8).rev().take(8).any(|eight| eight == b"RRF2FOOT")
    }

    #[test]
    fn a_full_disk_is_an_error_at_the_end() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let sink = FileSink::new(full).unwrap();
        let recording = re_sdk::RecordingStreamBuilder::new("test").enabled(true).memory().unwrap();
        recording.0.send_recording_name("x").unwrap();
        recording.1.take().into_iter().for_each(|message| sink.send(message));
        let failed = sink.end().unwrap_err();
        assert!(failed.contains("No space left"), "{failed}");
        assert!(sink.flush_blocking(Duration::ZERO).is_err());
    }

    #[test]
    fn a_file_that_was_ended_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rrd");
        let sink = FileSink::new(File::create(&path).unwrap()).unwrap();
        let (recording, kept) =
            re_sdk::RecordingStreamBuilder::new("test").enabled(true).memory().unwrap();
        recording.send_recording_name("x").unwrap();
        kept.take().into_iter().for_each(|message| sink.send(message));
        sink.end().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"RRF2") && ends_well(&bytes));
    }
}
