//! Recording with the encoders of the system's FFmpeg, some of which hold frames back.

use super::*;
use crate::verify;

/// What recordings with an encoder declare, and how.
fn asked(vcodec: &str) -> Option<(Info, Options)> {
    let options = Options { coding: Coding::named(vcodec).ok()?, ..Options::default() };
    let mut info = info();
    for (_, feature) in info.features.iter_mut().filter(|(_, feature)| feature.is_camera()) {
        feature.shape = vec![64, 64, 3];
    }
    Some((info, options))
}

fn shot(episode: u64, number: u64) -> Frame {
    let pixels: Vec<u8> =
        (0..64 * 64 * 3).map(|n: u64| ((n % 192 + number * 3) % 256) as u8).collect();
    let image = Image::new(64, 64, PixelFormat::Rgb8, pixels).unwrap();
    Frame { images: vec![Some(image.clone()), Some(image)], ..frame(episode, number) }
}

/// A dataset recorded with the encoder, of two episodes and one that is cut off.
fn cut_off(root: &Path, vcodec: &str) -> Option<Recovered> {
    let (info, options) = asked(vcodec)?;
    let mut writer = Writer::create(root, info.clone(), options.clone()).unwrap();
    for episode in 0..2 {
        (0..23).for_each(|number| writer.push(&shot(episode, number)).unwrap());
        assert_eq!(writer.save_episode().unwrap().unwrap().frames, 23, "{vcodec}");
    }
    (0..90).for_each(|number| writer.push(&shot(2, number)).unwrap());
    drop(writer);
    let (writer, recovered) = Writer::resume(root, Some(&info), options).unwrap();
    writer.finish().unwrap();
    Some(recovered)
}

#[test]
fn a_kill_takes_nothing_of_what_an_encoder_holds_back() {
    for vcodec in ["h264", "hevc", "libsvtav1"] {
        let Some((info, options)) = asked(vcodec) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let (running, killed) = (folder.path().join("set"), folder.path().join("killed"));
        let mut writer = Writer::create(&running, info, options).unwrap();
        let recorder = writer.begin_episode().unwrap();
        (0..61).for_each(|number| recorder.push(&shot(0, number)).unwrap());
        // Nothing more comes, so that the encoder keeps what it holds.
        let mut rounds = 0;
        while recorder.durable() < 61 {
            assert!(rounds < 3000, "{vcodec}: {} of 61 frames", recorder.durable());
            std::thread::sleep(std::time::Duration::from_millis(10));
            rounds += 1;
        }
        copy(&running, &killed);
        let recovered = recover(&killed).unwrap();
        let saved = Saved { episode: 0, frames: 61, lost: 0, repeated: 0, failure: None };
        assert_eq!(recovered.saved, [saved], "{vcodec}");
        let report = verify::verify(&killed, &verify::Options::default(), &mut |_| {});
        assert!(report.findings.is_empty(), "{vcodec}: {:?}", report.findings);
    }
}

#[test]
fn every_encoder_records_every_frame_and_says_so() {
    for (vcodec, codec) in [("h264", "h264"), ("hevc", "hevc"), ("libsvtav1", "av1")] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        let Some(recovered) = cut_off(&root, vcodec) else { continue };
        assert_eq!(recovered.saved.iter().map(|saved| saved.frames).sum::<u64>(), 90, "{vcodec}");
        let dataset = Dataset::open(&root).unwrap();
        let said = dataset.info().feature("observation.images.front").unwrap();
        let said = &said.extra["info"];
        assert_eq!(said["video.codec"], codec);
        assert_eq!((&said["video.g"], &said["video.crf"]), (&2.into(), &30.into()), "{vcodec}");
        let preset = said.get("video.preset").and_then(serde_json::Value::as_i64);
        assert_eq!(preset, (vcodec == "libsvtav1").then_some(12));
        let report = verify::verify(&root, &verify::Options::default(), &mut |_| {});
        assert!(report.findings.is_empty(), "{vcodec}: {:?}", report.findings);
    }
}
