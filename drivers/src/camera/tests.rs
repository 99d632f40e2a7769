use super::*;
use bytes::Bytes;

/// Gives three pictures, then fails.
struct Weak {
    left: u32,
    clock: Clock,
}

impl Source for Weak {
    fn shoot(&mut self) -> Result<Taken, Error> {
        std::thread::yield_now();
        self.left = self.left.checked_sub(1).ok_or_else(|| Error::Camera {
            camera: "weak".into(),
            what: "the cable is out".into(),
        })?;
        let pixels = Bytes::from(vec![0; Layout::Rgb8.len(2, 2)]);
        let picture = Picture { width: 2, height: 2, layout: Layout::Rgb8, pixels };
        // Its driver's clock has stopped.
        Ok(Taken { at: self.clock.now(), moment: Moment::Doubted, picture })
    }
}

#[test]
fn a_camera_that_fails_is_opened_again_and_counted() {
    let clock = Clock::virtual_time();
    let theirs = clock.clone();
    let opener = move || Ok(Box::new(Weak { left: 3, clock: theirs.clone() }) as Box<dyn Source>);
    let camera = Camera::start("weak", Box::new(opener), &clock, PATIENCE).unwrap();
    while camera.counts().shots < 20 {
        std::thread::yield_now();
    }
    let counts = camera.counts();
    assert!(counts.failures >= counts.shots / 3 - 1, "{counts:?}");
    assert!(camera.newest().unwrap().number >= 19);
    assert!(counts.doubted >= 19, "{counts:?}");
}

#[test]
fn a_camera_that_is_being_opened_again_holds_nobody_up() {
    let clock = Clock::virtual_time();
    let (tell, told) = std::sync::mpsc::sync_channel::<()>(1);
    let (opening, opens) = std::sync::mpsc::sync_channel::<()>(1);
    let (theirs, mut openings) = (clock.clone(), 0);
    let opener = move || {
        openings += 1;
        if openings > 1 {
            // Nobody answers until this test has let go of the camera.
            opening.send(()).unwrap();
            let released = told.recv_timeout(std::time::Duration::from_secs(60));
            released.expect("the camera's end waited until it was open");
        }
        Ok(Box::new(Weak { left: 3, clock: theirs.clone() }) as Box<dyn Source>)
    };
    let camera = Camera::start("slow", Box::new(opener), &clock, PATIENCE).unwrap();
    opens.recv().unwrap();
    drop(camera);
    tell.send(()).expect("the camera's end waited until it was open");
}

/// Gives a picture when it is told at which instant, and waits in between.
struct Told(std::sync::mpsc::Receiver<Nanos>);

impl Source for Told {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let over = |_| Error::Camera { camera: "told".into(), what: "over".into() };
        let at = self.0.recv().map_err(over)?;
        let pixels = Bytes::from(vec![0; Layout::Rgb8.len(2, 2)]);
        let picture = Picture { width: 2, height: 2, layout: Layout::Rgb8, pixels };
        Ok(Taken { at, moment: Moment::Exposure, picture })
    }
}

/// A camera that took a picture at each of these instants.
fn camera_of(instants: &[Nanos]) -> Camera {
    let (tell, told) = std::sync::mpsc::sync_channel(instants.len());
    instants.iter().for_each(|at| tell.send(*at).unwrap());
    let mut source = Some(Told(told));
    let opener = move || {
        let gone = Error::Camera { camera: "told".into(), what: "gone".into() };
        source.take().map(|source| Box::new(source) as Box<dyn Source>).ok_or(gone)
    };
    let clock = Clock::virtual_time();
    let camera = Camera::start("told", Box::new(opener), &clock, PATIENCE).unwrap();
    while camera.counts().shots < instants.len() as u64 {
        std::thread::yield_now();
    }
    camera
}

#[test]
fn the_newest_and_the_one_nearest_to_an_instant_are_at_hand() {
    let camera = camera_of(&[10, 20, 30, 40, 50, 60]);
    let nearest = |at| camera.nearest(at).map(|shot| (shot.number, shot.at));
    assert_eq!(camera.newest().map(|shot| shot.number), Some(6));
    assert_eq!(nearest(Nanos::MAX), Some((6, 60)));
    assert_eq!(nearest(56), Some((6, 60)));
    assert_eq!(nearest(55), Some((6, 60)), "the newer one of two");
    assert_eq!(nearest(54), Some((5, 50)));
    assert_eq!(nearest(31), Some((3, 30)));
    assert_eq!(nearest(Nanos::MIN), Some((3, 30)), "the oldest that is kept");
    assert_eq!(camera_of(&[10]).nearest(99).map(|shot| shot.number), Some(1));
}

proptest::proptest! {
    #[test]
    fn none_that_is_kept_is_nearer(
        mut instants in proptest::collection::vec(0i64..1000, 1..9),
        at in 0i64..1000,
    ) {
        instants.sort_unstable();
        let camera = camera_of(&instants);
        let kept = instants.len().saturating_sub(KEPT as usize);
        let least = instants[kept..].iter().map(|instant| instant.abs_diff(at)).min();
        let found = camera.nearest(at).map(|shot| shot.at.abs_diff(at));
        proptest::prop_assert_eq!(found, least);
    }
}

#[test]
fn the_longest_time_without_a_picture_is_told_while_it_lasts_and_afterwards() {
    let clock = Clock::virtual_time();
    let (tell, told) = std::sync::mpsc::sync_channel(2);
    let mut source = Some(Told(told));
    let gone = || Error::Camera { camera: "told".into(), what: "is over".into() };
    let opener = move || Ok(Box::new(source.take().ok_or_else(gone)?) as Box<dyn Source>);
    let begun = clock.now();
    tell.send(begun).unwrap();
    let camera = Camera::start("told", Box::new(opener), &clock, PATIENCE).unwrap();
    clock.sleep(2 * SECOND);
    assert_eq!(camera.counts().longest_gap, 2 * SECOND);
    tell.send(begun + 2 * SECOND).unwrap();
    while camera.counts().shots < 2 {
        std::thread::yield_now();
    }
    clock.sleep(SECOND);
    assert_eq!(camera.counts().longest_gap, 2 * SECOND);
    drop(tell);
}

#[test]
fn one_that_cannot_be_opened_says_so_at_once() {
    let opener = || Err(Error::Camera { camera: "none".into(), what: "is not there".into() });
    let failed = Camera::start("none", Box::new(opener), &Clock::virtual_time(), PATIENCE).err();
    assert_eq!(failed.unwrap().to_string(), "camera none: is not there");
}
