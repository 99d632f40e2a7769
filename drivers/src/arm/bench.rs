//! A wire to servos without physics, for tests: what is written is there at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use sinew_core::calibration::Calibration;
use sinew_core::packet::{Decoder, Protocol, Request};
use sinew_core::register::Reg;
use sinew_core::servo::Servo;
use sinew_core::tables;

use crate::clock::MICRO;
use crate::{ArmSpec, Bus, Clock, Error, Nanos, Wire};

/// The servos and what happened to them.
pub struct Servos {
    pub servos: Vec<Servo>,
    /// Servos that do not answer, nor hear.
    pub dead: BTreeSet<u8>,
    pub unplugged: bool,
    /// Every goal position that reached a servo: id and count.
    pub goals: Vec<(u8, i32)>,
    /// Requests of any kind.
    pub requests: u64,
}

/// Clones share the servos.
#[derive(Clone)]
pub struct Bench {
    inner: Arc<Mutex<Servos>>,
    pub clock: Clock,
    protocol: Protocol,
}

impl Bench {
    /// The servos of an arm, each in the middle of its turn.
    pub fn new(spec: &ArmSpec) -> Self {
        let mut servos = Vec::new();
        for (_, id, model) in spec.servos() {
            let (series, _) = tables::by_name(model.name).unwrap();
            let mut servo = Servo::new(series, model, id);
            servo.set(Reg::PresentPosition, 2048);
            servo.set(Reg::PresentVoltage, i32::from(model.supply_dv[0]));
            servo.set(Reg::PresentTemperature, 30);
            servos.push(servo);
        }
        let inner = Servos {
            servos,
            dead: BTreeSet::new(),
            unplugged: false,
            goals: Vec::new(),
            requests: 0,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock: Clock::virtual_time(),
            protocol: spec.series.protocol,
        }
    }

    pub fn servos(&self) -> MutexGuard<'_, Servos> {
        self.inner.lock().unwrap()
    }

    pub fn get(&self, id: u8, reg: Reg) -> i32 {
        self.servos().servos.iter().find(|servo| servo.id() == id).unwrap().get(reg)
    }

    pub fn set(&self, id: u8, reg: Reg, value: i32) {
        let mut inner = self.servos();
        inner.servos.iter_mut().find(|servo| servo.id() == id).unwrap().set(reg, value);
    }

    pub fn bus(&self) -> Bus {
        let link = Link { bench: self.clone(), answers: Vec::new() };
        Bus::new(Box::new(link), self.protocol)
    }

    /// A calibration that fits what the servos hold from the factory.
    pub fn calibration(&self, spec: &ArmSpec) -> Vec<(String, Calibration)> {
        let row =
            |id| Calibration { id, drive_mode: 0, homing_offset: 0, range_min: 0, range_max: 4095 };
        spec.servos().map(|(name, id, _)| (name.to_owned(), row(id))).collect()
    }
}

struct Link {
    bench: Bench,
    answers: Vec<u8>,
}

impl Link {
    fn plugged(&self) -> Result<(), Error> {
        if self.bench.servos().unplugged {
            let source = std::io::Error::from_raw_os_error(libc::EIO);
            return Err(Error::Lost { port: "bench".into(), source });
        }
        Ok(())
    }
}

impl Wire for Link {
    fn name(&self) -> &str {
        "bench"
    }

    fn clock(&self) -> &Clock {
        &self.bench.clock
    }

    fn baud(&self) -> u32 {
        1_000_000
    }

    fn set_baud(&mut self, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        self.plugged()?;
        let at = self.bench.clock.now();
        self.bench.clock.sleep(100 * MICRO);
        let mut inner = self.bench.servos();
        inner.requests += 1;
        let mut decoder: Decoder = Decoder::new(self.bench.protocol);
        let mut bytes = bytes;
        let frame = decoder.next(&mut bytes).unwrap();
        let request = frame.request().unwrap();
        let order: Vec<u8> = match &request {
            Request::SyncRead { ids, .. } => ids.to_vec(),
            _ => inner.servos.iter().map(Servo::id).collect(),
        };
        for id in order {
            if inner.dead.contains(&id) {
                continue;
            }
            let Some(servo) = inner.servos.iter_mut().find(|servo| servo.id() == id) else {
                continue;
            };
            let mut out = [0; 300];
            let (effect, len) = servo.take(frame.id, &request, &mut out).unwrap();
            self.answers.extend_from_slice(&out[..len]);
            if effect.wrote {
                let goal = servo.get(Reg::GoalPosition);
                if servo.get(Reg::TorqueEnable) == 1 {
                    servo.set(Reg::PresentPosition, goal);
                }
                inner.goals.push((id, goal));
            }
        }
        Ok(at)
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        self.plugged()?;
        if self.answers.is_empty() {
            self.bench.clock.sleep_until(deadline.min(self.bench.clock.now() + 50_000_000));
            return Ok(0);
        }
        self.bench.clock.sleep(100 * MICRO);
        let len = self.answers.len().min(into.len());
        into[..len].copy_from_slice(&self.answers[..len]);
        self.answers.drain(..len);
        Ok(len)
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.answers.clear();
        self.plugged()
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.plugged()
    }
}
