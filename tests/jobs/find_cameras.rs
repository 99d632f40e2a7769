//! Somebody wants to know which camera is which.

use crate::sandbox::Sandbox;

#[test]
fn each_gives_a_picture_on_a_page_and_what_fails_says_why() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("pictures");
    let folder = out.to_str().unwrap();
    let cameras = ["--camera=front=pattern@64x48x30", "--camera=gone=/dev/video-none"];
    // As LeRobot's line has it.
    let words = ["--json", "find-cameras", "opencv", "--output-dir", folder, "--record-time-s=2.0"];
    let ended = sandbox.run(&[&words, &cameras[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let found = ended.result()["cameras"].as_array().unwrap().clone();
    let named = |source: &str| found.iter().find(|one| one["source"] == source).unwrap();
    assert_eq!(named("pattern")["picture"], out.join("front.png").to_str().unwrap());
    assert!(named("/dev/video-none")["error"].as_str().unwrap().contains("is not there"));
    let picture = std::fs::read(out.join("front.png")).unwrap();
    let image = sinew_datasets::image::png::decode(&picture).unwrap();
    assert_eq!((image.width(), image.height()), (64, 48));
    let page = std::fs::read_to_string(out.join("cameras.html")).unwrap();
    assert!(page.contains("front.png") && page.contains("is not there"), "{page}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new();
    let words = ["find-cameras", "--camera=front=pattern@64x48x30", "--out=/proc/pictures"];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("/proc/pictures") && ended.err.contains("--out"), "{}", ended.err);
}
