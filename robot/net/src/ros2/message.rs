//! ROS 2's messages, in CDR.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sinew_drivers::{Clock, Nanos};

/// A message of ROS 2's.
pub trait Typed: Serialize {
    /// Its type, as DDS has it.
    const TYPE: &'static str;
    /// The hash of its definition (REP 2016), the same from Iron to Lyrical.
    const HASH: &'static str;
}

/// builtin_interfaces/Time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// Since 1970.
    pub sec: i32,
    /// Beyond that.
    pub nanosec: u32,
}

impl Stamp {
    /// An instant of this machine's clock, in ROS's time, which is the wall's.
    pub fn of(at: Nanos) -> Self {
        let age = Clock::Real.now().saturating_sub(at);
        Self::since_epoch(now().saturating_sub(age))
    }

    fn since_epoch(nanos: i64) -> Self {
        let (sec, nanosec) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
        let sec = i32::try_from(sec).unwrap_or(if sec < 0 { i32::MIN } else { i32::MAX });
        Self { sec, nanosec: u32::try_from(nanosec).unwrap_or(0) }
    }
}

/// Nanoseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// std_msgs/Header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header<'a> {
    /// When.
    pub stamp: Stamp,
    /// In which frame.
    pub frame_id: &'a str,
}

/// sensor_msgs/JointState, in radians.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointState<'a> {
    /// When.
    pub header: Header<'a>,
    /// The joints.
    pub name: &'a [String],
    /// Where each is.
    pub position: &'a [f64],
    /// Unknown.
    pub velocity: &'a [f64],
    /// Unknown.
    pub effort: &'a [f64],
}

impl Typed for JointState<'_> {
    const TYPE: &'static str = "sensor_msgs::msg::dds_::JointState_";
    const HASH: &'static str =
        "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e";
}

/// sensor_msgs/CompressedImage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompressedImage<'a> {
    /// When, and of which camera.
    pub header: Header<'a>,
    /// What it is.
    pub format: &'a str,
    /// The file.
    #[serde(with = "serde_bytes")]
    pub data: &'a [u8],
}

impl Typed for CompressedImage<'_> {
    const TYPE: &'static str = "sensor_msgs::msg::dds_::CompressedImage_";
    const HASH: &'static str =
        "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a";
}

/// That it is CDR, plain, little end first: what Fast-CDR puts before a message, which rmw_zenoh writes
/// and reads with (cdr.cpp). Alignment counts from behind it.
const HEADER: [u8; 4] = [0, 1, 0, 0];

/// A message as bytes.
pub fn encode<M: Typed>(message: &M) -> Vec<u8> {
    // Into memory nothing fails that these types can hold.
    let body = re_cdr::to_vec::<_, re_cdr::LittleEndian>(message).unwrap_or_default();
    [&HEADER[..], &body].concat()
}

/// What goes beside a message: its number, when it went out, and whose it is, the last with its length before
/// it. attachment_helpers.cpp, since 0.2.4 of Jazzy and in every other release; before that it was another.
pub fn attachment(n: i64, at: i64, gid: [u8; 16]) -> Vec<u8> {
    [&n.to_le_bytes()[..], &at.to_le_bytes(), &[16], &gid].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joint_state_lies_as_fast_cdr_lays_it() {
        let state = JointState {
            header: Header { stamp: Stamp { sec: 1, nanosec: 2 }, frame_id: "" },
            name: &["ab".to_owned()],
            position: &[1.0],
            velocity: &[],
            effort: &[],
        };
        let expected = [
            &[0, 1, 0, 0][..],
            &[1, 0, 0, 0, 2, 0, 0, 0],
            // No frame, as a string of one zero; three to the next multiple of four.
            &[1, 0, 0, 0, 0, 0, 0, 0],
            // One name of three bytes.
            &[1, 0, 0, 0, 3, 0, 0, 0, b'a', b'b', 0, 0],
            // One number; it begins at 32, behind the four of its count.
            &[1, 0, 0, 0],
            &1f64.to_le_bytes(),
            &[0, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(encode(&state), expected.concat());
    }

    #[test]
    fn a_picture_is_its_file_behind_its_length() {
        let header = Header { stamp: Stamp { sec: 0, nanosec: 0 }, frame_id: "front" };
        let image = CompressedImage { header, format: "jpeg", data: &[7, 8, 9] };
        let bytes = encode(&image);
        assert_eq!(bytes[bytes.len() - 7..], [3, 0, 0, 0, 7, 8, 9]);
    }

    #[test]
    fn an_attachment_has_33_bytes() {
        let bytes = attachment(1, -2, [3; 16]);
        assert_eq!((bytes.len(), bytes[0], bytes[8], bytes[16], bytes[32]), (33, 1, 0xFE, 16, 3));
    }

    #[test]
    fn stamps_are_whole_whatever_the_clocks_say() {
        assert_eq!(Stamp::since_epoch(-1), Stamp { sec: -1, nanosec: 999_999_999 });
        assert_eq!(Stamp::since_epoch(i64::MAX).sec, i32::MAX);
        assert_eq!(Stamp::since_epoch(i64::MIN).sec, i32::MIN);
        let (before, stamp, after) = (now(), Stamp::of(Clock::Real.now()), now());
        let at = i64::from(stamp.sec) * 1_000_000_000 + i64::from(stamp.nanosec);
        assert!(before - 1_000_000 <= at && at <= after, "{before} {at} {after}");
    }
}
