//! What a board hears in its life, and what it says: hosts that come and go, servos that answer.

use sinew_core::bridge::{Drive, FRAME_ROOM, Goals, Joint, Plan, Request, Stop};
use sinew_core::limits::{BackOff, Limits};
use sinew_core::packet::{Decoder, FRAME_ROOM as PACKET_ROOM, Protocol};
use sinew_core::reflex::{Board, Kind, Settings};
use sinew_core::register::Reg;
use sinew_core::servo::Servo;
use sinew_core::tables::by_name;

use super::seeds::Seed;

/// Every input.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, model) in [("sts", "sts3215"), ("xl330", "xl330-m288")] {
        for stop in [Stop::Limp, Stop::Park] {
            let mut life = Life::new(model);
            life.be_driven(stop);
            seeds.push(("board", format!("{name}-{stop:?}").to_lowercase(), life.script));
            seeds.push(("board_said", format!("{name}-{stop:?}").to_lowercase(), life.said));
        }
    }
    let mut life = Life::new("sts3215");
    life.be_asked();
    seeds.push(("board", "asked".to_owned(), life.script));
    seeds.push(("board_said", "asked".to_owned(), life.said));
    seeds
}

/// A board with two servos, and all that happens to it.
struct Life {
    board: Board,
    servos: Vec<Servo>,
    protocol: Protocol,
    now: u64,
    number: u16,
    script: Vec<u8>,
    said: Vec<u8>,
}

impl Life {
    fn new(model: &str) -> Self {
        let (series, model) = by_name(model).expect("a model there is");
        let servos = (1..=2).map(|id| {
            let mut servo = Servo::new(series, model, id);
            servo.set(Reg::PresentPosition, 2000);
            servo.set(Reg::PresentTemperature, 30);
            servo.set(Reg::TorqueEnable, 1);
            servo
        });
        Self {
            board: Board::new(Kind::Virtual, &[]),
            servos: servos.collect(),
            protocol: series.protocol,
            now: 0,
            number: 0,
            script: Vec::new(),
            said: Vec::new(),
        }
    }

    /// One step of the script, done.
    fn step(&mut self, what: u8, bytes: &[u8]) {
        self.script.extend([what, bytes.len() as u8]);
        self.script.extend(bytes);
        let step = self.board.poll(self.now);
        self.said.extend(step.host);
        let asked = step.bus.to_vec();
        let mut wire: Decoder = Decoder::new(self.protocol);
        let (mut input, mut answers) = (&asked[..], Vec::new());
        while let Some(frame) = wire.next(&mut input) {
            let Some(request) = frame.request() else { continue };
            for servo in &mut self.servos {
                let mut out = [0; PACKET_ROOM];
                if let Ok((_, written)) = servo.take(frame.id, &request, &mut out) {
                    answers.extend(&out[..written]);
                }
            }
        }
        if !answers.is_empty() {
            self.board.bus_bytes(self.now, &answers);
            self.step(1, &answers);
        }
    }

    fn wait(&mut self, hundreds: u8) {
        self.now += 100 * u64::from(hundreds);
        self.script.extend([3, hundreds]);
        self.script.extend(std::iter::repeat_n(0, usize::from(hundreds)));
        self.step(3, &[]);
    }

    fn say(&mut self, request: &Request) {
        self.number += 1;
        let mut out = [0; FRAME_ROOM];
        let written = request.encode(self.number, &mut out).expect("a request");
        self.board.host_bytes(self.now, &out[..written]);
        let mut framer = sinew_core::bridge::Framer::new();
        let message = framer.next(&mut &out[..written]).expect("its message").to_vec();
        self.step(2, &message);
    }

    fn be_driven(&mut self, stop: Stop) {
        self.say(&Request::Hello { version: 1 });
        for place in 0..2 {
            let limits = Limits {
                min: 1000,
                max: 3000,
                max_step: Some(200.0),
                max_velocity: Some(800.0),
                max_acceleration: Some(9000.0),
                back_off: Some(BackOff { load: 0.5, free_speed: 3000.0, after: 0.5 }),
            };
            let joint =
                Joint { id: place + 1, drive: Drive::Position, limits, rest: Some(1500), hot: 60 };
            self.say(&Request::Joint { place, joint });
        }
        let plan = Plan {
            protocol: self.protocol,
            joints: 2,
            period_us: 5_000,
            hold_ms: 40,
            stop_ms: 80,
            stop,
            park_speed: 3000.0,
            supply_dv: (0, 200),
        };
        self.say(&Request::Engage { plan });
        self.wait(50);
        for goal in [2100, 2200, 9000] {
            let goals = Goals::new([goal, 4000 - goal]).expect("two");
            self.say(&Request::Act { over_us: 20_000, goals });
            self.wait(60);
        }
        self.say(&Request::Watch);
        for _ in 0..12 {
            self.wait(100);
        }
        self.say(&Request::Watch);
        self.say(&Request::Release);
    }

    fn be_asked(&mut self) {
        let ping = [0xFF, 0xFF, 1, 2, 1, 0xFB];
        for request in [
            Request::Baud { baud: 1_000_000 },
            Request::Through { bytes: &ping },
            Request::Time,
            Request::Settings,
            Request::Save { settings: Settings::default() },
            Request::Stop { stop: Stop::Hold },
            Request::Bootloader,
        ] {
            self.say(&request);
        }
        let mut out = [0; FRAME_ROOM];
        let written = Request::Watch.encode(9, &mut out).expect("a request");
        self.script.extend([0, written as u8]);
        self.script.extend(&out[..written]);
    }
}
