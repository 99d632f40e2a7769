//! The videos of a new dataset: parts of the sources' files joined into files of LeRobot's size,
//! without decoding wherever they can be cut.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::files::Files;
use super::pictures::{self, Pictures};
use super::plan::{Part, Plan};
use super::stats::Sampled;
use super::{Made, Progress, Watch};
use crate::depth::Scale;
use crate::reader;
use crate::schema::{Dtype, Feature};
use crate::tables::episodes::{Episode, VideoPart};
use crate::video::{Footage, VideoWriter, concat, cut};
use crate::{Error, Result};

/// A part begins where the one before it ends when they are no further apart than this.
const ADJACENT_S: f64 = 1e-4;

/// One or more episodes that follow each other in one file.
struct Run {
    footage: Rc<Footage>,
    from_s: f64,
    to_s: f64,
    /// Whether the file was made for this and goes with it.
    made: bool,
    /// Which episodes, and from when to when in the file.
    members: Vec<(usize, f64, f64)>,
}

/// One camera's video as it is put together.
struct Reel<'p, 'a> {
    plan: &'p Plan<'a>,
    root: &'p Path,
    scratch: &'p Path,
    camera: &'p str,
    feature: &'p Feature,
    files: Files,
    /// What goes into the file that is next.
    runs: Vec<Run>,
    bytes: u64,
    /// The file looked at last, which the next episode is likely in.
    last: Option<Rc<Footage>>,
    /// What the videos say about themselves, each once.
    infos: Vec<Map<String, Value>>,
    encoded: u64,
    counter: u64,
}

/// Writes every camera's videos; tells the episodes where theirs lie and, where pixels changed, their
/// statistics. Gives what info.json has to say of each camera.
pub fn write(
    plan: &Plan<'_>,
    root: &Path,
    scratch: &Path,
    episodes: &mut [Episode],
    made: &mut Made,
    watch: Watch<'_>,
) -> Result<Vec<(String, Map<String, Value>)>> {
    let cameras: Vec<(&str, &Feature)> = plan.info.videos().collect();
    let total = (cameras.len() * episodes.len()) as u64;
    let mut done = 0;
    let mut infos = Vec::new();
    for (camera, feature) in cameras {
        let mut reel = Reel::new(plan, root, scratch, camera, feature);
        for (at, part) in plan.parts.iter().enumerate() {
            reel.take(at, part, episodes)?;
            done += 1;
            watch(Progress { stage: "videos", done, total });
        }
        reel.flush(episodes)?;
        made.video_files += reel.files.begun;
        made.encoded += reel.encoded;
        infos.push((camera.to_owned(), blend(&reel.infos)));
    }
    Ok(infos)
}

impl<'p, 'a> Reel<'p, 'a> {
    fn new(
        plan: &'p Plan<'a>,
        root: &'p Path,
        scratch: &'p Path,
        camera: &'p str,
        feature: &'p Feature,
    ) -> Self {
        Self {
            plan,
            root,
            scratch,
            camera,
            feature,
            files: Files::new(&plan.info, plan.info.video_files_size_in_mb),
            runs: Vec::new(),
            bytes: 0,
            last: None,
            infos: Vec::new(),
            encoded: 0,
            counter: 0,
        }
    }

    /// Takes the next episode in.
    fn take(&mut self, at: usize, part: &Part<'_>, episodes: &mut [Episode]) -> Result<()> {
        let source = self.plan.source(part);
        let kept = source.info().feature(self.camera);
        let kept = kept.filter(|feature| feature.dtype == Dtype::Video);
        if let Some(feature) = kept.filter(|_| !self.plan.encode.contains(self.camera)) {
            let place = pictures::part(part.episode, self.camera)?;
            let footage = self.footage(&source.video_file(self.camera, place.at))?;
            match footage.part(place.from_s, place.to_s) {
                Ok(extent) if extent.frames == part.episode.length => {
                    let info = feature.extra.get("info").and_then(Value::as_object).cloned();
                    self.describe(info.unwrap_or_default());
                    let run = Run {
                        footage,
                        from_s: place.from_s,
                        to_s: place.to_s,
                        made: false,
                        members: vec![(at, place.from_s, place.to_s)],
                    };
                    return self.add(run, extent.bytes, episodes);
                }
                Ok(extent) => {
                    let (frames, rows) = (extent.frames, part.episode.length);
                    let what = format!("has {frames} frames for {rows} rows");
                    let place = format!("episode {}", part.episode.index);
                    return Err(Error::malformed(footage.path(), place, what));
                }
                Err(_) if self.take_along(at, place, &footage, part.episode.length) => {
                    return Ok(());
                }
                Err(why) if !self.plan.may_encode => {
                    let (index, path) = (part.episode.index, footage.path().display());
                    let what = format!("episode {index}: {why}, reencode makes one: {path}");
                    return Err(Error::Refused { what });
                }
                Err(_) => {}
            }
        }
        let (footage, sampled) = self.encode(part)?;
        self.describe(footage.info().describe(self.feature));
        if kept.is_some() {
            // Images that were coded for the first time keep their statistics, as LeRobot has it.
            episodes[at]
                .stats
                .extend(sampled.stats(self.feature).map(|of| (self.camera.to_owned(), of)));
        }
        let (to_s, whole) = (footage.info().duration_s, Rc::new(footage));
        let bytes = whole.part(0.0, to_s).map_or(0, |extent| extent.bytes);
        let members = vec![(at, 0.0, to_s)];
        self.add(Run { footage: whole, from_s: 0.0, to_s, made: true, members }, bytes, episodes)
    }

    /// Takes an episode that has no keyframe to begin with along with the one that it follows. LeRobot
    /// codes several in one go when it makes videos of images.
    fn take_along(&mut self, at: usize, place: &VideoPart, of: &Footage, frames: u64) -> bool {
        let Some(last) = self.runs.last_mut().filter(|_| self.files.shared()) else {
            return false;
        };
        let follows = last.ends_at(of, place.from_s);
        let (before, whole) = (of.part(last.from_s, last.to_s), of.part(last.from_s, place.to_s));
        match (before, whole) {
            (Ok(before), Ok(whole)) if follows && whole.frames == before.frames + frames => {
                last.to_s = place.to_s;
                last.members.push((at, place.from_s, place.to_s));
                self.bytes += whole.bytes - before.bytes;
                true
            }
            _ => false,
        }
    }

    fn footage(&mut self, path: &Path) -> Result<Rc<Footage>> {
        match &self.last {
            Some(footage) if footage.path() == path => Ok(Rc::clone(footage)),
            _ => Ok(Rc::clone(self.last.insert(Rc::new(Footage::open(path)?)))),
        }
    }

    fn describe(&mut self, info: Map<String, Value>) {
        if !self.infos.contains(&info) {
            self.infos.push(info);
        }
    }

    fn scratch_file(&mut self) -> PathBuf {
        self.counter += 1;
        self.scratch.join(format!("{}.mp4", self.counter))
    }

    /// An episode's images as a video of its own.
    fn encode(&mut self, part: &Part<'_>) -> Result<(Footage, Sampled)> {
        let path = self.scratch_file();
        let size = self.feature.image_size();
        let (width, height) = size.ok_or_else(|| Error::Feature {
            feature: self.camera.to_owned(),
            what: "has no image size".into(),
        })?;
        let source = self.plan.source(part);
        let mut pictures = Pictures::open(source, part.episode, self.camera)?;
        let mut sampled = Sampled::new(part.episode.length);
        let coding = self.plan.coding.of_camera(self.camera, self.feature)?;
        let fps = self.plan.info.fps;
        let mut video = VideoWriter::create_with(&path, width, height, fps, &coding)?;
        // The steps of a video stay what they are where the scale stays.
        let old = source.info().feature(self.camera).and_then(Feature::depth_scale);
        let kept = old.and_then(Result::ok).as_ref() == coding.scale();
        let steps = coding.scale().filter(|_| !kept).map(Scale::to_steps);
        for frame in 0..part.episode.length {
            let image = pictures.get(frame)?;
            let seen = pictures.seen(&image)?;
            sampled.look(frame, &seen);
            match steps.as_ref().and_then(|steps| steps.apply(&seen)) {
                Some(steps) => video.push(&steps)?,
                None => video.push(&image)?,
            }
        }
        video.finish()?;
        self.encoded += 1;
        Ok((Footage::open(&path)?, sampled))
    }

    fn add(&mut self, run: Run, bytes: u64, episodes: &mut [Episode]) -> Result<()> {
        let joins = |first: &Run| first.footage.joins(&run.footage);
        let fits = self
            .runs
            .first()
            .is_none_or(|first| self.files.takes(self.bytes, bytes) && joins(first));
        if !fits {
            self.flush(episodes)?;
        }
        self.bytes += bytes;
        match self.runs.last_mut() {
            Some(last) if last.goes_on_with(&run) => {
                last.to_s = run.to_s;
                last.members.extend(run.members);
            }
            _ => self.runs.push(run),
        }
        Ok(())
    }

    /// Writes the next file.
    fn flush(&mut self, episodes: &mut [Episode]) -> Result<()> {
        let runs = std::mem::take(&mut self.runs);
        self.bytes = 0;
        if runs.is_empty() {
            return Ok(());
        }
        let at = self.files.begin();
        let out = reader::video_file(self.root, &self.plan.info, self.camera, at);
        let folder = out.parent().unwrap_or(self.root);
        std::fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))?;
        let mut paths = Vec::new();
        let mut passing = Vec::new();
        for run in &runs {
            let whole = run.footage.part(run.from_s, run.to_s).is_ok_and(|extent| extent.whole);
            let path = match whole {
                true => run.footage.path().to_owned(),
                false => {
                    let path = self.scratch_file();
                    cut(run.footage.path(), run.from_s, run.to_s, &path)?;
                    passing.push(path.clone());
                    path
                }
            };
            if run.made {
                passing.push(path.clone());
            }
            paths.push(path);
        }
        let ranges = concat(&paths, &out)?;
        for (run, (begin, _)) in runs.iter().zip(ranges) {
            for &(episode, from_s, to_s) in &run.members {
                episodes[episode].videos.push(VideoPart {
                    key: self.camera.to_owned(),
                    at,
                    from_s: begin + (from_s - run.from_s),
                    to_s: begin + (to_s - run.from_s),
                });
            }
        }
        for path in passing {
            std::fs::remove_file(&path).map_err(Error::io("cannot remove", &path))?;
        }
        Ok(())
    }
}

impl Run {
    /// Whether it ends at this time of this file.
    fn ends_at(&self, footage: &Footage, time_s: f64) -> bool {
        self.footage.path() == footage.path() && (self.to_s - time_s).abs() < ADJACENT_S
    }

    /// Whether the other one follows in the same file, so that both are one cut.
    fn goes_on_with(&self, next: &Self) -> bool {
        self.ends_at(&next.footage, next.from_s)
            && self.footage.part(self.from_s, next.to_s).is_ok()
    }
}

/// What several videos say about themselves: what all agree on, null for the rest, as LeRobot has it.
fn blend(infos: &[Map<String, Value>]) -> Map<String, Value> {
    let Some((first, rest)) = infos.split_first() else { return Map::new() };
    let entry = |(key, value): (&String, &Value)| {
        let agreed = rest.iter().all(|info| info.get(key) == Some(value));
        let unknown = match value {
            Value::Object(_) => Value::Object(Map::new()),
            _ => Value::Null,
        };
        (key.clone(), if agreed { value.clone() } else { unknown })
    };
    first.iter().map(entry).collect()
}
