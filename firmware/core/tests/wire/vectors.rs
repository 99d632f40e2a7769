//! Packets printed in the manufacturers' manuals: Feetech's "SMS/STS communication protocol" and
//! Robotis's e-Manual of protocol 2.0. Where a manual prints the answer too, it is read back.

use sinew_core::dynamixel;
use sinew_core::packet::{BROADCAST, Decoder, Frame, Protocol, Request, Status};

use Protocol::{Dynamixel2, Feetech0};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hex")).collect()
}

fn with_frame<T>(protocol: Protocol, hex: &str, see: impl FnOnce(&Frame) -> T) -> T {
    let (packet, mut decoder) = (bytes(hex), Decoder::<600>::new(protocol));
    let mut input = packet.as_slice();
    let seen = see(&decoder.next(&mut input).expect("a whole packet"));
    assert!(input.is_empty(), "bytes behind the packet");
    seen
}

fn request(protocol: Protocol, id: u8, request: Request, hex: &str) {
    let mut room = [0; 600];
    let len = protocol.encode(id, &request, &mut room).expect("room for the packet");
    assert_eq!(room[..len], bytes(hex), "{request:?}");
    with_frame(protocol, hex, |frame| {
        assert_eq!((frame.id, frame.request()), (id, Some(request)));
    });
}

fn status(protocol: Protocol, status: Status, hex: &str) {
    let mut room = [0; 600];
    let len = protocol.encode_status(&status, &mut room).expect("room for the packet");
    assert_eq!(room[..len], bytes(hex), "{status:?}");
    with_frame(protocol, hex, |frame| assert_eq!(frame.status(), Some(status)));
}

#[test]
fn feetech() {
    request(Feetech0, 1, Request::Ping, "FF FF 01 02 01 FB");
    status(Feetech0, Status { id: 1, error: 0, data: &[] }, "FF FF 01 02 00 FC");
    request(Feetech0, 1, Request::Read { address: 0x38, width: 2 }, "FF FF 01 04 02 38 02 BE");
    status(Feetech0, Status { id: 1, error: 0, data: &[0x18, 0x05] }, "FF FF 01 04 00 18 05 DD");
    let new_id = Request::Write { address: 5, data: &[1] };
    request(Feetech0, BROADCAST, new_id, "FF FF FE 04 03 05 01 F4");
    let go = Request::Write { address: 0x2A, data: &[0x00, 0x08, 0x00, 0x00, 0xE8, 0x03] };
    request(Feetech0, 1, go, "FF FF 01 09 03 2A 00 08 00 00 E8 03 D5");
    request(Feetech0, BROADCAST, Request::Action, "FF FF FE 02 05 FA");
    let ids = Request::SyncRead { address: 0x38, width: 8, ids: &[1, 2] };
    request(Feetech0, BROADCAST, ids, "FF FF FE 06 82 38 08 01 02 36");
}

#[test]
fn dynamixel_single() {
    request(Dynamixel2, 1, Request::Ping, "FF FF FD 00 01 03 00 01 19 4E");
    let model = Status { id: 1, error: 0, data: &[0x06, 0x04, 0x26] };
    status(Dynamixel2, model, "FF FF FD 00 01 07 00 55 00 06 04 26 65 5D");
    let read = Request::Read { address: 132, width: 4 };
    request(Dynamixel2, 1, read, "FF FF FD 00 01 07 00 02 84 00 04 00 1D 15");
    let position = Status { id: 1, error: 0, data: &[0xA6, 0, 0, 0] };
    status(Dynamixel2, position, "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0");
    let goal = Request::Write { address: 116, data: &[0x00, 0x02, 0x00, 0x00] };
    request(Dynamixel2, 1, goal, "FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89");
    status(Dynamixel2, Status { id: 1, error: 0, data: &[] }, "FF FF FD 00 01 04 00 55 00 A1 0C");
    let later = Request::RegWrite { address: 104, data: &[0xC8, 0, 0, 0] };
    request(Dynamixel2, 1, later, "FF FF FD 00 01 09 00 04 68 00 C8 00 00 00 AE 8E");
    request(Dynamixel2, 1, Request::Action, "FF FF FD 00 01 03 00 05 02 CE");
    let keep_id = Request::FactoryReset { keep: 0x01 };
    request(Dynamixel2, 1, keep_id, "FF FF FD 00 01 04 00 06 01 A1 E6");
    request(Dynamixel2, 1, Request::Reboot, "FF FF FD 00 01 03 00 08 2F 4E");
}

#[test]
fn dynamixel_many() {
    let ids = &[1, 2];
    let sync_read = Request::SyncRead { address: 132, width: 4, ids };
    request(Dynamixel2, BROADCAST, sync_read, "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA");
    let rows = &[1, 0x96, 0, 0, 0, 2, 0xAA, 0, 0, 0];
    request(
        Dynamixel2,
        BROADCAST,
        Request::SyncWrite { address: 116, width: 4, rows },
        "FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87",
    );
    let rows = &[1, 0x90, 0, 2, 0, 2, 0x92, 0, 1, 0];
    request(
        Dynamixel2,
        BROADCAST,
        Request::BulkRead { rows },
        "FF FF FD 00 FE 0D 00 92 01 90 00 02 00 02 92 00 01 00 1A 05",
    );
}

#[test]
fn dynamixel_stuffs_what_looks_like_a_header() {
    let data = &[0xFF, 0xFF, 0xFD, 0x00, 0xFF, 0xFF, 0xFD];
    let mut room = [0; 64];
    let status = Status { id: 7, error: 0, data };
    let len = Dynamixel2.encode_status(&status, &mut room).expect("room for the packet");
    let stuffed = bytes("FF FF FD FD 00 FF FF FD FD");
    assert_eq!(room[5], 4 + 9, "the length counts what is stuffed in");
    assert_eq!(room[9..len - 2], stuffed);
    let (mut decoder, mut input) = (Decoder::<64>::new(Dynamixel2), &room[..len]);
    assert_eq!(decoder.next(&mut input).and_then(|frame| frame.status()), Some(status));
}

#[test]
fn a_fast_sync_read_is_answered_by_all_in_one_frame() {
    // Built by the rule of the e-Manual: every servo adds error, id, data and the crc of all
    // bytes so far; nothing is stuffed.
    let mut packet = bytes("FF FF FD 00 FE 11 00 55");
    for row in ["00 03 A6 00 00 00", "80 07 FF FF FD FF"] {
        packet.extend(bytes(row));
        packet.extend(dynamixel::crc16(0, &packet).to_le_bytes());
    }
    let (mut decoder, mut input) = (Decoder::<64>::new(Dynamixel2), packet.as_slice());
    let frame = decoder.next(&mut input).expect("a whole packet");
    assert_eq!(frame.status(), None, "it is nobody's own answer");
    let seen: Vec<_> = dynamixel::fast_replies(&frame, 4).collect();
    let expected = [
        Status { id: 3, error: 0, data: &[0xA6, 0, 0, 0] },
        Status { id: 7, error: 0x80, data: &[0xFF, 0xFF, 0xFD, 0xFF] },
    ];
    assert_eq!(seen, expected);
}
