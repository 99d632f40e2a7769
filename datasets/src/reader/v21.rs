//! The tables of the older layouts: a file per episode, tables as JSON lines.

use std::path::Path;

use serde_json::Value;

use super::Tables;
use super::store::DataFile;
use crate::schema::Info;
use crate::stats::{self, AllStats, Stats};
use crate::tables::episodes::{Episode, FileAt, VideoPart};
use crate::{Error, Result};

/// Reads everything but the frames.
pub fn load(root: &Path, info: &Info) -> Result<Tables> {
    let tasks = tasks(&root.join("meta/tasks.jsonl"))?;
    let mut episodes = episodes(&root.join("meta/episodes.jsonl"), info)?;
    episode_stats(&root.join("meta/episodes_stats.jsonl"), &mut episodes)?;
    let stats = match std::fs::read(root.join("meta/stats.json")) {
        Ok(text) => stats::parse(&text).unwrap_or_default(),
        Err(_absent) => {
            let parts: Vec<&AllStats> = episodes.iter().map(|episode| &episode.stats).collect();
            stats::aggregate(&parts)
        }
    };
    Ok(Tables { tasks, episodes, stats })
}

/// Reads the statistics of each episode, where the layout has them.
pub fn episode_stats(path: &Path, episodes: &mut [Episode]) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    for (line, entry) in lines(path)? {
        let index = number(path, line, &entry, "episode_index")?;
        let episode = usize::try_from(index).ok().and_then(|at| episodes.get_mut(at));
        let wrong = || Error::malformed(path, format!("line {line}"), "no such episode");
        episode.ok_or_else(wrong)?.stats = of(entry.get("stats"));
    }
    Ok(())
}

fn of(entry: Option<&Value>) -> AllStats {
    let entries = entry.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, entry)| Some((name.clone(), Stats::from_json(entry)?))).collect()
}

/// The objects of a file of JSON lines, with their line numbers.
fn lines(path: &Path) -> Result<Vec<(usize, Value)>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
    let full = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(at, line): (usize, &str)| match serde_json::from_str(line) {
        Ok(value) => Ok((at + 1, value)),
        Err(error) => {
            Err(Error::malformed(path, format!("line {}", at + 1), format!("not JSON: {error}")))
        }
    };
    full.map(parse).collect()
}

fn number(path: &Path, line: usize, entry: &Value, key: &str) -> Result<u64> {
    let value = entry.get(key).and_then(Value::as_u64);
    let wrong =
        || Error::malformed(path, format!("line {line}, key {key}"), "is not a whole number");
    value.ok_or_else(wrong)
}

/// Reads the tasks in the order of their indices.
pub fn tasks(path: &Path) -> Result<Vec<String>> {
    let mut tasks = Vec::new();
    for (line, entry) in lines(path)? {
        let wrong = |key: &str, what: &str| {
            Error::malformed(path, format!("line {line}, key {key}"), what.to_owned())
        };
        let index = number(path, line, &entry, "task_index")?;
        let task = entry.get("task").and_then(Value::as_str);
        let task = task.ok_or_else(|| wrong("task", "is not a text"))?;
        if index != tasks.len() as u64 {
            return Err(wrong("task_index", &format!("is {index}, expected {}", tasks.len())));
        }
        tasks.push(task.to_owned());
    }
    Ok(tasks)
}

/// Reads the episodes, without their statistics.
pub fn episodes(path: &Path, info: &Info) -> Result<Vec<Episode>> {
    let mut episodes: Vec<Episode> = Vec::new();
    for (line, entry) in lines(path)? {
        let index = number(path, line, &entry, "episode_index")?;
        let length = number(path, line, &entry, "length")?;
        if index != episodes.len() as u64 {
            let what = format!("is {index}, expected {}", episodes.len());
            return Err(Error::malformed(path, format!("line {line}, key episode_index"), what));
        }
        let from_index = episodes.last().map_or(0, Episode::to_index);
        if from_index.checked_add(length).is_none() {
            let what = format!("{length} frames are too many");
            return Err(Error::malformed(path, format!("line {line}, key length"), what));
        }
        let tasks = entry.get("tasks").and_then(Value::as_array).into_iter().flatten();
        let at = FileAt { chunk: index / info.chunks_size, file: index };
        let to_s = length as f64 / f64::from(info.fps);
        let part = |(key, _): (&str, _)| VideoPart { key: key.to_owned(), at, from_s: 0.0, to_s };
        episodes.push(Episode {
            index,
            tasks: tasks.filter_map(Value::as_str).map(str::to_owned).collect(),
            length,
            data: at,
            from_index,
            videos: info.videos().map(part).collect(),
            stats: AllStats::new(),
            meta: FileAt::default(),
        });
    }
    Ok(episodes)
}

/// The data files, one per episode.
pub fn data_files(root: &Path, info: &Info, episodes: &[Episode]) -> Vec<DataFile> {
    let file = |episode: &Episode| DataFile {
        path: super::data_file(root, info, episode.data),
        first: episode.from_index,
    };
    episodes.iter().map(file).collect()
}
