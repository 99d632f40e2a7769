//! A new dataset made from its plan.

use std::path::Path;

use serde_json::Value;

use super::plan::Plan;
use super::site::Site;
use super::tasks::{self, Tasks};
use super::{Made, Watch, check, rows, tables, timing, videos};
use crate::stats::AllStats;
use crate::tables::episodes::{Episode, FileAt};
use crate::{Error, Result};

/// Files beside the dataset's own that go with it.
const COMPANIONS: [&str; 2] = ["README.md", ".gitattributes"];

/// Makes the dataset that `plan` says at `to`; nowhere: only counts what it would have.
pub fn assemble(plan: &Plan<'_>, to: Option<&Path>, watch: Watch<'_>) -> Result<Made> {
    if plan.frames() == 0 {
        return Err(Error::Refused { what: "no episode would be left".into() });
    }
    let tasks = Tasks::of(plan)?;
    let mut episodes = numbered(plan);
    let mut made = Made {
        episodes: episodes.len() as u64,
        frames: plan.frames(),
        tasks: tasks.texts().len() as u64,
        ..Made::default()
    };
    let Some(to) = to else { return Ok(made) };
    let site = Site::begin(to)?;
    let root = site.root();
    let scratch = root.join("scratch");
    std::fs::create_dir(&scratch).map_err(Error::io("cannot make the folder", &scratch))?;
    let infos = videos::write(plan, root, &scratch, &mut episodes, &mut made, watch)?;
    std::fs::remove_dir_all(&scratch).map_err(Error::io("cannot remove", &scratch))?;
    rows::write(plan, root, &tasks, &mut episodes, &mut made, watch)?;
    timing::write(plan, root, &episodes)?;
    companions(plan, root)?;
    let mut info = plan.info.clone();
    for (name, feature) in &mut info.features {
        if let Some((_, said)) = infos.iter().find(|(camera, _)| camera == name) {
            feature.extra.insert("info".into(), Value::Object(said.clone()));
        }
    }
    tables::write(root, info, tasks.texts(), &mut episodes)?;
    check::check(root, &made, watch)?;
    site.finish()?;
    Ok(made)
}

/// The episodes with their new numbers; where their files lie comes later.
fn numbered(plan: &Plan<'_>) -> Vec<Episode> {
    let mut from_index = 0;
    let mut index = 0;
    let episode = |part| {
        let episode = Episode {
            index,
            tasks: tasks::texts(plan, part),
            length: part.episode.length,
            data: FileAt::default(),
            from_index,
            videos: Vec::new(),
            stats: AllStats::new(),
            meta: FileAt::default(),
        };
        index += 1;
        from_index = episode.to_index();
        episode
    };
    plan.parts.iter().map(episode).collect()
}

/// Copies what lies beside the first source's own files.
fn companions(plan: &Plan<'_>, root: &Path) -> Result<()> {
    for name in COMPANIONS {
        let from = plan.sources.first().map(|source| source.root().join(name));
        if let Some(from) = from.filter(|from| from.is_file()) {
            std::fs::copy(&from, root.join(name)).map_err(Error::io("cannot copy", &from))?;
        }
    }
    Ok(())
}
