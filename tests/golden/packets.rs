//! The manufacturers' own SDKs write the same bytes.

use serde_json::Value;
use sinew_core::packet::{FRAME_ROOM, Protocol, Request};
use sinew_core::register::Reg;
use sinew_core::tables;

use super::{golden, list, text, unhex, whole};

fn narrow<T: TryFrom<i64>>(case: &Value, key: &str) -> T {
    T::try_from(whole(case, key)).unwrap_or_else(|_| panic!("{key} of {case}"))
}

fn request<'a>(case: &Value, data: &'a [u8]) -> Request<'a> {
    let (address, width) = (narrow(case, "address"), narrow(case, "width"));
    match text(case, "kind") {
        "ping" => Request::Ping,
        "action" => Request::Action,
        "reboot" => Request::Reboot,
        "factory_reset" => Request::FactoryReset { keep: narrow(case, "width") },
        "read" => Request::Read { address, width },
        "write" => Request::Write { address, data },
        "reg_write" => Request::RegWrite { address, data },
        "sync_read" => Request::SyncRead { address, width, ids: data },
        "fast_sync_read" => Request::FastSyncRead { address, width, ids: data },
        "sync_write" => Request::SyncWrite { address, width, rows: data },
        "bulk_read" => Request::BulkRead { rows: data },
        other => panic!("no request is called {other}"),
    }
}

fn compare(protocol: Protocol, cases: &[Value]) {
    assert!(!cases.is_empty());
    for case in cases {
        let data = unhex(case["data"].as_str().unwrap_or_default());
        let mut room = [0; FRAME_ROOM];
        let len = protocol.encode(narrow(case, "id"), &request(case, &data), &mut room);
        assert_eq!(
            room[..len.expect("room for the packet")],
            unhex(text(case, "packet")),
            "{case}"
        );
    }
}

#[test]
fn feetechs_sdk_writes_the_same_packets() {
    let golden = golden(include_str!("packets/golden.json"));
    compare(Protocol::Feetech0, list(&golden, "feetech"));
}

#[test]
fn robotiss_sdk_writes_the_same_packets() {
    let golden = golden(include_str!("packets/golden.json"));
    compare(Protocol::Dynamixel2, list(&golden, "dynamixel"));
}

#[test]
fn a_word_has_the_same_byte_order() {
    let golden = golden(include_str!("packets/golden.json"));
    for case in list(&golden, "words") {
        let series = if whole(case, "end") == 0 { &tables::STS } else { &tables::SCS };
        // An unsigned register of two bytes at the address the SDK was told to write.
        let row = series.get(Reg::GoalTime).expect("a register of the series");
        let bytes = row.encode(series.protocol.byte_order(), narrow(case, "value"));
        let request = Request::Write { address: 42, data: &bytes.expect("a word")[..2] };
        let mut room = [0; FRAME_ROOM];
        let len = series.protocol.encode(1, &request, &mut room).expect("room for the packet");
        assert_eq!(room[..len], unhex(text(case, "packet")), "{case}");
    }
}
