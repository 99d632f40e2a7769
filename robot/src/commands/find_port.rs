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
            Err(failure) => report.tone(Tone::Bad, failure.on(&port.path)),
        };
        report.say(format!("{:<16} {text}{}", port.path, about(port)));
        report.event(&json!({
            "type": "port",
            "port": port.path,
            "by_id": port.by_id,
            "adapter": port.known,
            "motors": answer.as_ref().ok(),
            "error": answer.as_ref().err().map(|failure| failure.on(&port.path)),
        }));
    }
    report.result(json!({ "ports": ports.len(), "with_motors": found }));
    if found > 0 {
        return Ok(Exit::Done);
    }
    Err(no_motors(&ports))
}

/// Built-in ports hardly ever have an arm on them: what is missing is the adapter.
fn no_motors(ports: &[PortInfo]) -> Failure {
    if ports.iter().any(|port| port.usb.is_some()) {
        return Failure::advise(
            Exit::Hardware,
            "no motor answers on any port at the usual rates",
            "switch the arm's power on and look again; then: sinew scan --all-bauds",
        );
    }
    let paths: Vec<_> = ports.iter().map(|port| port.path.as_str()).collect();
    Failure::advise(
        Exit::Hardware,
        format!("no USB adapter is plugged in, and no motor answers on {}", paths.join(", ")),
        "plug the arm's adapter in and look again; a cable that only charges has no data wires",
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::port::UsbIdentity;

    fn port(path: &str, usb: bool) -> PortInfo {
        let usb = usb.then_some(UsbIdentity { vendor: 0x1A86, product: 0x55D3, serial: None });
        PortInfo { path: path.to_owned(), by_id: None, usb, label: None, known: None }
    }

    #[test]
    fn without_an_adapter_it_is_the_adapter_that_is_missing() {
        let built_in = [port("/dev/ttyS0", false), port("/dev/ttyS1", false)];
        let failure = no_motors(&built_in);
        assert!(failure.what.contains("no USB adapter is plugged in"), "{}", failure.what);
        assert!(failure.what.ends_with("/dev/ttyS0, /dev/ttyS1"), "{}", failure.what);
        assert!(failure.remedy.is_some_and(|remedy| remedy.contains("plug the arm's adapter in")));
        let both = [port("/dev/ttyACM0", true), port("/dev/ttyS0", false)];
        assert!(no_motors(&both).remedy.is_some_and(|remedy| remedy.contains("power on")));
    }

    #[test]
    fn a_port_is_named_once_in_its_line() {
        let failure = Failure::new(Exit::Hardware, "/dev/ttyS0: cannot run at 1000000 baud");
        assert_eq!(failure.on("/dev/ttyS0"), "cannot run at 1000000 baud");
        assert_eq!(failure.on("/dev/ttyS"), failure.what);
    }
}
