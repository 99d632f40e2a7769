//! From the files of an episode that has ended, or was cut off, to a finished one: every file that
//! LeRobot will see is written into a folder beside them, made durable, and moved as one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::camera::{Files, read_images};
use super::catch_up::catch_up;
use super::journal::{self, Contents, Row, RowFormat};
use super::state::{State, path};
use super::{counts, publish};
use crate::durable::{self, write_text};
use crate::schema::{Dtype, Feature, Template};
use crate::stats::{self, AllStats, Stats, image::Digest};
use crate::tables::column::Cells;
use crate::tables::episodes::{Episode, VideoPart};
use crate::tables::{data, episodes, tasks, timing};
use crate::video::{self, VideoInfo, Written};
use crate::{Error, Result};

/// An episode that is finished and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its number.
    pub episode: u64,
    /// How many frames it has.
    pub frames: u64,
    /// How many of them were journalled but had no image any more: lost to a kill or a full disk.
    pub lost: u64,
    /// How often a camera's last image stood in for a missing one.
    pub repeated: u64,
    /// What ended it before its time.
    pub failure: Option<String>,
}

/// How an episode came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// This process ended it: what it handed to the system is there.
    Here,
    /// It was cut off: of what was not waited for, anything may be missing.
    CutOff,
}

/// The folder in which a finished episode's files are gathered, below the running episode's.
pub const STAGE: &str = "stage";

/// Finishes the episode in `folder`; `state` moves on behind it. None when it has no frame.
pub fn assemble(
    root: &Path,
    folder: &Path,
    state: &mut State,
    ended: Ended,
) -> Result<Option<Saved>> {
    let Some(contents) = journal::read(&folder.join("journal"))? else { return Ok(None) };
    unstage(folder, state)?;
    if ended == Ended::CutOff {
        catch_up(folder, &contents)?;
    }
    let mut next = state.clone();
    let (frames, videos) = whole_frames(folder, state, contents.rows.len() as u64, ended)?;
    if frames == 0 {
        return Ok(None);
    }
    let lost = contents.rows.len() as u64 - frames;
    let rows = &contents.rows[..frames as usize];
    let stage = folder.join(STAGE);
    let episode = Draft { root, folder, stage: &stage, rows, contents: &contents, videos: &videos };
    let saved = episode.write(&mut next, lost)?;
    publish::commit(root, &stage, saved.episode)?;
    *state = next;
    Ok(Some(saved))
}

/// Takes back the videos that were moved by an attempt that was cut off, and forgets the rest of it.
fn unstage(folder: &Path, state: &State) -> Result<()> {
    let stage = folder.join(STAGE);
    if !stage.exists() {
        return Ok(());
    }
    for (key, feature) in state.info.videos() {
        let home = Files::of(folder, key, feature.dtype).images;
        let staged = durable::files(&stage.join("videos").join(key))?;
        if let Some(staged) = staged.first().filter(|_| !home.exists()) {
            durable::rename(staged, &home)?;
        }
    }
    durable::sync_folder(folder)?;
    durable::remove(&stage)
}

/// How many frames every part of the episode has, and what its videos say of themselves.
fn whole_frames(
    folder: &Path,
    state: &State,
    rows: u64,
    ended: Ended,
) -> Result<(u64, Vec<VideoInfo>)> {
    let mut frames = rows;
    let mut videos = Vec::new();
    for (key, feature) in state.info.features.iter().filter(|(_, feature)| feature.is_camera()) {
        let files = Files::of(folder, key, feature.dtype);
        let mut sums = counts::read(&files.counts, feature)?;
        sums.truncate(usize::try_from(frames).unwrap_or(usize::MAX));
        frames = sums.len() as u64;
        if frames == 0 || !files.images.exists() {
            return Ok((0, Vec::new()));
        }
        if feature.dtype != Dtype::Video {
            frames = frames.min(read_images(&files.images)?.len() as u64);
            continue;
        }
        let written = match ended {
            Ended::Here => video::recover(&files.images, None),
            Ended::CutOff => video::recover_checked(&files.images, &sums),
        };
        match written {
            Ok(written) => {
                frames = frames.min(written.frames);
                videos.push((files.images, sums, written));
            }
            // Not even its beginning was kept.
            Err(Error::Malformed { .. }) if ended == Ended::CutOff => return Ok((0, Vec::new())),
            Err(error) => return Err(error),
        }
    }
    if frames == 0 {
        return Ok((0, Vec::new()));
    }
    let cut = |(path, mut sums, written): (PathBuf, Vec<u32>, Written)| {
        if written.frames == frames {
            return Ok(written.info);
        }
        sums.truncate(usize::try_from(frames).unwrap_or(usize::MAX));
        let cut = video::recover_checked(&path, &sums)?;
        if cut.frames != frames {
            let what = format!("has {} frames, {frames} are needed", cut.frames);
            return Err(Error::malformed(&path, "the video", what));
        }
        Ok(cut.info)
    };
    let infos: Result<_> = videos.into_iter().map(cut).collect();
    Ok((frames, infos?))
}

/// An episode on its way into the dataset.
struct Draft<'a> {
    root: &'a Path,
    folder: &'a Path,
    stage: &'a Path,
    rows: &'a [Row],
    contents: &'a Contents,
    videos: &'a [VideoInfo],
}

impl Draft<'_> {
    fn write(&self, next: &mut State, lost: u64) -> Result<Saved> {
        let frames = self.rows.len() as u64;
        let (index, first) = (next.info.total_episodes, next.info.total_frames);
        let known_tasks = next.tasks.len();
        let columns = self.columns(next, index, first)?;
        let stats = self.stats(next, &columns)?;
        let (data_at, meta_at) = (next.next_data(self.root), next.next_meta(self.root));
        let mut parts = Vec::new();
        let keys: Vec<String> = next.info.videos().map(|(key, _)| key.to_owned()).collect();
        for (key, info) in keys.iter().zip(self.videos) {
            let at = next.next_video(self.root, key);
            parts.push(VideoPart { key: key.clone(), at, from_s: 0.0, to_s: info.duration_s });
        }
        let mut tasks_here: Vec<String> = Vec::new();
        for row in self.rows {
            if tasks_here.last() != Some(&row.task) && !tasks_here.contains(&row.task) {
                tasks_here.push(row.task.clone());
            }
        }
        let episode = Episode {
            index,
            tasks: tasks_here,
            length: frames,
            data: data_at,
            from_index: first,
            videos: parts,
            stats,
            meta: meta_at,
        };
        self.advance(next, &episode);
        if next.tasks.len() != known_tasks {
            tasks::write(&self.stage.join(tasks::PATH), &next.tasks)?;
        }
        self.tables(next, &episode, columns)?;
        self.move_videos(next, &episode)?;
        let repeats = self.rows.iter().flat_map(|row| &row.instant.repeated);
        let repeated = repeats.filter(|repeated| **repeated).count() as u64;
        Ok(Saved { episode: index, frames, lost, repeated, failure: None })
    }

    /// Every column of the data table, in the order of the features.
    fn columns(&self, next: &mut State, index: u64, first: u64) -> Result<Vec<(String, Cells)>> {
        let format = RowFormat::new(&self.contents.info);
        let mut declared = journal::columns(&format, self.rows);
        let fps = f64::from(next.info.fps);
        let int = |value: &dyn Fn(u64) -> i64| {
            let numbers = (0..self.rows.len() as u64).flat_map(|row| value(row).to_le_bytes());
            Cells::Numbers(numbers.collect())
        };
        let tasks: Vec<i64> = self.rows.iter().map(|row| next.task(&row.task)).collect();
        let mut columns = Vec::new();
        for (name, feature) in next.info.columns() {
            let cells = match name {
                "timestamp" => {
                    let stamps = (0..self.rows.len()).map(|row| (row as f64 / fps) as f32);
                    Cells::Numbers(stamps.flat_map(f32::to_le_bytes).collect())
                }
                "frame_index" => int(&|row| row.cast_signed()),
                "episode_index" => int(&|_| index.cast_signed()),
                "index" => int(&|row| (first + row).cast_signed()),
                "task_index" => int(&|row| tasks[row as usize]),
                name if feature.dtype == Dtype::Image => {
                    let files = Files::of(self.folder, name, Dtype::Image);
                    let mut images = read_images(&files.images)?;
                    images.truncate(self.rows.len());
                    Cells::Images(images)
                }
                name => {
                    let known = declared.iter().position(|(known, _)| known == name);
                    let missing = || Error::Feature {
                        feature: name.to_owned(),
                        what: "was not recorded in this episode".into(),
                    };
                    declared.swap_remove(known.ok_or_else(missing)?).1
                }
            };
            columns.push((name.to_owned(), cells));
        }
        Ok(columns)
    }

    fn stats(&self, next: &State, columns: &[(String, Cells)]) -> Result<AllStats> {
        let mut all = AllStats::new();
        for (name, feature) in &next.info.features {
            let stats = match feature.is_camera() {
                true => self.image_stats(name, feature)?,
                false => {
                    let cells = columns.iter().find(|(known, _)| known == name);
                    cells.and_then(|(_, cells)| {
                        stats::of_column(name, feature, cells, next.info.fps)
                    })
                }
            };
            all.extend(stats.map(|stats| (name.clone(), stats)));
        }
        Ok(all)
    }

    fn image_stats(&self, name: &str, feature: &Feature) -> Result<Option<Stats>> {
        let path = Files::of(self.folder, name, feature.dtype).counts;
        let mut file = File::open(&path).map_err(Error::io("cannot open", &path))?;
        let mut bytes = vec![0; Digest::bytes_of(feature)];
        stats::image::of(feature, self.rows.len() as u64, |frame| {
            let read = file.seek(SeekFrom::Start(counts::digest_at(frame, feature)));
            let read = read.and_then(|_| file.read_exact(&mut bytes));
            read.map_err(Error::io("cannot read", &path))?;
            Ok(Digest::from_bytes(feature, &bytes))
        })
    }

    /// Counts the episode in.
    fn advance(&self, next: &mut State, episode: &Episode) {
        next.info.total_episodes += 1;
        next.info.total_frames += episode.length;
        next.info.total_tasks = next.tasks.len() as u64;
        next.stats = match next.stats.is_empty() {
            true => episode.stats.clone(),
            false => stats::aggregate(&[&next.stats, &episode.stats]),
        };
        let mut videos = self.videos.iter();
        for (_, feature) in &mut next.info.features {
            if feature.dtype == Dtype::Video
                && let Some(info) = videos.next()
                && feature.extra.get("info").is_none_or(|known| known.get("video.codec").is_none())
            {
                let known = feature.extra.get("info").and_then(Json::as_object).cloned();
                let mut said = known.unwrap_or_default();
                said.extend(info.to_json());
                feature.extra.insert("info".into(), Json::Object(said));
            }
        }
    }

    fn tables(&self, next: &State, episode: &Episode, columns: Vec<(String, Cells)>) -> Result<()> {
        let stage = |path: PathBuf| self.stage.join(path);
        let rows = columns.into_iter().map(|(_, cells)| cells).collect();
        data::write(&stage(path(&next.info.data_path, episode.data, "")), &next.info, &[rows])?;
        let instants: Vec<_> = self.rows.iter().map(|row| row.instant.clone()).collect();
        let cameras = RowFormat::new(&self.contents.info).cameras().to_vec();
        let timing_path = stage(path(&Template::timing(), episode.data, ""));
        timing::write(&timing_path, episode.from_index, &cameras, &instants)?;
        write_text(&stage("meta/stats.json".into()), &stats::to_text(&next.stats))?;
        let episodes_path = stage(path(&Template::episodes(), episode.meta, ""));
        episodes::write(&episodes_path, std::slice::from_ref(episode))?;
        write_text(&stage("meta/info.json".into()), &next.info.to_text())
    }

    /// The videos come last: until here the running episode's folder was whole.
    fn move_videos(&self, next: &State, episode: &Episode) -> Result<()> {
        let mut moves = Vec::new();
        for part in &episode.videos {
            let template = next.info.video_path.clone().unwrap_or_else(Template::video);
            let to = self.stage.join(path(&template, part.at, &part.key));
            if let Some(folder) = to.parent() {
                durable::make_folders(folder)?;
            }
            moves.push((Files::of(self.folder, &part.key, Dtype::Video).images, to));
        }
        // No video leaves for a folder that may yet be lost.
        durable::sync_folders(self.stage)?;
        durable::sync_folder(self.folder)?;
        moves.iter().try_for_each(|(from, to)| durable::rename(from, to))
    }
}
