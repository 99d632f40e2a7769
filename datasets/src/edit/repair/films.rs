//! Where each episode's frames are in its cameras' videos, and how many there are. A video that was
//! cut off is read from a copy with what is whole of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Found;
use crate::reader::{self, TOLERANCE_S};
use crate::schema::{Info, Version};
use crate::tables::episodes::{FileAt, VideoPart};
use crate::verify::Listed;
use crate::video::{self, VideoReader};
use crate::{Error, Result};

/// The copies of videos that were cut off.
pub struct Films {
    /// Which video each of them stands for, by camera and place.
    pub instead: HashMap<(String, FileAt), PathBuf>,
    scratch: TempDir,
}

/// One video's frames, or why there are none.
type Times = Result<Vec<f64>, String>;

/// Tells every episode where its frames are, and shortens those that have fewer than rows.
pub fn find(root: &Path, info: &Info, listed: &Listed, found: &mut [Found]) -> Result<Films> {
    let folder = std::env::temp_dir();
    let scratch = TempDir::new().map_err(Error::io("cannot make a folder in", &folder))?;
    let mut films = Films { instead: HashMap::new(), scratch };
    found.sort_by_key(|one| one.episode.index);
    for (key, _) in info.videos() {
        let path = |at| reader::video_file(root, info, key, at);
        if info.version != Version::V30 {
            // Every episode has files of its own, beside that of its rows.
            found.iter_mut().for_each(|one| one.film(key, one.episode.data, 0.0, info.fps));
        }
        let mut files: BTreeMap<FileAt, Vec<&mut Found>> = BTreeMap::new();
        let mut unplaced: Vec<&mut Found> = Vec::new();
        for one in found.iter_mut() {
            match one.part(key).map(|part| part.at) {
                Some(at) => files.entry(at).or_default().push(one),
                None => unplaced.push(one),
            }
        }
        for (at, members) in &mut files {
            let times = films.times(key, *at, &path(*at));
            place(key, info.fps, members, &times);
        }
        if !unplaced.is_empty() {
            let parts = listed.episodes.iter().flat_map(|episode| &episode.videos);
            let known: HashSet<FileAt> =
                parts.filter(|part| part.key == key).map(|part| part.at).collect();
            let first = std::iter::successors(Some(FileAt::default()), |at| {
                Some(at.next(info.chunks_size))
            });
            let others = first.take_while(|at| !known.contains(at) && path(*at).is_file());
            let mut others = others.map(|at| {
                let times = films.times(key, at, &path(at));
                (at, times, films.instead.contains_key(&(key.to_owned(), at)))
            });
            spread(key, info.fps, &mut unplaced, &mut others);
        }
    }
    found.iter_mut().for_each(|one| one.trim(info.fps));
    Ok(films)
}

impl Found {
    /// Where its video of a camera is.
    fn part(&self, key: &str) -> Option<&VideoPart> {
        self.episode.videos.iter().find(|part| part.key == key)
    }

    /// Says where its video of a camera is, where nothing did.
    fn film(&mut self, key: &str, at: FileAt, from_s: f64, fps: u32) {
        if self.part(key).is_none() {
            let to_s = from_s + self.episode.length as f64 / f64::from(fps);
            self.episode.videos.push(VideoPart { key: key.to_owned(), at, from_s, to_s });
        }
    }
}

impl Films {
    /// When each frame of a video is shown; of one that is cut off, of what is whole of it.
    fn times(&mut self, key: &str, at: FileAt, path: &Path) -> Times {
        let read = |path: &Path| VideoReader::open(path).map(|video| video.times().collect());
        read(path).or_else(|error| {
            let copy = self.scratch.path().join(format!("{}.mp4", self.instead.len()));
            let saved = video::salvage(path, &copy).and_then(|_written| read(&copy));
            self.instead.extend(saved.is_ok().then(|| ((key.to_owned(), at), copy)));
            saved.map_err(|_no_frame| error.to_string())
        })
    }
}

/// Shortens the episodes in one video to the frames that it has of them.
fn place(key: &str, fps: u32, members: &mut [&mut Found], times: &Times) {
    let times = match times {
        Ok(times) => times,
        Err(why) => {
            members.iter_mut().for_each(|one| one.shorten(0, || why.clone()));
            return;
        }
    };
    let whole = |one: &Found, from_s: f64| frames(times, from_s, one.episode.length, fps);
    let missing =
        |one: &Found| one.part(key).is_none_or(|part| whole(one, part.from_s) < one.episode.length);
    let all: u64 = members.iter().map(|one| one.episode.length).sum();
    if all == times.len() as u64 && members.iter().any(|one| missing(one)) {
        // The times make no sense, but the lengths add up.
        let mut next = 0;
        for one in members.iter_mut() {
            let from_s = times.get(next).copied().unwrap_or_default();
            next += usize::try_from(one.episode.length).unwrap_or(usize::MAX);
            if let Some(part) = one.episode.videos.iter_mut().find(|part| part.key == key) {
                part.from_s = from_s;
            }
        }
    }
    for one in members.iter_mut() {
        let there = one.part(key).map_or(0, |part| whole(one, part.from_s));
        one.shorten(there, || format!("the video of {key} has {there} frames of it"));
    }
}

/// Gives the episodes that no table knows their parts of the videos that no table knows, one after
/// the other, as they were recorded: from the very first on, and up to the first whose rows are not
/// all there. What follows may belong anywhere, and another episode's pictures are worse than none.
fn spread(
    key: &str,
    fps: u32,
    episodes: &mut [&mut Found],
    videos: &mut dyn Iterator<Item = (FileAt, Times, bool)>,
) {
    let whole = |(at, one): (u64, &&mut Found)| {
        one.episode.index == at && one.lost.is_none() && one.episode.length > 0
    };
    let count = (0..).zip(&*episodes).take_while(|(at, one)| whole((*at, one))).count();
    let (known, unknown) = episodes.split_at_mut(count);
    let mut left = known.iter_mut().peekable();
    while left.peek().is_some() {
        let Some((at, Ok(times), cut_off)) = videos.next() else { break };
        let mut next = 0;
        while let Some(one) = left.next_if(|_| next < times.len()) {
            let from_s = times.get(next).copied().unwrap_or_default();
            next = next.saturating_add(usize::try_from(one.episode.length).unwrap_or(usize::MAX));
            let there = frames(&times, from_s, one.episode.length, fps);
            one.shorten(there, || format!("the video of {key} has {there} frames of it"));
            one.film(key, at, from_s, fps);
        }
        // An episode's video is never in two files: where its end is not, nor is the next one's begin.
        if cut_off || next > times.len() {
            break;
        }
    }
    left.chain(unknown).for_each(|one| {
        one.shorten(0, || format!("nothing tells where its video of {key} is"));
    });
}

/// How many frames from this time on are where they should be.
fn frames(times: &[f64], from_s: f64, length: u64, fps: u32) -> u64 {
    let there = |n: &u64| {
        let wanted = from_s + *n as f64 / f64::from(fps);
        let after = times.partition_point(|time| *time < wanted - TOLERANCE_S);
        times.get(after).is_some_and(|time| (time - wanted).abs() <= TOLERANCE_S)
    };
    (0..length).take_while(there).count() as u64
}
