//! A dataset to look at: one HTML file that needs nothing beside it and no network.
//!
//! ```text
//! summary (totals, tasks, lengths) ─ findings of verify ─ episodes ─┬ sheet:  what cameras saw
//!                                                                   ├ plot:   state and action
//!                                                                   └ clock:  how even ticks were
//! ```

mod base64;
mod clock;
mod html;
mod plot;
mod sheet;
mod summary;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::Result;
use crate::reader::Dataset;
use crate::schema::Info;
use crate::tables::episodes::Episode;
use crate::tables::timing::{self, Timing};
use crate::verify;
pub use html::{Page, escape};
pub use plot::curves;

/// How much is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which episodes, all of them without it.
    pub episodes: Option<Vec<u64>>,
    /// How many pictures of each camera in each episode.
    pub pictures: u64,
    /// At most so many episodes with pictures and curves, spread evenly over those asked for.
    pub most: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { episodes: None, pictures: 6, most: 40 }
    }
}

/// How far it has come: episodes done, and how many there are.
pub type Watch<'a> = &'a mut dyn FnMut(usize, usize);

/// The page of a dataset, with what a look over it has found.
///
/// A dataset that does not open still gives a page: what info.json says, and the findings.
pub fn html(
    root: &Path,
    options: &Options,
    found: &verify::Report,
    watch: Watch<'_>,
) -> Result<String> {
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
    let mut page = Page::new(&name);
    match Dataset::open_with_stats(root) {
        Ok(dataset) => {
            let chosen = choose(&dataset, options)?;
            summary::head(&mut page, root, dataset.info());
            summary::findings(&mut page, found);
            summary::overview(&mut page, &dataset);
            if chosen.len() < dataset.episodes().len() {
                page.note(&format!(
                    "{} of {} episodes are shown in full, spread evenly; name others with --episodes.",
                    chosen.len(),
                    dataset.episodes().len()
                ));
            }
            let (timings, _told_by_verify) = timing::load(root);
            for (at, of) in chosen.iter().enumerate() {
                watch(at, chosen.len());
                episode(&mut page, &dataset, of, &timings, options);
            }
        }
        Err(error) => {
            let info = Info::load(root)?;
            summary::head(&mut page, root, &info);
            summary::findings(&mut page, found);
            page.note(&format!("The dataset does not open, so no episode is shown: {error}"));
        }
    }
    Ok(page.finish())
}

/// The episodes that are shown in full.
fn choose<'a>(dataset: &'a Dataset, options: &Options) -> Result<Vec<&'a Episode>> {
    let asked: Vec<&Episode> = match &options.episodes {
        Some(asked) => asked.iter().map(|index| dataset.episode(*index)).collect::<Result<_>>()?,
        None => dataset.episodes().iter().collect(),
    };
    let most = options.most.min(asked.len());
    Ok((0..most).filter_map(|at| asked.get(at * asked.len() / most.max(1)).copied()).collect())
}

fn episode(
    page: &mut Page,
    dataset: &Dataset,
    episode: &Episode,
    timings: &[Timing],
    options: &Options,
) {
    let seconds = episode.length as f64 / f64::from(dataset.info().fps);
    let tasks = episode.tasks.join(" · ");
    page.raw(&format!("<section id=\"e{}\">", episode.index));
    page.raw(&format!(
        "<h2>Episode {} <small>{} · {} frames · {seconds:.1} s</small></h2>",
        episode.index,
        html::escape(&tasks),
        episode.length
    ));
    if options.pictures > 0 {
        sheet::cameras(page, dataset, episode, options.pictures);
    }
    plot::joints(page, dataset, episode);
    let timing = timings.iter().map(|table| (table, table.of(episode)));
    if let Some((table, rows)) = timing.into_iter().find(|(_, rows)| rows.len() > 1) {
        clock::ticks(page, dataset.info().fps, &table.cameras, rows);
    }
    page.raw("</section>");
}
