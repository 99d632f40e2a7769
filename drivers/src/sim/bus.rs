//! The virtual bus: servos on one line.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sinew_core::packet::{Decoder, Protocol};
use sinew_core::register::{Faults, Reg};

use super::body::{Body, Embodied};
use super::line::Line;
use super::link::Link;
use super::record::Observer;
use super::{Demand, Device, FaultCounts, FaultKind, FaultPlan, hearing};
use crate::clock::{MILLI, SECOND};
use crate::wire::line_time;
use crate::{Clock, Nanos, Wire};

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
    /// What turns their joints, where they do not do so by themselves.
    body: Option<Embodied>,
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
        Self::build(devices, None, clock, seed)
    }

    /// A bus whose servos are screwed into a body, one to each of its joints. They wake up where
    /// the joints stand; stops and loads of their own mounts are the body's affair now.
    ///
    /// The body goes on in fixed steps whenever somebody asks the bus or changes it, so on a
    /// virtual clock the same questions at the same instants find it the same. Four seconds at most
    /// are caught up with: while nobody has asked for longer, it stands still.
    pub fn embodied(
        mut devices: Vec<Device>,
        body: Box<dyn Body>,
        clock: Clock,
        seed: u64,
    ) -> Self {
        let body = Embodied::new(body, &mut devices, clock.clone());
        Self::build(devices, Some(body), clock, seed)
    }

    fn build(devices: Vec<Device>, body: Option<Embodied>, clock: Clock, seed: u64) -> Self {
        let protocol =
            devices.first().map_or(Protocol::Feetech0, |device| device.servo.series().protocol);
        let world = World {
            requests: 0,
            supplies: devices.iter().map(Device::supply).collect(),
            devices,
            body,
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
        Box::new(Link::new(self.clone(), baud))
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
        self.world().change(id, now, change)
    }

    /// Lets the joints go on to this instant, as a question would: for whoever looks at the body
    /// from another side, such as a camera.
    pub fn settle(&self) {
        let now = self.clock.now();
        self.world().advance(now);
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

    /// Forgets what has come in for the host.
    pub(super) fn host_discards(&self) {
        self.world().line.discard(self.clock.now());
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
        match &mut self.body {
            Some(body) => body.advance(&mut self.devices, now),
            None => self.devices.iter_mut().for_each(|device| device.advance(now)),
        }
    }

    fn change(&mut self, id: u8, now: Nanos, change: impl FnOnce(&mut Device)) -> bool {
        if let Some(body) = &mut self.body {
            body.advance(&mut self.devices, now);
        }
        let mut places = self.devices.iter_mut().enumerate();
        let Some((place, device)) = places.find(|(_, device)| device.servo.id() == id) else {
            return false;
        };
        match &mut self.body {
            Some(body) => body.change(place, device, change),
            None => {
                device.advance(now);
                change(device);
            }
        }
        device.written();
        true
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
            hearing::serve(devices, line, &frame, baud);
        }
    }
}
