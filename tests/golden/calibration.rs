//! Files that LeRobot wrote open here and are written back byte for byte.

use sinew_drivers::calibration_file::{parse, render};

#[test]
fn lerobots_files_are_written_back_byte_for_byte() {
    let files = [
        (include_str!("calibration/so101.json"), 6),
        (include_str!("calibration/lekiwi.json"), 8),
        (include_str!("calibration/odd_names.json"), 6),
        (include_str!("calibration/none.json"), 0),
    ];
    for (text, joints) in files {
        let read = parse(text).expect("a file of LeRobot");
        assert_eq!(read.len(), joints);
        assert_eq!(render(&read), text);
    }
}
