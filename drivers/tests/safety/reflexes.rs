//! A board between host and servos, on a bus where everything goes wrong, with a host that dies at any
//! moment: the motors end in the stop that was chosen, in the time that was promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sinew_core::bridge::Mode;
use sinew_drivers::arm::{ArmOptions, OnMismatch};
use sinew_drivers::bridge::Bridge;
use sinew_drivers::clock::{MICRO, MILLI, SECOND};
use sinew_drivers::sim::{FaultPlan, ServoState, VirtualBoard};
use sinew_drivers::stop::StopPolicy;
use sinew_drivers::{Arm, Bus, Clock, Error, Nanos, Wire};

use crate::world::{TICK, World, wave};

/// How often the host dies.
const DEATHS: u64 = 500;
/// How long it may have been silent before the joints hold; after twice that the motors are stopped.
const HOLD: Nanos = 100 * MILLI;
/// From one of the board's cycles to the next.
const CYCLE: Nanos = 5 * MILLI;
/// How long bytes take between host and board.
const DELAY: Nanos = MILLI / 4;
/// How far a joint that was told to hold in motion may be from there a second later, in counts.
const NEAR: i32 = 60;

/// A wire whose host dies at an instant, in the middle of what it says.
struct Mortal {
    wire: Box<dyn Wire>,
    dies: Arc<AtomicI64>,
    /// How much of its last words it gets out.
    last_words: usize,
    dead: bool,
}

impl Mortal {
    fn lives(&mut self) -> Result<(), Error> {
        self.dead |= self.clock().now() >= self.dies.load(Ordering::Relaxed);
        if !self.dead {
            return Ok(());
        }
        let source = std::io::ErrorKind::NotConnected.into();
        Err(Error::Lost { port: self.name().to_owned(), source })
    }
}

impl Wire for Mortal {
    fn name(&self) -> &str {
        self.wire.name()
    }
    fn clock(&self) -> &Clock {
        self.wire.clock()
    }
    fn baud(&self) -> u32 {
        self.wire.baud()
    }
    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        self.wire.set_baud(baud)
    }
    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        let said = self.dead;
        self.lives().inspect_err(|_| {
            if !said {
                let words = &bytes[..self.last_words.min(bytes.len() - 1)];
                self.wire.send(words).unwrap();
            }
        })?;
        self.wire.send(bytes)
    }
    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        self.lives()?;
        self.wire.receive(into, deadline)
    }
    fn discard_input(&mut self) -> Result<(), Error> {
        self.lives()?;
        self.wire.discard_input()
    }
    fn reopen(&mut self) -> Result<(), Error> {
        self.lives()
    }
}

/// An arm behind a board. The servos live on the board's clock, the host has another.
struct Rig {
    world: World,
    board: VirtualBoard,
    clock: Clock,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let clock = Clock::virtual_time();
        let board = VirtualBoard::new(world.bus.clone(), clock.clone());
        Self { world, board, clock }
    }

    fn found(&self, wire: Box<dyn Wire>, options: ArmOptions) -> Arm {
        let options = ArmOptions { on_mismatch: OnMismatch::Write, ..options };
        let bus = Bus::new(wire, self.world.spec.series.protocol);
        let spec = self.world.spec.clone();
        Arm::connect(spec, bus, &self.world.calibration, options).unwrap()
    }

    fn arm(&self, wire: Box<dyn Wire>, options: ArmOptions) -> Arm {
        let mut arm = self.found(wire, options);
        arm.configure().unwrap();
        assert!(arm.has_reflexes(), "{:?}", arm.notices());
        arm
    }

    fn bridge(&self) -> Box<dyn Wire> {
        Box::new(Bridge::open(self.board.wire()).unwrap())
    }

    fn tick(&self, arm: &mut Arm) -> Result<(), Error> {
        self.clock.sleep_until((self.clock.now() / TICK + 1) * TICK);
        arm.observe()?;
        arm.command(&wave(self.clock.now(), 60.0)).map(drop)
    }

    fn servos(&self) -> Vec<ServoState> {
        self.board.settle();
        self.world.bus.servos()
    }
}

/// Knuth's multiplicative hash: moments spread over the rounds, the same in every run.
fn scatter(round: u64, salt: u64) -> u64 {
    (round * 2 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

#[test]
fn a_host_that_dies_at_any_moment_leaves_its_motors_stopped_in_time() {
    for round in 0..DEATHS {
        // Parking takes simulated seconds: a few times are enough.
        let policy = match round % 20 {
            0 => StopPolicy::Park,
            even if even % 2 == 0 => StopPolicy::Hold,
            _ => StopPolicy::Limp,
        };
        let rig = Rig::new(round);
        let options = ArmOptions {
            stop: policy,
            dead_man: Some(HOLD),
            park_speed: 120.0,
            blind: None,
            ..ArmOptions::default()
        };
        // Until it is driven it shall live; then it has up to 400 ms.
        let death = Arc::new(AtomicI64::new(Nanos::MAX));
        let mortal = Mortal {
            wire: rig.board.wire(),
            dies: Arc::clone(&death),
            last_words: (scatter(round, 7) % 40) as usize,
            dead: false,
        };
        let wire = Box::new(Bridge::open(Box::new(mortal)).unwrap());
        let mut arm = rig.arm(wire, options);
        // Every other round also has servos whose answers go wrong.
        if round % 4 < 2 {
            rig.world.bus.faults(FaultPlan::answers(0.05));
        }
        let dies = rig.clock.now() + (scatter(round, 0) % (400 * 1_000_000)) as Nanos;
        death.store(dies, Ordering::Relaxed);
        while rig.tick(&mut arm).is_ok() {}
        // Its last whole message came in a little later than it died.
        let promised = dies + DELAY + 2 * HOLD + CYCLE;
        rig.clock.sleep_until(promised);
        let late = format!("round {round}, {policy}, died at {} us", dies / MICRO);
        match policy {
            StopPolicy::Limp => {
                for servo in rig.servos() {
                    assert!(!servo.torque, "{late}: servo {} holds", servo.id);
                }
                assert_eq!(rig.board.mode(), Mode::Stopped, "{late}");
            }
            StopPolicy::Hold => {
                let goals = |servos: Vec<ServoState>| -> Vec<i32> {
                    servos.iter().map(|servo| servo.goal).collect()
                };
                let held = goals(rig.servos());
                assert_eq!(rig.board.mode(), Mode::Stopped, "{late}");
                rig.clock.sleep(SECOND);
                let servos = rig.servos();
                assert_eq!(goals(servos.clone()), held, "{late}");
                for servo in servos {
                    let off = servo.position - servo.goal;
                    assert!(servo.torque && off.abs() <= NEAR, "{late}: {off} off");
                }
            }
            StopPolicy::Park => {
                rig.board.settle();
                assert_eq!(rig.board.mode(), Mode::Parking, "{late}");
                rig.clock.sleep(10 * SECOND);
                for servo in rig.servos() {
                    let index = usize::from(servo.id) - 1;
                    let row = &rig.world.calibration[index].1;
                    let rest = rig.world.spec.joints[index].rest.unwrap();
                    let span = f64::from(row.range_max - row.range_min);
                    let rest = row.range_min + ((rest + 100.0) / 200.0 * span) as i32;
                    let off = servo.position - rest;
                    assert!(!servo.torque && off.abs() <= NEAR, "{late}: {off} off");
                }
            }
        }
        assert_eq!(rig.world.witness().unsafe_goals, [], "{late}");
    }
}

/// How often the host dies while it sets the motors up.
const EARLY_DEATHS: u64 = 200;

#[test]
fn a_host_that_dies_while_it_sets_the_motors_up_leaves_none_under_torque() {
    let options = |policy| ArmOptions {
        stop: policy,
        dead_man: Some(HOLD),
        park_speed: 120.0,
        ..ArmOptions::default()
    };
    let rig = Rig::new(0);
    let mut arm = rig.found(rig.bridge(), options(StopPolicy::Limp));
    let began = rig.clock.now();
    arm.configure().unwrap();
    let takes = rig.clock.now() - began;

    let mut driven = [0; 3];
    for round in 0..EARLY_DEATHS {
        let place = (round % 3) as usize;
        let policy = [StopPolicy::Limp, StopPolicy::Park, StopPolicy::Hold][place];
        let rig = Rig::new(round);
        let death = Arc::new(AtomicI64::new(Nanos::MAX));
        let mortal = Mortal {
            wire: rig.board.wire(),
            dies: Arc::clone(&death),
            last_words: (scatter(round, 7) % 40) as usize,
            dead: false,
        };
        let wire = Box::new(Bridge::open(Box::new(mortal)).unwrap());
        let mut arm = rig.found(wire, options(policy));
        let dies = rig.clock.now() + scatter(round, 0) as Nanos % takes;
        death.store(dies, Ordering::Relaxed);
        // It may just have been done.
        arm.configure().unwrap_or_default();
        driven[place] += rig.servos().iter().filter(|servo| servo.torque).count();
        std::mem::forget(arm);

        rig.clock.sleep_until(dies + DELAY + 2 * HOLD + CYCLE);
        let case = format!("round {round}, {policy}, died {} us on", (dies - began) / MICRO);
        if policy == StopPolicy::Park {
            rig.clock.sleep(20 * SECOND);
        }
        let servos = rig.servos();
        if policy != StopPolicy::Hold {
            let torques: Vec<bool> = servos.iter().map(|servo| servo.torque).collect();
            assert_eq!(torques, [false; 6], "{case}");
            continue;
        }
        rig.clock.sleep(SECOND);
        for (servo, before) in rig.servos().iter().zip(servos) {
            assert_eq!((servo.torque, servo.goal), (before.torque, before.goal), "{case}");
            let off = servo.position - servo.goal;
            assert!(!servo.torque || off.abs() <= NEAR, "{case}: {off} off");
        }
    }
    assert!(driven.iter().all(|motors| *motors > 50), "{driven:?}");
}

/// Everything that can go wrong with an answer, as in the bus's own tests.
const PLANS: [&str; 7] = [
    "lost=0.2",
    "late=0.2",
    "truncated=0.2",
    "corrupted=0.2",
    "duplicated=0.2",
    "noise=0.2",
    "all=0.05",
];

#[test]
fn whatever_goes_wrong_no_reading_is_older_than_it_says() {
    for plan in PLANS {
        let rig = Rig::new(7);
        let mut arm = rig.arm(rig.bridge(), ArmOptions { blind: None, ..ArmOptions::default() });
        rig.world.bus.faults(FaultPlan::parse(plan).unwrap());
        // The joints go up and down steadily in somebody's hand: every place tells its time.
        let from: Vec<f64> = rig.servos().iter().map(|servo| servo.joint).collect();
        let (mut fresh, mut all, mut wrong) = (0u32, 0u32, Vec::new());
        for tick in 0..400_i32 {
            let way = f64::from((tick % 200 - 100).abs()) * 8.0;
            for (servo, from) in from.iter().enumerate() {
                assert!(rig.world.bus.hand(servo as u8 + 1, Some(from + way)));
            }
            let moved = rig.clock.now();
            rig.clock.sleep(TICK);
            arm.observe().unwrap();
            arm.command(&[0.0; 6]).unwrap();
            let observation = arm.observation().clone();
            for (joint, value) in observation.values.iter().enumerate() {
                all += 1;
                if !observation.fresh[joint] {
                    continue;
                }
                fresh += 1;
                // Asked since the hand moved: it must be there, and not where it was.
                let asked = rig.clock.now() - observation.ages[joint];
                let row = &rig.world.calibration[joint].1;
                let truth = rig.world.bus.servo(row.id).unwrap().position;
                let scale = 200.0 / f64::from(row.range_max - row.range_min);
                let degrees = 360.0 / 4095.0;
                let unit = if joint == 5 { scale / 2.0 } else { degrees };
                let middle = f64::from(row.range_min + row.range_max) / 2.0;
                let expected = if joint == 5 {
                    f64::from(truth - row.range_min) * unit
                } else {
                    (f64::from(truth) - middle) * unit
                };
                if asked > moved + 8 * MILLI && (value - expected).abs() > 3.0 * unit {
                    wrong.push((tick, joint, *value, expected));
                }
            }
        }
        assert_eq!(wrong, [], "{plan}");
        // A late answer that also comes twice takes the virtual line for its whole lateness.
        assert!(fresh * 100 > all * 85, "{plan}: {fresh} of {all} fresh");
        assert!(rig.board.mode() == Mode::Running, "{plan}");
    }
}

#[test]
fn an_arm_is_driven_through_every_fault_and_no_goal_leaves_its_range() {
    for (round, plan) in PLANS.iter().enumerate() {
        let rig = Rig::new(round as u64);
        let mut arm = rig.arm(rig.bridge(), ArmOptions::default());
        rig.world.bus.faults(FaultPlan::parse(plan).unwrap());
        let mut stale = 0;
        for tick in 0..500 {
            // Now and then the supply breaks down, and a far wish comes in.
            if tick % 200 == 150 {
                rig.world.bus.brown_out();
            }
            rig.clock.sleep(TICK);
            arm.observe().unwrap();
            stale += arm.observation().fresh.iter().filter(|fresh| !**fresh).count();
            let wish = if tick % 3 == 0 { 9_999.0 } else { f64::NAN };
            let mut values = wave(rig.clock.now(), 60.0);
            values[tick % 6] = wish;
            arm.command(&values).unwrap();
        }
        rig.world.bus.faults(FaultPlan::default());
        for _ in 0..60 {
            rig.clock.sleep(TICK);
            arm.observe().unwrap();
            arm.command(&[0.0; 6]).unwrap();
        }
        assert_eq!(rig.world.witness().unsafe_goals, [], "{plan}");
        assert!(rig.world.witness().goals > 5_000, "{plan}");
        assert!(rig.servos().iter().all(|servo| servo.torque), "{plan}: {:?}", arm.counts());
        assert!(stale < 500, "{plan}: {stale} stale");
        assert!(arm.stop(StopPolicy::Limp).ok(), "{plan}");
    }
}
