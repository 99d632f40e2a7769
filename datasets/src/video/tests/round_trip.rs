use super::{begin, picture, shows};
use crate::Error;
use crate::image::{Image, PixelFormat};
use crate::video::{Codec, VideoReader, VideoWriter, rgb_to_i420};

#[test]
fn every_frame_comes_back_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let written = begin(&path, 0, 40).finish().unwrap();
    assert_eq!(written.frames, 40);
    assert_eq!(written.bytes, path.metadata().unwrap().len());

    let mut reader = VideoReader::open(&path).unwrap();
    assert_eq!(*reader.info(), written.info);
    let info = reader.info();
    assert_eq!((&info.codec, info.pix_fmt.as_str()), (&Codec::H264, "yuv420p"));
    assert_eq!((info.width, info.height, info.frames, info.fps), (64, 48, 40, 30.0));
    assert!((info.duration_s - 40.0 / 30.0).abs() < 1e-12 && !info.has_audio);
    for n in (0..40).chain((0..40).rev()).chain([7, 8, 3, 39, 0, 21]) {
        shows(&mut reader, n, n);
        let at = reader.frame_at(n as f64 / 30.0, 1e-9).unwrap();
        assert_eq!(at, reader.frame(n).unwrap());
    }
}

#[test]
fn a_time_between_frames_has_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    begin(&path, 0, 5).finish().unwrap();
    let mut reader = VideoReader::open(&path).unwrap();
    for wrong in [0.016, -0.001, 5.0 / 30.0, f64::NAN, f64::INFINITY, -1e300] {
        assert!(matches!(reader.frame_at(wrong, 1e-4), Err(Error::NoFrameAt { .. })), "{wrong}");
    }
    let last = reader.frame_at(0.2, 1.0).unwrap();
    assert_eq!(last, reader.frame(4).unwrap());
    assert!(matches!(reader.frame(5), Err(Error::OutOfRange { index: 5, count: 5, .. })));
}

#[test]
fn a_repeated_frame_is_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let mut writer = begin(&path, 0, 2);
    writer.repeat().unwrap();
    writer.repeat().unwrap();
    writer.push(&picture(2, 64, 48)).unwrap();
    assert_eq!(writer.frames(), 5);
    writer.finish().unwrap();
    let mut reader = VideoReader::open(&path).unwrap();
    for (at, n) in [0, 1, 1, 1, 2].into_iter().enumerate() {
        shows(&mut reader, at as u64, n);
    }
}

#[test]
fn planar_images_are_stored_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (rgb, planar) = (folder.path().join("rgb.mp4"), folder.path().join("planar.mp4"));
    begin(&rgb, 0, 6).finish().unwrap();
    let mut writer = VideoWriter::create(&planar, 64, 48, 30).unwrap();
    for n in 0..6 {
        let mut planes = vec![0; PixelFormat::I420.len(64, 48)];
        rgb_to_i420(picture(n, 64, 48).pixels(), 64, 48, &mut planes);
        writer.push(&Image::new(64, 48, PixelFormat::I420, planes).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(std::fs::read(rgb).unwrap(), std::fs::read(planar).unwrap());
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    for (width, height, fps) in [(63, 48, 30), (64, 8, 30), (4096, 2160, 30), (64, 48, 0)] {
        let made = VideoWriter::create(&path, width, height, fps);
        assert!(matches!(made, Err(Error::Refused { .. })), "{width}x{height} {fps}");
    }
    assert!(!path.exists());
    let mut writer = VideoWriter::create(&path, 64, 48, 30).unwrap();
    assert!(matches!(writer.repeat(), Err(Error::Refused { .. })));
    assert!(matches!(writer.push(&picture(0, 48, 64)), Err(Error::Refused { .. })));
    let depth = Image::new(64, 48, PixelFormat::Gray16, vec![0; 64 * 48 * 2]).unwrap();
    assert!(matches!(writer.push(&depth), Err(Error::Refused { .. })));
    assert!(matches!(writer.finish(), Err(Error::Refused { .. })));
}

#[test]
fn unusual_sizes_and_rates_are_fine() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height, fps) in [(16, 16, 1), (98, 50, 60), (250, 34, 7), (1282, 722, 1000)] {
        let path = folder.path().join(format!("{width}.mp4"));
        let mut writer = VideoWriter::create(&path, width, height, fps).unwrap();
        (0..4).for_each(|n| writer.push(&picture(n, width, height)).unwrap());
        let written = writer.finish().unwrap();
        let mut reader = VideoReader::open(&path).unwrap();
        assert_eq!(*reader.info(), written.info);
        for n in 0..4 {
            let image = reader.frame_at(n as f64 / f64::from(fps), 1e-9).unwrap();
            assert_eq!((image.width(), image.height()), (width, height));
            let likeness = super::likeness(&image, n);
            assert!(likeness > 25.0, "{width}x{height} frame {n}: {likeness} dB");
        }
    }
}
