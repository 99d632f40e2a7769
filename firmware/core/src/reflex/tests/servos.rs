//! The board with servos that stand still and say what they are told to say.

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

#[test]
fn goals_go_out_on_the_beat_and_evenly() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PLAN);
        rig.goals.clear();
        rig.act(2200, 50_000);
        rig.wait(60_000);
        let steps: Vec<_> = rig.goals.windows(2).map(|two| two[1].1 - two[0].1).collect();
        assert!(rig.goals.windows(2).all(|two| two[1].0 - two[0].0 == CYCLE), "{:?}", rig.goals);
        assert!(steps.iter().take(9).all(|step| (19..=21).contains(step)), "{steps:?}");
        assert_eq!(rig.goal(), 2200);
    }
}

#[test]
fn no_goal_leaves_its_range() {
    let mut rig = Rig::new("sts3215", PLAN);
    for wish in [i32::MIN, 99_999, i32::MAX, -1] {
        rig.act(wish, 0);
        rig.wait(30_000);
    }
    assert!(rig.goals.iter().all(|(_, goal)| (1000..=3000).contains(goal)), "{:?}", rig.goals);
}

#[test]
fn a_hot_joint_gives_way_and_comes_back_gently() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2300, 10_000);
    rig.wait(50_000);
    rig.servos[0].set(Reg::PresentTemperature, 70);
    rig.wait(50_000);
    assert_eq!(rig.goal(), 2000);
    assert_eq!(rig.servos[1].get(Reg::GoalPosition), 2300);
    assert_eq!((rig.board.counts().gave_way, rig.board.poll(rig.now).light), (1, Light::Trouble));
    // A little cooler is not cool.
    rig.servos[0].set(Reg::PresentTemperature, 63);
    rig.wait(50_000);
    assert_eq!(rig.goal(), 2000);
    rig.servos[0].set(Reg::PresentTemperature, 40);
    rig.wait(100_000);
    let (here, most) = (rig.goal(), 2000 + 400 / 8);
    assert!(here > 2000 && here <= most, "{here}");
    rig.wait(2_000_000);
    assert_eq!(rig.goal(), 2300);
}

#[test]
fn a_servo_that_trips_is_pushed_no_more() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2300, 10_000);
    rig.wait(50_000);
    rig.servos[0].raise(Fault::Overload);
    rig.wait(50_000);
    assert_eq!(rig.goal(), 2000);
}

#[test]
fn one_odd_answer_moves_nothing() {
    let mut rig = Rig::new("sts3215", PLAN);
    for (reg, odd) in [(Reg::PresentPosition, 900), (Reg::PresentTemperature, 200)] {
        let was = rig.servos[0].get(reg);
        rig.act(2000, 0);
        rig.wait(20_000);
        rig.servos[0].set(reg, odd);
        rig.wait(CYCLE);
        rig.servos[0].set(reg, was);
        // To hold is to stay where it is thought to be.
        rig.wait(150_000);
        assert_eq!(rig.board.mode(), Mode::Held);
        assert_eq!(rig.goal(), 2000, "{reg:?}");
        assert_eq!(rig.board.counts().gave_way, 0);
    }
}

#[test]
fn nothing_moves_on_a_supply_that_is_wrong() {
    let mut rig = Rig::new("sts3215", Plan { supply_dv: (60, 90), ..PATIENT });
    rig.act(2100, 10_000);
    rig.wait(50_000);
    rig.servos.iter_mut().for_each(|servo| servo.set(Reg::PresentVoltage, 50));
    rig.wait(200_000);
    rig.act(2900, 10_000);
    rig.wait(50_000);
    assert_eq!((rig.goal(), rig.board.counts().supply), (2100, 1));
    rig.servos.iter_mut().for_each(|servo| servo.set(Reg::PresentVoltage, 74));
    rig.wait(600_000);
    rig.act(2900, 10_000);
    rig.wait(3_000_000);
    assert_eq!(rig.goal(), 2900);
}

#[test]
fn a_silent_host_makes_it_hold_and_then_stop_on_time() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PLAN);
        rig.act(2900, 5_000_000);
        let said = rig.now;
        rig.wait(100_000 + CYCLE);
        assert_eq!((rig.board.mode(), rig.goal()), (Mode::Held, 2000));
        let torque =
            |rig: &Rig| rig.servos.iter().filter(|servo| servo.get(Reg::TorqueEnable) != 0).count();
        assert_eq!(torque(&rig), 3);
        rig.wait(said + 200_000 + CYCLE - rig.now);
        assert_eq!((rig.board.mode(), torque(&rig)), (Mode::Stopped, 0), "{model}");
        // Whoever comes back must engage it anew.
        rig.goals.clear();
        rig.act(2900, 0);
        rig.wait(50_000);
        assert_eq!((rig.board.mode(), torque(&rig), rig.goals.len()), (Mode::Stopped, 0, 0));
    }
}

#[test]
fn a_joint_that_was_limp_goes_on_from_where_it_is() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2500, 10_000);
    rig.wait(50_000);
    rig.servos[0].set(Reg::TorqueEnable, 0);
    rig.wait(50_000);
    rig.servos[0].set(Reg::PresentPosition, 1800);
    rig.wait(50_000);
    rig.servos[0].set(Reg::TorqueEnable, 1);
    rig.goals.clear();
    rig.wait(50_000);
    assert!(rig.goals.iter().all(|(_, goal)| *goal == 1800), "{:?}", rig.goals);
}

#[test]
fn the_host_speaks_to_the_servos_between_two_cycles() {
    let mut rig = Rig::new("sts3215", PLAN);
    let write = [0xFF, 0xFF, 2, 4, 3, 65, 9, !(2 + 4 + 3 + 65 + 9)];
    rig.goals.clear();
    for _ in 0..10 {
        rig.say(&Request::Through { bytes: &write });
        rig.wait(20_000);
    }
    assert!(rig.goals.windows(2).all(|two| two[1].0 - two[0].0 == CYCLE), "{:?}", rig.goals);
    assert_eq!(rig.board.counts().late, 0);
    let long = [0; 240];
    let mut out = [0; FRAME_ROOM];
    let request = Request::Through { bytes: &long };
    let len = request.encode(1, &mut out).unwrap();
    rig.board.host_bytes(rig.now, &out[..len]);
    assert_eq!(rig.board.counts().lost, 0, "two milliseconds and a half of bytes fit a cycle");
}

#[test]
fn a_wheel_stands_at_the_first_of_silence() {
    let mut rig = Rig::of("sts3215", PATIENT, Drive::Speed);
    let speed = |rig: &Rig| rig.servos[0].get(Reg::GoalVelocity);
    for _ in 0..10 {
        rig.act(-800, 0);
        rig.wait(20_000);
        assert_eq!(speed(&rig), -800);
    }
    // The host is alive as far as anybody knows, and tells nothing.
    rig.wait(90_000);
    assert_eq!((speed(&rig), rig.board.mode()), (0, Mode::Running));
}

/// How many motors hold.
fn holding(rig: &Rig) -> usize {
    rig.servos.iter().filter(|servo| servo.get(Reg::TorqueEnable) != 0).count()
}

#[test]
fn nobody_gets_the_bus_before_the_motors_are_stopped() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PLAN);
        rig.mute = 1;
        rig.say(&Request::Release);
        assert_eq!(rig.board.mode(), Mode::Stopped);
        rig.wait(20 * CYCLE);
        // One has not said that it is limp.
        rig.servos[0].set(Reg::TorqueEnable, 1);
        rig.wait(3_000_000);
        rig.say(&Request::Release);
        assert_eq!((rig.board.mode(), rig.board.transparent(rig.now)), (Mode::Stopped, false));
        assert_eq!(holding(&rig), 0, "it is told again and again");
        rig.mute = 0;
        rig.wait(20 * CYCLE);
        rig.say(&Request::Release);
        assert_eq!(rig.board.mode(), Mode::Free, "{model}");
    }
}

#[test]
fn an_arm_that_parks_is_not_let_go_on_its_way() {
    let mut rig = Rig::new("sts3215", PLAN);
    rig.say(&Request::Stop { stop: Stop::Park });
    rig.wait(50_000);
    rig.say(&Request::Release);
    assert_eq!((rig.board.mode(), holding(&rig)), (Mode::Parking, 3));
}

#[test]
fn what_holds_is_let_go_once_it_was_told_to() {
    let mut rig = Rig::new("sts3215", Plan { stop: Stop::Hold, ..PLAN });
    rig.say(&Request::Release);
    assert_eq!(rig.board.mode(), Mode::Stopped);
    rig.wait(CYCLE);
    rig.say(&Request::Release);
    assert_eq!((rig.board.mode(), holding(&rig)), (Mode::Free, 3));
}

#[test]
fn a_joint_that_nobody_sees_holds_where_it_was_told_to_go() {
    let mut rig = Rig::new("sts3215", PLAN);
    rig.mute = 1;
    rig.act(2300, 10_000);
    rig.wait(150_000);
    assert_eq!((rig.board.mode(), rig.goal()), (Mode::Held, 2300));
}

#[test]
fn a_joint_comes_back_however_slowly_it_parks() {
    // One degree a second.
    let mut rig = Rig::new("sts3215", Plan { park_speed: 4096.0 / 360.0, ..PATIENT });
    rig.servos[0].set(Reg::TorqueEnable, 1);
    rig.servos[0].raise(Fault::Overload);
    rig.wait(50_000);
    rig.act(2300, 10_000);
    rig.servos[0].set_faults(Faults::NONE);
    rig.wait(2_000_000);
    let here = rig.goal();
    assert!((2020..=2024).contains(&here), "{here}");
}

#[test]
fn only_what_moves_the_arm_keeps_it_alive() {
    let mut rig = Rig::new("sts3215", PLAN);
    for request in [
        Request::Watch,
        Request::Time,
        Request::Hello { version: 1 },
        Request::Act { over_us: 0, goals: Goals::new([2000; 2]).unwrap() },
        Request::Through { bytes: &[1] },
    ] {
        rig.act(2000, 0);
        for _ in 0..11 {
            rig.say(&request);
            rig.wait(10_000);
        }
        assert_eq!(rig.board.mode(), Mode::Held, "{request:?}");
    }
}

#[test]
fn a_faultless_bus_has_no_misses() {
    for model in ["sts3215", "xl330-m288"] {
        let rig = Rig::new(model, PLAN);
        assert_eq!(rig.board.counts().missed, 0, "{model}");
    }
}

#[test]
fn an_arm_that_held_goes_on_gently() {
    let mut rig = Rig::new("sts3215", Plan { stop_ms: 60_000, ..PLAN });
    rig.wait(150_000);
    assert_eq!(rig.board.mode(), Mode::Held);
    rig.act(2900, 0);
    rig.wait(50_000);
    let here = rig.goal();
    assert!(here > 2000 && here <= 2000 + 400 / 20, "{here}");
}

#[test]
fn bytes_that_find_no_room_do_not_blind_it() {
    let mut rig = Rig::new("sts3215", PATIENT);
    let cycles = rig.board.observation(rig.now).cycle;
    // It just does not fit between the answers of one cycle and the next.
    rig.say(&Request::Through { bytes: &[0; 120] });
    rig.say(&Request::Through { bytes: &[0; 120] });
    rig.say(&Request::Through { bytes: &[0; 30] });
    rig.wait(40 * CYCLE);
    let seen = rig.board.observation(rig.now);
    assert!(seen.cycle.wrapping_sub(cycles) >= 39 && seen.seen[0].age <= 1, "{seen:?}");
    assert!(rig.board.queue.is_empty());
}

#[test]
fn what_waits_for_the_bus_does_not_outlive_its_host() {
    let mut rig = Rig::new("sts3215", Plan { stop: Stop::Hold, ..PLAN });
    rig.say(&Request::Release);
    rig.wait(CYCLE);
    let mut out = [0; FRAME_ROOM];
    let len = Request::Through { bytes: &[1, 2, 3] }.encode(1, &mut out).unwrap();
    rig.board.host_bytes(rig.now, &out[..len]);
    let len = Request::Release.encode(2, &mut out).unwrap();
    rig.board.host_bytes(rig.now, &out[..len]);
    assert!(rig.board.mode() == Mode::Free && rig.board.poll(rig.now).bus.is_empty());
}

#[test]
fn a_late_cycle_puts_off_the_next() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2100, 50_000);
    rig.wait(CYCLE);
    rig.goals.clear();
    rig.now += CYCLE + 3 * CYCLE / 4;
    rig.pump();
    rig.wait(2 * CYCLE);
    assert!(rig.goals.windows(2).all(|two| two[1].0 - two[0].0 >= CYCLE), "{:?}", rig.goals);
}
