//! Counts to units and back are LeRobot's, bit by bit.

use serde_json::Value;
use sinew_core::calibration::{Calibration, MAX_OFFSET, Sweep};
use sinew_core::joint::{Scale, Units};
use sinew_core::packet::Protocol;
use sinew_core::register::Sign;
use sinew_core::tables::{self, Homing, Model, Series};

use super::{Fnv, golden, list, text, whole};

fn model(case: &Value) -> (&'static Series, &'static Model) {
    tables::by_name(text(case, "model")).expect("a model of that name")
}

fn narrow<T: TryFrom<i64>>(case: &Value, key: &str) -> T {
    T::try_from(whole(case, key)).unwrap_or_else(|_| panic!("{key} of {case}"))
}

fn scale(case: &Value) -> Scale {
    let units = match text(case, "unit") {
        "degrees" => Units::Degrees,
        "range_m100_100" => Units::RangeM100,
        "range_0_100" => Units::Range0To100,
        other => panic!("no unit is called {other}"),
    };
    let calibration = Calibration {
        id: 1,
        drive_mode: narrow(case, "drive_mode"),
        homing_offset: 0,
        range_min: narrow(case, "min"),
        range_max: narrow(case, "max"),
    };
    let (series, model) = model(case);
    let feetech = series.protocol != Protocol::Dynamixel2;
    Scale::new(units, model.counts, &calibration, feetech).expect("a range that is not empty")
}

/// The values that the maker converts back besides those that came out.
fn asked() -> impl Iterator<Item = f64> {
    (0..4096).map(|step| -450.0 + f64::from(step) * 0.21875)
}

#[test]
fn every_count_is_worth_what_lerobot_says_and_comes_back_the_same() {
    let golden = golden(include_str!("joint/golden.json"));
    let beyond: i32 = narrow(&golden, "beyond");
    for case in list(&golden, "cases") {
        let scale = scale(case);
        for pair in list(case, "shown") {
            let user =
                scale.user(i32::try_from(pair[0].as_i64().expect("a count")).expect("small"));
            assert_eq!(
                Some(format!("{:016x}", user.to_bits()).as_str()),
                pair[1].as_str(),
                "{case}"
            );
        }
        let counts = i32::from(model(case).1.counts);
        let users: Vec<f64> = (-beyond..counts + beyond).map(|raw| scale.user(raw)).collect();
        let mut hash = Fnv::new();
        users.iter().for_each(|user| hash.eat(&user.to_le_bytes()));
        assert_eq!(hash.hex(), text(case, "user"), "counts to units: {case}");
        let mut hash = Fnv::new();
        for user in users.into_iter().chain(asked()) {
            let raw = scale.raw(user).expect("a finite value");
            hash.eat(&i64::from(raw).to_le_bytes());
        }
        assert_eq!(hash.hex(), text(case, "raw"), "units to counts: {case}");
    }
}

#[test]
fn every_signed_value_travels_as_lerobot_writes_it() {
    let golden = golden(include_str!("joint/golden.json"));
    for case in list(&golden, "signs") {
        let (series, _) = model(case);
        let row = series.named(text(case, "register")).expect("a register of the series");
        assert_ne!(row.sign, Sign::Unsigned);
        let order = series.protocol.byte_order();
        let (mut hash, mut values) = (Fnv::new(), 0);
        for value in (-70_000..=70_000).chain([i32::MIN, i32::MAX]) {
            if let Ok(bytes) = row.encode(order, value) {
                hash.eat(&bytes[..usize::from(row.width)]);
                values += 1;
            }
        }
        assert_eq!(whole(case, "values"), values, "{case}");
        assert_eq!(hash.hex(), text(case, "bytes"), "{case}");
    }
}

#[test]
fn a_reference_pose_gives_lerobots_homing_offset() {
    let golden = golden(include_str!("joint/golden.json"));
    for case in list(&golden, "homings") {
        let (series, model) = model(case);
        // LeRobot computes one for servos without the register as well; there is no use for it.
        if series.homing == Homing::None {
            continue;
        }
        for raw in 0..i32::from(model.counts) {
            let theirs = whole(case, "first") + whole(case, "step") * i64::from(raw);
            let ours =
                Sweep::new(model.counts, series.homing, 0, raw).reference(1, 0).homing_offset;
            // At the very end LeRobot's is one more than an STS register holds.
            let most = i64::from(MAX_OFFSET);
            assert_eq!(i64::from(ours), theirs.clamp(-most, most), "{case} at {raw}");
        }
    }
}
