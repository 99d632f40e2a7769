//! The rows of a new dataset: the source's values bit for bit, the numbers of frames, episodes and
//! tasks given anew.

use std::path::Path;

use super::files::Files;
use super::pictures::Pictures;
use super::plan::{Part, Plan};
use super::stats::{self, Sampled};
use super::tasks::Tasks;
use super::{Made, Progress, Watch};
use crate::image::png;
use crate::reader;
use crate::schema::{Dtype, Feature, Info};
use crate::tables::TableWriter;
use crate::tables::column::Cells;
use crate::tables::data::{self, Rows};
use crate::tables::episodes::{Episode, FileAt};
use crate::{Error, Result};

/// A data file that is being filled.
struct Open {
    table: TableWriter,
    at: FileAt,
    frames: u64,
}

/// Writes every episode's rows; tells the episodes where theirs lie, and their statistics.
pub fn write(
    plan: &Plan<'_>,
    root: &Path,
    tasks: &Tasks,
    episodes: &mut [Episode],
    made: &mut Made,
    watch: Watch<'_>,
) -> Result<()> {
    let total = episodes.len() as u64;
    let mut files = Files::new(&plan.info, plan.info.data_files_size_in_mb);
    let mut open: Option<Open> = None;
    for (part, episode) in plan.parts.iter().zip(episodes) {
        let rows = of(plan, tasks, part, episode)?;
        episode.stats =
            stats::complete(&plan.info, &rows, &episode.stats, plan.source(part), part.episode)?;
        let fits = open.as_ref().is_some_and(|open| {
            let bytes = open.table.bytes();
            files.takes(bytes, bytes / open.frames.max(1) * episode.length)
        });
        if let Some(full) = open.take_if(|_| !fits) {
            full.table.finish()?;
        }
        let file = match &mut open {
            Some(file) => file,
            none => {
                let at = files.begin();
                let path = reader::data_file(root, &plan.info, at);
                let table = TableWriter::begin(&path, &data::schema(&plan.info))?;
                none.insert(Open { table, at, frames: 0 })
            }
        };
        file.table.push(&data::batch(&plan.info, &rows)?)?;
        file.frames += episode.length;
        episode.data = file.at;
        watch(Progress { stage: "rows", done: episode.index + 1, total });
    }
    made.data_files = files.begun;
    open.map_or(Ok(()), |last| last.table.finish())
}

/// The rows of one episode.
fn of(plan: &Plan<'_>, tasks: &Tasks, part: &Part<'_>, episode: &mut Episode) -> Result<Rows> {
    let source = plan.source(part);
    let shared = shared(source.info(), &plan.info);
    let rows = source.rows(part.episode, &shared)?;
    let mut kept: Vec<(&str, Cells)> = shared.columns().map(|(name, _)| name).zip(rows).collect();
    let mut rows = Rows::new();
    for (name, feature) in plan.info.columns() {
        let at = kept.iter().position(|(known, _)| *known == name);
        let cells = match (name, at.map(|at| kept.swap_remove(at).1)) {
            ("episode_index", _) => numbers(|_| episode.index, episode.length),
            ("index", _) => numbers(|row| episode.from_index + row, episode.length),
            ("frame_index", _) if part.recount => numbers(|row| row, episode.length),
            ("timestamp", Some(_)) if part.recount => times(feature, plan.info.fps, episode.length),
            ("task_index", Some(cells)) => {
                let cells = tasks.renumber(plan, part, &cells)?;
                tasks.complete(&cells, &mut episode.tasks);
                cells
            }
            (_, Some(cells)) => cells,
            (camera, None) if feature.dtype == Dtype::Image => unpack(plan, part, camera, episode)?,
            (name, None) => {
                return Err(Error::Feature {
                    feature: name.to_owned(),
                    what: format!("is not in {}", source.root().display()),
                });
            }
        };
        rows.push(cells);
    }
    Ok(rows)
}

/// The columns that are carried over.
fn shared(source: &Info, new: &Info) -> Info {
    let mut shared = source.clone();
    shared.features.retain(|(name, feature)| {
        let wanted = new.feature(name).is_some_and(|new| new.dtype != Dtype::Video);
        wanted && feature.dtype != Dtype::Video
    });
    shared
}

fn numbers(value: impl Fn(u64) -> u64, count: u64) -> Cells {
    Cells::Numbers((0..count).flat_map(|row| value(row).to_le_bytes()).collect())
}

/// The time of each frame in the precision that the column has.
fn times(feature: &Feature, fps: u32, count: u64) -> Cells {
    let seconds = (0..count).map(|row| row as f64 / f64::from(fps));
    Cells::Numbers(match feature.dtype {
        Dtype::F64 => seconds.flat_map(f64::to_le_bytes).collect(),
        _ => seconds.flat_map(|time| (time as f32).to_le_bytes()).collect(),
    })
}

/// The frames of a video as images, and their statistics.
fn unpack(plan: &Plan<'_>, part: &Part<'_>, camera: &str, episode: &mut Episode) -> Result<Cells> {
    let mut pictures = Pictures::open(plan.source(part), part.episode, camera)?;
    let mut sampled = Sampled::new(episode.length);
    let mut files = Vec::new();
    for frame in 0..episode.length {
        let image = pictures.get(frame)?;
        let image = pictures.seen(&image)?.to_rgb();
        sampled.look(frame, &image);
        let file = png::encode(&image).map_err(|what| Error::Frame {
            frame: episode.from_index + frame,
            feature: camera.to_owned(),
            what,
        })?;
        files.push(file.into());
    }
    let stats = plan.info.feature(camera).and_then(|feature| sampled.stats(feature));
    episode.stats.extend(stats.map(|of| (camera.to_owned(), of)));
    Ok(Cells::Images(files))
}
