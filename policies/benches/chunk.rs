//! Runs one of the networks that `sinew doctor --board` tries, and nothing else: for whoever counts what a
//! chunk takes, as `packaging/cost` does. Twice as many chunks less once as many is chunks alone.
//!
//! `cargo bench -p sinew-policies --bench chunk -- SIZE PRECISION CHUNKS`, for instance `2 int8 1`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)] // a bench is its own report

use sinew_policies::{Options, Precision, trial};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [size, precision, chunks] = &words[..] else {
        println!("SKIPPED: it takes a size, a precision and how many chunks");
        return;
    };
    let precision = match &**precision {
        "f32" => Precision::F32,
        "f16" => Precision::F16,
        "bf16" => Precision::Bf16,
        "int8" => Precision::Int8,
        other => return println!("SKIPPED: {other} is no precision"),
    };
    let size = &trial::sizes().unwrap()[size.parse::<usize>().unwrap()];
    let weights = size.weights().unwrap();
    let options = Options { threads: 1, precision, ..Options::default() };
    let mut program = size.network(&weights, &options).unwrap();
    for _ in 0..chunks.parse::<u32>().unwrap() {
        program.run().unwrap();
    }
    let work: u64 = program.profile().iter().map(|step| step.multiplications).sum();
    println!("{}, {precision:?}, {}: {work} multiplications a chunk", size.name, program.kernels());
}
