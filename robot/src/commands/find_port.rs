//! `sinew find-port`

use std::io::BufRead;

use clap::Args;
use serde_json::json;
use sinew_drivers::port::{self, PortInfo};

use super::scan::{Format, look};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Which port is the arm on? Asks every port whether motors answer
///
/// Example: sinew find-port
///
/// With two arms plugged in, `--unplug` tells which is which, LeRobot's way.
#[derive(Debug, Args)]
pub struct FindPort {
    /// Tell the port by unplugging its cable
    #[arg(long)]
    unplug: bool,
}

impl FindPort {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        if self.unplug { by_unplugging(report) } else { by_asking(report) }
    }
}

fn by_asking(report: &Report) -> Result<Exit, Failure> {
    let ports = port::list();
    if ports.is_empty() {
        return Err(none_there());
    }
    let mut found = 0;
    for port in &ports {
        let answer = motors_on(report, &port.path);
        let text = match &answer {
            Ok(0) => "no motor answers".to_owned(),
            Ok(motors) => {
                found += 1;
                report.tone(Tone::Good, &format!("{motors} motors answer"))
            }
            Err(failure) => report.tone(Tone::Bad, &failure.what),
        };
        report.say(format!("{:<16} {text}{}", port.path, about(port)));
        report.event(&json!({
            "type": "port",
            "port": port.path,
            "by_id": port.by_id,
            "adapter": port.known,
            "motors": answer.as_ref().ok(),
            "error": answer.as_ref().err().map(|failure| &failure.what),
        }));
    }
    report.result(json!({ "ports": ports.len(), "with_motors": found }));
    if found > 0 {
        return Ok(Exit::Done);
    }
    Err(Failure::advise(
        Exit::Hardware,
        "no motor answers on any port at the usual rates",
        "switch the arm's power on and look again; then: sinew scan --all-bauds",
    ))
}

/// How many motors answer at the rate that arms are delivered with.
fn motors_on(report: &Report, path: &str) -> Result<usize, Failure> {
    Ok(look(report, path, 1_000_000, Format::Auto, false)?.motors.len())
}

fn about(port: &PortInfo) -> String {
    let label = port.known.map(str::to_owned).or_else(|| port.label.clone());
    let label = label.map(|label| format!(" · {label}")).unwrap_or_default();
    let by_id =
        port.by_id.as_ref().map(|path| format!("\n{:17}lasting name {}", "", path.display()));
    label + &by_id.unwrap_or_default()
}

fn by_unplugging(report: &Report) -> Result<Exit, Failure> {
    let before = port::list();
    if before.is_empty() {
        return Err(none_there());
    }
    report.note("Unplug the arm's USB cable, then press Enter.");
    let mut line = String::new();
    // End of input counts as Enter: what matters is what is still there.
    std::io::stdin().lock().read_line(&mut line).unwrap_or_default();
    let after = port::list();
    let gone: Vec<_> = before.iter().filter(|port| !after.contains(port)).collect();
    match gone.as_slice() {
        [port] => {
            report.say(format!("{}{}", port.path, about(port)));
            report.result(json!({ "port": port.path, "by_id": port.by_id }));
            report.note("Plug it in again.");
            Ok(Exit::Done)
        }
        [] => Err(Failure::advise(
            Exit::Failed,
            "all ports are still there",
            "unplug the cable before pressing Enter",
        )),
        several => Err(Failure::advise(
            Exit::Failed,
            format!("{} ports are gone at once", several.len()),
            "unplug one cable only",
        )),
    }
}

fn none_there() -> Failure {
    Failure::advise(
        Exit::Hardware,
        "this machine has no serial port",
        "plug the adapter in; a cable that only charges has no data wires",
    )
}
