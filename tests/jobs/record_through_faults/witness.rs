//! What passed over a bus that runs in another process, as the bus itself tells.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{Builder, JoinHandle};

use serde_json::Value;
use sinew_core::packet::{Decoder, Request};
use sinew_core::register::Reg;
use sinew_drivers::{ArmSpec, calibration_file};

/// What a bus told.
#[derive(Debug, Default)]
pub struct Told {
    /// Goals that went over the line.
    pub goals: u64,
    /// Those outside their joint's range.
    pub unsafe_goals: Vec<(u8, i32)>,
    /// Which servos held torque at the end.
    pub torques: Vec<bool>,
}

/// Reads along while the bus runs.
pub struct Witness {
    pipe: PathBuf,
    thread: JoinHandle<Told>,
}

impl Witness {
    /// Waits for a bus that records to `pipe`, which is made here. Its calibration lies there by the
    /// time it tells anything.
    pub fn of(arm: &'static str, pipe: &Path, calibration: PathBuf) -> Self {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let path = pipe.to_owned();
        let listen = move || {
            let lines = BufReader::new(std::fs::File::open(path).unwrap()).lines();
            Told::hear(arm, lines.map_while(Result::ok), &calibration)
        };
        let thread = Builder::new().name("witness".into()).spawn(listen).unwrap();
        Self { pipe: pipe.to_owned(), thread }
    }

    /// What the bus is to be told to record to.
    pub fn pipe(&self) -> &str {
        self.pipe.to_str().unwrap()
    }

    /// Once the bus has ended: all it told.
    pub fn end(self) -> Told {
        self.thread.join().unwrap()
    }
}

impl Told {
    fn hear(arm: &str, lines: impl Iterator<Item = String>, calibration: &Path) -> Self {
        let spec = ArmSpec::builtin(arm).unwrap();
        let goal = spec.series.get(Reg::GoalPosition).unwrap().address;
        let mut decoder: Decoder = Decoder::new(spec.series.protocol);
        let (mut told, mut ranges) = (Self::default(), BTreeMap::new());
        for line in lines {
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["type"] == "servo" {
                told.torques.push(line["torque"].as_bool().unwrap());
            }
            if line["from"] != "host" {
                continue;
            }
            if ranges.is_empty() {
                let rows = calibration_file::read(calibration).unwrap();
                ranges =
                    rows.iter().map(|(_, row)| (row.id, row.range_min..=row.range_max)).collect();
            }
            let mut see = |id: u8, bytes: &[u8]| {
                let goal = i32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
                told.goals += 1;
                if !ranges[&id].contains(&goal) && told.unsafe_goals.len() < 10 {
                    told.unsafe_goals.push((id, goal));
                }
            };
            let bytes = unhex(line["bytes"].as_str().unwrap());
            let mut bytes = &bytes[..];
            while let Some(frame) = decoder.next(&mut bytes) {
                match frame.request() {
                    Some(Request::Write { address, data }) if address == goal => {
                        see(frame.id, data);
                    }
                    Some(Request::SyncWrite { address, width, rows }) if address == goal => {
                        for row in rows.chunks_exact(usize::from(width) + 1) {
                            see(row[0], &row[1..]);
                        }
                    }
                    _ => {}
                }
            }
        }
        told
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}
