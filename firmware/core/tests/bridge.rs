//! Host and board share one codec: what one writes the other reads, whatever it is.

#![allow(clippy::expect_used, clippy::unwrap_used)] // a test fails by panicking

use proptest::prelude::*;
use sinew_core::bridge::{
    Counts, Describe, Drive, FRAME_ROOM, Framer, Goals, Joint, JointSeen, MOST_JOINTS,
    MOST_THROUGH, Mode, Observation, Plan, Refusal, Reply, Request, Stop, Torque,
};
use sinew_core::limits::{Applied, BackOff, Limits};
use sinew_core::packet::Protocol;
use sinew_core::reflex::{Board, Kind, Settings};
use sinew_core::register::Faults;

fn limit() -> impl Strategy<Value = Option<f64>> {
    proptest::option::of(proptest::num::f32::NORMAL.prop_map(f64::from))
}

fn joint() -> impl Strategy<Value = Joint> {
    let drive = prop_oneof![Just(Drive::Watched), Just(Drive::Position), Just(Drive::Speed)];
    let number = || proptest::num::f32::NORMAL;
    let back_off = proptest::option::of((number(), number(), number()));
    let limits = (any::<i32>(), any::<i32>(), limit(), limit(), limit(), back_off);
    let rest = proptest::option::of(-100_000..100_000);
    (any::<u8>(), drive, limits, rest, any::<u8>()).prop_map(|(id, drive, limits, rest, hot)| {
        let (min, max, max_step, max_velocity, max_acceleration, back_off) = limits;
        let back_off = back_off.map(|(load, free_speed, after)| BackOff {
            load,
            free_speed,
            after: f64::from(after),
        });
        let limits = Limits { min, max, max_step, max_velocity, max_acceleration, back_off };
        Joint { id, drive, limits, rest, hot }
    })
}

fn stop() -> impl Strategy<Value = Stop> {
    prop_oneof![Just(Stop::Hold), Just(Stop::Park), Just(Stop::Limp)]
}

fn plan() -> impl Strategy<Value = Plan> {
    let protocol =
        prop_oneof![Just(Protocol::Feetech0), Just(Protocol::Feetech1), Just(Protocol::Dynamixel2)];
    let times = (any::<u32>(), any::<u16>(), any::<u16>());
    let speed = proptest::num::f32::NORMAL;
    (protocol, any::<u8>(), times, stop(), speed, any::<(u8, u8)>()).prop_map(
        |(protocol, joints, (period_us, hold_ms, stop_ms), stop, park_speed, supply_dv)| Plan {
            protocol,
            joints,
            period_us,
            hold_ms,
            stop_ms,
            stop,
            park_speed,
            supply_dv,
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    (9_600..=4_500_000u32, 1_000..=100_000u32, 1u8.., any::<u8>(), any::<[u8; 16]>()).prop_map(
        |(baud, period_us, hot, light, name)| Settings { baud, period_us, hot, light, name },
    )
}

fn through() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..=MOST_THROUGH)
}

/// Tries `with` on any request.
fn requests() -> impl Strategy<Value = (u16, Asked)> {
    let asked = prop_oneof![
        any::<u8>().prop_map(Asked::Hello),
        any::<u32>().prop_map(Asked::Baud),
        through().prop_map(Asked::Through),
        (any::<u8>(), joint()).prop_map(|(place, joint)| Asked::Joint(place, joint)),
        plan().prop_map(Asked::Engage),
        (any::<u32>(), proptest::collection::vec(any::<i32>(), 0..=MOST_JOINTS))
            .prop_map(|(over, goals)| Asked::Act(over, goals)),
        stop().prop_map(Asked::Stop),
        settings().prop_map(Asked::Save),
        (0..5u8).prop_map(Asked::Bare),
    ];
    (any::<u16>(), asked)
}

#[derive(Clone, Debug)]
enum Asked {
    Hello(u8),
    Baud(u32),
    Through(Vec<u8>),
    Joint(u8, Joint),
    Engage(Plan),
    Act(u32, Vec<i32>),
    Stop(Stop),
    Save(Settings),
    Bare(u8),
}

impl Asked {
    fn request(&self) -> Request<'_> {
        match self {
            Self::Hello(version) => Request::Hello { version: *version },
            Self::Baud(baud) => Request::Baud { baud: *baud },
            Self::Through(bytes) => Request::Through { bytes },
            Self::Joint(place, joint) => Request::Joint { place: *place, joint: *joint },
            Self::Engage(plan) => Request::Engage { plan: *plan },
            Self::Act(over_us, goals) => {
                let goals = Goals::new(goals.iter().copied()).unwrap();
                Request::Act { over_us: *over_us, goals }
            }
            Self::Stop(stop) => Request::Stop { stop: *stop },
            Self::Save(settings) => Request::Save { settings: *settings },
            Self::Bare(0) => Request::Release,
            Self::Bare(1) => Request::Watch,
            Self::Bare(2) => Request::Time,
            Self::Bare(3) => Request::Settings,
            Self::Bare(_) => Request::Bootloader,
        }
    }
}

fn seen() -> impl Strategy<Value = JointSeen> {
    let torque = prop_oneof![Just(Torque::Unknown), Just(Torque::Off), Just(Torque::On)];
    let numbers = any::<(i32, i32, i16, i16)>();
    let bytes = any::<(u8, u8, u8, u8)>();
    (numbers, bytes, torque, any::<bool>(), 0u8..64).prop_map(
        |((position, goal, speed, load), bytes, torque, gives_way, applied)| {
            let (supply_dv, celsius, faults, age) = bytes;
            let faults = Faults::from_bits(faults);
            let applied = Applied::from_bits(applied).unwrap();
            JointSeen {
                position,
                goal,
                speed,
                load,
                supply_dv,
                celsius,
                faults,
                torque,
                gives_way,
                applied,
                age,
            }
        },
    )
}

fn observation() -> impl Strategy<Value = Observation> {
    let mode = prop_oneof![
        Just(Mode::Free),
        Just(Mode::Running),
        Just(Mode::Held),
        Just(Mode::Parking),
        Just(Mode::Stopped)
    ];
    let times = any::<(u32, u64, u16, u64)>();
    let counts = any::<[u16; 8]>();
    let joints = proptest::collection::vec(seen(), 0..=MOST_JOINTS);
    (mode, times, counts, joints).prop_map(|(mode, times, counts, joints)| {
        let (cycle, asked_us, took_us, now_us) = times;
        let [missed, late, holds, stops, refused, lost, gave_way, supply] = counts;
        let counts = Counts { missed, late, holds, stops, refused, lost, gave_way, supply };
        let mut seen = [JointSeen::NEVER; MOST_JOINTS];
        seen[..joints.len()].copy_from_slice(&joints);
        let joints = joints.len() as u8;
        Observation { mode, cycle, asked_us, took_us, now_us, counts, joints, seen }
    })
}

/// The one message in a stream of one frame.
fn message(bytes: &[u8], framer: &mut Framer) -> Vec<u8> {
    let mut input = bytes;
    let found = framer.next(&mut input).expect("a frame").to_vec();
    assert!(input.is_empty());
    found
}

proptest! {
    #[test]
    fn every_request_comes_back((number, asked) in requests()) {
        let mut out = [0; FRAME_ROOM];
        let request = asked.request();
        let len = request.encode(number, &mut out).unwrap();
        let message = message(&out[..len], &mut Framer::new());
        prop_assert_eq!(Request::decode(&message), Ok((number, request)));
    }

    #[test]
    fn every_observation_comes_back(number: u16, seen in observation()) {
        let mut out = [0; FRAME_ROOM];
        let reply = Reply::Observation(seen);
        let len = reply.encode(number, &mut out).unwrap();
        let message = message(&out[..len], &mut Framer::new());
        prop_assert_eq!(Reply::decode(&message), Some((number, reply)));
    }

    #[test]
    fn every_other_reply_comes_back(
        number: u16, numbers: (u8, u32, u64), firmware: [u8; 3], settings in settings(),
        bytes in through(),
    ) {
        let (byte, word, long) = numbers;
        let described = Describe { version: byte, firmware, kind: byte, can: word, joints: byte };
        for reply in [
            Reply::Describe(described),
            Reply::Done,
            Reply::Engaged { period_us: word },
            Reply::Through { bytes: &bytes },
            Reply::Time { now_us: long },
            Reply::Settings(settings),
            Reply::Refused(Refusal::BusTaken),
        ] {
            let mut out = [0; FRAME_ROOM];
            let len = reply.encode(number, &mut out).unwrap();
            let message = message(&out[..len], &mut Framer::new());
            prop_assert_eq!(Reply::decode(&message), Some((number, reply)));
        }
    }

    #[test]
    fn what_can_be_read_is_written_and_read_the_same(
        message in proptest::collection::vec(any::<u8>(), 0..80), kind in 0u8..0x50,
    ) {
        let mut message = message;
        if let Some(first) = message.first_mut() {
            *first = kind;
        }
        let mut out = [0; FRAME_ROOM];
        if let Ok((number, request)) = Request::decode(&message) {
            let len = request.encode(number, &mut out).unwrap();
            let again = self::message(&out[..len], &mut Framer::new());
            // Bits of a number that is none may differ.
            prop_assert_eq!(Request::decode(&again).map(|(number, _)| number), Ok(number));
        }
        if let Some((number, reply)) = Reply::decode(&message) {
            let len = reply.encode(number, &mut out).unwrap();
            let again = self::message(&out[..len], &mut Framer::new());
            prop_assert_eq!(Reply::decode(&again), Some((number, reply)));
        }
    }

    #[test]
    fn a_board_takes_any_bytes_from_either_side(
        pieces in proptest::collection::vec(
            (any::<bool>(), 0u64..20_000, proptest::collection::vec(any::<u8>(), 0..60)), 0..40,
        ),
        asked in proptest::collection::vec(requests(), 0..20),
    ) {
        let mut board = Board::new(Kind::Virtual, &[]);
        let mut now = 0;
        let mut asked = asked.iter();
        for (host, later, bytes) in &pieces {
            now += later;
            if *host { board.host_bytes(now, bytes) } else { board.bus_bytes(now, bytes) }
            if let Some((number, asked)) = asked.next() {
                let mut out = [0; FRAME_ROOM];
                let len = asked.request().encode(*number, &mut out).unwrap();
                board.host_bytes(now, &[0]);
                board.host_bytes(now, &out[..len]);
            }
            let step = board.poll(now);
            prop_assert!(step.baud > 0);
        }
    }
}

#[test]
fn an_action_of_six_joints_is_one_usb_packet() {
    let mut out = [0; FRAME_ROOM];
    let goals = Goals::new([1500, 2048, 3000, 700, 4095, 2600]).unwrap();
    let act = Request::Act { over_us: 33_333, goals }.encode(1000, &mut out).unwrap();
    assert!(act <= 24, "{act}");
    let one = JointSeen {
        position: 2048,
        goal: 2060,
        speed: -300,
        load: 120,
        supply_dv: 74,
        celsius: 38,
        torque: Torque::On,
        age: 0,
        ..JointSeen::NEVER
    };
    let mut seen = [JointSeen::NEVER; MOST_JOINTS];
    seen[..6].fill(one);
    let seen = Observation {
        mode: Mode::Running,
        cycle: 123_456,
        asked_us: 617_000_000,
        took_us: 2_600,
        now_us: 617_003_000,
        counts: Counts::default(),
        joints: 6,
        seen,
    };
    let observed = Reply::Observation(seen).encode(1000, &mut out).unwrap();
    assert!(observed <= 128, "{observed}");
}
