//! A look at every row and picture of an episode: how many of them can be read, and whether what is
//! said of them is so.

use std::collections::HashMap;

use super::super::stats::{NUMBERS, Sampled};
use super::Found;
use crate::depth;
use crate::image;
use crate::reader::{Dataset, TOLERANCE_S};
use crate::schema::{Dtype, Feature};
use crate::stats::{self, AllStats};
use crate::tables::column::Cells;
use crate::video::VideoReader;
use crate::{Error, Value, verify};

/// What is done in an episode of which nothing says so.
const UNKNOWN: &str = "unknown";

/// The video of each camera that was looked at last.
#[derive(Default)]
pub struct Readers(HashMap<String, VideoReader>);

/// The rows of an episode by the names of their columns.
type Columns = Vec<(String, Cells)>;

/// Looks at an episode, shortens it to what can be read, and corrects what is said of it.
pub fn look(dataset: &Dataset, readers: &mut Readers, one: &mut Found) {
    if one.episode.length == 0 {
        return;
    }
    let info = dataset.info();
    let columns: Columns = match dataset.rows(&one.episode, info) {
        Ok(rows) => info.columns().map(|(name, _)| name.to_owned()).zip(rows).collect(),
        Err(error) => return one.shorten(0, || error.to_string()),
    };
    // A picture that fails shortens the episode, and a shorter one has other samples.
    let seen = loop {
        let length = one.episode.length;
        let mut seen = AllStats::new();
        for (camera, feature) in info.features.iter().filter(|(_, f)| f.is_camera()) {
            let mut sampled = Sampled::new(length);
            let readable = match feature.dtype {
                Dtype::Video => film(dataset, readers, one, (camera, feature), &mut sampled),
                _ => pictures(&columns, camera, feature, length, &mut sampled),
            };
            match readable {
                Ok(true) => {
                    seen.extend(sampled.stats(feature).map(|stats| (camera.clone(), stats)))
                }
                Ok(false) => {}
                Err((frame, why)) => {
                    one.shorten(frame, || format!("{camera}, frame {frame}: {why}"));
                }
            }
        }
        if one.episode.length == length || one.episode.length == 0 {
            break seen;
        }
    };
    one.trim(info.fps);
    one.recount = !counted(&columns, info.fps, one.episode.length);
    tasks(dataset.tasks(), &columns, one);
    statistics(dataset, &columns, seen, one);
}

/// Decodes every image of a table; gives the first frame that is not what info.json says, and why.
fn pictures(
    columns: &Columns,
    camera: &str,
    feature: &Feature,
    length: u64,
    sampled: &mut Sampled,
) -> Result<bool, (u64, String)> {
    let Some(Cells::Images(files)) = column(columns, camera) else { return Ok(false) };
    for (frame, file) in (0..length).zip(files) {
        let image = image::decode(file).map_err(|why| (frame, why))?;
        let (width, height) = (image.width(), image.height());
        match feature.image_size() {
            Some(said) if said != (width, height) => {
                let said = format!("info.json says {}×{}", said.0, said.1);
                return Err((frame, format!("has {width}×{height} pixels, {said}")));
            }
            _ => sampled.look(frame, &image),
        }
    }
    Ok(true)
}

/// Decodes every frame of a video; says whether anything here can decode it.
fn film(
    dataset: &Dataset,
    readers: &mut Readers,
    one: &Found,
    (camera, feature): (&str, &Feature),
    sampled: &mut Sampled,
) -> Result<bool, (u64, String)> {
    let part = one.episode.videos.iter().find(|part| part.key == camera);
    let part = part.ok_or_else(|| (0, "there is no video".to_owned()))?;
    let path = dataset.video_file(camera, part.at);
    let known = readers.0.remove(camera).filter(|reader| reader.path() == path);
    let opened = known.map_or_else(|| VideoReader::open(&path), Ok);
    let mut reader = opened.map_err(|error| (0, error.to_string()))?;
    for frame in 0..one.episode.length {
        let time = part.from_s + frame as f64 / f64::from(dataset.info().fps);
        let image = reader.frame_at(time, TOLERANCE_S);
        match image.and_then(|image| depth::seen(camera, feature, image)) {
            Ok(image) => sampled.look(frame, &image),
            Err(Error::Codec { .. }) => return Ok(false),
            Err(error) => return Err((frame, error.to_string())),
        }
    }
    readers.0.insert(camera.to_owned(), reader);
    Ok(true)
}

fn column<'c>(columns: &'c Columns, name: &str) -> Option<&'c Cells> {
    columns.iter().find(|(known, _)| known == name).map(|(_, cells)| cells)
}

/// The first values of a column of one number per row.
fn values(columns: &Columns, name: &str, dtype: Dtype, count: u64) -> Option<Value> {
    let Cells::Numbers(bytes) = column(columns, name)? else { return None };
    let end = dtype.bytes()?.checked_mul(usize::try_from(count).ok()?)?;
    Some(Value::read(dtype, bytes.get(..end)?))
}

/// Whether every frame has its number and its time.
fn counted(columns: &Columns, fps: u32, length: u64) -> bool {
    let frames = values(columns, "frame_index", Dtype::I64, length);
    let frames = frames.is_some_and(|frames| match frames {
        Value::Int(frames) => (0..).zip(frames).all(|(row, frame)| row == frame),
        _ => false,
    });
    let times = values(columns, "timestamp", Dtype::F32, length);
    let times = times.map_or_else(Vec::new, |times| times.numbers());
    let near = |(row, time): (usize, f64)| {
        let exact = row as f64 / f64::from(fps);
        // The column has 32 bits, which after an hour is coarser than the tolerance.
        (time - exact).abs() <= TOLERANCE_S + exact * f64::from(f32::EPSILON)
    };
    frames && times.into_iter().enumerate().all(near)
}

/// Brings the list of what is done in an episode in line with its rows, where these can be followed.
fn tasks(known: &[String], columns: &Columns, one: &mut Found) {
    let numbers = values(columns, "task_index", Dtype::I64, one.episode.length);
    let Some(Value::Int(mut numbers)) = numbers else { return };
    numbers.sort_unstable();
    numbers.dedup();
    let text = |number: &i64| usize::try_from(*number).ok().and_then(|at| known.get(at)).cloned();
    let texts: Vec<String> = numbers.iter().filter_map(text).collect();
    let own = &mut one.episode.tasks;
    if texts.len() == numbers.len() {
        let same = own.len() == texts.len() && own.iter().all(|task| texts.contains(task));
        if !same {
            *own = texts;
        }
        return;
    }
    let task = match (&own[..], &texts[..]) {
        ([only], _) | ([], [only]) => only.clone(),
        (several, _) => {
            let first = several.first().map_or(UNKNOWN, String::as_str).to_owned();
            let why = format!("which frame has which task is lost: all are called {first:?}");
            one.lost.get_or_insert(why);
            first
        }
    };
    *own = vec![task.clone()];
    one.task = Some(task);
}

/// Drops the statistics that are not those of the data; those of the pictures were just taken.
fn statistics(dataset: &Dataset, columns: &Columns, seen: AllStats, one: &mut Found) {
    let stored = &mut one.episode.stats;
    if one.episode.length != one.said {
        stored.clear();
    }
    let info = dataset.info();
    let mut fresh = seen;
    for (name, feature) in info.columns().filter(|(name, _)| !NUMBERS.contains(name)) {
        let cells = column(columns, name);
        let anew = cells.and_then(|cells| stats::of_column(name, feature, cells, info.fps));
        fresh.extend(anew.map(|anew| (name.to_owned(), anew)));
    }
    for (name, fresh) in fresh {
        let Some(feature) = info.feature(&name) else { continue };
        let drifted = |stored: &stats::Stats| verify::drift(feature, stored, &fresh).is_some();
        let is_camera = feature.is_camera();
        let known = stored.iter().position(|(known, _)| *known == name);
        match known {
            Some(at) if !drifted(&stored[at].1) => {}
            Some(at) if is_camera => stored[at].1 = fresh,
            Some(at) => drop(stored.remove(at)),
            None if is_camera => stored.push((name, fresh)),
            None => {}
        }
    }
}
