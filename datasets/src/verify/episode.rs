//! The numbers of one episode: indices, times, tasks, and whether they are numbers at all.

use super::finding::{Code, Findings};
use super::rows::Rows;
use super::{Scene, close};
use crate::frame::Value;
use crate::reader::TOLERANCE_S;
use crate::schema::Dtype;

/// Looks at the rows of an episode.
pub fn check(scene: &Scene<'_>, rows: &Rows<'_>, findings: &mut Findings) {
    let episode = rows.episode;
    let expect = |column: &str, expected: &dyn Fn(i64) -> i64| wrong(rows, column, expected);
    let from = episode.from_index.cast_signed();
    for (code, found) in [
        (Code::Index, expect("index", &|row| from + row)),
        (Code::FrameIndex, expect("frame_index", &|row| row)),
        (Code::EpisodeIndex, expect("episode_index", &|_| episode.index.cast_signed())),
    ] {
        if let Some((place, message)) = found {
            findings.add(code, place, message);
        }
    }
    timestamps(scene, rows, findings);
    tasks(scene, rows, findings);
    for (name, feature) in rows.features() {
        if matches!(feature.dtype, Dtype::F32 | Dtype::F64) {
            not_finite(rows, name, findings);
        }
    }
}

fn ints(rows: &Rows<'_>, column: &str) -> Vec<i64> {
    match rows.values(column) {
        Some(Value::Int(values)) => values,
        _ => Vec::new(),
    }
}

/// The first row whose whole number is not what it should be, and how many there are.
fn wrong(rows: &Rows<'_>, column: &str, expected: &dyn Fn(i64) -> i64) -> Option<(String, String)> {
    let values = ints(rows, column);
    let numbered = || (0_i64..).zip(&values);
    let mut wrong = numbered().filter(|(row, value)| **value != expected(*row));
    let (row, value) = wrong.next()?;
    let more = more(wrong.count(), values.len());
    let place = format!("{}, frame {row}, {column}", rows.place());
    Some((place, format!("is {value}, expected {}{more}", expected(row))))
}

fn more(others: usize, of: usize) -> String {
    match others {
        0 => String::new(),
        others => format!("; {} of {of} frames are wrong", others + 1),
    }
}

fn timestamps(scene: &Scene<'_>, rows: &Rows<'_>, findings: &mut Findings) {
    let Some(times) = rows.numbers("timestamp") else { return };
    let exact = |row: usize| row as f64 / f64::from(scene.info.fps);
    let off = |row: usize, time: f64| {
        // The column has 32 bits, which after an hour is coarser than the tolerance.
        let tolerance = TOLERANCE_S + exact(row) * f64::from(f32::EPSILON);
        !close(time, exact(row), tolerance)
    };
    let mut wrong = times.iter().enumerate().filter(|(row, time)| off(*row, **time));
    if let Some((row, time)) = wrong.next() {
        let place = format!("{}, frame {row}, timestamp", rows.place());
        let more = more(wrong.count(), times.len());
        let message = format!("is {time:.6} s, expected {:.6} s{more}", exact(row));
        findings.add(Code::Timestamp, place, message);
    }
}

fn tasks(scene: &Scene<'_>, rows: &Rows<'_>, findings: &mut Findings) {
    let Some(tasks) = &scene.listed.tasks else { return };
    let mut seen: Vec<i64> = Vec::new();
    for (row, index) in ints(rows, "task_index").into_iter().enumerate() {
        if seen.contains(&index) {
            continue;
        }
        seen.push(index);
        let place = || format!("{}, frame {row}, task_index", rows.place());
        match usize::try_from(index).ok().and_then(|at| tasks.get(at)) {
            None => {
                let message = format!("is {index}, the table of tasks has {}", tasks.len());
                findings.add(Code::TaskIndex, place(), message);
            }
            Some(task) if !rows.episode.tasks.is_empty() && !rows.episode.tasks.contains(task) => {
                let message = format!("is {task:?}, which the episode's own list lacks");
                findings.add(Code::TaskIndex, place(), message);
            }
            Some(_) => {}
        }
    }
}

fn not_finite(rows: &Rows<'_>, name: &str, findings: &mut Findings) {
    let Some(values) = rows.numbers(name) else { return };
    let width = values.len().checked_div(usize::try_from(rows.count).unwrap_or(0)).unwrap_or(0);
    let mut wrong = values.iter().enumerate().filter(|(_, value)| !value.is_finite());
    if let Some((at, value)) = wrong.next() {
        let row = at.checked_div(width).unwrap_or(0);
        let place = format!("{}, frame {row}, {name}", rows.place());
        let message = format!("is {value} ({} such numbers)", wrong.count() + 1);
        findings.add(Code::NotFinite, place, message);
    }
}
