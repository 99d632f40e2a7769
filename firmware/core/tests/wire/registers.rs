//! The register tables hold together, and every value a register takes comes back.

use proptest::prelude::*;
use sinew_core::packet::Protocol;
use sinew_core::register::{ALL_FAULTS, Fault, Faults, Reg, Register};
use sinew_core::tables::{self, Series};

fn rows() -> impl Iterator<Item = (&'static Series, &'static Register)> {
    tables::ALL.into_iter().flat_map(|series| series.registers.iter().map(move |row| (series, row)))
}

#[test]
fn rows_ascend_without_overlap_inside_the_memory() {
    for series in tables::ALL {
        for pair in series.registers.windows(2) {
            let end = pair[0].address + u16::from(pair[0].width);
            assert!(end <= pair[1].address, "{}: {:?}", series.name, pair);
        }
        for row in series.registers {
            assert!([1, 2, 4].contains(&row.width), "{}: {row:?}", series.name);
            assert!(row.address + u16::from(row.width) <= 256, "{}: {row:?}", series.name);
        }
    }
}

#[test]
fn every_row_is_found_by_its_meaning_and_no_other() {
    for series in tables::ALL {
        for row in series.registers {
            assert_eq!(series.get(row.reg), Some(row), "{}", series.name);
            assert_eq!(series.named(row.reg.name()), Some(row), "{}", series.name);
        }
    }
    assert_eq!(tables::SCS.get(Reg::HomingOffset), None);
    assert_eq!(tables::SCS.named("Homing_Offset"), None);
}

#[test]
fn models_and_rates_are_told_apart() {
    for (series, model) in tables::models() {
        let found = tables::by_name(model.name).map(|(_, model)| model.number);
        assert_eq!(found, Some(model.number));
        let found = tables::by_number(series.protocol, model.number).map(|(_, model)| model.name);
        assert_eq!(found, Some(model.name));
    }
    for series in tables::ALL {
        for (baud, code) in series.bauds {
            assert_eq!(series.baud_code(*baud), Some(*code));
            assert_eq!(series.baud(*code), Some(*baud));
        }
        assert_eq!(series.baud(0xEE), None);
    }
}

#[test]
fn every_value_of_one_or_two_bytes_comes_back() {
    for (series, row) in rows().filter(|(_, row)| row.width < 4) {
        let order = series.protocol.byte_order();
        let (min, max) = row.range();
        for value in min..=max {
            let value = value as i32;
            let bytes = row.encode(order, value).expect("within the range");
            let bytes = &bytes[..usize::from(row.width)];
            assert_eq!(row.decode(order, bytes), Some(value), "{row:?}");
        }
    }
}

#[test]
fn signs_travel_as_the_manufacturers_say() {
    let sts = |reg, value| {
        let row = tables::STS.get(reg).expect("a register of the series");
        row.encode(Protocol::Feetech0.byte_order(), value).map(|bytes| [bytes[0], bytes[1]])
    };
    assert_eq!(sts(Reg::HomingOffset, -2047), Ok([0xFF, 0x0F]));
    assert_eq!(sts(Reg::GoalPosition, -1), Ok([0x01, 0x80]));
    assert!(sts(Reg::HomingOffset, 2048).is_err());
    let goal = tables::SCS.get(Reg::GoalPosition).expect("a register of the series");
    let bytes = goal.encode(Protocol::Feetech1.byte_order(), 0x0123).expect("within the range");
    assert_eq!(bytes[..2], [0x01, 0x23]);
    let goal = tables::DYNAMIXEL_X.get(Reg::GoalPosition).expect("a register of the series");
    let bytes = goal.encode(Protocol::Dynamixel2.byte_order(), -2).expect("within the range");
    assert_eq!(bytes, [0xFE, 0xFF, 0xFF, 0xFF]);
}

#[test]
fn a_value_out_of_range_says_what_the_register_takes() {
    let offset = tables::STS.get(Reg::HomingOffset).expect("a register of the series");
    let said = offset.encode(Protocol::Feetech0.byte_order(), 2114).map_err(|e| e.to_string());
    assert_eq!(said, Err("2114 does not fit Homing_Offset, which takes -2047 to 2047".to_owned()));
}

#[test]
fn faults_come_back_from_both_protocols() {
    let feetech =
        [Fault::Voltage, Fault::Angle, Fault::Overheat, Fault::Overcurrent, Fault::Overload];
    let dynamixel =
        [Fault::Voltage, Fault::Angle, Fault::Overheat, Fault::Electrical, Fault::Overload];
    for fault in feetech {
        let set = Faults::NONE.with(fault);
        assert_eq!(Faults::from_status(Protocol::Feetech0, set.to_feetech()), set);
    }
    for fault in dynamixel {
        let set = Faults::NONE.with(fault);
        assert_eq!(Faults::from_dynamixel_hardware(set.to_dynamixel_hardware()), set);
    }
    let alert = Faults::from_status(Protocol::Dynamixel2, 0x84);
    assert_eq!(alert.iter().collect::<Vec<_>>(), [Fault::Alert, Fault::Refused]);
    let all = ALL_FAULTS.into_iter().fold(Faults::NONE, Faults::with);
    assert!(ALL_FAULTS.into_iter().all(|fault| all.has(fault)));
    assert_eq!(Faults::NONE.with(Fault::Overload).to_string(), "overload");
}

proptest! {
    #[test]
    fn any_memory_reads_as_a_value_within_range(bytes in proptest::collection::vec(any::<u8>(), 0..6)) {
        for (series, row) in rows() {
            let order = series.protocol.byte_order();
            let value = row.decode(order, &bytes);
            prop_assert_eq!(value.is_some(), bytes.len() >= usize::from(row.width));
            if let Some(value) = value {
                let (min, max) = row.range();
                prop_assert!((min..=max).contains(&i64::from(value)));
            }
        }
    }

    #[test]
    fn any_number_is_stored_or_refused(value in any::<i32>()) {
        for (series, row) in rows() {
            let order = series.protocol.byte_order();
            let (min, max) = row.range();
            let stored = row.encode(order, value);
            prop_assert_eq!(stored.is_ok(), (min..=max).contains(&i64::from(value)));
            if let Ok(bytes) = stored {
                prop_assert_eq!(row.decode(order, &bytes), Some(value));
            }
        }
    }
}
