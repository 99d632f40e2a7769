//! LeRobot takes a served simulation for an arm, a leader and cameras on the table.

use crate::sandbox::Sandbox;

use super::script;

#[test]
fn lerobot_calibrates_moves_and_records_in_our_simulation() {
    let sandbox = Sandbox::new();
    let (folder, root) = (sandbox.path("sim"), sandbox.path("recorded"));
    let cameras = ["--camera=front=sim@96x64x30", "--camera=wrist=sim@96x64x30"];
    let words = ["--json", "sim", "serve", "--hand", "--link-dir", folder.to_str().unwrap()];
    let mut served = sandbox.start(&[&words[..], &cameras].concat());
    let ready = served.next().to_string();
    let root = root.to_str().unwrap();
    let Some(report) = script("sim serve", "lerobot_served.py", &[&ready, root]) else { return };
    let checked = sandbox.run(&["--json", "dataset", "verify", root]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    let told = sandbox.run(&["--json", "dataset", "info", root]).result();
    assert_eq!(told["total_frames"], report["frames"], "{told}");
    served.signal("TERM");
    assert_eq!(served.next()["type"], "result");
}
