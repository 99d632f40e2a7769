//! Recording a dataset.
//!
//! ```text
//! Frame ─ Recorder::push ─▶ journal (rows) ───────────┐
//!                └─ image ─▶ queue ─▶ encoder ─ video ─┴▶ assemble ─▶ finished ─▶ publish
//!                              └ waits too long: spool ┘
//!                                     .sinew/recording/   .sinew/finished/   data/ videos/ meta/
//! ```
//!
//! An episode is durable when [`Writer::save_episode`] returns: all its files lie finished in one
//! folder that was moved into place at once. From there they move into the dataset one by one, in an
//! order that keeps it valid for LeRobot at every instant. Whatever a kill or a power cut leaves is
//! taken up by [`recover`], which opening a dataset for recording does by itself.

mod assemble;
mod camera;
mod catch_up;
mod counts;
mod encoder;
mod failure;
pub mod journal;
mod publish;
mod queue;
mod recording;
pub mod spool;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use assemble::Ended;
pub use assemble::Saved;
pub use camera::parse_images;
pub(crate) use publish::{is_publishing, place_of};
pub use recording::{MOST_CAMERAS, Recorder};

use crate::frame::Frame;
use crate::schema::{Dtype, Feature, Info, Version};
use crate::video::Coding;
use crate::{Error, Result, durable};
use recording::Recording;
use state::State;

/// How recording goes about its work.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many bytes of one camera's images may wait in memory for their encoder before they wait
    /// on the disk.
    pub memory: usize,
    /// How videos are encoded.
    pub coding: Coding,
}

impl Default for Options {
    fn default() -> Self {
        Self { memory: 32 << 20, coding: Coding::default() }
    }
}

/// Records episodes into a dataset. Only one process can at a time.
pub struct Writer {
    root: PathBuf,
    state: State,
    options: Options,
    recording: Option<Recording>,
    /// The episode has ended, but could not be saved.
    unsaved: bool,
    /// Moves finished episodes into the dataset, while the next one may begin.
    publishing: Option<JoinHandle<Result<()>>>,
    _lock: File,
}

impl Writer {
    /// Begins a new dataset in a folder that is not there yet, or empty.
    pub fn create(root: &Path, mut info: Info, options: Options) -> Result<Self> {
        info.features.iter_mut().for_each(|(_, feature)| feature.say_depth_unit());
        let taken = std::fs::read_dir(root).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != publish::OURS))
        });
        let left = durable::sorted(&root.join(publish::OURS).join("recording"))?;
        if taken || !left.is_empty() {
            return Err(Error::Exists { path: root.to_owned() });
        }
        let lock = lock(root)?;
        let fresh = root.join(publish::OURS).join("new");
        durable::remove(&fresh)?;
        durable::write_text(&fresh.join("meta/info.json"), &info.to_text())?;
        durable::sync_tree(&fresh)?;
        durable::rename(&fresh.join("meta"), &root.join("meta"))?;
        durable::sync_folder(root)?;
        let state = State::empty(info);
        Ok(Self {
            root: root.to_owned(),
            state,
            options,
            recording: None,
            unsaved: false,
            publishing: None,
            _lock: lock,
        })
    }

    /// Goes on with a dataset of any program's: takes up what was cut off, then adds to it.
    ///
    /// The features must be those it has; the error names the first that differs.
    pub fn resume(
        root: &Path,
        expected: Option<&Info>,
        options: Options,
    ) -> Result<(Self, Recovered)> {
        if !root.join("meta/info.json").exists() {
            return Err(Error::NoDataset { path: root.to_owned() });
        }
        let lock = lock(root)?;
        let (state, recovered) = take_up(root)?;
        if let Some(expected) = expected {
            same_features(expected, &state.info)?;
        }
        for (name, feature) in &state.info.features {
            if feature.dtype == Dtype::Image && feature.is_depth() && feature.depth_unit() != 1.0 {
                let what = "its images are of metres, and millimetres would be added".to_owned();
                return Err(Error::Feature { feature: name.clone(), what });
            }
        }
        let writer = Self {
            root: root.to_owned(),
            state,
            options,
            recording: None,
            unsaved: false,
            publishing: None,
            _lock: lock,
        };
        Ok((writer, recovered))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What info.json says so far.
    pub fn info(&self) -> &Info {
        &self.state.info
    }

    /// Begins the next episode, or goes on with the running one: what it returns takes frames, from
    /// any thread.
    pub fn begin_episode(&mut self) -> Result<Recorder> {
        if let Some(recording) = &self.recording {
            return Ok(recording.recorder());
        }
        let episode = self.state.info.total_episodes;
        let folder = self.running();
        if self.unsaved {
            let what = format!(
                "the last episode is not saved yet: save it again, or take it up later with \
                 sinew dataset recover {}",
                self.root.display()
            );
            return Err(Error::Refused { what });
        }
        // Left by a start that failed.
        durable::remove(&folder)?;
        let recording = Recording::start(&folder, &self.state.info, episode, &self.options)?;
        let recorder = recording.recorder();
        self.recording = Some(recording);
        Ok(recorder)
    }

    /// Where the running episode is kept.
    fn running(&self) -> PathBuf {
        publish::running(&self.root, self.state.info.total_episodes)
    }

    /// Adds a frame to the running episode; begins one if need be.
    pub fn push(&mut self, frame: &Frame) -> Result<()> {
        self.begin_episode()?.push(frame)
    }

    /// What ended the running episode before its time: it takes no more frames, but can be saved up
    /// to there.
    pub fn failure(&self) -> Option<Error> {
        self.recording.as_ref().and_then(Recording::failure)
    }

    /// Ends the running episode. When this returns it is on the disk and cannot be lost; its files
    /// move into the dataset a moment later, see [`Writer::settle`]. None without a frame.
    ///
    /// Where a part of it failed (the disk is full), everything up to there is saved: [`Saved::lost`]
    /// tells how much is missing, and [`Saved::failure`] why. Where even that fails, it stays in its
    /// folder: saving can be tried again, and [`recover`] takes it up.
    pub fn save_episode(&mut self) -> Result<Option<Saved>> {
        let folder = self.running();
        let ended = self.recording.take().map(Recording::finish);
        self.unsaved |= ended.is_some();
        if !self.unsaved {
            return Ok(None);
        }
        self.settle()?;
        let mut saved = assemble::assemble(&self.root, &folder, &mut self.state, Ended::Here)?;
        self.unsaved = false;
        let (pushed, failure) = ended.unwrap_or_default();
        match &mut saved {
            Some(saved) => {
                saved.lost = saved.lost.max(pushed.saturating_sub(saved.frames));
                saved.failure = failure.map(|failure| failure.to_string());
            }
            None => {
                durable::remove(&folder)?;
                return failure.map_or(Ok(None), Err);
            }
        }
        let root = self.root.clone();
        let publish = move || {
            publish::publish(&root)?;
            durable::remove(&folder)?;
            publish::settle(&root)
        };
        let thread = std::thread::Builder::new().name("publish".into()).spawn(publish);
        self.publishing = Some(thread.map_err(Error::io("cannot start a thread for", &self.root))?);
        Ok(saved)
    }

    /// Waits until every saved episode is part of the dataset that others see. What could not be moved
    /// there is safe where it is, and is tried again with the next.
    pub fn settle(&mut self) -> Result<()> {
        match self.publishing.take() {
            Some(thread) => thread.join().unwrap_or_else(|_panic| {
                Err(Error::Refused { what: "publishing ended without a word".into() })
            }),
            None => Ok(()),
        }
    }

    /// Forgets the running episode.
    pub fn discard_episode(&mut self) -> Result<()> {
        // Whatever its threads had to say, the episode is not wanted.
        let _ended = self.recording.take().map(Recording::finish);
        self.unsaved = false;
        durable::remove(&self.running())
    }

    /// Ends recording; a running episode is saved.
    pub fn finish(mut self) -> Result<Option<Saved>> {
        let saved = self.save_episode()?;
        self.settle()?;
        // Whatever could not be moved before is moved now, or stays.
        publish::publish(&self.root)?;
        publish::settle(&self.root)?;
        durable::remove(&self.root.join(publish::OURS))?;
        Ok(saved)
    }
}

impl Drop for Writer {
    /// A writer that goes without being asked to finish leaves its episode for [`recover`].
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            let _left_for_recover = recording.finish();
        }
        let _taken_up_by_recover = self.settle();
    }
}

/// What was taken up of earlier work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many finished episodes were moved on into the dataset.
    pub moved: u64,
    /// The episodes that were cut off and are saved now.
    pub saved: Vec<Saved>,
    /// Running episodes that held no whole frame.
    pub empty: u64,
}

/// Takes up whatever a kill or a power cut left in a dataset. Does nothing to a dataset that is whole.
pub fn recover(root: &Path) -> Result<Recovered> {
    if !root.join("meta/info.json").exists() {
        return Err(Error::NoDataset { path: root.to_owned() });
    }
    if !root.join(publish::OURS).exists() {
        return Ok(Recovered::default());
    }
    let _lock = lock(root)?;
    let (_, recovered) = take_up(root)?;
    durable::remove(&root.join(publish::OURS))?;
    Ok(recovered)
}

fn take_up(root: &Path) -> Result<(State, Recovered)> {
    let mut recovered = Recovered { moved: publish::publish(root)?, ..Recovered::default() };
    publish::settle(root)?;
    let mut state = state::load(root)?;
    if state.info.version != Version::V30 {
        let what = format!(
            "this dataset has the layout {}; convert it first: sinew dataset convert {}",
            state.info.version.name(),
            root.display()
        );
        return Err(Error::Refused { what });
    }
    for folder in durable::sorted(&root.join(publish::OURS).join("recording"))? {
        let number =
            folder.file_name().and_then(|name| name.to_str()?.rsplit('-').next()?.parse().ok());
        let already_in = number.is_some_and(|number: u64| number < state.info.total_episodes);
        if !already_in {
            match assemble::assemble(root, &folder, &mut state, Ended::CutOff)? {
                Some(saved) => recovered.saved.push(saved),
                None => recovered.empty += 1,
            }
            publish::publish(root)?;
        }
        durable::remove(&folder)?;
    }
    publish::settle(root)?;
    Ok((state, recovered))
}

/// Whether a recording left something that [`recover`] would take up.
pub fn is_unfinished(root: &Path) -> Result<bool> {
    let left =
        |name| Ok::<_, Error>(!durable::sorted(&root.join(publish::OURS).join(name))?.is_empty());
    Ok(left("recording")? || left("finished")?)
}

/// Gives the dataset back, of which nothing of ours is unfinished.
pub(crate) fn release(root: &Path, lock: File) -> Result<()> {
    durable::remove(&root.join(publish::OURS))?;
    drop(lock);
    Ok(())
}

/// Takes the dataset for this process.
pub(crate) fn lock(root: &Path) -> Result<File> {
    let folder = root.join(publish::OURS);
    durable::keep_folders(&folder)?;
    let path = folder.join("lock");
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(Error::io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // The name of the holder is a courtesy; without it the answer is the same.
            let _unnamed = file.read_to_string(&mut pid);
            return Err(Error::Busy {
                pid: pid.trim().parse().unwrap_or(0),
                path: root.to_owned(),
            });
        }
        Err(std::fs::TryLockError::Error(error)) => {
            return Err(Error::io("cannot lock", &path)(error));
        }
    }
    let write = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    write.map_err(Error::io("cannot write", &path))?;
    Ok(file)
}

/// Whether what will be recorded fits a dataset; the error names the first difference.
fn same_features(expected: &Info, found: &Info) -> Result<()> {
    if expected.fps != found.fps {
        let what =
            format!("this dataset has {} frames per second, not {}", found.fps, expected.fps);
        return Err(Error::Refused { what });
    }
    let describe = |feature: &Feature| {
        let dtype = if feature.dtype == Dtype::Image { Dtype::Video } else { feature.dtype };
        let names = if feature.is_camera() { String::new() } else { format!(" {}", feature.names) };
        format!("{} {:?}{names}", dtype.name(), feature.shape)
    };
    for (name, feature) in &found.features {
        let differs = |what: String| Err(Error::Feature { feature: name.clone(), what });
        match expected.feature(name) {
            None => return differs("is in this dataset, and would not be recorded".into()),
            Some(ours) if describe(ours) != describe(feature) => {
                let what =
                    format!("this dataset has {}, not {}", describe(feature), describe(ours));
                return differs(what);
            }
            Some(_) => {}
        }
    }
    match expected.names().find(|name| found.feature(name).is_none()) {
        Some(name) => {
            Err(Error::Feature { feature: name.to_owned(), what: "is not in this dataset".into() })
        }
        None => Ok(()),
    }
}
