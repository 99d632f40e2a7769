//! Its cameras, as cameras here.

use sinew_drivers::Clock;
use sinew_drivers::camera::{Camera, Moment, Opener, PATIENCE};
use sinew_drivers::clock::SECOND;
use sinew_net::message::{PictureHead, VERSION, encode};
use zenoh::Wait;

use jpeg_encoder::{ColorType, Encoder};

use crate::stand::{AHEAD, Stand, until};

fn grey(width: u16, height: u16, grey: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels = vec![grey; usize::from(width) * usize::from(height)];
    Encoder::new(&mut jpeg, 90).encode(&pixels, width, height, ColorType::Luma).unwrap();
    jpeg
}

fn show(stand: &Stand, n: u64, age: i64, jpeg: Vec<u8>) {
    let at = Clock::Real.now() - age + AHEAD;
    let moment = "exposure".to_owned();
    let head = encode(&PictureHead { v: VERSION, n, at, moment, width: 32, height: 16 });
    let camera = stand.keys.camera("front");
    stand.network.session().put(camera, jpeg).attachment(head).wait().unwrap();
}

fn opener(stand: &Stand, name: &'static str) -> Opener {
    let robot = stand.robot();
    Box::new(move || robot.camera(name))
}

#[test]
fn a_picture_is_as_old_as_it_was_there() {
    let stand = Stand::start("so101_follower");
    let opener = opener(&stand, "front");
    let start = move || Camera::start("front", opener, &Clock::Real, PATIENCE);
    let thread = std::thread::Builder::new().name("start".into()).spawn(start).unwrap();
    let mut n = 0;
    until(|| {
        n += 1;
        show(&stand, n, 2 * SECOND, grey(32, 16, 90));
        thread.is_finished()
    });
    let camera = thread.join().unwrap().unwrap();
    let shot = camera.newest().unwrap();
    assert_eq!((shot.picture.width, shot.picture.height, shot.moment), (32, 16, Moment::Exposure));
    let age = Clock::Real.now() - shot.at;
    assert!(age >= SECOND, "{age}");
    // What is no picture, or one of another size, is a failure, and the next one is taken again.
    show(&stand, n, 0, b"no picture".to_vec());
    until(|| camera.trouble().is_some());
    until(|| {
        show(&stand, n, 0, grey(32, 16, 180));
        camera.newest().unwrap().picture.pixels[0].abs_diff(180) <= 2
    });
    until(|| {
        show(&stand, n, 0, grey(16, 16, 180));
        camera.trouble().is_some_and(|trouble| trouble.contains("16x16"))
    });
}

#[test]
fn a_camera_that_the_robot_has_not_is_told_with_those_it_has() {
    let stand = Stand::start("so101_follower");
    let none = stand.robot().camera("back").err().unwrap().to_string();
    assert!(none.contains("back") && none.contains("front"), "{none}");
}
