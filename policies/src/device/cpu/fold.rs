//! What depends on no input is computed once: its nodes become constants.

use super::Program;
use super::stage::needed;
use crate::checkpoint::Tensors;
use crate::device::Options;
use crate::error::Result;
use crate::graph::{Graph, Id, Op};
use crate::kernels::Kernels;

/// The same graph, with constants for everything that is known before its inputs are.
pub fn fold(graph: &Graph, tensors: &Tensors, kernels: &'static Kernels) -> Result<Graph> {
    let needed = needed(graph);
    let mut known: Vec<bool> = Vec::new();
    for node in graph.nodes() {
        let of_known = !node.inputs.is_empty() && node.inputs.iter().all(|input| known[input.0]);
        known.push(of_known || matches!(node.op, Op::Weight(_) | Op::Constant(_)));
    }
    let mut wanted = vec![false; known.len()];
    let reads =
        graph.nodes().iter().enumerate().filter(|(index, _)| needed[*index] && !known[*index]);
    reads.for_each(|(_, node)| node.inputs.iter().for_each(|input| wanted[input.0] = true));
    graph.outputs().iter().for_each(|(_, output)| wanted[output.0] = true);
    let made =
        |index: &usize| known[*index] && wanted[*index] && !graph.nodes()[*index].inputs.is_empty();
    let folded: Vec<usize> = (0..known.len()).filter(made).collect();
    if folded.is_empty() {
        return Ok(graph.clone());
    }
    let outputs = folded.iter().map(|index| (index.to_string(), Id(*index))).collect();
    let part = graph.with_outputs(outputs);
    let options = Options { threads: 1, ..Options::default() };
    let mut program = Program::prepare(&part, tensors, &options, kernels)?;
    program.run()?;
    let mut graph = graph.clone();
    for index in folded {
        let numbers = program.output(&index.to_string())?;
        graph.make_constant(Id(index), numbers.into());
    }
    Ok(graph)
}
