//! A servo's own end of the wire: its registers, and what it answers.
//!
//! The virtual bus and the boards share it. It knows nothing of motors: whoever owns a [`Servo`]
//! reads goals from its registers and stores what it measures there.

use crate::packet::{BROADCAST, EncodeError, MAX_ID, Protocol, Request, Status};
use crate::register::{Access, Fault, Faults, Reg, Register, Store};
use crate::tables::{Model, Series};

/// Bytes of register memory: enough for every series.
const MEMORY: usize = 256;
/// Bytes that a registered write can hold.
const PENDING: usize = 32;

/// What the Dynamixel watchdog holds once it has tripped: −1 in its one byte.
const WATCHDOG_TRIPPED: i32 = 255;

/// The Dynamixel operating mode that heeds the position limits.
const POSITION_MODE: i32 = 3;

/// Dynamixel's error numbers in a reply.
mod refusal {
    pub const RANGE: u8 = 4;
    pub const LENGTH: u8 = 5;
    pub const LIMIT: u8 = 6;
    pub const ACCESS: u8 = 7;
}

/// The registers of one servo and the rules for reading and writing them.
#[derive(Clone, Debug)]
pub struct Servo {
    series: &'static Series,
    model: &'static Model,
    memory: [u8; MEMORY],
    /// What survives power loss; on Feetech an unlocked write is kept, a locked one is not.
    eeprom: [u8; MEMORY],
    pending: Option<Pending>,
    faults: Faults,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    address: u16,
    len: usize,
    data: [u8; PENDING],
}

/// What a request did to a servo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// It has something to say.
    pub answers: bool,
    /// Registers changed.
    pub wrote: bool,
    /// It starts again: its volatile registers are as after power-up.
    pub rebooted: bool,
}

/// A range of memory, or a complaint in its place.
enum Reply {
    Nothing,
    Receipt(u8),
    Memory { address: u16, width: u16 },
    Model,
}

impl Servo {
    /// A servo as it leaves the factory, with this id.
    pub fn new(series: &'static Series, model: &'static Model, id: u8) -> Self {
        let mut servo = Self {
            series,
            model,
            memory: [0; MEMORY],
            eeprom: [0; MEMORY],
            pending: None,
            faults: Faults::NONE,
        };
        servo.reset_to_factory();
        servo.set(Reg::Id, i32::from(id));
        servo.keep_settings();
        servo
    }

    /// The register table it follows.
    pub fn series(&self) -> &'static Series {
        self.series
    }

    /// What it is sold as.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// The id it answers to.
    pub fn id(&self) -> u8 {
        u8::try_from(self.get(Reg::Id)).unwrap_or(BROADCAST)
    }

    /// The rate it listens at.
    pub fn baud(&self) -> u32 {
        let code = u8::try_from(self.get(Reg::BaudRate)).unwrap_or(u8::MAX);
        self.series.baud(code).unwrap_or(1_000_000)
    }

    /// What is wrong with it.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Says what is wrong with it; answers carry it from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.set(Reg::HardwareErrorStatus, i32::from(faults.to_dynamixel_hardware()));
        self.set(Reg::Status, i32::from(faults.to_feetech()));
    }

    /// Raises `fault`, keeping what was wrong before.
    pub fn raise(&mut self, fault: Fault) {
        self.set_faults(self.faults.with(fault));
    }

    /// The bus was silent for longer than the Dynamixel watchdog allows: goals are refused until
    /// the host sets the watchdog to zero.
    pub fn trip_watchdog(&mut self) {
        self.set(Reg::BusWatchdog, WATCHDOG_TRIPPED);
    }

    /// All registers, by address.
    pub fn memory(&self) -> &[u8; MEMORY] {
        &self.memory
    }

    /// The value of a register, zero where the series has none.
    pub fn get(&self, reg: Reg) -> i32 {
        let order = self.series.protocol.byte_order();
        self.series
            .get(reg)
            .and_then(|row| row.decode(order, self.memory.get(usize::from(row.address)..)?))
            .unwrap_or_default()
    }

    /// Stores a register from inside the servo: no access rule applies. Values beyond the
    /// register's range end at its ends; a register the series lacks is nobody's loss.
    pub fn set(&mut self, reg: Reg, value: i32) {
        let Some(row) = self.series.get(reg) else { return };
        let (min, max) = row.range();
        let value = i64::from(value).clamp(min, max) as i32;
        let Ok(bytes) = row.encode(self.series.protocol.byte_order(), value) else { return };
        let from = usize::from(row.address);
        let place = self.memory.get_mut(from..from + usize::from(row.width));
        for (place, byte) in place.into_iter().flatten().zip(bytes) {
            *place = byte;
        }
    }

    /// Makes the present settings the ones that survive power loss.
    pub fn keep_settings(&mut self) {
        self.eeprom = self.memory;
    }

    /// Power was lost and is back: settings as kept, everything else as after power-up.
    pub fn power_cycle(&mut self) {
        self.memory = self.eeprom;
        self.pending = None;
        for row in self.series.registers {
            if row.store == Store::Ram && !measured(row) {
                self.set(row.reg, 0);
            }
        }
        self.faults = Faults::NONE;
        self.power_up_values();
    }

    /// Whether a request on the wire concerns this servo.
    pub fn hears(&self, id: u8) -> bool {
        id == BROADCAST || id == self.id()
    }

    /// Takes a request sent to `id`, and writes the answer, if there is one, into `out`. The
    /// answer's length is returned beside what happened.
    pub fn take(
        &mut self,
        id: u8,
        request: &Request,
        out: &mut [u8],
    ) -> Result<(Effect, usize), EncodeError> {
        if !self.hears(id) {
            return Ok((Effect::default(), 0));
        }
        // The answer to a change of id still carries the old one.
        let own = self.id();
        let mut effect = Effect::default();
        let reply = self.act(own, request, &mut effect);
        let spoken = match request {
            Request::SyncRead { .. } | Request::FastSyncRead { .. } | Request::BulkRead { .. } => {
                true
            }
            Request::Ping => true,
            _ => id != BROADCAST,
        };
        if !spoken || !self.may_answer(request) {
            return Ok((effect, 0));
        }
        let len = self.write_reply(own, &reply, out)?;
        effect.answers = len > 0;
        Ok((effect, len))
    }

    /// This servo's part of the one frame that answers a fast sync read.
    pub fn fast_share(&self, address: u16, width: u16) -> Option<Status<'_>> {
        let data = self.bytes(address, width)?;
        Some(Status { id: self.id(), error: self.error_byte(0), data })
    }

    fn act(&mut self, own: u8, request: &Request, effect: &mut Effect) -> Reply {
        match *request {
            Request::Ping if self.series.protocol == Protocol::Dynamixel2 => Reply::Model,
            Request::Ping => Reply::Receipt(0),
            Request::Read { address, width } => Reply::Memory { address, width },
            Request::Write { address, data } => {
                let refusal = self.write(address, data);
                effect.wrote = refusal == 0;
                Reply::Receipt(refusal)
            }
            Request::RegWrite { address, data } => {
                let mut pending = Pending { address, len: data.len(), data: [0; PENDING] };
                let Some(place) = pending.data.get_mut(..data.len()) else {
                    return Reply::Receipt(refusal::LENGTH);
                };
                place.copy_from_slice(data);
                self.pending = Some(pending);
                self.set(Reg::RegisteredInstruction, 1);
                Reply::Receipt(0)
            }
            Request::Action => {
                if let Some(pending) = self.pending.take() {
                    let data = pending.data.get(..pending.len).unwrap_or_default();
                    effect.wrote = self.write(pending.address, data) == 0;
                }
                self.set(Reg::RegisteredInstruction, 0);
                Reply::Receipt(0)
            }
            Request::FactoryReset { keep } => {
                let (id, baud) = (self.get(Reg::Id), self.get(Reg::BaudRate));
                self.reset_to_factory();
                // Feetech's reset leaves the id alone; Dynamixel's says what to keep.
                if keep != 0xFF || self.series.protocol != Protocol::Dynamixel2 {
                    self.set(Reg::Id, id);
                }
                if keep == 0x02 {
                    self.set(Reg::BaudRate, baud);
                }
                self.keep_settings();
                effect.rebooted = true;
                Reply::Receipt(0)
            }
            Request::Reboot => {
                self.power_cycle();
                effect.rebooted = true;
                Reply::Receipt(0)
            }
            Request::SyncRead { address, width, ids }
            | Request::FastSyncRead { address, width, ids } => {
                if ids.contains(&own) {
                    Reply::Memory { address, width }
                } else {
                    Reply::Nothing
                }
            }
            Request::SyncWrite { address, width, rows } => {
                let mine =
                    rows.chunks_exact(usize::from(width) + 1).find(|row| row.first() == Some(&own));
                if let Some([_, data @ ..]) = mine {
                    effect.wrote = self.write(address, data) == 0;
                }
                Reply::Nothing
            }
            Request::BulkRead { rows } => bulk_row(rows, own),
        }
    }

    /// Status level 0 answers pings only, 1 reads too, 2 everything (Dynamixel); Feetech's level
    /// 0 leaves out all but pings and reads.
    fn may_answer(&self, request: &Request) -> bool {
        let reads = !matches!(
            request,
            Request::Write { .. }
                | Request::RegWrite { .. }
                | Request::Action
                | Request::FactoryReset { .. }
                | Request::Reboot
        );
        match (self.series.protocol, self.get(Reg::ResponseStatusLevel)) {
            (_, 2..) => true,
            (Protocol::Dynamixel2, 0) => *request == Request::Ping,
            (Protocol::Dynamixel2, _) => reads,
            (_, 1) => true,
            (_, _) => reads,
        }
    }

    fn write_reply(&self, own: u8, reply: &Reply, out: &mut [u8]) -> Result<usize, EncodeError> {
        let protocol = self.series.protocol;
        let number = self.model.number.to_le_bytes();
        let firmware = u8::try_from(self.get(Reg::FirmwareVersion)).unwrap_or_default();
        let model = [number[0], number[1], firmware];
        let (refusal, data): (u8, &[u8]) = match *reply {
            Reply::Nothing => return Ok(0),
            Reply::Receipt(refusal) => (refusal, &[]),
            Reply::Model => (0, &model),
            Reply::Memory { address, width } => match self.bytes(address, width) {
                Some(data) => (0, data),
                None => (refusal::RANGE, &[]),
            },
        };
        protocol.encode_status(&Status { id: own, error: self.error_byte(refusal), data }, out)
    }

    fn error_byte(&self, refusal: u8) -> u8 {
        match self.series.protocol {
            Protocol::Dynamixel2 => refusal | if self.faults.is_empty() { 0 } else { 0x80 },
            Protocol::Feetech0 | Protocol::Feetech1 => self.faults.to_feetech(),
        }
    }

    fn bytes(&self, address: u16, width: u16) -> Option<&[u8]> {
        let from = usize::from(address);
        self.memory.get(from..from.checked_add(usize::from(width))?)
    }

    /// Stores bytes from outside and returns the refusal, zero for none.
    fn write(&mut self, address: u16, data: &[u8]) -> u8 {
        let from = usize::from(address);
        let Some(to) = from.checked_add(data.len()).filter(|to| *to <= MEMORY) else {
            return refusal::RANGE;
        };
        let dynamixel = self.series.protocol == Protocol::Dynamixel2;
        let touched = |row: &&Register| {
            let start = usize::from(row.address);
            start < to && start + usize::from(row.width) > from
        };
        let mut keep = false;
        for row in self.series.registers.iter().filter(touched) {
            let guarded = row.store == Store::Eeprom;
            if dynamixel && guarded && self.get(Reg::TorqueEnable) != 0 {
                return refusal::ACCESS;
            }
            if dynamixel && row.access == Access::ReadOnly {
                return refusal::ACCESS;
            }
            let start = usize::from(row.address);
            if dynamixel && (start < from || start + usize::from(row.width) > to) {
                return refusal::LENGTH;
            }
            keep |= guarded;
        }
        let locked = !dynamixel && self.get(Reg::Lock) != 0;
        let before = self.memory;
        if let Some(place) = self.memory.get_mut(from..to) {
            place.copy_from_slice(data);
        }
        self.restore_read_only(&before, from, to);
        let refusal = if self.plausible() { self.over_limit(from, to) } else { refusal::RANGE };
        if refusal != 0 {
            self.memory = before;
            return refusal;
        }
        if keep && !locked {
            let source = self.memory;
            if let (Some(place), Some(new)) = (self.eeprom.get_mut(from..to), source.get(from..to))
            {
                place.copy_from_slice(new);
            }
        }
        0
    }

    /// Dynamixel refuses goals beyond its limits, and any goal once its watchdog has tripped;
    /// Feetech takes them and ends at the limit.
    fn over_limit(&self, from: usize, to: usize) -> u8 {
        if self.series.protocol != Protocol::Dynamixel2 {
            return 0;
        }
        let written = |reg| {
            let place = self.series.get(reg).map(|row| usize::from(row.address));
            place.is_some_and(|at| (from..to).contains(&at))
        };
        let symmetric = [
            (Reg::GoalPwm, Reg::PwmLimit),
            (Reg::GoalCurrent, Reg::CurrentLimit),
            (Reg::GoalVelocity, Reg::VelocityLimit),
        ];
        let tripped = self.get(Reg::BusWatchdog) == WATCHDOG_TRIPPED;
        let goals = [Reg::GoalPwm, Reg::GoalCurrent, Reg::GoalVelocity, Reg::GoalPosition];
        if tripped && goals.into_iter().any(written) {
            return refusal::RANGE;
        }
        for (goal, limit) in symmetric {
            // The XL430 senses no current and has no limit for it.
            let limit = self.get(limit);
            if written(goal) && limit > 0 && self.get(goal).unsigned_abs() > limit.unsigned_abs() {
                return refusal::LIMIT;
            }
        }
        let within = self.get(Reg::MinPositionLimit)..=self.get(Reg::MaxPositionLimit);
        let bounded = self.get(Reg::OperatingMode) == POSITION_MODE && written(Reg::GoalPosition);
        if bounded && !within.contains(&self.get(Reg::GoalPosition)) {
            return refusal::LIMIT;
        }
        0
    }

    /// A Feetech servo takes a write that runs over read-only registers and leaves those alone.
    fn restore_read_only(&mut self, before: &[u8; MEMORY], from: usize, to: usize) {
        for row in self.series.registers {
            if row.access == Access::ReadOnly {
                let start = usize::from(row.address);
                let span = start.max(from)..(start + usize::from(row.width)).min(to);
                if let (Some(place), Some(old)) =
                    (self.memory.get_mut(span.clone()), before.get(span))
                {
                    place.copy_from_slice(old);
                }
            }
        }
    }

    /// Whether id and baud rate are ones it could still be reached with.
    fn plausible(&self) -> bool {
        let baud = u8::try_from(self.get(Reg::BaudRate)).ok();
        (0..=i32::from(MAX_ID)).contains(&self.get(Reg::Id))
            && baud.and_then(|code| self.series.baud(code)).is_some()
    }

    fn reset_to_factory(&mut self) {
        self.memory = [0; MEMORY];
        for &(reg, value) in self.series.factory.iter().chain(self.model.factory) {
            self.set(reg, value);
        }
        self.set(Reg::ModelNumber, i32::from(self.model.number));
        self.set(Reg::MaxPositionLimit, i32::from(self.model.counts) - 1);
        self.power_up_values();
        self.keep_settings();
    }

    /// What volatile registers hold after power-up.
    fn power_up_values(&mut self) {
        let torque = self.get(Reg::MaxTorqueLimit);
        self.set(Reg::TorqueLimit, torque);
        if self.series.protocol != Protocol::Dynamixel2 {
            self.set(Reg::Lock, 1);
        }
        for &(reg, value) in self.series.factory.iter().chain(self.model.factory) {
            if self.series.get(reg).is_some_and(|row| row.store == Store::Ram) {
                self.set(reg, value);
            }
        }
        self.set_faults(self.faults);
    }
}

/// Whether a volatile register is a measurement, which power-up does not change.
fn measured(row: &Register) -> bool {
    row.access == Access::ReadOnly
}

fn bulk_row(rows: &[u8], own: u8) -> Reply {
    for row in rows.chunks_exact(5) {
        if let [id, a, b, c, d] = *row
            && id == own
        {
            let address = u16::from_le_bytes([a, b]);
            return Reply::Memory { address, width: u16::from_le_bytes([c, d]) };
        }
    }
    Reply::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Decoder;
    use crate::tables::{DYNAMIXEL_X, STS, by_name};

    fn sts(id: u8) -> Servo {
        Servo::new(&STS, by_name("sts3215").unwrap().1, id)
    }

    fn ask(servo: &mut Servo, id: u8, request: &Request) -> Option<(u8, std::vec::Vec<u8>)> {
        let mut out = [0; 300];
        let (_, len) = servo.take(id, request, &mut out).unwrap();
        let mut decoder: Decoder = Decoder::new(servo.series().protocol);
        let mut bytes = &out[..len];
        let frame = decoder.next(&mut bytes)?;
        let status = frame.status()?;
        Some((status.error, status.data.to_vec()))
    }

    #[test]
    fn answers_only_to_its_own_id_and_to_pings_of_everybody() {
        let mut servo = sts(3);
        assert_eq!(ask(&mut servo, 3, &Request::Ping), Some((0, std::vec![])));
        assert_eq!(ask(&mut servo, BROADCAST, &Request::Ping), Some((0, std::vec![])));
        assert_eq!(ask(&mut servo, 4, &Request::Ping), None);
        let write = Request::Write { address: 40, data: &[1] };
        assert_eq!(ask(&mut servo, BROADCAST, &write), None);
        assert_eq!(servo.get(Reg::TorqueEnable), 1);
    }

    #[test]
    fn a_locked_setting_is_lost_with_the_power_and_an_unlocked_one_is_kept() {
        let mut servo = sts(1);
        ask(&mut servo, 1, &Request::Write { address: 21, data: &[16] });
        assert_eq!(servo.get(Reg::PCoefficient), 16);
        servo.power_cycle();
        assert_eq!(servo.get(Reg::PCoefficient), 32);
        ask(&mut servo, 1, &Request::Write { address: 55, data: &[0] });
        ask(&mut servo, 1, &Request::Write { address: 21, data: &[16] });
        servo.power_cycle();
        assert_eq!(servo.get(Reg::PCoefficient), 16);
        assert_eq!(servo.get(Reg::Lock), 1);
    }

    #[test]
    fn a_new_id_counts_after_the_receipt_and_an_impossible_one_never() {
        let mut servo = sts(1);
        let mut out = [0; 64];
        let write = Request::Write { address: 5, data: &[9] };
        let (effect, len) = servo.take(1, &write, &mut out).unwrap();
        assert!(effect.answers && effect.wrote && len == 6);
        assert_eq!((out[2], servo.id()), (1, 9));
        ask(&mut servo, 9, &Request::Write { address: 5, data: &[254] });
        assert_eq!(servo.id(), 9);
    }

    #[test]
    fn read_only_registers_keep_what_the_servo_put_there() {
        let mut servo = sts(1);
        servo.set(Reg::PresentPosition, 1234);
        ask(&mut servo, 1, &Request::Write { address: 55, data: &[0, 9, 9, 9] });
        assert_eq!(servo.get(Reg::PresentPosition), 1234);
        assert_eq!(servo.get(Reg::Lock), 0);
    }

    #[test]
    fn a_registered_write_waits_for_the_action() {
        let mut servo = sts(1);
        ask(&mut servo, 1, &Request::RegWrite { address: 42, data: &[0, 8] });
        assert_eq!(servo.get(Reg::GoalPosition), 0);
        ask(&mut servo, BROADCAST, &Request::Action);
        assert_eq!(servo.get(Reg::GoalPosition), 2048);
    }

    #[test]
    fn a_dynamixel_guards_its_settings_while_it_holds_torque() {
        let mut servo = Servo::new(&DYNAMIXEL_X, by_name("xl330-m288").unwrap().1, 2);
        let mode = Request::Write { address: 11, data: &[4] };
        assert_eq!(ask(&mut servo, 2, &mode), Some((0, std::vec![])));
        ask(&mut servo, 2, &Request::Write { address: 64, data: &[1] });
        assert_eq!(ask(&mut servo, 2, &mode), Some((refusal::ACCESS, std::vec![])));
        let (error, data) = ask(&mut servo, 2, &Request::Ping).unwrap();
        assert_eq!((error, data), (0, std::vec![0xB0, 0x04, 45]));
    }

    #[test]
    fn a_dynamixel_refuses_goals_beyond_its_limits_and_after_its_watchdog() {
        let mut servo = Servo::new(&DYNAMIXEL_X, by_name("xl330-m288").unwrap().1, 2);
        let goal = |value: i32| value.to_le_bytes();
        let mut to = |address, data: &[u8]| {
            let (error, _) = ask(&mut servo, 2, &Request::Write { address, data }).unwrap();
            error
        };
        assert_eq!(to(116, &goal(4095)), 0);
        assert_eq!(to(116, &goal(4096)), refusal::LIMIT);
        assert_eq!(to(116, &goal(-1)), refusal::LIMIT);
        assert_eq!(to(104, &goal(-445)), 0);
        assert_eq!(to(104, &goal(446)), refusal::LIMIT);
        assert_eq!(to(116, &[1]), refusal::LENGTH);
        assert_eq!(to(11, &[4]), 0);
        assert_eq!(to(116, &goal(-1)), 0);
        servo.trip_watchdog();
        let moved = Request::Write { address: 116, data: &goal(0) };
        assert_eq!(ask(&mut servo, 2, &moved), Some((refusal::RANGE, std::vec![])));
        ask(&mut servo, 2, &Request::Write { address: 98, data: &[0] });
        assert_eq!(ask(&mut servo, 2, &moved), Some((0, std::vec![])));
    }

    #[test]
    fn a_read_beyond_the_memory_is_refused_or_empty() {
        let mut servo = sts(1);
        let read = Request::Read { address: 250, width: 20 };
        assert_eq!(ask(&mut servo, 1, &read), Some((0, std::vec![])));
    }

    #[test]
    fn faults_ride_on_every_answer() {
        let mut servo = sts(1);
        servo.raise(Fault::Overload);
        assert_eq!(ask(&mut servo, 1, &Request::Ping), Some((32, std::vec![])));
    }
}
