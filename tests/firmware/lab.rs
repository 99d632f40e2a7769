//! A host, the firmware and virtual servos, on one virtual clock.

use sinew_core::bridge::{
    Drive, FRAME_ROOM, Framer, Goals, Joint, Observation, Plan, Reply, Request, Stop,
};
use sinew_core::limits::Limits;
use sinew_core::packet::Protocol;
use sinew_drivers::clock::MICRO;
use sinew_drivers::sim::{FaultPlan, VirtualBus, arm};
use sinew_drivers::{Clock, Wire};

use super::machine::{Given, Machine};

/// What a UART keeps back before it tells of bytes, in nanoseconds.
const GATHERED: i64 = 150 * MICRO;
/// From one full packet of a full-speed device to the next, in microseconds: nineteen fit a frame.
const PACKETS: u64 = 53;
/// The most that a message's round may take, in microseconds.
const PATIENCE: u64 = 2_000_000;

/// Servos of an arm, and the firmware that runs them.
pub struct Lab {
    machine: Machine,
    /// The servos.
    pub bus: VirtualBus,
    wire: Box<dyn Wire>,
    framer: Framer,
    /// What the host has said since the last step.
    told: Vec<u8>,
    /// What another program says on the other port.
    pub asked: Vec<u8>,
    /// What it got.
    pub answered: Vec<u8>,
    /// What it says over and over, as fast as USB carries it.
    pub flood: Vec<u8>,
    wake: u64,
    number: u16,
    /// The latest observation, and how many there were.
    pub seen: Option<Observation>,
    answer: Option<(u16, Answer)>,
    /// How often a command gets lost on its way to the servos, 0 to 1.
    pub deaf: f64,
    random: fastrand::Rng,
    /// The most that a step took, and the deepest stack.
    pub cost: (u32, u32),
}

/// How the board answered a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// It observed.
    Observation,
    /// It runs the bus, at this period.
    Engaged(u32),
    /// It said who it is.
    Described,
    /// It said what time it is.
    Time(u64),
    /// It did something else that it was asked to.
    Done,
    /// It did not.
    Refused,
}

impl Lab {
    /// An SO-101 whose joints are limp.
    pub fn start(test: &str, faults: FaultPlan, seed: u64) -> Option<Self> {
        let machine = Machine::counting(test)?;
        let devices = arm::devices(&arm::by_name("so101").unwrap());
        let bus = VirtualBus::new(devices, Clock::virtual_time(), seed);
        bus.faults(faults);
        let wire = bus.wire();
        Some(Self {
            machine,
            bus,
            wire,
            framer: Framer::new(),
            told: Vec::new(),
            asked: Vec::new(),
            answered: Vec::new(),
            flood: Vec::new(),
            wake: 0,
            number: 0,
            seen: None,
            answer: None,
            deaf: 0.0,
            random: fastrand::Rng::with_seed(seed),
            cost: (0, 0),
        })
    }

    /// Now, in microseconds.
    pub fn now(&self) -> u64 {
        (self.wire.clock().now() / MICRO) as u64
    }

    /// Says this, and does not wait for an answer.
    pub fn tell(&mut self, request: &Request) {
        let mut frame = [0; FRAME_ROOM];
        self.number += 1;
        let len = request.encode(self.number, &mut frame).unwrap();
        self.told.extend_from_slice(&frame[..len]);
    }

    /// Says bytes that may be anything.
    pub fn babble(&mut self, bytes: &[u8]) {
        self.told.extend_from_slice(bytes);
    }

    /// Says this, and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Answer {
        self.tell(request);
        let (number, end) = (self.number, self.now() + PATIENCE);
        while self.now() < end {
            self.step(end);
            if let Some((_, answer)) = self.answer.take_if(|(of, _)| *of == number) {
                return answer;
            }
        }
        panic!("no answer to {request:?}");
    }

    /// Lets time pass until then.
    pub fn run_until(&mut self, end: u64) {
        while self.now() < end {
            self.step(end);
        }
    }

    /// One step of the firmware: when servos have said something, when it wants to, or at `end`.
    fn step(&mut self, end: u64) {
        let mut heard = [0; 512];
        let mut len = 0;
        let idle = self.told.is_empty() && self.asked.is_empty();
        if idle {
            let packet = if self.flood.is_empty() { u64::MAX } else { self.now() + PACKETS };
            let until = self.wake.min(end).min(packet).max(self.now() + 1) as i64 * MICRO;
            len = self.wire.receive(&mut heard, until).unwrap();
            if len > 0 {
                let until = self.wire.clock().now() + GATHERED;
                while self.wire.clock().now() < until {
                    len += self.wire.receive(&mut heard[len..], until).unwrap();
                }
            }
        }
        self.asked.extend(&self.flood);
        let now = self.now();
        let given = Given {
            wire: &heard[..len],
            adapter: &self.asked,
            bridge: &self.told,
            baud: 1_000_000,
        };
        let made = self.machine.step(now, given);
        self.told.clear();
        self.asked.clear();
        self.wake = made.wake;
        self.cost = (self.cost.0.max(made.instructions), self.cost.1.max(made.stack));
        self.wire.set_baud(made.baud).unwrap();
        if !made.wire.is_empty() && self.random.f64() >= self.deaf {
            self.wire.send(&made.wire).unwrap();
        }
        self.answered.extend_from_slice(&made.adapter);
        let mut input = &made.bridge[..];
        while let Some(message) = self.framer.next(&mut input) {
            let (number, reply) = Reply::decode(message).unwrap();
            let answer = match reply {
                Reply::Observation(seen) => {
                    self.seen = Some(seen);
                    Answer::Observation
                }
                Reply::Engaged { period_us } => Answer::Engaged(period_us),
                Reply::Describe(_) => Answer::Described,
                Reply::Time { now_us } => Answer::Time(now_us),
                Reply::Done | Reply::Settings(_) => Answer::Done,
                Reply::Refused(why) => {
                    eprintln!("refused: {}", why.name());
                    Answer::Refused
                }
                Reply::Through { .. } => continue,
            };
            self.answer = Some((number, answer));
        }
    }

    /// Puts the arm under torque and has the board run it. Returns the period.
    pub fn engage(&mut self, hold_ms: u16, stop_ms: u16, stop: Stop) -> u32 {
        for id in 1..=6 {
            // Torque on, by a write as any host does it, before the board has the bus.
            let sum = [id, 4, 3, 40, 1].into_iter().fold(0_u8, u8::wrapping_add);
            let bytes = [0xFF, 0xFF, id, 4, 3, 40, 1, !sum];
            self.tell(&Request::Through { bytes: &bytes });
            let until = self.now() + 5_000;
            self.run_until(until);
            let limits = Limits {
                min: 0,
                max: 4095,
                max_step: None,
                max_velocity: None,
                max_acceleration: None,
                back_off: None,
            };
            let joint = Joint { id, drive: Drive::Position, limits, rest: None, hot: 0 };
            assert_eq!(self.ask(&Request::Joint { place: id - 1, joint }), Answer::Done);
        }
        let plan = Plan {
            protocol: Protocol::Feetech0,
            joints: 6,
            period_us: 10_000,
            hold_ms,
            stop_ms,
            stop,
            park_speed: 500.0,
            supply_dv: (0, 0),
        };
        match self.ask(&Request::Engage { plan }) {
            Answer::Engaged(period) => period,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a whole action and takes the whole observation.
    pub fn act(&mut self, goals: [i32; 6]) -> Observation {
        let goals = Goals::new(goals).unwrap();
        assert_eq!(self.ask(&Request::Act { over_us: 20_000, goals }), Answer::Observation);
        self.seen.unwrap()
    }

    /// Which joints hold torque.
    pub fn torques(&self) -> [bool; 6] {
        std::array::from_fn(|joint| self.bus.servo(joint as u8 + 1).unwrap().torque)
    }
}
