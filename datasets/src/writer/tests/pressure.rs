//! Encoders and a disk that do not keep up: whoever records never waits for them, memory has a limit,
//! and the images that had to wait on the disk come in their order.

use super::*;
use crate::durable::watch::Watch;

const IMAGE: usize = (SIDE * SIDE * 3) as usize;
fn options() -> Options {
    Options { memory: 6 * IMAGE, ..Options::default() }
}

#[test]
fn images_wait_on_the_disk_while_an_encoder_does_not_keep_up() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let watch = Watch::begin(folder.path());
    let mut writer = Writer::create(&root, info(), options()).unwrap();
    let recorder = writer.begin_episode().unwrap();
    watch.hold(Some(".images"));
    for number in 0..120 {
        let pushed = Frame { images: vec![Some(picture(number)); 2], ..frame(0, number) };
        while recorder.is_busy() {
            std::thread::yield_now();
        }
        recorder.push(&pushed).unwrap();
        assert!(recorder.memory() <= options().memory + IMAGE);
    }
    let spilled = publish::running(&root, 0).join("observation.images.side.spool");
    let sizes = spool::halves(&spilled).map(|half| half.metadata().unwrap().len());
    assert!(sizes.iter().sum::<u64>() > 60 * IMAGE as u64, "{sizes:?}");
    watch.hold(None);
    let saved = writer.save_episode().unwrap().unwrap();
    assert_eq!((saved.frames, saved.repeated, saved.lost), (120, 0, 0));
    writer.finish().unwrap();
    check(&root, &[120]);
}

#[test]
fn nothing_that_is_pushed_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let watch = Watch::begin(folder.path());
    let mut writer = Writer::create(&root, info(), options()).unwrap();
    let recorder = writer.begin_episode().unwrap();
    recorder.push(&frame(0, 0)).unwrap();
    // Nobody gets anything written from here on, the encoders neither.
    watch.hold(Some(""));
    for number in 1..500 {
        recorder.push(&frame(0, number)).unwrap();
        assert!(recorder.memory() <= 2 * options().memory);
    }
    watch.hold(None);
    let repeated = recorder.repeated();
    assert!(repeated > 400, "{repeated}");
    let saved = writer.save_episode().unwrap().unwrap();
    assert_eq!((saved.frames, saved.repeated, saved.lost), (500, repeated, 0));
    writer.finish().unwrap();
    assert_eq!(Dataset::open(&root).unwrap().len(), 500);
}
