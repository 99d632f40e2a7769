//! A program that has run once allocates nothing any more: a control loop may share its core.
#![allow(missing_docs)] // a test is its own story

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use safetensors::tensor::{Dtype, TensorView};
use sinew_policies::checkpoint::Tensors;
use sinew_policies::graph::{Activation, Builder};
use sinew_policies::{Device, Options, Program};

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

#[test]
fn running_allocates_nothing() {
    let shapes: [(&str, &[usize]); 6] = [
        ("conv.weight", &[32, 3, 7, 7]),
        ("deep.weight", &[32, 32, 3, 3]),
        ("linear.weight", &[48, 32]),
        ("norm.weight", &[48]),
        ("norm.bias", &[48]),
        ("back.weight", &[48, 16, 4]),
    ];
    let numbers: Vec<Vec<u8>> = shapes
        .iter()
        .map(|(_, shape)| vec![0.01f32; shape.iter().product()])
        .map(|numbers| numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        .collect();
    let views = shapes.iter().zip(&numbers).map(|((name, shape), bytes)| {
        (name.to_string(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&safetensors::serialize(views, None).unwrap()).unwrap();
    let tensors = Tensors::open(file.path()).unwrap();

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
