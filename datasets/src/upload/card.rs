//! What a dataset's page says: what is in it, and how well it was recorded.

use std::collections::BTreeMap;
use std::path::Path;

use sinew_hub::card::DatasetCard;

use crate::reader::Dataset;
use crate::tables::timing;
use crate::{Error, Result};

/// The most tasks that are named.
const MOST_TASKS: usize = 50;

/// The page of a dataset, to be found under this name and these words.
pub fn card(root: &Path, repo: &str, license: &str, tags: &[String]) -> Result<DatasetCard> {
    let dataset = Dataset::open(root)?;
    let info = dataset.info();
    let path = root.join("meta/info.json");
    let text = std::fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
    let seconds = info.total_frames as f64 / f64::from(info.fps);
    let mut figures = Vec::new();
    let mut figure = |name: &str, value: String| figures.push((name.to_owned(), value));
    if let Some(robot) = &info.robot_type {
        figure("robot", robot.clone());
    }
    figure("episodes", info.total_episodes.to_string());
    figure(
        "frames",
        format!("{} at {} fps, {:.1} min", info.total_frames, info.fps, seconds / 60.0),
    );
    for (name, feature) in info.features.iter().filter(|(_, feature)| feature.is_camera()) {
        if let Some((width, height)) = feature.image_size() {
            figure(name, format!("{width} × {height}, {}", feature.dtype.name()));
        }
    }
    measured(root, &mut figure);
    let tasks = dataset.tasks().iter().take(MOST_TASKS).map(ToString::to_string).collect();
    Ok(DatasetCard {
        repo: repo.to_owned(),
        license: license.to_owned(),
        tags: tags.to_vec(),
        tasks,
        figures,
        info: text,
    })
}

/// What the recorder's clock said: how even the ticks were, and how far pictures are from the readings
/// that they are stored with.
fn measured(root: &Path, figure: &mut impl FnMut(&str, String)) {
    // A table that cannot be read is told by whoever verifies the dataset.
    let (timings, _told_by_verify) = timing::load(root);
    let (mut rows, mut late) = (0_u64, 0_u64);
    let mut cameras: BTreeMap<&str, (Vec<f64>, u64)> = BTreeMap::new();
    for table in &timings {
        rows += table.rows.len() as u64;
        late += table.rows.iter().filter(|(_, instant)| instant.stamps.late).count() as u64;
        for (at, camera) in table.cameras.iter().enumerate() {
            let (apart, repeated) = cameras.entry(camera).or_default();
            for (_, instant) in &table.rows {
                *repeated += u64::from(instant.repeated.get(at) == Some(&true));
                apart.extend(instant.apart_ms(at).map(f64::abs));
            }
        }
    }
    if rows == 0 {
        return;
    }
    figure("late ticks", format!("{late} of {rows}"));
    for (camera, (mut apart, repeated)) in cameras {
        figure(&format!("{camera}: pictures repeated"), format!("{repeated} of {rows}"));
        apart.sort_by(f64::total_cmp);
        let part = |share: f64| apart.get((share * apart.len().saturating_sub(1) as f64) as usize);
        if let (Some(half), Some(most)) = (part(0.5), part(0.95)) {
            let text = format!("half within {half:.1} ms, 95 % within {most:.1} ms");
            figure(&format!("{camera}: picture and joints apart"), text);
        }
    }
}
