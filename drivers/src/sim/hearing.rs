//! Who on the line hears a frame, what they make of it, and what they answer.

use sinew_core::dynamixel;
use sinew_core::packet::{BROADCAST, FRAME_ROOM, Frame, Request};
use sinew_core::register::Reg;

use super::Device;
use super::line::Line;
use crate::Nanos;
use crate::clock::MICRO;

/// From the end of a request to the begin of an answer, beyond the servo's own setting.
const THINKING: Nanos = 20 * MICRO;
/// How long the next servo of a sync read waits for one that says nothing.
const SILENCE: Nanos = 300 * MICRO;

/// Lets everybody who hears a frame act on it, and puts the answers on the line.
pub(super) fn serve(devices: &mut [Device], line: &mut Line, frame: &Frame, baud: u32) {
    let Some(request) = frame.request() else { return };
    mishear(devices, line, baud);
    match request {
        Request::FastSyncRead { address, width, ids } => {
            let mut out = [0; FRAME_ROOM];
            let shares = ids.iter().filter_map(|id| {
                let device = devices.iter().find(|device| hears(device, baud, *id))?;
                device.servo.fast_share(address, width)
            });
            // One silent servo breaks the chain for all, as it does on the wire.
            let all = shares.clone().count() == ids.len();
            if let (true, Ok(len)) = (all, dynamixel::encode_fast(shares, &mut out)) {
                let start = line.free_at + THINKING;
                line.free_at =
                    line.answer(BROADCAST, start, baud, out.get_mut(..len).unwrap_or_default());
            }
        }
        Request::SyncRead { ids, .. } => {
            for &id in ids {
                answer_as_one(devices, line, frame, &request, baud, id);
            }
        }
        Request::BulkRead { rows } => {
            for row in rows.chunks_exact(5) {
                let id = row.first().copied().unwrap_or_default();
                answer_as_one(devices, line, frame, &request, baud, id);
            }
        }
        _ => {
            // Whoever is there answers in turn; servos that share an id answer at once. An id
            // that this very request gives to a servo does not hear the request again.
            let mut ids = [false; 256];
            for device in devices.iter() {
                if let Some(there) = ids.get_mut(usize::from(device.servo.id())) {
                    *there = true;
                }
            }
            for (id, _) in (0u8..=u8::MAX).zip(ids).filter(|(_, there)| *there) {
                if frame.id == id || frame.id == BROADCAST {
                    answer_as_one(devices, line, frame, &request, baud, id);
                }
            }
        }
    }
}

fn hears(device: &Device, baud: u32, id: u8) -> bool {
    !device.dead && device.servo.id() == id && rates_agree(device.servo.baud(), baud)
}

/// Receivers follow rates that differ by less than three per cent.
fn rates_agree(one: u32, other: u32) -> bool {
    one.abs_diff(other) <= one / 33
}

/// Servos at another rate take the packet for noise, and now and then answer in kind.
fn mishear(devices: &[Device], line: &mut Line, baud: u32) {
    if devices.iter().all(|device| rates_agree(device.servo.baud(), baud)) {
        return;
    }
    line.counts.wrong_baud += 1;
    if line.random.u8(..8) == 0 {
        let bytes = [line.random.u8(..), line.random.u8(..)];
        line.arrive(line.free_at + THINKING, &bytes);
    }
}

/// All servos that carry `id` take the request; if several answer, they do so at the same time.
fn answer_as_one(
    devices: &mut [Device],
    line: &mut Line,
    frame: &Frame,
    request: &Request,
    baud: u32,
    id: u8,
) {
    let mut spoken = [0; FRAME_ROOM];
    let mut length = 0;
    let mut voices = 0;
    let mut delay = 0;
    for device in devices.iter_mut().filter(|device| hears(device, baud, id)) {
        delay = Nanos::from(device.servo.get(Reg::ReturnDelayTime)) * 2 * MICRO;
        let mut out = [0; FRAME_ROOM];
        device.heard(line.free_at);
        let Ok((effect, len)) = device.servo.take(frame.id, request, &mut out) else { continue };
        if effect.rebooted {
            device.power_cycle();
        }
        if effect.wrote {
            device.written();
        }
        if len == 0 {
            continue;
        }
        voices += 1;
        for (place, byte) in spoken.iter_mut().zip(out).take(len) {
            // The line idles high: a zero from anybody wins.
            *place = if voices == 1 { byte } else { *place & byte };
        }
        length = length.max(len);
    }
    let answer = spoken.get_mut(..length).unwrap_or_default();
    if voices > 1 {
        collide(line, answer);
    }
    if voices > 0 {
        line.free_at = line.answer(id, line.free_at + delay + THINKING, baud, answer);
    } else if matches!(request, Request::SyncRead { .. } | Request::BulkRead { .. }) {
        line.free_at += SILENCE;
    }
}

/// Two servos never begin in the same instant: more often than not the sum is unreadable.
fn collide(line: &mut Line, answer: &mut [u8]) {
    line.counts.collisions += 1;
    if line.random.u8(..4) > 0
        && let Some(byte) = answer.last_mut()
    {
        *byte = (*byte >> 1) & !line.random.u8(1..);
    }
}
