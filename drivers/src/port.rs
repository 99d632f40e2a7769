//! Which ports there are, what is plugged into them, and how to open one by any of its names.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serialport::SerialPortType;

use crate::bridge::{self, Bridge};
use crate::serial::SerialWire;
use crate::tcp::Tcp;
use crate::{Clock, Error, Wire};

/// Where the system keeps names that do not change when cables do.
const BY_ID: &str = "/dev/serial/by-id";

/// What tells one USB adapter from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbIdentity {
    /// The maker's number.
    pub vendor: u16,
    /// The product's number.
    pub product: u16,
    /// The serial number, which cheap adapters lack.
    pub serial: Option<String>,
}

/// A port of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// Its path, which may be another one tomorrow.
    pub path: String,
    /// Its lasting name under `/dev/serial/by-id`.
    pub by_id: Option<PathBuf>,
    /// The adapter behind it, if it is on USB.
    pub usb: Option<UsbIdentity>,
    /// What the adapter calls itself.
    pub label: Option<String>,
    /// What it is, where it is one that arms come with.
    pub known: Option<&'static str>,
}

/// USB adapters that arms come with: vendor, product, what it is.
const KNOWN: [(u16, u16, &str); 8] = [
    (0x1A86, 0x55D3, "CH343 (Feetech and Waveshare servo boards)"),
    (0x1A86, 0x7523, "CH340"),
    (0x1A86, 0x55D4, "CH9102"),
    (0x0403, 0x6014, "FT232H (ROBOTIS U2D2)"),
    (0x0403, 0x6001, "FT232R"),
    (0x0403, 0x6015, "FT231X"),
    (0x2F5D, 0x2202, "ROBOTIS OpenRB-150"),
    (0x2E8A, 0x000A, "Raspberry Pi Pico (boards with reflexes)"),
];

/// The serial ports of this machine that an arm may hang on, USB adapters first.
pub fn list() -> Vec<PortInfo> {
    // The crate below takes this folder for granted; a container may not have it.
    if !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    let mut ports: Vec<_> = serialport::available_ports()
        .unwrap_or_default()
        .into_iter()
        .map(|port| {
            let (usb, label) = match port.port_type {
                SerialPortType::UsbPort(usb) => (
                    Some(UsbIdentity {
                        vendor: usb.vid,
                        product: usb.pid,
                        serial: usb.serial_number,
                    }),
                    usb.product,
                ),
                _ => (None, None),
            };
            let known = usb.as_ref().and_then(known);
            PortInfo {
                by_id: lasting_name(&port.port_name),
                path: port.port_name,
                usb,
                label,
                known,
            }
        })
        .collect();
    ports.sort_by(|a, b| (a.usb.is_none(), &a.path).cmp(&(b.usb.is_none(), &b.path)));
    ports
}

fn known(usb: &UsbIdentity) -> Option<&'static str> {
    let same = |row: &&(u16, u16, &str)| (row.0, row.1) == (usb.vendor, usb.product);
    KNOWN.iter().find(same).map(|row| row.2)
}

fn lasting_name(path: &str) -> Option<PathBuf> {
    let device = fs::canonicalize(path).ok()?;
    let entries = fs::read_dir(BY_ID).ok()?;
    let mut links = entries.flatten().map(|entry| entry.path());
    links.find(|link| fs::canonicalize(link).is_ok_and(|target| target == device))
}

/// Opens a port by its path, its lasting name, its USB serial number, or `tcp://host:port`. With
/// `bridge:` before it a board with reflexes is looked for there; where none answers, it is a plain
/// adapter.
pub fn open(name: &str, baud: u32, clock: Clock) -> Result<Box<dyn Wire>, Error> {
    if let Some(name) = name.strip_prefix(bridge::SCHEME) {
        return Ok(Box::new(Bridge::open(open(name, baud, clock)?)?));
    }
    if let Some(address) = name.strip_prefix("tcp://") {
        return Ok(Box::new(Tcp::open(address, baud, clock)?));
    }
    Ok(Box::new(SerialWire::open(&path_of(name), baud, clock)?))
}

/// The path that `name` stands for; a name that stands for nothing is its own path, so that the
/// complaint names what was typed. What is said of a board behind it does not change where it is.
pub fn path_of(name: &str) -> String {
    let name = name.strip_prefix(bridge::SCHEME).unwrap_or(name);
    if name.contains('/') {
        return name.to_owned();
    }
    let lasting = Path::new(BY_ID).join(name);
    if lasting.exists() {
        return lasting.to_string_lossy().into_owned();
    }
    let has_serial =
        |port: &PortInfo| port.usb.as_ref().is_some_and(|usb| usb.serial.as_deref() == Some(name));
    list().into_iter().find(has_serial).map_or_else(|| name.to_owned(), |port| port.path)
}

/// The udev rules that let everybody at the machine use the known adapters, and keep ModemManager from
/// looking for a modem behind them: what it says would go to the servos.
pub fn udev_rules() -> String {
    let mut rules = String::from(
        "# Servo adapters: usable by whoever sits at the machine, and by the group dialout, and not taken\n\
         # for modems.\n",
    );
    for (vendor, product, name) in KNOWN {
        rules += &format!(
            "# {name}\nSUBSYSTEM==\"tty\", ATTRS{{idVendor}}==\"{vendor:04x}\", \
             ATTRS{{idProduct}}==\"{product:04x}\", GROUP=\"dialout\", MODE=\"0660\", \
             TAG+=\"uaccess\", ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"\n"
        );
    }
    rules
}

/// Where [`udev_rules`] belong. The number puts them before the rules that read `uaccess`.
pub const UDEV_RULES_PATH: &str = "/etc/udev/rules.d/70-sinew.rules";

/// The lines to type when `port` may not be opened by this user.
pub fn permission_remedy(port: &str) -> String {
    let group = fs::metadata(port).ok().and_then(|node| group_name(node.gid()));
    // Adding somebody to root's own group is never the way.
    let group = group.filter(|group| group != "root").unwrap_or_else(|| "dialout".to_owned());
    format!(
        "run `sudo usermod -aG {group} $USER` and log in again, or at once: \
         `sinew udev | sudo tee {UDEV_RULES_PATH} && sudo udevadm control --reload && \
         sudo udevadm trigger`"
    )
}

fn group_name(gid: u32) -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_a_group_and_never_roots() {
        let remedy = permission_remedy("/dev/null");
        assert!(remedy.contains("usermod -aG dialout"), "{remedy}");
    }

    #[test]
    fn every_known_adapter_has_a_rule() {
        let rules = udev_rules();
        let rules: Vec<_> = rules.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rules.len(), KNOWN.len());
        for ((vendor, product, _), rule) in KNOWN.iter().zip(rules) {
            let ids = format!("\"{vendor:04x}\", ATTRS{{idProduct}}==\"{product:04x}\", ");
            assert!(rule.contains(&ids), "{rule}");
            assert!(rule.ends_with("TAG+=\"uaccess\", ENV{ID_MM_DEVICE_IGNORE}=\"1\""), "{rule}");
        }
    }

    #[test]
    fn a_board_of_this_project_is_known() {
        let board = UsbIdentity { vendor: 0x2E8A, product: 0x000A, serial: None };
        assert!(known(&board).is_some_and(|what| what.contains("boards with reflexes")));
    }

    #[test]
    fn a_board_is_looked_for_where_its_port_is() {
        assert_eq!(path_of("bridge:/dev/null"), "/dev/null");
        let error = open("bridge:NOSUCHSERIAL", 1_000_000, Clock::Real).err().unwrap();
        assert!(matches!(error, Error::NoSuchPort { port } if port == "NOSUCHSERIAL"));
    }

    #[test]
    fn a_name_that_is_nothing_is_complained_of_as_typed() {
        let error = open("NOSUCHSERIAL", 1_000_000, Clock::Real).err().unwrap();
        assert!(matches!(error, Error::NoSuchPort { port } if port == "NOSUCHSERIAL"));
    }
}
