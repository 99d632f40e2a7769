//! The tables of a new dataset, info.json the last of them: until it is there, nothing else counts.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::durable::write_text;
use crate::schema::{Info, Template, Version};
use crate::stats::{self, AllStats};
use crate::tables::episodes::{self, Episode, FileAt};
use crate::tables::tasks;
use crate::{Result, reader};

/// How many episodes share a table: as many as stay well below LeRobot's 100 MB.
const EPISODES_PER_FILE: usize = 5_000;

/// Writes all of them; the counts of info.json are filled in.
pub fn write(
    root: &Path,
    mut info: Info,
    texts: &[String],
    episodes: &mut [Episode],
) -> Result<()> {
    info.total_episodes = episodes.len() as u64;
    info.total_frames = episodes.last().map_or(0, Episode::to_index);
    info.total_tasks = texts.len() as u64;
    match info.version {
        Version::V30 => newest(root, &info, texts, episodes)?,
        Version::V20 | Version::V21 => {
            older(root, texts, episodes)?;
            let chunks = info.total_episodes.div_ceil(info.chunks_size);
            let videos = info.total_episodes * info.videos().count() as u64;
            info.extra.insert("total_chunks".into(), chunks.into());
            info.extra.insert("total_videos".into(), videos.into());
        }
    }
    write_text(&root.join("meta/info.json"), &info.to_text())
}

fn newest(root: &Path, info: &Info, texts: &[String], episodes: &mut [Episode]) -> Result<()> {
    tasks::write(&root.join(tasks::PATH), texts)?;
    let parts: Vec<&AllStats> = episodes.iter().map(|episode| &episode.stats).collect();
    write_text(&root.join("meta/stats.json"), &stats::to_text(&stats::aggregate(&parts)))?;
    let mut at = FileAt::default();
    for group in episodes.chunks_mut(EPISODES_PER_FILE) {
        group.iter_mut().for_each(|episode| episode.meta = at);
        let path = root.join(Template::episodes().path(&reader::place(info, at, "")));
        episodes::write(&path, group)?;
        at = at.next(info.chunks_size);
    }
    Ok(())
}

/// The tables of v2.1: an object per line.
fn older(root: &Path, texts: &[String], episodes: &[Episode]) -> Result<()> {
    let lines = |lines: &mut dyn Iterator<Item = Value>| -> String {
        lines.map(|line| format!("{line}\n")).collect()
    };
    let mut tasks =
        texts.iter().enumerate().map(|(n, task)| json!({"task_index": n, "task": task}));
    write_text(&root.join("meta/tasks.jsonl"), &lines(&mut tasks))?;
    let mut stats = episodes.iter().map(|episode| {
        let entries = episode.stats.iter().map(|(name, stats)| (name.clone(), stats.to_json()));
        json!({"episode_index": episode.index, "stats": entries.collect::<Map<_, _>>()})
    });
    write_text(&root.join("meta/episodes_stats.jsonl"), &lines(&mut stats))?;
    let mut episodes = episodes.iter().map(|episode| {
        let (index, tasks, length) = (episode.index, &episode.tasks, episode.length);
        json!({"episode_index": index, "tasks": tasks, "length": length})
    });
    write_text(&root.join("meta/episodes.jsonl"), &lines(&mut episodes))
}
