//! Where each episode's rows are. The table of episodes says so, and so do the rows themselves, which
//! carry the numbers of their episode and frame; where the two disagree, whichever makes sense counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Found;
use crate::reader::{self, DataFile};
use crate::schema::{Dtype, Feature, Info, Version};
use crate::stats::AllStats;
use crate::tables::column::{self, Cells};
use crate::tables::episodes::{Episode, FileAt};
use crate::verify::Listed;
use crate::{Error, Result, tables};

/// Where frames are counted from whose file does not say: a number that no frame really has, so that
/// nothing that was measured elsewhere is taken for theirs.
const NOWHERE: u64 = 1 << 48;

/// What was found.
pub struct Located {
    /// The data files in the order of their first frames.
    pub files: Vec<DataFile>,
    /// The episodes; those without rows have no frame, and say why.
    pub found: Vec<Found>,
}

/// Rows that follow each other in one episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first row's place in the file.
    start: u64,
    /// How many there are.
    count: u64,
    /// The episode and the first frame's number in it; none where they cannot be read.
    first: Option<(i64, i64)>,
}

/// What the rows of a file say of themselves.
#[derive(Debug, Default)]
struct Numbers {
    runs: Vec<Run>,
    rows: u64,
    /// The first row's `index`, where each row's is one more than the one before.
    base: Option<u64>,
}

/// Finds the rows of every episode.
pub fn locate(root: &Path, info: &Info, listed: &Listed) -> Located {
    let mut places: BTreeMap<FileAt, Vec<&Episode>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for episode in &listed.episodes {
        if known.insert(episode.index) {
            places.entry(episode.data).or_default().push(episode);
        }
    }
    if !listed.whole {
        // Rows may be left whose entries in the tables are not.
        for at in on_disk(info, |at| reader::data_file(root, info, at)) {
            places.entry(at).or_default();
        }
    }
    let mut all = Located { files: Vec::new(), found: Vec::new() };
    let mut nowhere = NOWHERE;
    let mut taken = 0;
    for (at, members) in places {
        let path = reader::data_file(root, info, at);
        let numbers = match read(&path) {
            Ok(numbers) => numbers,
            Err(error) => {
                let lost = |member: &&Episode| Found::lost(member, error.to_string());
                all.found.extend(members.iter().map(lost));
                continue;
            }
        };
        let first = numbers.base.filter(|base| (taken..NOWHERE / 2).contains(base));
        let first = first.unwrap_or(nowhere);
        match first < NOWHERE {
            true => taken = first.saturating_add(numbers.rows),
            false => nowhere = nowhere.saturating_add(numbers.rows),
        }
        let mut found = numbers.share_out(&members, &path);
        if !listed.whole {
            found.extend(numbers.unlisted(&known, at));
        }
        for one in &mut found {
            one.episode.from_index = one.episode.from_index.saturating_add(first);
        }
        all.found.extend(found);
        all.files.push(DataFile { path, first });
    }
    all.files.sort_by_key(|file| file.first);
    if !listed.whole {
        all.found.extend(unheard_of(info, &all.found));
    }
    all
}

/// The episodes that info.json counts, but neither tables nor rows tell of.
fn unheard_of(info: &Info, found: &[Found]) -> Vec<Found> {
    /// A count beyond this is as damaged as the tables.
    const MOST: u64 = 100_000;
    let known: BTreeSet<u64> = found.iter().map(|one| one.episode.index).collect();
    let missing = (0..info.total_episodes.min(MOST)).filter(|index| !known.contains(index));
    let lost = |index| {
        let episode = episode(index, 0, FileAt::default(), 0);
        Found::lost(&episode, "neither tables nor rows tell of it".to_owned())
    };
    missing.map(lost).collect()
}

/// An episode of which nothing but its rows is known.
fn episode(index: u64, length: u64, data: FileAt, from_index: u64) -> Episode {
    Episode {
        index,
        tasks: Vec::new(),
        length,
        data,
        from_index,
        videos: Vec::new(),
        stats: AllStats::new(),
        meta: FileAt::default(),
    }
}

/// The places of a kind of file that are taken, in order.
fn on_disk(info: &Info, path: impl Fn(FileAt) -> PathBuf) -> Vec<FileAt> {
    /// A gap of more files than this is the end.
    const GAP: usize = 50;
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut at = FileAt::default();
    let mut missing = 0;
    while missing < GAP {
        let here = path(at);
        if !seen.insert(here.clone()) {
            break;
        }
        match here.is_file() {
            true => {
                found.push(at);
                missing = 0;
            }
            false => missing += 1,
        }
        at = match info.version {
            Version::V30 => at.next(info.chunks_size),
            _ => FileAt { chunk: (at.file + 1) / info.chunks_size, file: at.file + 1 },
        };
    }
    found
}

impl Found {
    fn lost(episode: &Episode, why: String) -> Self {
        let said = episode.length;
        let mut found = Self::whole(Episode { length: 0, ..episode.clone() });
        found.said = said;
        found.lost = Some(why);
        found
    }

    fn whole(episode: Episode) -> Self {
        Self { said: episode.length, episode, recount: false, task: None, lost: None }
    }

    /// The episode with its rows at this place in the file.
    fn at(episode: &Episode, start: u64, rows: u64) -> Self {
        let length = rows.min(episode.length);
        let mut found = Self::whole(Episode { length, from_index: start, ..episode.clone() });
        found.said = episode.length;
        found.lost =
            (length < episode.length).then(|| format!("its data file has {length} rows of it"));
        found
    }
}

impl Numbers {
    /// Gives every episode of the file its rows.
    fn share_out(&self, members: &[&Episode], path: &Path) -> Vec<Found> {
        let run_of = |episode: &Episode| {
            let mine = |run: &&Run| run.first == Some((episode.index.cast_signed(), 0));
            self.runs.iter().filter(mine).max_by_key(|run| run.count)
        };
        let mut seen = BTreeSet::new();
        let whole = |run: &Run| {
            run.first.is_some_and(|(episode, frame)| frame == 0 && seen.insert(episode))
        };
        let clean = self.runs.iter().all(whole);
        let said = members.iter().fold(0_u64, |all, member| all.saturating_add(member.length));
        if !clean && said == self.rows {
            // The rows' own numbers make no sense, but the lengths add up.
            let mut members = members.to_vec();
            members.sort_by_key(|member| (member.from_index, member.index));
            let mut start = 0;
            let place = |member: &Episode| {
                let from = start;
                start += member.length;
                Found::at(member, from, member.length)
            };
            return members.into_iter().map(place).collect();
        }
        let place = |member: &&Episode| match run_of(member) {
            Some(run) => Found::at(member, run.start, run.count),
            None => Found::lost(member, format!("its rows are not in {}", path.display())),
        };
        members.iter().map(place).collect()
    }

    /// The episodes in the file that no table knows.
    fn unlisted(&self, known: &BTreeSet<u64>, data: FileAt) -> Vec<Found> {
        let found = |run: &Run| {
            let (index, 0) = run.first? else { return None };
            let index = u64::try_from(index).ok().filter(|index| !known.contains(index))?;
            Some(Found::whole(episode(index, run.count, data, run.start)))
        };
        self.runs.iter().filter_map(found).collect()
    }

    fn row(&mut self, episode: i64, frame: i64) {
        match self.runs.last_mut() {
            Some(Run { count, first: Some((last, first)), .. })
                if *last == episode && first.checked_add_unsigned(*count) == Some(frame) =>
            {
                *count += 1;
            }
            _ => {
                let first = Some((episode, frame));
                self.runs.push(Run { start: self.rows, count: 1, first });
            }
        }
        self.rows += 1;
    }
}

/// Reads what the rows of a file say of themselves, row group by row group.
fn read(path: &Path) -> Result<Numbers> {
    let mut numbers = Numbers::default();
    let mut next = None;
    let mut contiguous = true;
    let groups = tables::metadata(path)?.metadata().row_groups().to_vec();
    for (at, group) in groups.iter().enumerate() {
        match group_numbers(path, at) {
            Ok(rows) => {
                for (episode, frame, index) in rows {
                    contiguous &= next.is_none_or(|next| index == Some(next));
                    if numbers.rows == 0 {
                        numbers.base = index;
                    }
                    next = index.and_then(|index| index.checked_add(1)).or(Some(u64::MAX));
                    numbers.row(episode, frame);
                }
            }
            Err(_damaged) => {
                let wrong = || Error::malformed(path, format!("row group {at}"), "no such number");
                let count = u64::try_from(group.num_rows()).ok();
                let count = count.filter(|count| *count < NOWHERE / 2).ok_or_else(wrong)?;
                numbers.runs.push(Run { start: numbers.rows, count, first: None });
                numbers.rows = numbers.rows.saturating_add(count);
                contiguous = false;
            }
        }
    }
    numbers.base = numbers.base.filter(|_| contiguous);
    Ok(numbers)
}

/// The numbers of episode, frame and index in each row of a row group.
fn group_numbers(path: &Path, group: usize) -> Result<Vec<(i64, i64, Option<u64>)>> {
    const NAMES: [&str; 3] = ["episode_index", "frame_index", "index"];
    let builder = tables::open(path)?.with_row_groups(vec![group]);
    let fields = builder.schema().fields().iter().enumerate();
    let wanted = fields.filter(|(_, field)| NAMES.contains(&field.name().as_str()));
    let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
    let mask = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), wanted);
    let number = Feature::scalar(Dtype::I64);
    let mut all = Vec::new();
    for batch in tables::unpack(path, builder.with_projection(mask))? {
        let batch = batch?;
        let read = |name: &str| -> Result<Vec<i64>> {
            let missing = || Error::malformed(path, format!("column {name}"), "is missing");
            let array = batch.column_by_name(name).ok_or_else(missing)?;
            match column::from_array(name, &number, array, path)? {
                Cells::Numbers(bytes) => {
                    let numbers = bytes.as_chunks::<8>().0.iter();
                    Ok(numbers.map(|bytes| i64::from_le_bytes(*bytes)).collect())
                }
                _ => Ok(Vec::new()),
            }
        };
        let [episodes, frames, indices] = NAMES.map(read);
        let rows = episodes?.into_iter().zip(frames?).zip(indices?);
        all.extend(
            rows.map(|((episode, frame), index)| (episode, frame, u64::try_from(index).ok())),
        );
    }
    Ok(all)
}
