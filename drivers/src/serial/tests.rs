use std::io::{Read, Write};

use super::*;
use crate::port::UsbIdentity;

/// A pseudo-terminal: the half that plays the adapter, and the path of the other.
fn adapter() -> (TTYPort, String) {
    let (mut master, slave) = TTYPort::pair().unwrap();
    master.set_timeout(std::time::Duration::from_secs(10)).unwrap();
    let path = slave.name().unwrap();
    (master, path)
}

fn open(path: &str) -> SerialWire {
    SerialWire::open(path, 1_000_000, Clock::Real).unwrap()
}

#[test]
fn bytes_go_both_ways_unchanged() {
    let (mut far, path) = adapter();
    let mut wire = open(&path);
    let every: Vec<u8> = (0..=255).collect();
    wire.send(&every).unwrap();
    let mut asked = [0; 256];
    far.read_exact(&mut asked).unwrap();
    assert_eq!(asked.as_slice(), every);
    far.write_all(&every).unwrap();
    let mut got = Vec::new();
    while got.len() < 256 {
        let mut into = [0; 64];
        let count = wire.receive(&mut into, Nanos::MAX).unwrap();
        got.extend_from_slice(&into[..count]);
    }
    assert_eq!(got, every);
}

#[test]
fn silence_until_the_deadline_is_no_error() {
    let (_far, path) = adapter();
    let mut wire = open(&path);
    let deadline = Clock::Real.now() + crate::clock::MILLI;
    assert_eq!(wire.receive(&mut [0; 8], deadline).unwrap(), 0);
    assert!(Clock::Real.now() >= deadline);
}

#[test]
fn a_second_opener_hears_who_has_the_port_and_gets_it_afterwards() {
    let (_far, path) = adapter();
    let first = open(&path);
    let refused = SerialWire::open(&path, 1_000_000, Clock::Real).err().unwrap();
    let Error::PortInUse { holder, .. } = &refused else { panic!("{refused}") };
    assert!(holder.contains(&format!("process {}", std::process::id())), "{refused}");
    drop(first);
    open(&path);
}

#[test]
fn every_servos_rate_can_be_set() {
    let (_far, path) = adapter();
    let mut wire = open(&path);
    for baud in [9_600, 14_400, 57_600, 128_000, 250_000, 500_000, 1_000_000, 4_000_000] {
        wire.set_baud(baud).unwrap();
        assert_eq!(wire.baud(), baud);
        assert_eq!(wire.line().unwrap().port.baud_rate().unwrap(), baud);
    }
    assert!(matches!(wire.set_baud(0), Err(Error::BaudRefused { baud: 0, .. })));
}

#[test]
fn what_was_discarded_is_not_received() {
    let (mut far, path) = adapter();
    let mut wire = open(&path);
    far.write_all(b"old").unwrap();
    // The bytes are there once one of them is.
    assert_eq!(wire.receive(&mut [0; 1], Nanos::MAX).unwrap(), 1);
    wire.discard_input().unwrap();
    far.write_all(b"new").unwrap();
    let mut into = [0; 8];
    let count = wire.receive(&mut into, Nanos::MAX).unwrap();
    assert_eq!(into[0], b'n', "{:?}", &into[..count]);
}

#[test]
fn an_adapter_that_goes_away_is_lost() {
    let (far, path) = adapter();
    let mut wire = open(&path);
    drop(far);
    // What cannot be discarded is no reason to give the line up: a request says that it is gone.
    wire.discard_input().unwrap();
    let lost = wire.receive(&mut [0; 8], Nanos::MAX).unwrap_err();
    assert!(matches!(lost, Error::Lost { .. }), "{lost}");
    let lost = wire.send(b"x").unwrap_err();
    assert!(matches!(lost, Error::Lost { .. }), "{lost}");
    assert!(wire.reopen().is_err());
    let lost = wire.send(b"x").unwrap_err();
    assert!(matches!(lost, Error::Lost { .. }), "{lost}");
}

#[test]
fn reopening_finds_a_link_that_now_leads_elsewhere() {
    let (first_far, first) = adapter();
    let (mut second_far, second) = adapter();
    let folder = std::env::temp_dir().join(format!("sinew-serial-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("servos");
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let mut wire = open(link.to_str().unwrap());
    drop(first_far);
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&second, &link).unwrap();
    wire.reopen().unwrap();
    wire.send(b"again").unwrap();
    let mut asked = [0; 5];
    second_far.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"again");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_adapter_is_found_again_by_its_number() {
    let (_far, path) = adapter();
    let mut wire = open(&path);
    wire.usb_serial = Some("5A46".to_owned());
    let port = |path: &str, serial: &str| PortInfo {
        path: path.to_owned(),
        by_id: None,
        usb: Some(UsbIdentity { vendor: 0x1A86, product: 0x55D3, serial: Some(serial.to_owned()) }),
        label: None,
        known: None,
    };
    let renamed = vec![port(&path, "other"), port("/dev/ttyACM5", "5A46")];
    assert_eq!(wire.present_name(renamed), "/dev/ttyACM5");
    assert_eq!(wire.present_name(vec![port(&path, "5A46")]), path);
    assert_eq!(wire.present_name(Vec::new()), path);
}
