//! A graph run by every executor, and how far its answers are from LeRobot's.

use std::collections::BTreeMap;

use sinew_policies::checkpoint::Tensors;
use sinew_policies::graph::Graph;
use sinew_policies::{Device, Options, Program};

/// How far a number may be from LeRobot's.
pub const CLOSE: f32 = 1e-4;

/// Everything here that runs graphs.
pub const DEVICES: &[Device] = &[
    Device::Cpu,
    #[cfg(feature = "candle")]
    Device::Reference,
    #[cfg(feature = "cuda")]
    Device::Cuda(0),
];

/// Makes a graph ready to run.
pub fn compile(graph: &Graph, tensors: &Tensors, device: Device) -> Program {
    Program::compile(graph, tensors, &Options::default(), device).unwrap()
}

/// From named inputs to outputs.
pub fn run(program: &mut Program, inputs: &BTreeMap<String, Vec<f32>>) {
    for (name, numbers) in inputs {
        program.input(name).unwrap().copy_from_slice(numbers);
    }
    program.run().unwrap();
}

/// The greatest difference of two answers, which must be small.
pub fn compare(ours: &[f32], theirs: &[f32], what: &str) -> f32 {
    compare_within(ours, theirs, 1.0, what)
}

/// The same for what a module gave: weights that nobody trained make large numbers, and it is their
/// size that errors are held against.
pub fn compare_module(ours: &[f32], theirs: &[f32], what: &str) -> f32 {
    let largest = theirs.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    compare_within(ours, theirs, largest, what)
}

fn compare_within(ours: &[f32], theirs: &[f32], unit: f32, what: &str) -> f32 {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    assert!(ours.iter().all(|value| value.is_finite()), "{what} is no number");
    let worst = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
    let worst = worst.fold(0.0, f32::max) / unit;
    assert!(worst <= CLOSE, "{what} is off by {worst}");
    worst
}
