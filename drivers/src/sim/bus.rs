//! The virtual bus: servos on one line, and the link to a driver in the same process.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sinew_core::dynamixel;
use sinew_core::packet::{BROADCAST, Decoder, FRAME_ROOM, Frame, Request};
use sinew_core::register::{Faults, Reg};

use super::line::Line;
use super::record::Observer;
use super::{Demand, Device, FaultCounts, FaultKind, FaultPlan};
use crate::clock::{MICRO, MILLI, SECOND};
use crate::wire::line_time;
use crate::{Clock, Error, Nanos, Wire};

/// From the end of a request to the begin of an answer, beyond the servo's own setting.
const THINKING: Nanos = 20 * MICRO;
/// How long the next servo of a sync read waits for one that says nothing.
const SILENCE: Nanos = 300 * MICRO;
/// Silence after which servos take the next byte for the begin of a packet.
const PAUSE: Nanos = 10 * MILLI;
/// Volts and duration of a sagging supply.
const SAG: (f64, Nanos) = (3.2, SECOND / 5);

/// How a servo stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ServoState {
    /// Its id.
    pub id: u8,
    /// Its model.
    pub model: &'static str,
    /// Whether it holds torque.
    pub torque: bool,
    /// What it tells as its position.
    pub position: i32,
    /// Where it is told to go.
    pub goal: i32,
    /// The joint's true place in counts, without offset, turns counted on.
    pub joint: f64,
    /// What is wrong with it.
    pub faults: Faults,
    /// The rate it listens at.
    pub baud: u32,
    /// All its registers, by address.
    pub registers: Vec<u8>,
}

/// Virtual servos on one line. Clones are the same bus.
#[derive(Clone)]
pub struct VirtualBus {
    world: Arc<Mutex<World>>,
    clock: Clock,
}

struct World {
    requests: u64,
    devices: Vec<Device>,
    decoder: Decoder,
    line: Line,
    plugged: bool,
    /// Under which name the adapter is found when it is plugged in.
    port: Option<PathBuf>,
    /// Sagging until then.
    sagging: Option<Nanos>,
    /// The supply of every device before the sag.
    supplies: Vec<f64>,
}

impl VirtualBus {
    /// A bus of these servos, which must share a protocol. Everything random follows `seed`.
    pub fn new(devices: Vec<Device>, clock: Clock, seed: u64) -> Self {
        let protocol = devices.first().map_or(sinew_core::packet::Protocol::Feetech0, |device| {
            device.servo.series().protocol
        });
        let world = World {
            requests: 0,
            supplies: devices.iter().map(Device::supply).collect(),
            devices,
            decoder: Decoder::new(protocol),
            line: Line::new(seed),
            plugged: true,
            port: None,
            sagging: None,
        };
        Self { world: Arc::new(Mutex::new(world)), clock }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere leaves registers as they were: still a bus.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock it runs on.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A wire to the bus within this process.
    pub fn wire(&self) -> Box<dyn Wire> {
        let baud = self.world().devices.first().map_or(1_000_000, |device| device.servo.baud());
        Box::new(Link { bus: self.clone(), baud })
    }

    /// What goes wrong from now on.
    pub fn faults(&self, plan: FaultPlan) {
        self.world().line.plan = plan;
    }

    /// Makes the next `times` answers (of servo `id`, if given) go wrong like this.
    pub fn inject(&self, kind: FaultKind, id: Option<u8>, times: u32) {
        if times > 0 {
            self.world().line.demands.push(Demand { kind, id, times });
        }
    }

    /// Lets the supply break down for a moment: every servo starts again.
    pub fn brown_out(&self) {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        world.sag(now);
    }

    /// What has gone wrong so far.
    pub fn fault_counts(&self) -> FaultCounts {
        self.world().line.counts
    }

    /// How many packets the host has sent.
    pub fn requests(&self) -> u64 {
        self.world().requests
    }

    /// Tells `observer` of every packet from now on.
    pub fn observe(&self, observer: Observer) {
        self.world().line.observer = Some(observer);
    }

    /// Takes a joint by hand and holds it at `counts` (offset not applied), or lets go. Whether
    /// there is such a servo.
    pub fn hand(&self, id: u8, counts: Option<f64>) -> bool {
        self.change(id, |device| device.hand(counts))
    }

    /// Makes a servo deaf and dumb, or well again. Whether there is such a servo.
    pub fn set_dead(&self, id: u8, dead: bool) -> bool {
        self.change(id, |device| device.dead = dead)
    }

    /// Gives every servo this supply.
    pub fn set_supply(&self, volts: f64) {
        let mut world = self.world();
        world.supplies.fill(volts);
        world.devices.iter_mut().for_each(|device| device.set_supply(volts));
    }

    /// Changes a servo from outside, for instance its register memory. Whether there is one.
    pub fn change(&self, id: u8, change: impl FnOnce(&mut Device)) -> bool {
        let now = self.clock.now();
        let mut world = self.world();
        let found = world.devices.iter_mut().find(|device| device.servo.id() == id);
        let there = found.is_some();
        if let Some(device) = found {
            device.advance(now);
            change(device);
            device.written();
        }
        there
    }

    /// Cuts the power and gives it back.
    pub fn power_cycle(&self) {
        self.world().devices.iter_mut().for_each(Device::power_cycle);
    }

    /// Pulls the adapter out.
    pub fn unplug(&self) {
        let mut world = self.world();
        world.line.counts.unplugs += u64::from(world.plugged);
        world.unplug();
    }

    /// Plugs the adapter in again, under another name where one is given.
    pub fn replug(&self, port: Option<PathBuf>) {
        let mut world = self.world();
        world.plugged = true;
        if port.is_some() {
            world.port = port;
        }
    }

    /// Whether the adapter is plugged in.
    pub fn plugged(&self) -> bool {
        self.world().plugged
    }

    /// Under which name the adapter is found, where it has been given one.
    pub fn port(&self) -> Option<PathBuf> {
        self.world().port.clone()
    }

    /// How one servo stands now.
    pub fn servo(&self, id: u8) -> Option<ServoState> {
        self.servos().into_iter().find(|state| state.id == id)
    }

    /// How every servo stands now.
    pub fn servos(&self) -> Vec<ServoState> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        world.devices.iter().map(state).collect()
    }

    /// The host sends `bytes` at `baud`.
    pub(super) fn host_sends(&self, bytes: &[u8], baud: u32) {
        self.world().host_sends(bytes, baud, self.clock.now());
    }

    /// Takes what has come in for the host.
    pub(super) fn host_takes(&self, into: &mut [u8]) -> usize {
        self.world().line.take(self.clock.now(), into)
    }

    /// When the next byte for the host comes in.
    pub(super) fn next_arrival(&self) -> Option<Nanos> {
        self.world().line.next_arrival()
    }
}

fn state(device: &Device) -> ServoState {
    let servo = &device.servo;
    ServoState {
        id: servo.id(),
        model: servo.model().name,
        torque: servo.get(Reg::TorqueEnable) != 0,
        position: servo.get(Reg::PresentPosition),
        goal: servo.get(Reg::GoalPosition),
        joint: device.joint(),
        faults: servo.faults(),
        baud: servo.baud(),
        registers: servo.memory().to_vec(),
    }
}

impl World {
    fn advance(&mut self, now: Nanos) {
        if self.sagging.is_some_and(|until| now >= until) {
            self.sagging = None;
            for (device, volts) in self.devices.iter_mut().zip(&self.supplies) {
                device.set_supply(*volts);
            }
        }
        self.devices.iter_mut().for_each(|device| device.advance(now));
    }

    fn unplug(&mut self) {
        self.plugged = false;
        self.line.clear();
        self.decoder.reset();
    }

    fn sag(&mut self, now: Nanos) {
        self.line.counts.brownouts += 1;
        self.sagging = Some(now + SAG.1);
        for device in &mut self.devices {
            device.power_cycle();
            device.set_supply(SAG.0);
        }
    }

    fn host_sends(&mut self, bytes: &[u8], baud: u32, now: Nanos) {
        if !self.plugged {
            return;
        }
        if now > self.line.free_at + PAUSE {
            self.decoder.reset();
        }
        let end = now.max(self.line.free_at) + line_time(bytes.len(), baud);
        self.line.free_at = end;
        self.line.note(end, true, bytes);
        let plan = self.line.plan;
        if self.line.happens(plan.unplug) {
            self.line.counts.unplugs += 1;
            self.unplug();
            return;
        }
        if self.line.happens(plan.brownout) {
            self.sag(end);
        }
        self.advance(end);
        let Self { decoder, devices, line, requests, .. } = self;
        let mut input = bytes;
        while let Some(frame) = decoder.next(&mut input) {
            *requests += 1;
            serve(devices, line, &frame, baud);
        }
    }
}

/// Lets everybody who hears a frame act on it, and puts the answers on the line.
fn serve(devices: &mut [Device], line: &mut Line, frame: &Frame, baud: u32) {
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

/// The wire between a driver in this process and the bus.
struct Link {
    bus: VirtualBus,
    baud: u32,
}

impl Link {
    fn check(&self) -> Result<(), Error> {
        if self.bus.plugged() {
            return Ok(());
        }
        Err(Error::Lost {
            port: self.name().to_owned(),
            source: io::ErrorKind::NotConnected.into(),
        })
    }
}

impl Wire for Link {
    fn name(&self) -> &str {
        "virtual bus"
    }

    fn clock(&self) -> &Clock {
        &self.bus.clock
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        if baud == 0 {
            return Err(Error::BaudRefused { port: self.name().to_owned(), baud });
        }
        self.baud = baud;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        self.check()?;
        let now = self.bus.clock.now();
        self.bus.host_sends(bytes, self.baud);
        Ok(now)
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        loop {
            self.check()?;
            let taken = self.bus.host_takes(into);
            let now = self.bus.clock.now();
            if taken > 0 || now >= deadline {
                return Ok(taken);
            }
            let arrival = self.bus.next_arrival().unwrap_or(Nanos::MAX);
            // Nobody else sends while the driver waits; a far deadline is approached in steps
            // all the same, so that an adapter pulled meanwhile is noticed.
            self.bus.clock.sleep_until(arrival.min(deadline).min(now + 100 * MILLI));
        }
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.check()?;
        let now = self.bus.clock.now();
        self.bus.world().line.discard(now);
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.check()
    }
}
