//! Every operation and random networks of them, against the same in f64.

use proptest::prelude::*;

use super::Program;
use crate::checkpoint::Tensors;
use crate::device::Options;
use crate::graph::weights::{Draw, tensors};
use crate::graph::{Activation, Builder, Graph, Id, Op, Weights, naive};
use crate::kernels::Kernels;
use crate::precision::Precision;

/// Channels of the values in random networks.
const WIDTHS: [usize; 5] = [3, 8, 21, 32, 48];
/// Kernels, height and width.
const WINDOWS: [[usize; 2]; 5] = [[1, 1], [3, 3], [2, 3], [5, 1], [7, 7]];

/// Weights for every operation between all widths.
fn checkpoint() -> Tensors {
    let mut list: Vec<(String, Vec<usize>)> = Vec::new();
    for from in WIDTHS {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            list.push((format!("norm{from}.{part}"), vec![from]));
        }
        list.push((format!("row{from}"), vec![from]));
        for to in WIDTHS {
            for [height, width] in WINDOWS {
                let name = format!("conv{from}to{to}by{height}x{width}");
                list.push((format!("{name}.weight"), vec![to, from, height, width]));
                list.push((format!("{name}.bias"), vec![to]));
            }
            for taps in 1..6 {
                list.push((format!("line{from}to{to}by{taps}.weight"), vec![to, from, taps]));
                list.push((format!("back{from}to{to}by{taps}.weight"), vec![from, to, taps]));
                list.push((format!("back{from}to{to}by{taps}.bias"), vec![to]));
            }
            list.push((format!("linear{from}to{to}.weight"), vec![to, from]));
            list.push((format!("linear{from}to{to}.bias"), vec![to]));
        }
    }
    let list: Vec<_> = list.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    tensors(&list)
}

/// Runs a graph in every way and compares every output.
fn check(graph: &Graph, tensors: &Tensors) {
    let mut draw = Draw(99);
    let inputs: Vec<(String, Vec<f32>)> = graph
        .inputs()
        .map(|(name, shape)| (name.to_owned(), draw.numbers(shape.iter().product())))
        .collect();
    let of: Vec<(&str, &[f32])> =
        inputs.iter().map(|(name, numbers)| (name.as_str(), numbers.as_slice())).collect();
    let values = naive::run(graph, tensors, &of);
    for kernels in Kernels::all() {
        let ways =
            [(1, Precision::F32, 3e-5), (3, Precision::F32, 3e-5), (3, Precision::Bf16, 3e-2)];
        for (threads, precision, near) in ways {
            let options = Options { threads, precision, ..Options::default() };
            let mut program = Program::with(graph, tensors, &options, kernels).unwrap();
            // The second run meets memory that the first one has used.
            for _ in 0..2 {
                for (name, numbers) in &inputs {
                    program.input(name).unwrap().copy_from_slice(numbers);
                }
                program.run().unwrap();
            }
            for (name, id) in graph.outputs() {
                let wanted = &values[id.0].numbers;
                let got = program.output(name).unwrap();
                let most = wanted.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
                let off = got.iter().zip(wanted).map(|(a, b)| (f64::from(*a) - b).abs());
                let off = off.fold(0.0, |most: f64, x| if x <= most { most } else { x });
                assert_eq!(got.len(), wanted.len());
                assert!(
                    off < near * most,
                    "{name} is off by {off:e} of {most} with {}, {precision:?} and {threads} threads: {:#?}",
                    kernels.name,
                    graph.nodes(),
                );
            }
            check_first(graph, &mut program, &inputs);
        }
    }
}

/// Runs the first image alone, over memory in which nothing of the whole is left, and compares.
fn check_first(graph: &Graph, program: &mut Program, inputs: &[(String, Vec<f32>)]) {
    let outputs = |program: &Program| -> Vec<Vec<f32>> {
        let names = graph.outputs().iter().map(|(name, _)| name);
        names.map(|name| program.output(name).unwrap().to_vec()).collect()
    };
    let whole = outputs(program);
    let images = program.images.unwrap_or(1);
    for (name, numbers) in inputs {
        let input = program.input(name).unwrap();
        input.iter_mut().zip(numbers).for_each(|(input, number)| *input = 3.0 - number);
    }
    program.run().unwrap();
    for (name, numbers) in inputs {
        let first = numbers.len() / images;
        program.input(name).unwrap()[..first].copy_from_slice(&numbers[..first]);
    }
    program.run_first(1).unwrap();
    for (got, wanted) in outputs(program).iter().zip(&whole) {
        let first = wanted.len() / images;
        assert_eq!(got[..first], wanted[..first], "{:#?}", graph.nodes());
    }
}

/// Hangs one more operation on the values that there are; nothing where it does not fit.
fn grow(builder: &mut Builder, values: &[Id], draw: &mut Draw) -> Option<Id> {
    let x = values[draw.below(values.len())];
    let other = values[draw.below(values.len())];
    let shape = builder.shape(x).clone();
    let (from, to) = (builder.channels(x), WIDTHS[draw.below(WIDTHS.len())]);
    if !WIDTHS.contains(&from) && shape.len() != 1 {
        return builder.some_channels(x, 0..WIDTHS[draw.below(3)].min(from)).ok();
    }
    let rows: usize = shape[..shape.len() - 1].iter().product();
    let (stride, padding) = (1 + draw.below(3), draw.below(3));
    let made = match draw.below(20) {
        0..=2 => {
            let [height, width] = WINDOWS[draw.below(WINDOWS.len())];
            let name = format!("conv{from}to{to}by{height}x{width}");
            builder.conv2d(x, &name, stride.min(2), padding, 1 + draw.below(2))
        }
        3 => {
            let taps = 1 + draw.below(5);
            builder.conv1d(x, &format!("line{from}to{to}by{taps}"), stride, padding)
        }
        4 => {
            let taps = 1 + draw.below(5);
            builder.conv_transpose1d(x, &format!("back{from}to{to}by{taps}"), stride, padding)
        }
        5 | 6 => builder.linear(x, &format!("linear{from}to{to}")),
        7 => {
            let name = format!("linear{from}to{to}");
            let weights =
                Weights { weight: format!("{name}.weight"), bias: Some(format!("{name}.bias")) };
            builder.linear_rows(x, &name, weights, to / 3..to)
        }
        8 => builder.batch_norm(x, &format!("norm{from}"), 1e-5),
        // Where all numbers are alike, a norm magnifies their rounding: by so much and no more.
        9 => builder.layer_norm(x, &format!("norm{from}"), 1e-3),
        10 => {
            builder.group_norm(x, &format!("norm{from}"), if from % 4 == 0 { 4 } else { 3 }, 1e-3)
        }
        11 => Ok(builder.activate(x, Activation::ALL[draw.below(Activation::ALL.len())])),
        12 => {
            let (heads, causal) = (if from % 4 == 0 { 4 } else { 3 }, draw.below(2) == 0);
            builder.attention("attention", [x, other, other], heads, causal)
        }
        13 => builder.add(x, other),
        14 => match builder.weight(&format!("row{from}")) {
            _ if draw.below(2) == 0 => {
                let values = values.iter().filter(|value| builder.channels(**value) == from);
                let values: Vec<Id> = values.copied().collect();
                builder.multiply(x, values[draw.below(values.len())])
            }
            Ok(row) if draw.below(2) == 0 => builder.multiply(x, row),
            Ok(row) => builder.add(x, row),
            Err(error) => Err(error),
        },
        15 => builder.concat_channels(&[x, other]),
        16 => builder.concat_rows(&[x, other, x]),
        17 => builder.rows(x, rows / 3..rows),
        18 if shape.len() == 4 && draw.below(2) == 0 => builder.spatial_softmax(x),
        18 => builder.max_pool(x, 3, stride, 1),
        _ => {
            let flat = if draw.below(2) == 0 { vec![rows, from] } else { vec![1, rows * from] };
            builder.reshape(x, flat)
        }
    };
    // What does not fit is not hung on.
    made.ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_networks_are_as_in_f64(seed in any::<u64>()) {
        random_network(seed);
    }
}

fn random_network(seed: u64) {
    let tensors = checkpoint();
    let mut draw = Draw(seed);
    let mut builder = Builder::new(&tensors);
    let width = WIDTHS[draw.below(WIDTHS.len())];
    let (images, wide) = (1 + draw.below(3), draw.below(2) == 0);
    let across = if wide { 1 + draw.below(11) } else { 1 };
    let mut values = vec![builder.input("image", vec![images, 1 + draw.below(11), across, width])];
    values.push(builder.input("row of each", vec![images, 1, 1, width]));
    if wide {
        values.push(builder.input("sequence", vec![1 + draw.below(40), WIDTHS[draw.below(5)]]));
    }
    let weight = builder.weight("linear32to48.weight").unwrap();
    values.push(weight);
    for _ in 0..1 + draw.below(14) {
        values.extend(grow(&mut builder, &values, &mut draw));
    }
    // Some are looked at, which keeps them from being fused away, and the last one is.
    for (at, value) in values.iter().enumerate() {
        if at + 1 == values.len() || draw.below(6) == 0 {
            builder.output(&format!("value {at}"), *value);
        }
    }
    check(&builder.finish(), &tensors);
}

/// A convolution of an image, in every way in which places can lie apart.
fn convolutions(from: usize, window: [usize; 2], part: bool) {
    let tensors = checkpoint();
    for (padding, stride, dilation) in [0, 1, 2, 3]
        .into_iter()
        .flat_map(|padding| [(padding, 1, 1), (padding, 2, 1), (padding, 1, 2), (padding, 2, 2)])
    {
        let mut builder = Builder::new(&tensors);
        let wide = builder.input("x", vec![2, 9, 8, from + if part { 5 } else { 0 }]);
        let x = builder.some_channels(wide, 0..from).unwrap();
        let name = format!("conv{from}to21by{}x{}", window[0], window[1]);
        let y = builder.conv2d(x, &name, stride, padding, dilation).unwrap();
        builder.output("y", y);
        check(&builder.finish(), &tensors);
    }
}

#[test]
fn a_window_of_one_place_meets_its_padding_too() {
    convolutions(8, [1, 1], false);
    convolutions(32, [1, 1], false);
    convolutions(32, [1, 1], true);
}

#[test]
fn a_window_may_lie_over_some_channels_of_an_image() {
    convolutions(3, [3, 3], true);
    convolutions(8, [2, 3], true);
    convolutions(21, [3, 3], true);
    convolutions(48, [3, 3], true);
}

#[test]
fn a_residual_block_is_two_steps() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![1, 9, 10, 32]);
    let mut y = x;
    for last in [false, true] {
        y = builder.conv2d(y, "conv32to32by3x3", 1, 1, 1).unwrap();
        y = builder.batch_norm(y, "norm32", 1e-5).unwrap();
        if last {
            y = builder.add(y, x).unwrap();
        }
        y = builder.activate(y, Activation::Relu);
    }
    builder.output("y", y);
    let graph = builder.finish();
    check(&graph, &tensors);
    let program = Program::compile(&graph, &tensors, &Options::default()).unwrap();
    assert_eq!(program.profile().len(), 2);
}

#[test]
fn parts_are_made_where_the_whole_is() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![7, 32]);
    let left = builder.linear(x, "linear32to21").unwrap();
    let right = builder.linear(x, "linear32to48").unwrap();
    let both = builder.concat_channels(&[left, right]).unwrap();
    let image = builder.reshape(both, vec![1, 7, 1, 69]).unwrap();
    let some = builder.some_channels(image, 21..69).unwrap();
    let y = builder.reshape(some, vec![7, 48]).unwrap();
    let y = builder.layer_norm(y, "norm48", 1e-5).unwrap();
    builder.output("y", y);
    let graph = builder.finish();
    check(&graph, &tensors);
    let program = Program::compile(&graph, &tensors, &Options::default()).unwrap();
    let kinds: Vec<_> = program.profile().iter().map(|timing| timing.kind).collect();
    assert_eq!(kinds, ["product", "product", "layer norm"]);
}

#[test]
fn what_no_input_changes_is_computed_once() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![48, 32]);
    let known = builder.weight("linear32to48.weight").unwrap();
    let known = builder.linear(known, "linear32to32").unwrap();
    let known = builder.layer_norm(known, "norm32", 1e-5).unwrap();
    let y = builder.add(x, known).unwrap();
    builder.output("y", y);
    let graph = builder.finish();
    check(&graph, &tensors);
    let program = Program::compile(&graph, &tensors, &Options::default()).unwrap();
    assert_eq!(program.profile().len(), 1);
}

#[test]
fn an_image_is_mapped_whole_channel_by_channel() {
    for [height, width, channels] in [[2, 3, 8], [3, 3, 32], [1, 1, 21]] {
        let into = height * width * channels;
        let tensors = tensors(&[("whole.weight", &[40, into]), ("whole.bias", &[40])]);
        let mut builder = Builder::new(&tensors);
        let x = builder.input("x", vec![2, height, width, channels]);
        let y = builder.linear_over(x, "whole").unwrap();
        assert_eq!(builder.shape(y), &[2, 40]);
        builder.output("y", y);
        check(&builder.finish(), &tensors);
        let mut builder = Builder::new(&tensors);
        let x = builder.input("x", vec![2, height + 1, width, channels]);
        assert!(builder.linear_over(x, "whole").is_err());
    }
}

#[test]
fn the_first_of_many_rows_are_made_alone() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let left = builder.input("left", vec![9, 1, 1, 21]);
    let right = builder.input("right", vec![9, 1, 1, 8]);
    let left = builder.linear(left, "linear21to3").unwrap();
    let x = builder.concat_channels(&[right, left, right, left, right, left]).unwrap();
    let x = builder.some_channels(x, 0..32).unwrap();
    let x = builder.linear(x, "linear32to48").unwrap();
    let x = builder.layer_norm(x, "norm48", 1e-3).unwrap();
    let x = builder.activate(x, Activation::Elu);
    let y = builder.linear(x, "linear48to3").unwrap();
    builder.output("y", y);
    let graph = builder.finish();
    check(&graph, &tensors);
    let program = Program::compile(&graph, &tensors, &Options::default()).unwrap();
    assert_eq!(program.images, Some(9));
}

#[test]
fn only_one_whole_row_is_added_to_all_rows() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![5, 32]);
    let row = builder.input("row", vec![1, 1, 1, 32]);
    let parts = builder.input("parts", vec![4, 8]);
    assert!(builder.add(x, parts).is_err());
    let y = builder.multiply(x, row).unwrap();
    builder.output("y", y);
    check(&builder.finish(), &tensors);
}

#[test]
fn several_sequences_are_convolved_each_for_itself() {
    let tensors = checkpoint();
    for padding in 0..3 {
        let mut builder = Builder::new(&tensors);
        let x = builder.input("x", vec![3, 8, 1, 32]);
        let row = builder.input("row", vec![3, 1, 1, 32]);
        let scale = builder.some_channels(row, 0..21).unwrap();
        let y = builder.conv1d(x, "line32to32by5", 1, 2).unwrap();
        let y = builder.group_norm(y, "norm32", 4, 1e-3).unwrap();
        let y = builder.activate(y, Activation::Mish);
        let y = builder.add(y, row).unwrap();
        let y = builder.conv1d(y, "line32to21by3", 2, padding).unwrap();
        let y = builder.multiply(y, scale).unwrap();
        let y = builder.conv_transpose1d(y, "back21to32by4", 2, 1).unwrap();
        let both = builder.concat_channels(&[y, y]).unwrap();
        builder.output("y", both);
        let graph = builder.finish();
        check(&graph, &tensors);
        let program = Program::compile(&graph, &tensors, &one()).unwrap();
        assert_eq!(program.images, Some(3));
    }
}

#[test]
fn what_is_not_there_is_named() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![1, 3]);
    builder.output("y", x);
    let graph = builder.finish();
    let mut program = Program::compile(&graph, &tensors, &Options::default()).unwrap();
    assert!(program.input("z").unwrap_err().to_string().contains("z: "));
    assert!(program.output("x").unwrap_err().to_string().contains("x: "));
    assert!(matches!(graph.nodes()[0].op, Op::Input(_)));
}

#[test]
fn weights_may_be_kept_in_half_the_memory() {
    let tensors = checkpoint();
    let mut builder = Builder::new(&tensors);
    let x = builder.input("x", vec![9, 32]);
    let y = builder.conv1d(x, "line32to48by5", 1, 2).unwrap();
    builder.output("y", y);
    let graph = builder.finish();
    let mut answers = Vec::new();
    for precision in [Precision::F32, Precision::F16, Precision::Bf16, Precision::Int8] {
        let options = Options { precision, ..one() };
        let mut program = Program::compile(&graph, &tensors, &options).unwrap();
        program.input("x").unwrap().copy_from_slice(&Draw(3).numbers(9 * 32));
        program.run().unwrap();
        answers.push(program.output("y").unwrap().to_vec());
    }
    for (answer, (from, to)) in answers[1..].iter().zip([(1e-6, 3e-3), (1e-5, 3e-2), (1e-5, 3e-2)])
    {
        let off = answer.iter().zip(&answers[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!((from..to).contains(&off), "off by {off}");
    }
}

/// One thread, and the rest as it is without being told.
fn one() -> Options {
    Options { threads: 1, ..Options::default() }
}
