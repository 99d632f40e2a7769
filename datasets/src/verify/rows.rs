//! The rows of the data files, an episode at a time, with what cannot be read left out.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::record_batch::RecordBatch;

use super::Scene;
use super::camera::{self, Watch, Watched};
use super::finding::{Code, Findings};
use crate::Error;
use crate::frame::Value;
use crate::image;
use crate::reader;
use crate::schema::{Dtype, Feature};
use crate::tables;
use crate::tables::column::{self, Cells};
use crate::tables::episodes::Episode;

/// Rows that are unpacked at once, fewer where there are images in them.
const AT_ONCE: usize = 4096;
const AT_ONCE_WITH_IMAGES: usize = 32;

/// The rows of one episode.
pub struct Rows<'a> {
    /// The episode.
    pub episode: &'a Episode,
    /// How many rows there are of it.
    pub count: u64,
    /// The columns of numbers; none where one cannot be read.
    columns: Vec<(&'a str, &'a Feature, Option<Vec<u8>>)>,
    watches: Vec<(&'a str, &'a Feature, Watch)>,
    /// What the cameras saw whose images are in the table.
    pub watched: Vec<Watched>,
}

impl<'a> Rows<'a> {
    fn new(scene: &Scene<'a>, episode: &'a Episode) -> Self {
        let watch = |(name, feature): (&'a str, &'a Feature)| {
            let watch = Watch::new(scene, name, episode.length);
            (feature.dtype == Dtype::Image).then_some((name, feature, watch))
        };
        let numbers = scene.info.columns().filter(|(_, feature)| feature.dtype.bytes().is_some());
        Self {
            episode,
            count: 0,
            columns: numbers.map(|(name, feature)| (name, feature, Some(Vec::new()))).collect(),
            watches: scene.info.columns().filter_map(watch).collect(),
            watched: Vec::new(),
        }
    }

    /// How the episode is called in a finding.
    pub fn place(&self) -> String {
        format!("episode {}", self.episode.index)
    }

    /// The values of a column of numbers, one row after the other.
    pub fn values(&self, name: &str) -> Option<Value> {
        let (_, feature, bytes) = self.columns.iter().find(|(known, ..)| *known == name)?;
        Some(Value::read(feature.dtype, bytes.as_ref()?))
    }

    /// The values of a column as 64-bit floats.
    pub fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        Some(self.values(name)?.numbers())
    }

    /// Every feature that is a column of numbers.
    pub fn features(&self) -> impl Iterator<Item = (&'a str, &'a Feature)> {
        self.columns.iter().map(|(name, feature, _)| (*name, *feature))
    }

    /// A column of numbers as it is kept, where it could be read.
    pub fn cells(&self, name: &str) -> Option<Cells> {
        let (.., bytes) = self.columns.iter().find(|(known, ..)| *known == name)?;
        bytes.clone().map(Cells::Numbers)
    }
}

/// Hands every episode's rows over, file by file.
pub fn each<'a>(
    scene: &Scene<'a>,
    findings: &mut Findings,
    take: &mut dyn FnMut(&mut Rows<'a>, &mut Findings),
) {
    let mut broken = BTreeSet::new();
    for (at, members) in &scene.listed.data {
        let path = reader::data_file(scene.root, scene.info, *at);
        let episodes: Vec<&Episode> =
            members.iter().filter_map(|member| scene.listed.episodes.get(*member)).collect();
        let mut file = File { scene, path: &path, broken: &mut broken, findings };
        match file.read(&episodes, take) {
            Err(error) => findings.add_table(scene.root, &error),
            Ok(rows) => {
                let said = episodes.iter().fold(0_u64, |all, e| all.saturating_add(e.length));
                if rows != said {
                    let place =
                        path.strip_prefix(scene.root).unwrap_or(&path).display().to_string();
                    let message = format!("has {rows} rows, its episodes have {said} frames");
                    findings.add(Code::RowCount, place, message);
                }
            }
        }
    }
}

/// A data file that is read.
struct File<'a, 'b> {
    scene: &'b Scene<'a>,
    path: &'b Path,
    /// Columns that were complained about, which once is enough.
    broken: &'b mut BTreeSet<String>,
    findings: &'b mut Findings,
}

impl<'a> File<'a, '_> {
    /// Reads the file to its end, or to where it is broken; says how many rows it has.
    fn read(
        &mut self,
        episodes: &[&'a Episode],
        take: &mut dyn FnMut(&mut Rows<'a>, &mut Findings),
    ) -> Result<u64, Error> {
        let images = self.scene.info.columns().any(|(_, feature)| feature.dtype == Dtype::Image);
        let at_once = if images { AT_ONCE_WITH_IMAGES } else { AT_ONCE };
        let (mut total, mut next) = (0, episodes.iter());
        let mut open: Option<Rows<'a>> = None;
        for batch in tables::batches(self.path, at_once)? {
            let batch = batch?;
            total += batch.num_rows() as u64;
            let mut from = 0;
            while from < batch.num_rows() {
                let Some(rows) = &mut open else {
                    match next.next() {
                        Some(episode) => open = Some(Rows::new(self.scene, episode)),
                        // More rows than frames: they are counted, which tells.
                        None => break,
                    }
                    continue;
                };
                let left = rows.episode.length.saturating_sub(rows.count);
                let some = usize::try_from(left).unwrap_or(usize::MAX).min(batch.num_rows() - from);
                self.add(rows, &batch.slice(from, some));
                from += some;
                if rows.count >= rows.episode.length {
                    open.take().into_iter().for_each(|rows| close(rows, self.findings, take));
                }
            }
        }
        open.into_iter().for_each(|rows| close(rows, self.findings, take));
        Ok(total)
    }

    fn add(&mut self, rows: &mut Rows<'a>, batch: &RecordBatch) {
        for (name, feature, bytes) in &mut rows.columns {
            match (self.cells(name, feature, batch), &mut *bytes) {
                (Some(Cells::Numbers(more)), Some(all)) => all.extend(more),
                (_, bytes) => *bytes = None,
            }
        }
        for (name, feature, watch) in &mut rows.watches {
            let Some(Cells::Images(files)) = self.cells(name, feature, batch) else { continue };
            let frames = (rows.count..).zip(&files);
            let mut wrong: Option<(u64, String)> = None;
            for (frame, file) in frames {
                if !camera::chosen(self.scene, rows.episode.length, frame) {
                    continue;
                }
                match image::decode(file) {
                    Ok(image) if Some((image.width(), image.height())) == feature.image_size() => {
                        watch.look(frame, &image);
                    }
                    Ok(image) => {
                        let what = format!("has {}×{} pixels", image.width(), image.height());
                        wrong.get_or_insert((frame, what));
                    }
                    Err(what) => drop(wrong.get_or_insert((frame, what))),
                }
            }
            if let Some((frame, what)) = wrong {
                let place = format!("episode {}, frame {frame}, {name}", rows.episode.index);
                self.findings.add(Code::Image, place, what);
            }
        }
        for (name, feature) in self.scene.info.columns() {
            if feature.dtype == Dtype::Text {
                self.cells(name, feature, batch);
            }
        }
        for field in batch.schema().fields() {
            let name = field.name();
            let known = self.scene.info.feature(name).is_some();
            if !known && self.broken.insert(format!("{} {name}", self.path.display())) {
                let undeclared = "is not declared in info.json";
                let error = Error::malformed(self.path, format!("column {name}"), undeclared);
                self.findings.add_error(Code::Column, self.scene.root, &error);
            }
        }
        rows.count += batch.num_rows() as u64;
    }

    fn cells(&mut self, name: &str, feature: &Feature, batch: &RecordBatch) -> Option<Cells> {
        let cells = match batch.column_by_name(name) {
            Some(array) => column::from_array(name, feature, array, self.path),
            None => Err(Error::malformed(self.path, format!("column {name}"), "is missing")),
        };
        let error = match cells {
            Ok(cells) => return Some(cells),
            Err(error) => error,
        };
        if self.broken.insert(format!("{} {name}", self.path.display())) {
            self.findings.add_error(Code::Column, self.scene.root, &error);
        }
        None
    }
}

fn close<'a>(
    mut rows: Rows<'a>,
    findings: &mut Findings,
    take: &mut dyn FnMut(&mut Rows<'a>, &mut Findings),
) {
    let count = rows.count;
    let watches = std::mem::take(&mut rows.watches).into_iter();
    rows.watched = watches.map(|(_, feature, watch)| watch.finish(feature, count)).collect();
    take(&mut rows, findings);
}
