use nalgebra::{Isometry3, Point3, Translation3, UnitQuaternion, Vector3};
use proptest::prelude::*;

use super::*;
use crate::scene::{Room, Shape, Surface, Thing};

const RED: [f32; 3] = [0.9, 0.1, 0.1];
const BLUE: [f32; 3] = [0.1, 0.1, 0.9];

fn cube(at: [f64; 3], half: [f64; 3], colour: [f32; 3]) -> Thing {
    let surface = Surface { colour, checker: None };
    Thing { shape: Shape::Box { half }, surface, place: Translation3::from(at).into() }
}

fn of(things: Vec<Thing>) -> Scene {
    Scene { things, room: Room::default() }
}

fn table() -> Thing {
    let mut table = cube([0.0, 0.0, -0.02], [0.6, 0.6, 0.02], [0.9; 3]);
    table.surface.checker = Some(([0.7; 3], 0.05));
    table
}

fn painted(scene: &Scene, camera: &Camera, smooth: Smooth) -> Canvas {
    let mut canvas = Canvas::with_depth();
    Painter::with(smooth).paint(scene, camera, &mut canvas);
    canvas
}

fn pixel(canvas: &Canvas, column: usize, row: usize) -> [u8; 3] {
    let at = (row * canvas.width as usize + column) * 3;
    canvas.pixels[at..at + 3].try_into().unwrap()
}

fn depth(canvas: &Canvas, column: usize, row: usize) -> f32 {
    canvas.depth.as_ref().unwrap()[row * canvas.width as usize + column]
}

fn above(width: u32, height: u32) -> Camera {
    Camera::with_view(width, height, 0.8).look_at([0.0, 0.0, 1.0].into(), Point3::origin())
}

#[test]
fn a_camera_sees_points_where_the_pinhole_says() {
    let mut camera = Camera::with_view(640, 480, 1.0);
    (camera.fx, camera.fy, camera.cx, camera.cy) = (500.0, 520.0, 310.0, 250.0);
    // One metre up, looking ahead: the camera's x is -y of the world, its y is -z.
    let camera = camera.look_at([0.0, 0.0, 1.0].into(), [1.0, 0.0, 1.0].into());
    let ([u, v], far) = camera.project([2.0, -0.3, 0.8].into()).unwrap();
    assert!((u - (500.0 * 0.3 / 2.0 + 310.0)).abs() < 1e-9);
    assert!((v - (520.0 * 0.2 / 2.0 + 250.0)).abs() < 1e-9);
    assert!((far - 2.0).abs() < 1e-12);
    assert!((camera.unproject([u, v], far) - Point3::new(2.0, -0.3, 0.8)).norm() < 1e-12);
    assert_eq!(camera.project([-1.0, 0.0, 1.0].into()), None);
}

#[test]
fn straight_down_the_top_of_the_picture_is_ahead_of_the_arm() {
    let ([u, v], _) = above(101, 101).project([0.1, 0.0, 0.0].into()).unwrap();
    assert!((u - 50.0).abs() < 1e-9 && v < 45.0);
    let ([u, v], _) = above(101, 101).project([0.0, 0.1, 0.0].into()).unwrap();
    assert!(u < 45.0 && (v - 50.0).abs() < 1e-9);
}

#[test]
fn the_corners_of_what_is_painted_are_where_the_pinhole_says() {
    let camera =
        Camera::with_view(320, 240, 0.7).look_at([0.8, 0.5, 0.6].into(), [0.1, 0.0, 0.0].into());
    let thing = cube([0.1, 0.0, 0.05], [0.08, 0.06, 0.05], RED);
    let canvas = painted(&of(vec![thing]), &camera, Smooth::None);
    let mut wanted = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for n in 0..8 {
        let sign = |bit: u32| if n >> bit & 1 == 1 { 1.0 } else { -1.0 };
        let corner = Vector3::new(0.08 * sign(0), 0.06 * sign(1), 0.05 * sign(2));
        let at = camera.place.inverse() * Point3::from(corner + Vector3::new(0.1, 0.0, 0.05));
        let [u, v] = [camera.fx * at.x / at.z + camera.cx, camera.fy * at.y / at.z + camera.cy];
        wanted = [wanted[0].min(u), wanted[1].min(v), wanted[2].max(u), wanted[3].max(v)];
    }
    let mut found = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for row in 0..240 {
        for column in (0..320).filter(|column| depth(&canvas, *column, row) > 0.0) {
            let (u, v) = (column as f64, row as f64);
            found = [found[0].min(u), found[1].min(v), found[2].max(u), found[3].max(v)];
        }
    }
    assert!(wanted.iter().zip(found).all(|(a, b)| (a - b).abs() < 1.0), "{wanted:?} {found:?}");
}

#[test]
fn depth_is_metres_along_the_axis_of_the_camera() {
    for smooth in [Smooth::None, Smooth::Four] {
        let camera = Camera::with_view(160, 120, 0.9)
            .look_at([0.5, 0.2, 0.4].into(), [0.1, 0.0, 0.0].into());
        let canvas = painted(&of(vec![table()]), &camera, smooth);
        let mut compared = 0;
        for row in 0..120 {
            for column in 0..160 {
                let (from, to) = (
                    camera.unproject([column as f64, row as f64], 0.0),
                    camera.unproject([column as f64, row as f64], 1.0),
                );
                let wanted = from.z / (from.z - to.z);
                let at = from + (to - from) * wanted;
                if wanted > 0.0 && at.x.abs() < 0.59 && at.y.abs() < 0.59 {
                    assert!((f64::from(depth(&canvas, column, row)) - wanted).abs() < 1e-4);
                    compared += 1;
                }
            }
        }
        assert!(compared > 10_000);
        let millimetres: Vec<u16> = canvas.millimetres().collect();
        let metres = canvas.depth.as_ref().unwrap();
        assert!(
            millimetres.iter().zip(metres).all(|(a, b)| (f32::from(*a) / 1e3 - b).abs() < 6e-4)
        );
    }
}

#[test]
fn the_nearer_thing_hides_the_farther_whatever_comes_first() {
    let (far, near) =
        (cube([0.0, 0.0, 0.1], [0.1; 3], BLUE), cube([0.0, 0.0, 0.3], [0.05; 3], RED));
    let camera = above(101, 101);
    let both = painted(&of(vec![far.clone(), near.clone()]), &camera, Smooth::Four);
    let turned = painted(&of(vec![near, far]), &camera, Smooth::Four);
    assert_eq!(both.pixels, turned.pixels);
    let [red, _, blue] = pixel(&both, 50, 50);
    assert!(red > 3 * blue);
    assert!((depth(&both, 50, 50) - 0.65).abs() < 1e-5);
    let ([u, v], _) = camera.project([0.08, 0.08, 0.2].into()).unwrap();
    let [red, _, blue] = pixel(&both, u as usize, v as usize);
    assert!(blue > 3 * red);
}

#[test]
fn what_is_behind_a_camera_or_about_it_is_not_seen() {
    let camera =
        Camera::with_view(64, 48, 1.0).look_at([0.0, 0.0, 0.5].into(), [1.0, 0.0, 0.5].into());
    let nothing = painted(&of(vec![]), &camera, Smooth::Four);
    let behind = cube([-1.0, 0.0, 0.5], [0.3; 3], RED);
    let about = cube([0.0, 0.0, 0.5], [0.2; 3], RED);
    assert_eq!(painted(&of(vec![behind, about]), &camera, Smooth::Four), nothing);
}

#[test]
fn a_floor_that_goes_on_below_and_behind_a_camera_ends_at_the_horizon() {
    let camera =
        Camera::with_view(64, 49, 1.0).look_at([0.0, 0.0, 0.5].into(), [1.0, 0.0, 0.5].into());
    let floor = cube([0.0, 0.0, -0.02], [1e4, 1e4, 0.02], RED);
    let canvas = painted(&of(vec![floor]), &camera, Smooth::None);
    for column in 0..64 {
        assert_eq!(depth(&canvas, column, 23), 0.0);
        let wanted = 0.5 / (24.0 / camera.fy as f32);
        assert!((depth(&canvas, column, 48) - wanted).abs() < 1e-4);
    }
}

#[test]
fn the_lamp_casts_a_shadow_to_the_other_side_and_things_darken_the_table_they_stand_on() {
    let mut scene = of(vec![table(), cube([0.0, 0.0, 0.05], [0.03, 0.03, 0.05], RED)]);
    scene.things[0].surface.checker = None;
    scene.room.lamp.towards = [1.0, 0.0, 1.0];
    let camera = above(201, 201);
    let canvas = painted(&scene, &camera, Smooth::Four);
    let at = |x: f64, y: f64| {
        let ([u, v], _) = camera.project([x, y, 0.0].into()).unwrap();
        f64::from(pixel(&canvas, u.round() as usize, v.round() as usize)[1])
    };
    let open = at(0.3, 0.3);
    assert!(at(-0.09, 0.0) < 0.8 * open, "in the shadow");
    assert!(at(0.09, 0.0) > 0.97 * open, "before the lamp");
    assert!(at(-0.2, 0.0) > 0.99 * open, "past the shadow's end");
    assert!(at(0.04, 0.0) < 0.97 * at(0.09, 0.0), "at its foot");
    // Grey values between light and shadow: the edge is soft.
    let edge = (0..40).map(|n| at(-0.12 - 0.001 * f64::from(n), 0.0));
    assert!(edge.filter(|grey| *grey > 0.85 * open && *grey < 0.97 * open).count() >= 3);
}

#[test]
fn squares_seen_from_afar_become_their_mean_and_do_not_flicker() {
    let mut table = table();
    table.surface.checker = Some(([0.2; 3], 0.004));
    let camera = Camera::with_view(101, 101, 0.5).look_at([0.0, 0.0, 2.0].into(), Point3::origin());
    let canvas = painted(&of(vec![table]), &camera, Smooth::None);
    let greys = (30..70).flat_map(|row| (30..70).map(move |column| (column, row)));
    let greys: Vec<u8> = greys.map(|(column, row)| pixel(&canvas, column, row)[0]).collect();
    let (least, most) = (greys.iter().min().unwrap(), greys.iter().max().unwrap());
    assert!(most - least < 25, "{least} to {most}");
}

#[test]
fn smooth_edges_take_shares_of_both_sides() {
    let scene = of(vec![cube([0.0, 0.0, 0.05], [0.05, 0.05, 0.05], RED)]);
    let camera =
        Camera::with_view(64, 64, 0.3).look_at([0.0, 0.0, 1.0].into(), [0.013, 0.0, 0.0].into());
    let count = |smooth| {
        let canvas = painted(&scene, &camera, smooth);
        let mut colours: Vec<_> = canvas.pixels.chunks(3).map(<[u8]>::to_vec).collect();
        colours.retain(|colour| colour[0] > colour[1] + 40);
        colours.sort();
        colours.dedup();
        colours.len()
    };
    assert!(count(Smooth::Four) > count(Smooth::None));
}

#[test]
fn a_canvas_used_again_shows_nothing_of_before_and_keeps_its_memory() {
    let scene = of(vec![table(), cube([0.1, 0.0, 0.05], [0.05; 3], RED)]);
    let (small, large) = (above(33, 21), above(64, 48));
    let (mut painter, mut canvas) = (Painter::new(), Canvas::with_depth());
    painter.paint(&scene, &large, &mut canvas);
    let first = canvas.clone();
    painter.paint(&of(vec![]), &small, &mut canvas);
    assert_eq!(canvas, painted(&of(vec![]), &small, Smooth::Four));
    let place = canvas.pixels.as_ptr();
    painter.paint(&scene, &large, &mut canvas);
    assert_eq!((canvas == first, canvas.pixels.as_ptr()), (true, place));
}

#[test]
fn threads_paint_the_same_bytes() {
    let scene = of(vec![table(), cube([0.1, 0.0, 0.05], [0.05; 3], RED)]);
    let camera = Camera::with_view(160, 120, 0.7).look_at([0.8, 0.5, 0.6].into(), Point3::origin());
    let one = painted(&scene, &camera, Smooth::Four);
    std::thread::scope(|scope| {
        let painters: Vec<_> =
            (0..4).map(|_| scope.spawn(|| painted(&scene, &camera, Smooth::Four))).collect();
        assert!(painters.into_iter().all(|painter| painter.join().unwrap() == one));
    });
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1.0..1.0_f64,
        1 => -1e6..1e6_f64,
        1 => prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-1e-300)],
    ]
}

fn thing() -> impl Strategy<Value = Thing> {
    let shape = prop_oneof![
        [number(), number(), number()].prop_map(|half| Shape::Box { half }),
        (number(), number())
            .prop_map(|(radius, half_length)| Shape::Cylinder { radius, half_length }),
    ];
    let turn = [-3.0..3.0, -3.0..3.0, -3.0..3.0];
    let checker = proptest::option::of((Just(BLUE), -0.1..0.2_f32));
    (shape, [number(), number(), number()], turn, checker).prop_map(|(shape, at, turn, checker)| {
        let place = Isometry3::from_parts(at.into(), UnitQuaternion::from_scaled_axis(turn.into()));
        Thing { shape, surface: Surface { colour: RED, checker }, place }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_scene_can_break_a_painter(
        things in proptest::collection::vec(thing(), 0..6),
        size in (0..40_u32, 0..40_u32),
        view in [number(), number(), number(), number()],
        eye in [number(), number(), number()],
        target in [number(), number(), number()],
        towards in [number(), number(), number()],
    ) {
        let mut scene = of(things);
        scene.room.lamp.towards = towards;
        let mut camera = Camera::with_view(size.0, size.1, 0.8);
        let first = painted(&scene, &camera.look_at(eye.into(), target.into()), Smooth::Four);
        prop_assert_eq!(first.pixels.len(), (size.0 * size.1 * 3) as usize);
        prop_assert!(first.depth.iter().flatten().all(|depth| *depth >= 0.0));
        [camera.fx, camera.fy, camera.cx, camera.cy] = view.map(|figure| figure * 100.0);
        let camera = camera.look_at(eye.into(), target.into());
        let second = painted(&scene, &camera, Smooth::None);
        prop_assert_eq!(second.pixels.len(), (size.0 * size.1 * 3) as usize);
    }
}
