//! The videos of an episode: frames where the tables say, of the kind that info.json says.

use serde_json::Value as Json;

use super::camera::{self, Watch, Watched};
use super::finding::{Code, Findings};
use super::rows::Rows;
use super::{Scene, close};
use crate::depth;
use crate::reader::{self, TOLERANCE_S};
use crate::schema::Feature;
use crate::tables::episodes::{FileAt, VideoPart};
use crate::video::{VideoInfo, VideoReader};
use crate::{Error, Result};

/// One camera and the video that is open.
pub struct Camera<'a> {
    key: &'a str,
    feature: &'a Feature,
    open: Option<(FileAt, Option<Video>)>,
    /// Whether it was said that nothing here can decode it.
    not_decoded: bool,
}

struct Video {
    reader: VideoReader,
    times: Vec<f64>,
}

/// The cameras whose images are kept as video.
pub fn cameras<'a>(scene: &Scene<'a>) -> Vec<Camera<'a>> {
    let camera = |(key, feature)| Camera { key, feature, open: None, not_decoded: false };
    scene.info.videos().map(camera).collect()
}

/// Looks at the videos of an episode, each camera in a thread of its own.
pub fn check(
    scene: &Scene<'_>,
    cameras: &mut [Camera<'_>],
    rows: &Rows<'_>,
    findings: &mut Findings,
) -> Vec<Watched> {
    std::thread::scope(|scope| {
        let start = |camera| {
            let look = move || {
                let mut findings = Findings::default();
                let watched = look(scene, camera, rows, &mut findings);
                (watched, findings)
            };
            std::thread::Builder::new().name("verify".to_owned()).spawn_scoped(scope, look)
        };
        let threads: Vec<_> = cameras.iter_mut().map(start).collect();
        let mut watched = Vec::new();
        for thread in threads {
            let ended = thread.map(std::thread::ScopedJoinHandle::join);
            match ended {
                Ok(Ok((seen, found))) => {
                    watched.extend(seen);
                    findings.absorb(found);
                }
                _ => findings.add(Code::UnreadableVideo, rows.place(), "the decoder gave up"),
            }
        }
        watched
    })
}

fn look(
    scene: &Scene<'_>,
    camera: &mut Camera<'_>,
    rows: &Rows<'_>,
    findings: &mut Findings,
) -> Option<Watched> {
    let part = rows.episode.videos.iter().find(|part| part.key == camera.key)?;
    if camera.open.as_ref().is_none_or(|(at, _)| *at != part.at) {
        camera.open = Some((part.at, open(scene, camera, part.at, findings)));
    }
    let video = camera.open.as_mut().and_then(|(_, video)| video.as_mut())?;
    let place = format!("{}, {}", rows.place(), camera.key);
    span(scene, part, rows, &place, findings);
    let fps = f64::from(scene.info.fps);
    let stamps = rows.numbers("timestamp");
    let stamp = |frame: usize| {
        stamps.as_ref().and_then(|all| all.get(frame).copied()).unwrap_or(frame as f64 / fps)
    };
    let mut off: Option<(usize, f64)> = None;
    let mut watch = Watch::new(scene, camera.key, rows.episode.length);
    let mut failed = false;
    for frame in 0..usize::try_from(rows.count).unwrap_or(usize::MAX) {
        let wanted = part.from_s + stamp(frame);
        let nearest = nearest(&video.times, wanted);
        if !close(nearest, wanted, TOLERANCE_S) {
            off.get_or_insert((frame, nearest - wanted));
            continue;
        }
        let chosen = camera::chosen(scene, rows.episode.length, frame as u64);
        if !chosen || camera.not_decoded || failed {
            continue;
        }
        let image = video.reader.frame_at(wanted, TOLERANCE_S);
        match image.and_then(|image| depth::seen(camera.key, camera.feature, image)) {
            Ok(image) => watch.look(frame as u64, &image),
            Err(error @ Error::Codec { .. }) => {
                camera.not_decoded = true;
                findings.add(Code::NotDecoded, camera.key, error.to_string());
            }
            Err(error) => {
                failed = true;
                let place = format!("{place}, frame {frame}");
                findings.add(Code::VideoFrame, place, error.to_string());
            }
        }
    }
    if let Some((frame, by)) = off {
        let message = format!("frame {frame}: the nearest frame of the video is {by:+.4} s away");
        findings.add(Code::VideoTimestamp, place, message);
    }
    Some(watch.finish(camera.feature, rows.count))
}

/// An episode's part must be as long as the episode.
fn span(
    scene: &Scene<'_>,
    part: &VideoPart,
    rows: &Rows<'_>,
    place: &str,
    findings: &mut Findings,
) {
    let fps = f64::from(scene.info.fps);
    let (said, real) = (part.to_s - part.from_s, rows.episode.length as f64 / fps);
    if !close(said, real, 0.5 / fps) {
        let message = format!("lasts {said:.4} s, the episode's frames {real:.4} s");
        findings.add(Code::VideoSpan, place, message);
    }
}

fn nearest(times: &[f64], wanted: f64) -> f64 {
    let after = times.partition_point(|time| *time < wanted);
    let around = times.get(after.saturating_sub(1)..).unwrap_or_default().iter().take(2);
    let distance = |time: &&f64| (**time - wanted).abs();
    around.min_by(|a, b| distance(a).total_cmp(&distance(b))).copied().unwrap_or(f64::NAN)
}

/// Opens a video and holds it against what is said about it.
fn open(
    scene: &Scene<'_>,
    camera: &Camera<'_>,
    at: FileAt,
    findings: &mut Findings,
) -> Option<Video> {
    let path = reader::video_file(scene.root, scene.info, camera.key, at);
    let opened: Result<VideoReader> = VideoReader::open(&path);
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            let missing = matches!(&error, Error::Io { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound);
            let code = if missing { Code::MissingFile } else { Code::UnreadableVideo };
            findings.add_error(code, scene.root, &error);
            return None;
        }
    };
    let place = path.strip_prefix(scene.root).unwrap_or(&path).display().to_string();
    let found = reader.info();
    let said = scene.listed.video_frames.get(&(camera.key.to_owned(), at)).copied().unwrap_or(0);
    if found.frames != said {
        let message = format!("has {} frames, its episodes have {said}", found.frames);
        findings.add(Code::VideoFrameCount, place.as_str(), message);
    }
    for untrue in untrue(scene.info.fps, camera.feature, found) {
        findings.add(Code::VideoInfo, place.as_str(), untrue);
    }
    let times = reader.times().collect();
    Some(Video { reader, times })
}

/// What info.json says about a video that is not so.
pub fn untrue(fps: u32, feature: &Feature, found: &VideoInfo) -> Vec<String> {
    let mut untrue = Vec::new();
    let mut hold = |what: &str, said: Option<String>, is: String| {
        if let Some(said) = said.filter(|said| *said != is) {
            untrue.push(format!("{what} is {is}, info.json says {said}"));
        }
    };
    let size = |(width, height)| format!("{width}×{height}");
    hold("the size", feature.image_size().map(size), size((found.width, found.height)));
    let info = feature.extra.get("info").or_else(|| feature.extra.get("video_info"));
    let entry = |key: &str| info.and_then(|info| info.get(key));
    let text = |key: &str| entry(key).and_then(Json::as_str).map(str::to_owned);
    hold("the codec", text("video.codec"), found.codec.name().to_owned());
    hold("the pixels' format", text("video.pix_fmt"), found.pix_fmt.clone());
    let number = |key: &str| entry(key).and_then(Json::as_u64).map(|number| number.to_string());
    hold("the width", number("video.width"), found.width.to_string());
    hold("the height", number("video.height"), found.height.to_string());
    let audio = entry("has_audio").and_then(Json::as_bool).map(|said| said.to_string());
    hold("sound beside it", audio, found.has_audio.to_string());
    // One frame has no rate, and two seldom exactly the declared one.
    let rate = |said: f64| (found.fps - said).abs() <= 0.01 * said || found.frames < 2;
    for said in [entry("video.fps").and_then(Json::as_f64), Some(f64::from(fps))] {
        if let Some(said) = said.filter(|said| !rate(*said)) {
            untrue.push(format!("the rate is {:.3} fps, info.json says {said}", found.fps));
            break;
        }
    }
    untrue
}
