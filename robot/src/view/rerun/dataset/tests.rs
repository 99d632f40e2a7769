//! What goes to a sink, looked at as it goes.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use re_sdk::log::{Chunk, LogMsg};
use re_sdk::sink::SinkFlushError;

use super::*;

/// Everything that was sent.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<LogMsg>>>);

impl LogSink for Kept {
    fn send(&self, message: LogMsg) {
        self.0.lock().unwrap().push(message);
    }

    fn flush_blocking(&self, _timeout: Duration) -> std::result::Result<(), SinkFlushError> {
        Ok(())
    }
}

impl Kept {
    /// A recording that is kept here.
    pub fn recording(&self) -> RecordingStream {
        let recording = RecordingStreamBuilder::new("test").enabled(true).buffered().unwrap();
        recording.set_sink(Box::new(self.clone()));
        recording
    }

    /// The chunks of all recordings, and of which each is one.
    fn chunks(&self) -> Vec<(String, Chunk)> {
        let messages = self.0.lock().unwrap();
        let chunks = messages.iter().filter_map(|message| match message {
            LogMsg::ArrowMsg(store, chunk) if store.is_recording() => {
                let id = store.recording_id().to_string();
                Some((id, Chunk::from_arrow_msg(chunk).unwrap()))
            }
            _ => None,
        });
        chunks.collect()
    }

    /// How many rows with a time there are of a component in an entity.
    pub fn rows(&self, entity: &str, component: &str) -> usize {
        let chunks = self.chunks().into_iter().map(|(_, chunk)| chunk);
        let of = chunks.filter(|chunk| {
            let has = |component: &str| {
                chunk.components().keys().any(|known| known.as_str() == component)
            };
            chunk.entity_path().to_string() == entity && has(component) && !chunk.is_static()
        });
        of.map(|chunk| chunk.num_rows()).sum()
    }
}

/// A dataset that LeRobot wrote.
pub fn golden(name: &str) -> Dataset {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/datasets");
    Dataset::open(&folder.join(name)).unwrap()
}

fn sent(name: &str, episodes: &[u64]) -> (Dataset, Kept, Sent) {
    let (dataset, kept) = (golden(name), Kept::default());
    let sent = send(&dataset, name, episodes, &kept, &mut |_| {}).unwrap();
    (dataset, kept, sent)
}

#[test]
fn every_frame_goes_under_lerobots_names() {
    let (dataset, kept, sent) = sent("v30_video", &[0, 1]);
    let frames = dataset.len() as usize;
    assert_eq!((sent.episodes, sent.frames as usize, sent.left_out.len()), (2, frames, 0));
    for (entity, component) in [
        ("/state", "Scalars:scalars"),
        ("/action", "Scalars:scalars"),
        ("/observation.pan.pos", "Scalars:scalars"),
        ("/action.pan.pos", "Scalars:scalars"),
        ("/observation.images.top", "VideoStream:sample"),
    ] {
        assert_eq!(kept.rows(entity, component), frames, "{entity}");
    }
    assert_eq!(kept.rows("/observation.state", "Scalars:scalars"), 0);
}

#[test]
fn an_episode_is_a_recording_with_times_from_its_begin() {
    let (_, kept, _) = sent("v30_image", &[1]);
    let chunks = kept.chunks();
    assert!(chunks.iter().all(|(recording, _)| recording == "episode_1"));
    let state = chunks
        .iter()
        .find(|(_, chunk)| chunk.entity_path().to_string() == "/state" && !chunk.is_static());
    let timelines = state.unwrap().1.timelines();
    let first = |name: &'static str| timelines[&name.into()].times_raw()[..2].to_vec();
    assert_eq!(first("frame_index"), [0, 1]);
    let [begin, next] = first("timestamp")[..] else { panic!() };
    assert!(begin == 0 && (next - 33_333_333).abs() < 100_000, "{next}");
}

#[test]
fn only_episodes_that_are_there_are_sent() {
    let (dataset, kept) = (golden("v30_image"), Kept::default());
    let wrong = send(&dataset, "x", &[9], &kept, &mut |_| {}).unwrap_err();
    assert!(matches!(wrong, Wrong::Dataset(sinew_datasets::Error::OutOfRange { .. })));
}
