//! Rows of a dataset out of what a loop hands on.

use std::sync::Arc;

use sinew_datasets::{Frame, Stamps, Value};
use sinew_drivers::Nanos;
use sinew_drivers::camera::Shot;

use super::Plan;
use crate::cameras::image;
use crate::run::stats::Spans;
use crate::run::tap::Slip;

/// Of each camera the picture that was taken nearest to the reading: what had come by the time of the
/// reading is up to a frame old, and the time that it takes to arrive; what came after it, until the
/// next row, may be much nearer.
pub(super) fn take_nearest(slip: &mut Slip, next: &Slip) {
    let apart = |shot: &Shot| shot.at.abs_diff(slip.joints_at);
    for (shot, other) in slip.shots.iter_mut().zip(&next.for_before) {
        if let (Some(shot), Some(other)) = (shot, other)
            && apart(other) < apart(shot)
        {
            *shot = Arc::clone(other);
        }
    }
}

/// The frame that a slip tells of.
pub(super) fn frame(plan: &Plan, slip: &Slip, last_shots: &mut [u64], skew: &mut Spans) -> Frame {
    let images = slip.shots.iter().zip(last_shots).map(|(shot, last)| {
        let shot = shot.as_deref()?;
        skew.count((shot.at - slip.joints_at).abs());
        if std::mem::replace(last, shot.number) == shot.number {
            return None;
        }
        image(shot)
    });
    let intervention = plan.turns.map(|_| Value::Bool(vec![slip.corrects]));
    Frame {
        task: Arc::clone(&plan.task),
        images: images.collect(),
        values: [numbers(&slip.action), numbers(&slip.state)]
            .into_iter()
            .chain(intervention)
            .collect(),
        stamps: Stamps {
            tick_ns: slip.began,
            joints_ns: slip.joints_at,
            images_ns: slip.shots.iter().map(|shot| at(shot.as_deref())).collect(),
            late: slip.late,
            stages: slip.stages,
        },
    }
}

fn at(shot: Option<&Shot>) -> Nanos {
    shot.map_or(0, |shot| shot.at)
}

fn numbers(values: &[f64]) -> Value {
    Value::F32(values.iter().map(|value| *value as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::camera::{Layout, Moment, Picture};
    use sinew_drivers::clock::MILLI;

    fn shots(instants: &[Option<Nanos>]) -> Vec<Option<Arc<Shot>>> {
        let shot = |at: &Option<Nanos>| {
            let pixels = [0; 3].to_vec().into();
            let picture = Picture { width: 1, height: 1, layout: Layout::Rgb8, pixels };
            let (number, moment) = (1, Moment::Exposure);
            at.map(|at| Arc::new(Shot { number, at: at * MILLI, moment, picture }))
        };
        instants.iter().map(shot).collect()
    }

    #[test]
    fn each_camera_gives_the_picture_nearest_to_the_reading() {
        // Just taken, about to be taken; one is stuck, one has none, one begins.
        let seen = shots(&[Some(97), Some(70), Some(20), None, None]);
        let mut row = Slip { joints_at: 100 * MILLI, shots: seen, ..Slip::default() };
        let later = shots(&[Some(97), Some(103), Some(20), None, Some(120)]);
        let next = Slip { for_before: later, ..Slip::default() };
        take_nearest(&mut row, &next);
        let at = |shot: &Option<Arc<Shot>>| shot.as_ref().map(|shot| shot.at / MILLI);
        let taken: Vec<_> = row.shots.iter().map(at).collect();
        assert_eq!(taken, [Some(97), Some(103), Some(20), None, None]);
        // The first row has none before it.
        take_nearest(&mut row, &Slip::default());
        assert_eq!(row.shots.iter().map(at).collect::<Vec<_>>(), taken);
    }
}
