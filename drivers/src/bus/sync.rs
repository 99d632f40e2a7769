//! Many motors with one request: whose answer is whose, and who is asked again.

use sinew_core::dynamixel;
use sinew_core::packet::{BROADCAST, EncodeError, Protocol, Request, Status};
use sinew_core::register::{Fault, Faults, Register};

use super::{Answered, Bus, Miss, Reading, Sample, Timing};
use crate::arm::Door;
use crate::wire::line_time;
use crate::{Error, Nanos};

/// A motor that missed this many sync reads in a row is asked along with the others, but no tick
/// is spent on asking it again.
const GIVEN_UP_AFTER: u32 = 5;

/// Whose turn it is in a sync read.
///
/// Motors answer in the order they were asked. An answer out of turn belongs to some earlier
/// request, or those before it were lost: which of the two shows when they come after all.
struct Turn<'a> {
    next: usize,
    /// When all were asked.
    asked: Nanos,
    width: usize,
    register: &'a Register,
    protocol: Protocol,
}

impl Turn<'_> {
    /// Takes an answer, and says whether it belongs here at all.
    fn take(&mut self, readings: &mut [Reading], status: &Status, at: Nanos) -> bool {
        let Some(place) = readings.iter().position(|reading| reading.id == status.id) else {
            return false;
        };
        let faults = Faults::from_status(self.protocol, status.error);
        if status.data.is_empty() && faults.has(Fault::Refused) {
            if let Some(reading) = readings.get_mut(place) {
                reading.outcome = Err(Miss::Refused(faults));
                reading.faults = faults;
            }
            return true;
        }
        let value = self.register.decode(self.protocol.byte_order(), status.data);
        let (Some(value), true) = (value, status.data.len() == self.width) else {
            return false;
        };
        // Whatever came before its turn was somebody's late answer: only this order is new.
        for early in readings.iter_mut().take(self.next).skip(place + 1) {
            early.outcome = Err(Miss::NoAnswer);
        }
        if let Some(reading) = readings.get_mut(place) {
            reading.outcome = Ok(Sample { value, asked: self.asked, at });
            reading.faults = faults;
        }
        self.next = place + 1;
        true
    }
}

/// Whether the answer of this reading is still to come.
fn is_open(reading: &Reading) -> bool {
    matches!(reading.outcome, Err(Miss::NoAnswer | Miss::Corrupt | Miss::NotAsked))
}

impl Bus {
    /// Asks every motor of `readings` for `register` with one request. What does not come is
    /// asked for again motor by motor while `budget`, counted from now, lasts; whoever still
    /// misses says so in its [`Reading`]. An error means that the wire itself is gone.
    pub fn sync_read(
        &mut self,
        register: &Register,
        readings: &mut [Reading],
        budget: Nanos,
    ) -> Result<Timing, Error> {
        let deadline = self.now().saturating_add(budget);
        for reading in &mut *readings {
            reading.outcome = Err(Miss::NoAnswer);
        }
        let mut timing = Timing { first_out: self.now(), last_in: self.now() };
        if self.protocol.has_sync_read() {
            timing = self.sync_read_once(register, readings, deadline)?;
        } else {
            self.read_missing(register, readings, deadline, &mut timing, |_| true)?;
        }
        // Those that answered last time are asked again before those that have been silent for
        // longer: a dead motor must not use up the time that a lost answer needs.
        for _ in 0..self.patience.retries {
            let retry = |reading: &Reading| reading.misses == 0;
            self.read_missing(register, readings, deadline, &mut timing, retry)?;
        }
        for _ in 0..self.patience.retries {
            let retry = |reading: &Reading| (1..GIVEN_UP_AFTER).contains(&reading.misses);
            self.read_missing(register, readings, deadline, &mut timing, retry)?;
        }
        for reading in readings {
            if let Ok(sample) = reading.outcome {
                reading.last = Some(sample);
                reading.misses = 0;
            } else {
                reading.misses = reading.misses.saturating_add(1);
                self.counts.lost += 1;
            }
        }
        Ok(timing)
    }

    /// Asks one by one for what is missing, each with its share of the time that is left.
    fn read_missing(
        &mut self,
        register: &Register,
        readings: &mut [Reading],
        deadline: Nanos,
        timing: &mut Timing,
        whom: impl Fn(&Reading) -> bool,
    ) -> Result<(), Error> {
        let due = |reading: &Reading| {
            matches!(reading.outcome, Err(Miss::NoAnswer | Miss::Corrupt)) && whom(reading)
        };
        let mut left = readings.iter().filter(|reading| due(reading)).count();
        for reading in readings.iter_mut().filter(|reading| due(reading)) {
            let now = self.now();
            let span = deadline.saturating_sub(now);
            if span <= 0 {
                break;
            }
            self.counts.retries += u64::from(self.protocol.has_sync_read());
            let share = span / Nanos::try_from(left).unwrap_or(Nanos::MAX).max(1);
            self.read_into(register, reading, now.saturating_add(share), timing)?;
            left = left.saturating_sub(1);
        }
        Ok(())
    }

    fn sync_read_once(
        &mut self,
        register: &Register,
        readings: &mut [Reading],
        deadline: Nanos,
    ) -> Result<Timing, Error> {
        self.quiet()?;
        self.counts.requests += 1;
        let width = self.tagged(register.address, usize::from(register.width));
        let count = readings.len().min(self.rows.len());
        for (place, reading) in self.rows.iter_mut().zip(readings.iter()) {
            *place = reading.id;
        }
        let ids = self.rows.get(..count).unwrap_or_default();
        let (address, wide) = (register.address, u16::try_from(width).unwrap_or(u16::MAX));
        let request = if self.fast_sync_read {
            Request::FastSyncRead { address, width: wide, ids }
        } else {
            Request::SyncRead { address, width: wide, ids }
        };
        let sent = self.protocol.encode(BROADCAST, &request, &mut self.request)?;
        let reply = if self.fast_sync_read {
            // The last servo's crc is the frame's own.
            self.protocol.reply_len((count * (width + 4)).saturating_sub(3))
        } else {
            self.protocol.reply_len(width)
        };
        // Stuffing can lengthen a Dynamixel answer by a third.
        self.decoder.expect_at_most(reply + reply / 3);
        let first_out = self.transmit(sent)?;
        let mut timing = Timing { first_out, last_in: first_out };
        // Who wakes for each answer alone does little in between, and that many times.
        let answers = if self.fast_sync_read { reply } else { reply.saturating_mul(count) };
        let baud = self.wire.baud();
        self.nap(deadline.min(first_out.saturating_add(line_time(sent + answers, baud))));
        let mut wait = self.answer_deadline(sent, reply, deadline);
        // However much the line babbles, a sync read ends.
        let gap = self.patience.gap + line_time(reply, self.wire.baud());
        let gaps = gap.saturating_mul(Nanos::try_from(count).unwrap_or(Nanos::MAX));
        let end = deadline.min(wait.saturating_add(gaps));
        let protocol = self.protocol;
        let mut turn = Turn { next: 0, asked: first_out, width, register, protocol };
        while readings.iter().any(is_open) {
            let Some(at) = self.fill(wait)? else { break };
            timing.last_in = at;
            let damaged_before = self.decoder.counts().bad_checksums;
            let (from, to) = self.unread;
            let mut bytes = self.incoming.get(from..to).unwrap_or_default();
            while let Some(frame) = self.decoder.next(&mut bytes) {
                let strays = &mut self.counts.stray;
                // What is behind it in the same gulp came after it.
                let at = first_out.max(at.saturating_sub(line_time(bytes.len(), baud)));
                let mut take = |status| *strays += u64::from(!turn.take(readings, &status, at));
                if self.fast_sync_read && frame.params.len() + 2 == count * (width + 4) {
                    dynamixel::fast_replies(&frame, width).for_each(&mut take);
                } else if let Some(status) = frame.status() {
                    take(status);
                } else {
                    self.counts.stray += 1;
                }
            }
            self.unread = (to - bytes.len(), to);
            if self.decoder.counts().bad_checksums != damaged_before
                && let Some(reading) = readings.get_mut(turn.next)
                && is_open(reading)
            {
                reading.outcome = Err(Miss::Corrupt);
            }
            if turn.next > 0 {
                wait = end.min(at.saturating_add(gap));
            }
        }
        if readings.iter().any(is_open) {
            self.suspect();
        }
        Ok(timing)
    }

    fn read_into(
        &mut self,
        register: &Register,
        reading: &mut Reading,
        deadline: Nanos,
        timing: &mut Timing,
    ) -> Result<(), Error> {
        let width = usize::from(register.width);
        match self.read_once(reading.id, register.address, width, deadline)? {
            Ok(Answered { faults, timing: single }) => {
                let data = self.rows.get(..width).unwrap_or_default();
                if let Some(value) = register.decode(self.protocol.byte_order(), data) {
                    let Timing { first_out, last_in } = single;
                    reading.outcome = Ok(Sample { value, asked: first_out, at: last_in });
                    reading.faults = faults;
                    timing.last_in = last_in;
                }
            }
            Err(miss) => reading.outcome = Err(miss),
        }
        Ok(())
    }

    /// Writes `register` of many motors with one request that nobody answers. Returns the instant
    /// at which its first byte went out.
    pub fn sync_write(
        &mut self,
        _door: Door,
        register: &Register,
        rows: impl Iterator<Item = (u8, i32)>,
    ) -> Result<Nanos, Error> {
        let order = self.protocol.byte_order();
        let width = usize::from(register.width);
        let mut len = 0;
        for (id, value) in rows {
            let bytes = register.encode(order, value)?;
            let Some(row) = self.rows.get_mut(len..len + 1 + width) else {
                let needed = len + 1 + width;
                return Err(EncodeError::BufferTooSmall { needed, room: self.rows.len() }.into());
            };
            for (place, byte) in row.iter_mut().zip([id].iter().chain(&bytes)) {
                *place = *byte;
            }
            len += 1 + width;
        }
        let request = Request::SyncWrite {
            address: register.address,
            width: u16::from(register.width),
            rows: self.rows.get(..len).unwrap_or_default(),
        };
        let sent = self.protocol.encode(BROADCAST, &request, &mut self.request)?;
        self.counts.requests += 1;
        self.transmit(sent)
    }
}
