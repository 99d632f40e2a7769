//! The board with servos that stand still and say what they are told to say.

mod bus;
mod care;
mod motion;
mod silence;

use std::vec::Vec;

use super::*;
use crate::bridge::{Drive, Goals};
use crate::limits::Limits;
use crate::packet;
use crate::register::{Fault, Faults, Reg};
use crate::servo::Servo;
use crate::tables::by_name;

/// From one cycle to the next.
const CYCLE: Micros = 5_000;

struct Rig {
    board: Board,
    servos: Vec<Servo>,
    now: Micros,
    /// When and where the first servo was sent.
    goals: Vec<(Micros, i32)>,
    /// How many of the servos, from the first, do not answer.
    mute: usize,
}

impl Rig {
    /// A board that runs a bus of three servos.
    fn new(model: &str, plan: Plan) -> Self {
        Self::of(model, plan, Drive::Position)
    }

    fn of(model: &str, plan: Plan, drive: Drive) -> Self {
        let (series, model) = by_name(model).unwrap();
        let servo = |id| {
            let mut servo = Servo::new(series, model, id);
            servo.set(Reg::PresentPosition, 2000);
            servo.set(Reg::PresentTemperature, 30);
            servo.set(Reg::PresentVoltage, 74);
            servo.set(Reg::TorqueEnable, 1);
            servo
        };
        let mut rig = Self {
            board: Board::new(Kind::Virtual, &[]),
            servos: (1..=3).map(servo).collect(),
            now: 1_000_000,
            goals: Vec::new(),
            mute: 0,
        };
        for place in 0..3 {
            let limits = Limits {
                min: if drive == Drive::Speed { -3000 } else { 1000 },
                max: 3000,
                max_step: None,
                max_velocity: None,
                max_acceleration: None,
                back_off: None,
            };
            let joint = Joint { id: place + 1, drive, limits, rest: Some(1500), hot: 0 };
            rig.say(&Request::Joint { place, joint });
        }
        rig.say(&Request::Engage { plan: Plan { protocol: series.protocol, joints: 3, ..plan } });
        rig.wait(4 * CYCLE);
        rig
    }

    fn say(&mut self, request: &Request) {
        let mut out = [0; FRAME_ROOM];
        let len = request.encode(1, &mut out).unwrap();
        self.board.host_bytes(self.now, &out[..len]);
        self.pump();
    }

    fn act(&mut self, goal: i32, over_us: u32) {
        self.say(&Request::Act { over_us, goals: Goals::new([goal; 3]).unwrap() });
    }

    fn wait(&mut self, span: Micros) {
        let end = self.now + span;
        while self.now < end {
            self.now = (self.now + 50).min(end);
            self.pump();
        }
    }

    fn pump(&mut self) {
        let bus = self.board.poll(self.now).bus.to_vec();
        let protocol = self.servos[0].series().protocol;
        let goal = self.servos[0].series().get(Reg::GoalPosition).unwrap().address;
        let (mut wire, mut input) = (Decoder::<600>::new(protocol), &bus[..]);
        let mut answers = Vec::new();
        while let Some(frame) = wire.next(&mut input) {
            let request = frame.request().unwrap();
            for (place, servo) in self.servos.iter_mut().enumerate() {
                let mut out = [0; 600];
                let (_, len) = servo.take(frame.id, &request, &mut out).unwrap();
                answers.extend(&out[..if place < self.mute { 0 } else { len }]);
            }
            if matches!(request, packet::Request::SyncWrite { address, rows, .. }
                if address == goal && rows[0] == 1)
            {
                self.goals.push((self.now, self.servos[0].get(Reg::GoalPosition)));
            }
        }
        self.board.bus_bytes(self.now, &answers);
    }

    fn goal(&self) -> i32 {
        self.goals.last().unwrap().1
    }
}

const PLAN: Plan = Plan { hold_ms: 100, stop_ms: 200, park_speed: 400.0, ..NO_PLAN };
/// The same where a host may be silent.
const PATIENT: Plan = Plan { hold_ms: 60_000, stop_ms: 60_000, ..PLAN };

/// How many motors hold.
fn holding(rig: &Rig) -> usize {
    rig.servos.iter().filter(|servo| servo.get(Reg::TorqueEnable) != 0).count()
}
