//! How the arm stood in an episode, and how it was asked to stand.

use re_sdk::RecordingStream;
use sinew_datasets::Dataset;
use sinew_datasets::tables::episodes::Episode;

use super::{ACTION, Clock, ROWS, Result, STATE, joints_of};
use crate::view::rerun::arm::{self, Figure};
use crate::view::rerun::blueprint::Role;

/// The arms that the values of a feature pose.
fn figures(dataset: &Dataset, name: &str) -> Option<(Role, Vec<Figure>)> {
    let kind = dataset.info().robot_type.as_deref()?;
    let (role, names) = joints_of(dataset, name)?;
    Some((role, arm::of_robot(kind, &names))).filter(|(_, figures)| !figures.is_empty())
}

/// Whether there is an arm to be seen.
pub fn any(dataset: &Dataset) -> bool {
    [STATE, ACTION].iter().any(|name| figures(dataset, name).is_some())
}

/// Sends all poses of an episode.
pub fn send(
    dataset: &Dataset,
    episode: &Episode,
    recording: &RecordingStream,
    clock: &Clock,
) -> Result<()> {
    for name in [STATE, ACTION] {
        let Some((role, mut figures)) = figures(dataset, name) else { continue };
        let width = dataset.info().feature(name).map_or(1, |feature| feature.width().max(1));
        for figure in &figures {
            figure.begin(recording)?;
        }
        let mut done = 0;
        while done < episode.length {
            let count = ROWS.min(episode.length - done);
            let values = dataset.values(name, episode.from_index + done, count)?.numbers();
            let rows: Vec<&[f64]> = values.chunks_exact(width).collect();
            for figure in &mut figures {
                let begun = done as usize;
                let seen =
                    figure.send(recording, role, begun, &rows, |rows| clock.columns(rows))?;
                if let Some(frame) = seen {
                    clock.set(recording, frame);
                    figure.draw(recording, role)?;
                    recording.reset_time();
                }
            }
            done += count;
        }
    }
    Ok(())
}
