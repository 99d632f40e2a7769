//! When the driver says that a picture was taken, which is earlier than the picture is here: what lies
//! between is exposure, the cable, and whatever this machine was busy with.
//!
//! `linuxvideo` hands out a buffer without its stamp, so the driver is asked for it: of all buffers of
//! a stream, the one in hand is the only one that is neither waiting to be filled nor waiting to be
//! taken.

use std::os::fd::RawFd;

use super::Moment;
use crate::Nanos;
use crate::clock::{MICRO, SECOND};

/// No picture lies longer than this in a queue of two buffers that somebody waits on.
const OLDEST: Nanos = SECOND;

/// More buffers than a driver gives to one stream.
const MOST_BUFFERS: u32 = 32;

const CAPTURE: u32 = 1;
const MMAP: u32 = 1;
const QUEUED: u32 = 0x2;
const DONE: u32 = 0x4;
const CLOCK_MASK: u32 = 0xe000;
const CLOCK_MONOTONIC: u32 = 0x2000;
const SOURCE_MASK: u32 = 0x7_0000;
const SOURCE_EXPOSURE: u32 = 0x1_0000;

/// `struct v4l2_buffer` of `linux/videodev2.h`.
#[repr(C)]
struct Buffer {
    index: u32,
    kind: u32,
    bytes_used: u32,
    flags: u32,
    field: u32,
    timestamp: libc::timeval,
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    place: libc::c_ulong,
    length: u32,
    reserved: u32,
    request: i32,
}

/// What the driver tells of one of its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    flags: u32,
    at: Nanos,
}

/// Asks the driver of a stream for a buffer; none where it has no such buffer.
pub fn ask(stream: RawFd, index: u32) -> Option<Held> {
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut buffer: Buffer = unsafe { std::mem::zeroed() };
    (buffer.index, buffer.kind, buffer.memory) = (index, CAPTURE, MMAP);
    let request = libc::_IOWR::<Buffer>(u32::from(b'V'), 9);
    // SAFETY: VIDIOC_QUERYBUF reads and writes one such buffer, whose size is part of the request.
    let answer = unsafe { libc::ioctl(stream, request, &raw mut buffer) };
    (answer == 0).then(|| Held { flags: buffer.flags, at: nanos(buffer.timestamp) })
}

#[expect(clippy::useless_conversion, reason = "both fields are narrower on machines of 32 bits")]
fn nanos(time: libc::timeval) -> Nanos {
    let (seconds, micros) = (i64::from(time.tv_sec), i64::from(time.tv_usec));
    seconds.saturating_mul(SECOND).saturating_add(micros.saturating_mul(MICRO))
}

/// The buffer in hand among all that `ask` tells of; none where a driver tells of none or of several.
pub fn in_hand(ask: impl FnMut(u32) -> Option<Held>) -> Option<Held> {
    let mut out =
        (0..MOST_BUFFERS).map_while(ask).filter(|buffer| buffer.flags & (QUEUED | DONE) == 0);
    out.next().filter(|_| out.next().is_none())
}

/// How long ago a picture was taken, seen from `now` on the monotonic clock, and which moment that is.
pub fn age(buffer: Option<Held>, now: Nanos) -> (Nanos, Moment) {
    let Some(buffer) = buffer.filter(|held| held.flags & CLOCK_MASK == CLOCK_MONOTONIC) else {
        return (0, Moment::Arrival);
    };
    match now.saturating_sub(buffer.at) {
        age if !(0..=OLDEST).contains(&age) => (0, Moment::Doubted),
        age if buffer.flags & SOURCE_MASK == SOURCE_EXPOSURE => (age, Moment::Exposure),
        age => (age, Moment::End),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLI;
    use proptest::prelude::*;

    fn held(flags: u32, at: Nanos) -> Held {
        Held { flags, at }
    }

    #[test]
    fn a_buffer_is_as_large_as_the_system_has_it() {
        // Of linux/videodev2.h on machines of 64 bits.
        if cfg!(target_pointer_width = "64") {
            assert_eq!(size_of::<Buffer>(), 88);
            assert_eq!(std::mem::offset_of!(Buffer, timestamp), 24);
            assert_eq!(std::mem::offset_of!(Buffer, memory), 60);
            assert_eq!(libc::_IOWR::<Buffer>(u32::from(b'V'), 9), 0xC058_5609);
        }
    }

    #[test]
    fn what_is_no_camera_tells_of_no_buffer() {
        use std::os::fd::AsRawFd;
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(ask(file.as_raw_fd(), 0), None);
    }

    #[test]
    fn the_buffer_in_hand_is_the_one_that_the_driver_has_not() {
        let find = |buffers: &[Held]| in_hand(|index| buffers.get(index as usize).copied());
        let mine = held(CLOCK_MONOTONIC, 7);
        assert_eq!(find(&[held(QUEUED, 1), mine, held(DONE, 2)]), Some(mine));
        assert_eq!(find(&[held(QUEUED, 1)]), None);
        assert_eq!(find(&[mine, mine]), None, "a driver that tells nothing apart");
        assert_eq!(find(&[]), None);
        assert_eq!(in_hand(|_| Some(held(QUEUED, 0))), None, "a driver without an end");
    }

    #[test]
    fn a_stamp_that_can_be_is_taken_and_no_other() {
        let now = 50 * SECOND;
        let of = |flags, at| age(Some(held(flags, at)), now);
        let exposed = CLOCK_MONOTONIC | SOURCE_EXPOSURE;
        assert_eq!(of(exposed, now - 40 * MILLI), (40 * MILLI, Moment::Exposure));
        assert_eq!(of(CLOCK_MONOTONIC, now - 3 * MILLI), (3 * MILLI, Moment::End));
        for odd in [now + 1, now - SECOND - 1, 0, i64::MIN, i64::MAX] {
            assert_eq!(of(exposed, odd), (0, Moment::Doubted), "{odd}");
        }
        // Another clock, or none, and no stamp at all.
        assert_eq!(of(0, now - MILLI), (0, Moment::Arrival));
        assert_eq!(of(0x4000, now - MILLI), (0, Moment::Arrival));
        assert_eq!(age(None, now), (0, Moment::Arrival));
    }

    proptest! {
        #[test]
        fn no_driver_makes_a_picture_that_is_yet_to_come(flags: u32, at: i64, now in 0..i64::MAX) {
            let (age, _) = age(Some(held(flags, at)), now);
            prop_assert!((0..=OLDEST).contains(&age));
        }
    }
}
