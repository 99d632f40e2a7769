//! Servos on a wire: requests out, answers in, one motor's silence never costing another's answer.

mod reading;
mod sync;

use sinew_core::packet::{BROADCAST, Decoder, EncodeError, FRAME_ROOM, Protocol, Request, Status};
use sinew_core::register::{Fault, Faults, Reg, Register};
use sinew_core::tables;

pub use self::reading::{Answer, BusCounts, Heard, Miss, Patience, Reading, Sample, Timing};
use crate::arm::Door;
use crate::clock::MILLI;
use crate::wire::line_time;
use crate::{Error, Nanos, Wire};

/// That a servo answered, and how.
struct Answered {
    faults: Faults,
    timing: Timing,
}

/// How long after a receipt a second copy of it may follow, beyond the time on the line.
const SETTLE: Nanos = MILLI / 2;

/// How many lengths tell an answer from an earlier one. An answer that is more requests late than
/// this can no longer be told, which at the pace of a control loop is a tenth of a second.
const TAGS: u8 = 7;

/// Whether putting `value` into `register` can move a motor: a goal, or torque towards one. It is
/// the place that counts, not what the caller calls it.
fn moves(protocol: Protocol, register: &Register, value: i32) -> bool {
    let place = |row: &Register| row.address..row.address + u16::from(row.width);
    let ours = place(register);
    let goals = [Reg::GoalPosition, Reg::GoalVelocity, Reg::GoalPwm, Reg::TorqueEnable];
    let series = tables::ALL.into_iter().filter(|series| series.protocol == protocol);
    let mut rows = series.flat_map(|series| goals.into_iter().filter_map(|reg| series.get(reg)));
    rows.any(|row| {
        let theirs = place(row);
        let same = theirs.start < ours.end && ours.start < theirs.end;
        let releases = row.reg == Reg::TorqueEnable && *register == *row && value == 0;
        same && !releases
    })
}

/// Refuses a request that carries values: those have their own ways, where they are checked.
fn writes_nothing(request: &Request) -> Result<(), Error> {
    match request {
        Request::Write { .. }
        | Request::RegWrite { .. }
        | Request::Action
        | Request::SyncWrite { .. } => Err(Error::OneDoor { what: "a raw write" }),
        _ => Ok(()),
    }
}

/// Servos of one protocol on one wire.
pub struct Bus {
    wire: Box<dyn Wire>,
    protocol: Protocol,
    patience: Patience,
    decoder: Decoder,
    request: [u8; FRAME_ROOM],
    rows: [u8; FRAME_ROOM],
    incoming: [u8; FRAME_ROOM],
    /// Received and not yet decoded: a range of `incoming`.
    unread: (usize, usize),
    /// Until when an answer to some earlier request may still come in.
    suspect_until: Nanos,
    /// Bytes that the latest tagged read asked for beyond its register.
    tag: u8,
    /// Whom the latest single request was to, and how many bytes its answer carried.
    latest: Option<(u8, usize)>,
    fast_sync_read: bool,
    counts: BusCounts,
}

impl Bus {
    /// Servos that speak `protocol` on `wire`.
    pub fn new(wire: Box<dyn Wire>, protocol: Protocol) -> Self {
        Self {
            wire,
            protocol,
            patience: Patience::default(),
            decoder: Decoder::new(protocol),
            request: [0; FRAME_ROOM],
            rows: [0; FRAME_ROOM],
            incoming: [0; FRAME_ROOM],
            unread: (0, 0),
            suspect_until: Nanos::MIN,
            tag: 0,
            latest: None,
            fast_sync_read: false,
            counts: BusCounts::default(),
        }
    }

    /// The wire format.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Goes on in another wire format, for instance to look for servos of another make.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        if protocol != self.protocol {
            let corrupt = self.counts().corrupt;
            self.protocol = protocol;
            self.decoder = Decoder::new(protocol);
            self.counts.corrupt = corrupt;
            self.fast_sync_read &= protocol == Protocol::Dynamixel2;
            self.unread = (0, 0);
        }
    }

    /// The wire below.
    pub fn wire(&self) -> &dyn Wire {
        &*self.wire
    }

    /// The wire below, for instance to change its rate.
    pub fn wire_mut(&mut self) -> &mut dyn Wire {
        &mut *self.wire
    }

    /// Gives the wire back.
    pub fn into_wire(self) -> Box<dyn Wire> {
        self.wire
    }

    /// How patient the bus is.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Makes the bus more or less patient.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Does something while the bus is so patient, and leaves it as it was.
    pub fn with_patience<T>(&mut self, patience: Patience, work: impl FnOnce(&mut Self) -> T) -> T {
        let usual = std::mem::replace(&mut self.patience, patience);
        let done = work(self);
        self.patience = usual;
        done
    }

    /// Lets sync reads use Dynamixel's one-frame answer. All servos of the bus must know it.
    pub fn use_fast_sync_read(&mut self, on: bool) {
        self.fast_sync_read = on && self.protocol == Protocol::Dynamixel2;
    }

    /// What has happened since the start.
    pub fn counts(&self) -> BusCounts {
        // The decoder counts since it was made; what its predecessors counted is kept here.
        let corrupt = self.counts.corrupt + self.decoder.counts().bad_checksums;
        BusCounts { corrupt, ..self.counts }
    }

    fn now(&self) -> Nanos {
        self.wire.clock().now()
    }

    /// Reads one register of one servo, asking again as often as [`Patience`] allows.
    pub fn read(&mut self, id: u8, register: &Register) -> Result<Answer, Error> {
        let mut bytes = [0; 4];
        let width = usize::from(register.width);
        let place = bytes.get_mut(..width).unwrap_or_default();
        let (faults, timing) = self.read_block(id, register.address, register.reg.name(), place)?;
        let order = self.protocol.byte_order();
        Ok(Answer { value: register.decode(order, &bytes).unwrap_or_default(), faults, timing })
    }

    /// Reads neighbouring registers of one servo as they travel.
    pub fn read_block(
        &mut self,
        id: u8,
        address: u16,
        what: &'static str,
        into: &mut [u8],
    ) -> Result<(Faults, Timing), Error> {
        let width = into.len();
        if width > self.rows.len() {
            return Err(EncodeError::BufferTooSmall { needed: width, room: self.rows.len() }.into());
        }
        let read = |bus: &mut Self| bus.read_once(id, address, width, Nanos::MAX);
        let Answered { faults, timing } = self.ask(id, what, read)?;
        into.copy_from_slice(self.rows.get(..width).unwrap_or_default());
        Ok((faults, timing))
    }

    /// Reads neighbouring registers once, waiting no longer than `patience`. A miss is a value: a
    /// control tick that only looks in passing pays nothing for it.
    pub fn glance(
        &mut self,
        id: u8,
        address: u16,
        patience: Nanos,
        into: &mut [u8],
    ) -> Result<Result<(Faults, Timing), Miss>, Error> {
        let width = into.len().min(self.rows.len());
        let patience = Patience { answer: patience, ..self.patience };
        let read = |bus: &mut Self| bus.read_once(id, address, width, Nanos::MAX);
        let answered = self.with_patience(patience, read);
        Ok(answered?.map(|Answered { faults, timing }| {
            for (place, byte) in into.iter_mut().zip(&self.rows) {
                *place = *byte;
            }
            (faults, timing)
        }))
    }

    /// Writes one register of one servo and waits for its receipt. A complaint in the receipt
    /// (an overload, say) is not a failure: it is in the answer's faults. What would move a motor is
    /// refused.
    pub fn write(&mut self, id: u8, register: &Register, value: i32) -> Result<Answer, Error> {
        if moves(self.protocol, register, value) {
            return Err(Error::OneDoor { what: register.reg.name() });
        }
        self.put(id, register, value)
    }

    /// Writes a register that may move a motor, which only an arm can ask for.
    pub fn drive(
        &mut self,
        _door: Door,
        id: u8,
        register: &Register,
        value: i32,
    ) -> Result<Answer, Error> {
        self.put(id, register, value)
    }

    fn put(&mut self, id: u8, register: &Register, value: i32) -> Result<Answer, Error> {
        let bytes = register.encode(self.protocol.byte_order(), value)?;
        let data = bytes.get(..usize::from(register.width)).unwrap_or_default();
        let request = Request::Write { address: register.address, data };
        let write = |bus: &mut Self| bus.exchange(id, &request, 0, Nanos::MAX);
        let Answered { faults, timing } = self.ask(id, register.reg.name(), write)?;
        if faults.has(Fault::Refused) {
            let what = register.reg.name();
            return Err(Error::Refused { port: self.wire.name().to_owned(), id, what, faults });
        }
        Ok(Answer { value, faults, timing })
    }

    /// Whether servo `id` answers at the present rate.
    pub fn ping(&mut self, id: u8) -> Result<Option<Faults>, Error> {
        let width = self.protocol.ping_data();
        match self.ask(id, "ping", |bus| bus.exchange(id, &Request::Ping, width, Nanos::MAX)) {
            Ok(answered) => Ok(Some(answered.faults)),
            Err(Error::NoAnswer { .. } | Error::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Calls servo `id` once and listens for any sign of life, readable or not.
    pub fn hear(&mut self, id: u8) -> Result<Heard, Error> {
        let width = self.protocol.ping_data();
        Ok(match self.exchange(id, &Request::Ping, width, Nanos::MAX)? {
            Ok(answered) => Heard::Answer(answered.faults),
            Err(Miss::Corrupt) => Heard::Garble,
            Err(_) => Heard::Silence,
        })
    }

    /// Sends a request that has no receipt worth waiting for, such as a reboot.
    pub fn tell(&mut self, id: u8, request: &Request) -> Result<(), Error> {
        writes_nothing(request)?;
        let sent = self.protocol.encode(id, request, &mut self.request)?;
        self.counts.requests += 1;
        self.suspect();
        self.transmit(sent).map(drop)
    }

    /// Sends `request` to everybody and hands every answer, whoever it is from, to `seen`, for
    /// as long as `window`. Used to find motors; damaged answers are counted by the bus.
    pub fn ask_all(
        &mut self,
        request: &Request,
        window: Nanos,
        mut seen: impl FnMut(Status),
    ) -> Result<(), Error> {
        writes_nothing(request)?;
        self.quiet()?;
        let sent = self.protocol.encode(BROADCAST, request, &mut self.request)?;
        self.decoder.expect_at_most(64);
        self.counts.requests += 1;
        let first_out = self.transmit(sent)?;
        let deadline = first_out + window + line_time(sent, self.wire.baud());
        loop {
            let got = self.fill(deadline)?;
            let (from, to) = self.unread;
            let mut bytes = self.incoming.get(from..to).unwrap_or_default();
            loop {
                while let Some(frame) = self.decoder.next(&mut bytes) {
                    if let Some(status) = frame.status() {
                        seen(status);
                    }
                }
                // At the end nothing more can complete a frame: look for whole ones behind it.
                if got.is_some() || !self.decoder.give_up() {
                    break;
                }
            }
            self.unread = (to - bytes.len(), to);
            if got.is_none() {
                return Ok(());
            }
        }
    }

    /// Asks as often as [`Patience`] allows, and waits twice as long each time: a machine that is
    /// too busy to pass an answer on now is likely to be so in a moment.
    fn ask(
        &mut self,
        id: u8,
        what: &'static str,
        mut once: impl FnMut(&mut Self) -> Result<Result<Answered, Miss>, Error>,
    ) -> Result<Answered, Error> {
        let mut patience = self.patience;
        let mut tries = patience.retries;
        loop {
            let miss = match self.with_patience(patience, &mut once)? {
                Ok(answered) => return Ok(answered),
                Err(Miss::Refused(faults)) => {
                    let port = self.wire.name().to_owned();
                    return Err(Error::Refused { port, id, what, faults });
                }
                Err(miss) => miss,
            };
            if tries == 0 {
                self.counts.lost += 1;
                let port = self.wire.name().to_owned();
                return Err(match miss {
                    Miss::Corrupt => Error::Corrupt { port, id, what },
                    _ => Error::NoAnswer { port, id, what },
                });
            }
            tries -= 1;
            self.counts.retries += 1;
            patience.answer = patience.answer.saturating_mul(2);
        }
    }

    /// One read of one servo, whose data is left in `self.rows[..width]`.
    ///
    /// An answer may come twice, and an answer does not say which request it belongs to: two reads
    /// of one servo in a row never ask for the same number of bytes.
    fn read_once(
        &mut self,
        id: u8,
        address: u16,
        width: usize,
        deadline: Nanos,
    ) -> Result<Result<Answered, Miss>, Error> {
        let mut asked = self.tagged(address, width);
        if self.latest == Some((id, asked)) {
            // One byte more or, at the very end of the memory, one less than the tag added.
            let room = usize::from(address) + asked < self.memory_end();
            asked = if room { asked + 1 } else { asked.saturating_sub(1).max(width) };
        }
        let request = Request::Read { address, width: u16::try_from(asked).unwrap_or(u16::MAX) };
        self.exchange(id, &request, asked, deadline)
    }

    /// How many bytes to ask for where `width` are wanted. While an answer to some earlier request
    /// may still come in, each read asks for another number of bytes beyond what it wants, so
    /// that the length of the answer tells.
    fn tagged(&mut self, address: u16, width: usize) -> usize {
        let end = usize::from(address) + width;
        if self.now() >= self.suspect_until || end + usize::from(TAGS) > self.memory_end() {
            return width;
        }
        self.tag = self.tag % TAGS + 1;
        width + usize::from(self.tag)
    }

    /// Where every servo of the protocol still has registers to read.
    fn memory_end(&self) -> usize {
        match self.protocol {
            Protocol::Feetech0 => 87,
            Protocol::Feetech1 => 84,
            Protocol::Dynamixel2 => 147,
        }
    }

    /// One request to one servo and its answer, whose data is left in `self.rows[..width]`.
    fn exchange(
        &mut self,
        id: u8,
        request: &Request,
        width: usize,
        deadline: Nanos,
    ) -> Result<Result<Answered, Miss>, Error> {
        self.quiet()?;
        if width == 0 && self.latest == Some((id, 0)) {
            self.settle()?;
        }
        self.latest = Some((id, width));
        let sent = self.protocol.encode(id, request, &mut self.request)?;
        let reply = self.protocol.reply_len(width);
        self.decoder.expect_at_most(reply + reply / 3);
        self.counts.requests += 1;
        let first_out = self.transmit(sent)?;
        // Strays do not shorten the wait, nor does noise make it longer.
        let wait = self.answer_deadline(sent, reply, deadline);
        let damaged_before = self.decoder.counts().bad_checksums;
        while let Some(at) = self.fill(wait)? {
            let (from, to) = self.unread;
            let mut bytes = self.incoming.get(from..to).unwrap_or_default();
            while let Some(frame) = self.decoder.next(&mut bytes) {
                match frame.status() {
                    Some(status) if status.id == id && status.data.len() == width => {
                        self.unread = (to - bytes.len(), to);
                        let data = self.rows.get_mut(..width).unwrap_or_default();
                        data.copy_from_slice(status.data);
                        let faults = Faults::from_status(self.protocol, status.error);
                        let timing = Timing { first_out, last_in: at };
                        return Ok(Ok(Answered { faults, timing }));
                    }
                    Some(status) if status.id == id && status.data.is_empty() => {
                        let faults = Faults::from_status(self.protocol, status.error);
                        if faults.has(Fault::Refused) {
                            return Ok(Err(Miss::Refused(faults)));
                        }
                        self.counts.stray += 1;
                    }
                    _ => self.counts.stray += 1,
                }
            }
            self.unread = (to - bytes.len(), to);
        }
        self.suspect();
        let damaged = self.decoder.counts().bad_checksums != damaged_before;
        Ok(Err(if damaged { Miss::Corrupt } else { Miss::NoAnswer }))
    }

    /// Until when to wait for the first answer to `sent` bytes.
    fn answer_deadline(&self, sent: usize, reply: usize, deadline: Nanos) -> Nanos {
        let line = line_time(sent + reply, self.wire.baud());
        deadline.min(self.now().saturating_add(line + self.patience.answer))
    }

    /// Leaves nothing behind that could pass for an answer to the next request.
    fn quiet(&mut self) -> Result<(), Error> {
        self.unread = (0, 0);
        self.decoder.reset();
        self.timed(|bus| bus.wire.discard_input())
    }

    /// Lets a receipt that came twice pass by. Receipts are all alike: the second one must not
    /// be taken for that of the next write.
    fn settle(&mut self) -> Result<(), Error> {
        let receipt = line_time(self.protocol.reply_len(0), self.wire.baud());
        let end = self.now().saturating_add(SETTLE + 2 * receipt);
        while self.receive(end)? > 0 && self.now() < end {}
        Ok(())
    }

    /// An answer is missing; it may still come.
    fn suspect(&mut self) {
        self.suspect_until = self.now().saturating_add(self.patience.late);
    }

    fn transmit(&mut self, len: usize) -> Result<Nanos, Error> {
        self.timed(|bus| bus.wire.send(bus.request.get(..len).unwrap_or_default()))
    }

    /// Makes sure that there are unread bytes and returns when they came, or `None` if the
    /// deadline passed first.
    fn fill(&mut self, deadline: Nanos) -> Result<Option<Nanos>, Error> {
        if self.unread.0 < self.unread.1 {
            return Ok(Some(self.now()));
        }
        let got = self.receive(deadline)?;
        self.unread = (0, got.min(self.incoming.len()));
        Ok((got > 0).then(|| self.now()))
    }

    /// Sleeps through what cannot be here sooner.
    fn nap(&mut self, until: Nanos) {
        self.timed(|bus| bus.wire.clock().sleep_until(until));
    }

    fn receive(&mut self, deadline: Nanos) -> Result<usize, Error> {
        self.timed(|bus| bus.wire.receive(&mut bus.incoming, deadline))
    }

    /// Counts how long the wire takes.
    fn timed<T>(&mut self, wire: impl FnOnce(&mut Self) -> T) -> T {
        let began = self.now();
        let done = wire(self);
        self.counts.on_wire += self.now() - began;
        done
    }
}
