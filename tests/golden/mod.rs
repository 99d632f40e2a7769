//! Golden data: what the peers really do, made by the `make.py` beside each file.

mod arms;
mod calibration;
mod datasets;
mod joint;
mod packets;
mod processors;
mod tables;

use serde_json::Value;

/// FNV-1a of 64 bits, as the makers hash.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn eat(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
        }
    }

    fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }
}

fn golden(text: &str) -> Value {
    let golden: Value = serde_json::from_str(text).expect("golden data");
    assert!(golden["made_with"].is_object(), "golden data says what made it");
    golden
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}"))
}

/// A whole number, zero where the case does not speak of it.
fn whole(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_default()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    digits.map(|pair| byte(pair).expect("hex")).collect()
}
