//! What a calibration says of one joint, and how a sweep by hand becomes one.

/// One joint's calibration, field for field as LeRobot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// The servo's id.
    pub id: u8,
    /// Not zero: the joint counts backwards.
    pub drive_mode: u8,
    /// What the servo takes off (Feetech) or adds (Dynamixel) to its own count.
    pub homing_offset: i32,
    /// The least position, offset applied.
    pub range_min: i32,
    /// The greatest position, offset applied.
    pub range_max: i32,
}
