//! The last word before a goal becomes a packet: pure arithmetic on one joint.

/// What one joint may be told, in raw counts. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The least goal.
    pub min: i32,
    /// The greatest goal.
    pub max: i32,
    /// The farthest a goal may lie from the measured position.
    pub max_step: Option<i32>,
    /// Counts per second that the goal may move.
    pub max_velocity: Option<f32>,
    /// Counts per second squared that the goal's velocity may change.
    pub max_acceleration: Option<f32>,
}
