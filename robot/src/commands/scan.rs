//! `sinew scan`

use clap::{Args, ValueEnum};
use serde_json::json;
use sinew_core::packet::Protocol;
use sinew_drivers::scan::{self, FoundMotor, Problem, Progress, ScanOptions, ScanReport};
use sinew_drivers::{Bus, Clock, port};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Every motor on a port: id, model, rate, firmware, voltage, temperature
///
/// Example: sinew scan --port /dev/ttyACM0 --all-bauds
#[derive(Debug, Args)]
pub struct Scan {
    /// The port (bridge:PORT for a board's); without it, every USB adapter there is
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Look at every rate that motors can be set to, not only the usual one
    #[arg(long)]
    all_bauds: bool,
    /// Which motors to look for
    #[arg(long, value_enum, default_value = "auto")]
    protocol: Format,
    /// The rate that the bus is meant to run at
    #[arg(long, default_value_t = 1_000_000, value_name = "BAUD", value_parser = clap::value_parser!(u32).range(1..))]
    baud: u32,
}

/// Families of motors as users know them.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// STS, SMS and SCS
    Feetech,
    /// X series
    Dynamixel,
    /// Both
    Auto,
}

impl Format {
    /// The wire formats to try, the likeliest first.
    pub fn protocols(self) -> &'static [Protocol] {
        use Protocol::{Dynamixel2, Feetech0, Feetech1};
        match self {
            Self::Feetech => &[Feetech0, Feetech1],
            Self::Dynamixel => &[Dynamixel2],
            Self::Auto => &[Feetech0, Dynamixel2, Feetech1],
        }
    }
}

impl Scan {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let ports = match &self.port {
            Some(port) => vec![port.clone()],
            None => adapters()?,
        };
        let mut motors = 0;
        let mut problems = Vec::new();
        for port in &ports {
            let found = look(report, port, self.baud, self.protocol, self.all_bauds)?;
            show(report, &found);
            motors += found.motors.len();
            problems.extend(found.problems);
        }
        report.result(json!({ "motors": motors, "problems": problems }));
        Ok(if motors == 0 { Exit::Hardware } else { Exit::Done })
    }
}

/// The ports of all USB adapters.
pub fn adapters() -> Result<Vec<String>, Failure> {
    let ports: Vec<_> = port::list().into_iter().filter(|port| port.usb.is_some()).collect();
    if ports.is_empty() {
        return Err(Failure::advise(
            Exit::Hardware,
            "no USB adapter is plugged in",
            "plug the arm in, or name a port: sinew scan --port PORT",
        ));
    }
    Ok(ports.into_iter().map(|port| port.path).collect())
}

/// Looks at one port, with progress.
pub fn look(
    report: &Report,
    port: &str,
    home: u32,
    format: Format,
    all_bauds: bool,
) -> Result<ScanReport, Failure> {
    let protocols = format.protocols();
    let mut bus = Bus::new(port::open(port, home, Clock::Real)?, Protocol::Feetech0);
    let options = if all_bauds {
        ScanOptions::all_bauds(home, protocols)
    } else {
        // Servos without a broadcast ping take a call to every id, so they wait for --all-bauds.
        let usual: Vec<_> = protocols.iter().copied().filter(|p| p.has_sync_read()).collect();
        let likely = scan::likeliest(&mut bus, &usual)?;
        let protocols = likely.map_or(usual, |protocol| vec![protocol]);
        ScanOptions { home, others: Vec::new(), protocols }
    };
    let found = scan::scan(&mut bus, &options, |progress| report.progress(&line(port, &progress)));
    report.progress("");
    Ok(found?)
}

fn line(port: &str, progress: &Progress) -> String {
    format!(
        "{port}: {}/{} · {} baud · {} motors so far",
        progress.done + 1,
        progress.of,
        progress.baud,
        progress.motors
    )
}

/// Shows what was found, and what is wrong with it.
fn show(report: &Report, found: &ScanReport) {
    if !found.motors.is_empty() {
        let head = format!(
            "{:>4}  {:<12} {:>8}  {:<9} {:>7} {:>6}  on {}",
            "id", "model", "baud", "firmware", "supply", "temp", found.port
        );
        report.say(report.tone(Tone::Strong, &head));
    }
    for motor in &found.motors {
        report.say(row(motor));
        report.event(&json!({
            "type": "motor",
            "port": found.port,
            "baud": motor.baud,
            "id": motor.id,
            "protocol": name(motor.protocol),
            "model": motor.model.map(|model| model.name),
            "number": motor.number,
            "firmware": motor.firmware,
            "voltage": motor.voltage,
            "temperature": motor.temperature,
            "faults": motor.faults.to_string(),
        }));
    }
    show_problems(report, &found.problems);
}

/// What is wrong, and what to do about it.
pub fn show_problems(report: &Report, problems: &[Problem]) {
    for problem in problems {
        report.say(format!("{} {}", report.tone(Tone::Odd, "!"), problem.message));
        report.say(format!("  {} {}", report.tone(Tone::Good, "do:"), problem.remedy));
    }
}

fn row(motor: &FoundMotor) -> String {
    let supply = motor.voltage.map_or_else(|| "?".to_owned(), |volts| format!("{volts:.1} V"));
    let heat = motor.temperature.map_or_else(|| "?".to_owned(), |heat| format!("{heat} °C"));
    let firmware = motor.firmware.as_deref().unwrap_or("?");
    let model = motor.describe();
    let (id, baud) = (motor.id, motor.baud);
    let row = format!("{id:>4}  {model:<12} {baud:>8}  {firmware:<9} {supply:>7} {heat:>6}");
    if motor.faults.is_empty() { row } else { format!("{row}  {}", motor.faults) }
}

/// What the JSON calls a wire format.
pub fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Feetech0 => "feetech",
        Protocol::Feetech1 => "feetech-scs",
        Protocol::Dynamixel2 => "dynamixel",
    }
}
