use super::*;
use crate::cli::failure::Exit;
use sinew_datasets::video::VideoWriter;
use sinew_datasets::{Image, PixelFormat};
use sinew_drivers::camera::{Sent, Turn};

fn device(number: u32, width: u32, height: u32, fps: u32) -> CameraSpec {
    let origin = Origin::Device(PathBuf::from(format!("/dev/video{number}")));
    CameraSpec { origin, width, height, fps, settings: Settings::default() }
}

fn flags(camera: &[&str], cameras: Option<&str>) -> CameraFlags {
    let camera = camera.iter().map(|text| (*text).to_owned()).collect();
    CameraFlags { camera, cameras: cameras.map(str::to_owned), ..CameraFlags::default() }
}

#[test]
fn the_short_form_and_lerobots_table_mean_the_same() {
    let table = "{front: {type: opencv, index_or_path: 0, width: 1280, height: 720, fps: 60}, \
                 side: {type: opencv, index_or_path: /dev/video2}}";
    let long = flags(&[], Some(table)).specs().unwrap();
    let short = flags(&["front=0@1280x720x60", "side=/dev/video2"], None).specs().unwrap();
    assert_eq!(long, short);
    let expected = [
        ("front".to_owned(), device(0, 1280, 720, 60)),
        ("side".to_owned(), device(2, 640, 480, 30)),
    ];
    assert_eq!(long, expected);
}

#[test]
fn an_address_keeps_its_at_sign() {
    let specs = flags(&["a=http://me@phone:80/v", "b=http://phone@320x240"], None).specs();
    let specs = specs.unwrap();
    assert_eq!(specs[0].1.origin, Origin::Http("http://me@phone:80/v".into()));
    assert_eq!((specs[1].1.width, specs[1].1.fps), (320, 30));
}

#[test]
fn a_camera_of_lerobots_image_server_is_typed_as_there_or_as_an_address() {
    let table = "{top: {type: zmq, server_address: robot, port: 7000, camera_name: head, \
                 width: 64, height: 48, fps: 20, color_mode: bgr, timeout_ms: 5000}, \
                 side: {type: zmq, server_address: 10.0.0.2, width: 64, height: 48, fps: null}}";
    let specs = flags(&[], Some(table)).specs().unwrap();
    let mut at = zmq::Address::new("robot", 7000, Some("head"));
    (at.exchanged, at.silence) = (false, std::time::Duration::from_secs(5));
    assert_eq!((&specs[0].1.origin, specs[0].1.fps), (&Origin::Zmq(at), 20));
    let short = flags(&["side=zmq://10.0.0.2@64x48", "b=zmq://[::1]:1/a,b@64x48"], None).specs();
    let short = short.unwrap();
    assert_eq!(short[0], specs[1]);
    assert_eq!(short[1].1.origin, Origin::Zmq(zmq::Address::new("::1", 1, Some("a,b"))));
}

#[test]
fn the_pictures_of_a_server_tell_their_size() {
    use sinew_drivers::zmtp::{Socket, greet, receive, send};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        greet(&mut stream, Socket::Publish).unwrap();
        receive(&mut stream, 10).unwrap();
        // A JPEG file as far as its size.
        let begin = "/9j/wAARCAAwAEADASIAAhEBAxEB/9oADAMBAAIRAxEAPwA=";
        let words = format!(r#"{{"images": {{"front": "{begin}"}}}}"#);
        (0..20).for_each(|_| send(&mut stream, &[words.as_bytes()]).unwrap());
    };
    let server = std::thread::Builder::new().spawn(serve).unwrap();
    let specs = flags(&[&format!("front=zmq://127.0.0.1:{port}")], None).specs().unwrap();
    assert_eq!((specs[0].1.width, specs[0].1.height, specs[0].1.fps), (64, 48, 30));
    server.join().unwrap();
    let gone = flags(&[&format!("front=zmq://127.0.0.1:{port}")], None).specs().unwrap_err();
    assert!(gone.exit == Exit::Hardware && gone.what.contains("front"), "{}", gone.what);
}

#[test]
fn a_video_has_the_size_and_rate_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let mut writer = VideoWriter::create(&path, 64, 48, 20).unwrap();
    let grey = Image::new(64, 48, PixelFormat::Rgb8, vec![99; 64 * 48 * 3]).unwrap();
    writer.push(&grey).unwrap();
    writer.finish().unwrap();
    let path = path.to_str().unwrap();
    let texts = [&format!("a={path}"), &format!("b={path}@64x48"), &format!("c={path}@10")];
    let table = format!("{{d: {{type: opencv, index_or_path: {path}}}}}");
    let specs = flags(&texts.map(|text| text.as_str()), Some(&table)).specs().unwrap();
    let origin = Origin::Film(PathBuf::from(path));
    assert!(specs.iter().all(|(_, spec)| spec.origin == origin));
    let seen = specs.iter().map(|(name, spec)| (&name[..], spec.width, spec.height, spec.fps));
    let expected = [("d", 64, 48, 20), ("a", 64, 48, 20), ("b", 64, 48, 20), ("c", 64, 48, 10)];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    let none = flags(&["front=none.mp4"], None).specs().unwrap_err();
    assert!(none.what.contains("none.mp4"), "{}", none.what);
}

#[test]
fn controls_are_typed_behind_a_device_or_stand_in_the_table() {
    let table = "{front: {type: opencv, index_or_path: 0, lock: true, \
                 controls: {exposure: 156, focus: -1}}}";
    let long = flags(&[], Some(table)).specs().unwrap();
    for short in
        ["front=0,lock,exposure=156,focus=-1", "front=0@640x480,exposure=156,focus=-1,lock"]
    {
        assert_eq!(flags(&[short], None).specs().unwrap(), long);
    }
    let values = vec![("exposure".to_owned(), 156), ("focus".to_owned(), -1)];
    assert_eq!(long[0].1.settings, Settings { locked: true, values, ..Settings::default() });
    let address = flags(&["a=http://phone/v?x=1,lock"], None).specs().unwrap();
    assert_eq!(address[0].1.origin, Origin::Http("http://phone/v?x=1,lock".into()));
}

proptest::proptest! {
    #[test]
    fn whatever_is_typed_is_a_camera_or_is_refused(text in "[a-z=@x0-9,:/.{}\\[\\]-]{0,40}") {
        let typed = [text.as_str()];
        for flags in [flags(&typed, None), flags(&[], Some(&text))] {
            for (name, spec) in flags.specs().unwrap_or_default() {
                proptest::prop_assert!(!name.is_empty() && spec.width >= 16 && spec.fps >= 1);
            }
        }
    }
}

#[test]
fn what_makes_no_camera_is_refused_with_its_name() {
    for (short, table) in [
        (&["front"][..], None),
        (&["front="], None),
        (&["../x=sim"], None),
        (&["a=sim", "a=sim"], None),
        (&["a=sim@0x480x30"], None),
        (&["a=sim@640x480x1000"], None),
        (&["a=0,bright"], None),
        (&["a=0,=1"], None),
        (&["a=0,exposure=much"], None),
        (&["a=sim,lock"], None),
        (&[], Some("{a: {type: opencv, index_or_path: 0, lock: 1}}")),
        (&[], Some("{a: {type: opencv, index_or_path: 0, controls: [1]}}")),
        (&[], Some("{a: {type: opencv, index_or_path: 0, controls: {gain: x}}}")),
        (&[], Some("{a: {type: sim, lock: true}}")),
        (&[], Some("{front: {type: realsense}}")),
        (&[], Some("{front: {type: opencv}}")),
        (&[], Some("{front: {index_or_path: 0}}")),
        (&[], Some("{front: {type: opencv, index_or_path: 0, width: -1}}")),
        (&["a=zmq://"], None),
        (&["a=zmq://x:y"], None),
        (&[], Some("{a: {type: zmq}}")),
        (&[], Some("{a: {type: zmq, server_address: ''}}")),
        (&[], Some("{a: {type: zmq, server_address: x, port: 65536}}")),
        (&[], Some("{a: {type: zmq, server_address: x, port: front}}")),
        (&[], Some("{a: {type: zmq, server_address: x, camera_name: 1}}")),
        (&[], Some("{a: {type: zmq, server_address: x, color_mode: grey}}")),
        (&[], Some("{a: {type: zmq, server_address: x, timeout_ms: 0}}")),
        (&[], Some("[1]")),
        (&[], Some("{")),
    ] {
        let failure = flags(short, table).specs().unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{short:?} {table:?}");
    }
}

#[test]
fn the_arms_of_a_pair_have_cameras_of_their_own() {
    let table = |path: &str| Some(format!("{{wrist: {{type: opencv, index_or_path: {path}}}}}"));
    let (left, right) = (table("0"), table("2"));
    let flags = CameraFlags { left, right, ..flags(&["top=4"], None) };
    assert!(flags.any());
    let names: Vec<_> = flags.specs().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["left_wrist", "right_wrist", "top"]);
    let wrong = CameraFlags { right: Some("{a: {}}".to_owned()), ..CameraFlags::default() };
    let told = wrong.specs().unwrap_err().what;
    assert!(told.contains("--robot.right_arm_config.cameras: a: type is missing"), "{told}");
}

#[test]
fn what_a_camera_does_not_have_is_refused_and_what_lerobot_has_is_understood() {
    let spec = |fields: &str| {
        let table = format!("{{a: {{type: opencv, index_or_path: 0, {fields}}}}}");
        flags(&[], Some(&table)).specs()
    };
    for (fields, told) in [
        ("widht: 4", "has no widht; it has type, width"),
        ("color_mode: bgr", "leave color_mode bgr out"),
        ("fourcc: H264", "fourcc is MJPG or YUYV, not \"H264\""),
        ("rotation: 45", "0, 90, 180 or 270, not 45"),
    ] {
        let error = spec(fields).unwrap_err().what;
        assert!(error.contains(told), "{fields}: {error}");
    }
    let sent = |fields: &str| spec(fields).unwrap()[0].1.settings.sent;
    assert_eq!(["fourcc: YUYV", "fourcc: null"].map(sent), [Some(Sent::Yuyv), None]);
    let turned = |fields: &str| spec(fields).unwrap()[0].1.settings.turn;
    assert_eq!(turned("color_mode: rgb, warmup_s: 3, fourcc: MJPG, backend: 0"), Turn::None);
    for (rotation, turn) in [
        ("0", Turn::None),
        ("null", Turn::None),
        ("NO_ROTATION", Turn::None),
        ("90", Turn::Quarter),
        ("ROTATE_90", Turn::Quarter),
        ("180", Turn::Half),
        ("-90", Turn::ThreeQuarters),
        ("ROTATE_270", Turn::ThreeQuarters),
    ] {
        assert_eq!(turned(&format!("rotation: {rotation}")), turn, "{rotation}");
    }
    let sized = &spec("rotation: 90, width: 480, height: 640").unwrap()[0].1;
    assert_eq!((sized.width, sized.height), (480, 640), "the size is that of what is stored");
    let depth = flags(&[], Some("{a: {type: intelrealsense, serial_number_or_name: x}}")).specs();
    assert!(depth.unwrap_err().what.contains("find-cameras"));
}
