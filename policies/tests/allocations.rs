//! A program that has run once allocates nothing any more: a control loop may share its core.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test is its own story

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use safetensors::tensor::{Dtype, TensorView};
use sinew_policies::checkpoint::Tensors;
use sinew_policies::graph::{Activation, Builder};
use sinew_policies::policy::{Image, Policy, Seen};
use sinew_policies::tdmpc::Planner;
use sinew_policies::{Config, Device, Options, Program};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's; only a number is counted on the way.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A checkpoint of these tensors, all numbers drawn.
fn drawn(shapes: &[(String, Vec<usize>)]) -> Tensors {
    let mut dice = fastrand::Rng::with_seed(5);
    let mut number = || (dice.f32() - 0.5).to_le_bytes();
    let numbers: Vec<Vec<u8>> = shapes
        .iter()
        .map(|(_, shape)| (0..shape.iter().product()).flat_map(|_| number()).collect())
        .collect();
    let views = shapes.iter().zip(&numbers).map(|((name, shape), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&safetensors::serialize(views, None).unwrap()).unwrap();
    Tensors::open(file.path()).unwrap()
}

/// One test, for what is counted is everybody's: another that ends meanwhile is told, and that takes memory.
#[test]
fn what_has_run_once_allocates_nothing() {
    planning_allocates_nothing();
    acting_allocates_nothing();
    running_allocates_nothing();
}

fn planning_allocates_nothing() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/policies/tdmpc_image");
    let Config::Tdmpc(config) = Config::open(Path::new(golden)).unwrap() else { panic!() };
    let listed = std::fs::read_to_string(Path::new(golden).join("tensors.json")).unwrap();
    let listed: BTreeMap<String, (String, Vec<usize>)> = serde_json::from_str(&listed).unwrap();
    let shapes: Vec<_> = listed.into_iter().map(|(name, (_, shape))| (name, shape)).collect();
    let tensors = drawn(&shapes);
    let options = Options { threads: 1, ..Options::default() };
    let mut planner = Planner::compile(&config, &tensors, &options, Device::Cpu).unwrap();
    let first = planner.run().unwrap().to_vec();
    let before = COUNT.load(Ordering::Relaxed);
    for _ in 0..3 {
        planner.input("observation.state").unwrap().fill(0.25);
        assert!(planner.run().unwrap().iter().all(|number| number.abs() <= 1.0));
    }
    assert_eq!(COUNT.load(Ordering::Relaxed), before);
    assert_ne!(planner.run().unwrap(), first);
}

/// From what is seen to an action, chunk after chunk.
fn acting_allocates_nothing() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/policies");
    for (name, chunk, side) in [
        ("act_vae_1cam", 10, 64),
        ("diffusion_arm", 8, 48),
        ("vqbet_arm", 5, 48),
        ("tdmpc_arm", 4, 48),
    ] {
        let options = Options { threads: 1, ..Options::default() };
        let mut policy = Policy::load(&golden.join(name), Device::Cpu, &options).unwrap();
        let rgb = vec![100; side * side * 3];
        let top = Seen::Image(Image { width: side, height: side, rgb: &rgb });
        let camera = ["observation.images.top", "observation.image"]
            .into_iter()
            .find(|camera| policy.takes(camera))
            .unwrap();
        let mut act = |steps: i32| {
            for step in 0..steps {
                let state = [step as f32 / 100.0; 6];
                let seen = [("observation.state", Seen::Numbers(&state)), (camera, top)];
                assert!(policy.select_action(&seen).unwrap().goal.len() == 6, "{name}");
            }
        };
        act(chunk + 1);
        let before = COUNT.load(Ordering::Relaxed);
        act(3 * chunk);
        assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0, "{name}");
    }
}

fn running_allocates_nothing() {
    let shapes: [(&str, &[usize]); 6] = [
        ("conv.weight", &[32, 3, 7, 7]),
        ("deep.weight", &[32, 32, 3, 3]),
        ("linear.weight", &[48, 32]),
        ("norm.weight", &[48]),
        ("norm.bias", &[48]),
        ("back.weight", &[48, 16, 4]),
    ];
    let tensors = drawn(&shapes.map(|(name, shape)| (name.to_owned(), shape.to_vec())));

    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![1, 40, 40, 3]);
    let x = builder.conv2d(x, "conv", 2, 3, 1).unwrap();
    let x = builder.max_pool(x, 3, 2, 1).unwrap();
    let x = builder.conv2d(x, "deep", 1, 1, 1).unwrap();
    let x = builder.activate(x, Activation::Gelu);
    let x = builder.reshape(x, vec![100, 32]).unwrap();
    let x = builder.linear(x, "linear").unwrap();
    let x = builder.layer_norm(x, "norm", 1e-5).unwrap();
    let x = builder.attention("attention", [x, x, x], 4, false).unwrap();
    let x = builder.group_norm(x, "norm", 8, 1e-5).unwrap();
    let x = builder.conv_transpose1d(x, "back", 2, 1).unwrap();
    builder.output("y", x);
    let graph = builder.finish();
    for threads in [1, 3] {
        let options = Options { threads, ..Options::default() };
        let mut program = Program::compile(&graph, &tensors, &options, Device::Cpu).unwrap();
        program.input("x").unwrap().fill(0.5);
        program.run().unwrap();
        let before = COUNT.load(Ordering::Relaxed);
        for _ in 0..3 {
            program.input("x").unwrap().fill(0.25);
            program.run().unwrap();
            assert!(program.output("y").unwrap().iter().all(|number| number.is_finite()));
        }
        assert_eq!(COUNT.load(Ordering::Relaxed), before);
    }
}
