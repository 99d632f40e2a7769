//! What a sync read of six motors costs in CPU time, beside a bare write, poll and read of the
//! same bytes on the same pseudo-terminal in the same run, and beside LeRobot where
//! `SINEW_PEER_PYTHON` names a Python that has it.
//!
//! The servos answer at once from another thread. Only the asking thread's CPU time counts; the
//! kinds of asking take turns, so that a busy machine is equally bad for all.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a bench is its own report

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serialport::{SerialPort, TTYPort};
use sinew_core::packet::{Decoder, FRAME_ROOM, Protocol, Request};
use sinew_core::register::Reg;
use sinew_core::servo::Servo;
use sinew_core::tables::{STS, by_name};
use sinew_drivers::bus::Reading;
use sinew_drivers::clock::SECOND;
use sinew_drivers::{Bus, Clock, port};

const ROUNDS: usize = 15;
const READS: usize = 2000;
const IDS: [u8; 6] = [1, 2, 3, 4, 5, 6];

fn main() {
    let (master, slave) = TTYPort::pair().unwrap();
    let path = slave.name().unwrap();
    let end = Arc::new(AtomicBool::new(false));
    let peer = serve(master, Arc::clone(&end));

    let mut bare = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..ROUNDS {
        // The port is opened first: it sets the terminal to pass bytes as they are.
        let mut bus =
            Bus::new(port::open(&path, 1_000_000, Clock::Real).unwrap(), Protocol::Feetech0);
        ours.push(cpu_per_read(|| sync_read(&mut bus)));
        drop(bus);
        let mut floor = Floor::open(&path);
        bare.push(cpu_per_read(|| floor.exchange()));
    }
    let (bare, ours) = (median(bare), median(ours));
    println!(
        "six-motor sync read over a pty, CPU time of the asking thread, median of {ROUNDS} rounds:"
    );
    println!("  bare write, poll, read  {bare:7.2} us");
    println!("  sinew                   {ours:7.2} us  {:.2} x bare", ours / bare);
    match lerobot(&path) {
        Some(theirs) => {
            println!("  LeRobot                 {theirs:7.2} us  {:.2} x bare", theirs / bare)
        }
        None => {
            println!("  LeRobot                 SKIPPED: SINEW_PEER_PYTHON names no Python with it")
        }
    }
    end.store(true, Ordering::Release);
    peer.join().unwrap();
}

fn sync_read(bus: &mut Bus) {
    let mut readings = IDS.map(Reading::new);
    let register = STS.get(Reg::PresentPosition).unwrap();
    bus.sync_read(register, &mut readings, SECOND).unwrap();
    assert!(readings.iter().all(|reading| reading.fresh().is_some()));
}

/// The least that anybody can do: the same bytes, no understanding.
struct Floor {
    port: File,
    request: Vec<u8>,
    reply: usize,
}

impl Floor {
    fn open(path: &str) -> Self {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let port =
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap();
        let mut request = vec![0; 64];
        let read = Request::SyncRead { address: 56, width: 2, ids: &IDS };
        let len = Protocol::Feetech0.encode(0xFE, &read, &mut request).unwrap();
        request.truncate(len);
        Self { port, request, reply: IDS.len() * Protocol::Feetech0.reply_len(2) }
    }

    fn exchange(&mut self) {
        self.port.write_all(&self.request).unwrap();
        let mut bytes = [0; 256];
        let mut got = 0;
        while got < self.reply {
            let mut poll =
                libc::pollfd { fd: self.port.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd, alive during the call.
            assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 1000) }, 1);
            got += self.port.read(&mut bytes).unwrap();
        }
    }
}

/// Microseconds of this thread's CPU time per call.
fn cpu_per_read(mut read: impl FnMut()) -> f64 {
    (0..50).for_each(|_| read());
    let begun = thread_cpu();
    (0..READS).for_each(|_| read());
    (thread_cpu() - begun).as_secs_f64() * 1e6 / READS as f64
}

fn thread_cpu() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Six servos that answer without any line time.
fn serve(mut master: TTYPort, end: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (series, model) = by_name("sts3215").unwrap();
    let mut servos = IDS.map(|id| Servo::new(series, model, id));
    master.set_timeout(Duration::from_millis(100)).unwrap();
    let answer = move || {
        let mut decoder: Decoder = Decoder::new(Protocol::Feetech0);
        let mut bytes = [0; 1024];
        while !end.load(Ordering::Acquire) {
            // A passed time-out only means that nobody asks.
            let got = master.read(&mut bytes).unwrap_or(0);
            let mut input = &bytes[..got];
            let mut out = [0; 4 * FRAME_ROOM];
            let mut len = 0;
            while let Some(frame) = decoder.next(&mut input) {
                let Some(request) = frame.request() else { continue };
                for servo in &mut servos {
                    len += servo.take(frame.id, &request, &mut out[len..]).unwrap().1;
                }
            }
            master.write_all(&out[..len]).unwrap();
        }
    };
    std::thread::Builder::new().name("servos".to_owned()).spawn(answer).unwrap()
}

/// LeRobot's own figure for the same servos on the same terminal.
fn lerobot(path: &str) -> Option<f64> {
    let python = std::env::var_os("SINEW_PEER_PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/lerobot_sync_read.py");
    let said = Command::new(python).args([script, path]).output().ok()?;
    String::from_utf8(said.stdout).ok()?.lines().last()?.trim().parse().ok()
}
