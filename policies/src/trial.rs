//! Networks of the sizes that people run, with made-up weights: how long a machine takes over them says
//! which policies it can run, before there is any.

use std::path::Path;

use memmap2::MmapMut;
use serde_json::{Map, Value, json};

use crate::act;
use crate::checkpoint::Tensors;
use crate::config::{ActConfig, Config};
use crate::device::Options;
use crate::device::cpu::Program;
use crate::error::{Error, Result};
use crate::layers::resnet::{List, STEM};

/// A policy by its size.
#[derive(Clone, Debug)]
pub struct Size {
    /// In words.
    pub name: &'static str,
    /// Its configuration.
    pub config: ActConfig,
}

/// From the smallest to LeRobot's default with two cameras.
pub fn sizes() -> Result<Vec<Size>> {
    let small = [
        ("dim_model", 128),
        ("n_heads", 4),
        ("dim_feedforward", 512),
        ("n_encoder_layers", 2),
        ("chunk_size", 30),
        ("n_action_steps", 30),
    ];
    Ok(vec![
        Size { name: "a small ACT without cameras", config: config(&[], &small)? },
        Size { name: "ACT, a camera of 240x320", config: config(&[[240, 320]], &[])? },
        Size { name: "ACT, a camera of 480x640", config: config(&[[480, 640]], &[])? },
        Size { name: "ACT, two cameras of 480x640", config: config(&[[480, 640]; 2], &[])? },
    ])
}

/// A configuration with these cameras, height by width, LeRobot's defaults but for the fields given. What
/// sees nothing is told of the world instead.
fn config(cameras: &[[usize; 2]], fields: &[(&str, usize)]) -> Result<ActConfig> {
    let mut seen = Map::new();
    seen.insert("observation.state".to_owned(), json!({"type": "STATE", "shape": [6]}));
    for (nth, [height, width]) in cameras.iter().enumerate() {
        let image = json!({"type": "VISUAL", "shape": [3, height, width]});
        seen.insert(format!("observation.images.{nth}"), image);
    }
    if cameras.is_empty() {
        let world = json!({"type": "ENV", "shape": [7]});
        seen.insert("observation.environment_state".to_owned(), world);
    }
    let mut config = json!({
        "type": "act",
        "input_features": seen,
        "output_features": {"action": {"type": "ACTION", "shape": [6]}},
    });
    for (field, value) in fields {
        config[*field] = json!(value);
    }
    match Config::parse(&config.to_string(), Path::new(NAME))? {
        Config::Act(config) => Ok(config),
        other => Err(Error::Unsupported { what: format!("{} is tried by nothing", other.name()) }),
    }
}

/// What errors call it: there is no file.
const NAME: &str = "made-up weights";

impl Size {
    /// How many numbers its weights are.
    pub fn numbers(&self) -> Result<usize> {
        Ok(act::tensors(&self.config, STEM)?.iter().map(|(_, shape)| volume(shape)).sum())
    }

    /// Weights that follow from its configuration alone.
    pub fn weights(&self) -> Result<Tensors> {
        made(&act::tensors(&self.config, STEM)?)
    }

    /// The network, ready to run, its inputs all zero: it takes as long over any others.
    pub fn network(&self, weights: &Tensors, options: &Options) -> Result<Program> {
        Program::compile(&act::graph(&self.config, weights)?, weights, options)
    }
}

fn volume(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// A checkpoint in memory. Its numbers are drawn so that sums over them stay around one.
fn made(list: &List) -> Result<Tensors> {
    let mut header = Map::new();
    let mut end = 0;
    for (name, shape) in list {
        let start = end;
        end += volume(shape) * size_of::<f32>();
        let about = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        header.insert(name.clone(), about);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // Numbers are read where they lie, which takes a place that suits them.
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    let name = Path::new(NAME);
    let mut map = MmapMut::map_anon(size_of::<u64>() + header.len() + end)
        .map_err(Error::io("no memory for", name))?;
    let (length, rest) = map.split_at_mut(size_of::<u64>());
    length.copy_from_slice(&(header.len() as u64).to_le_bytes());
    let (text, mut data) = rest.split_at_mut(header.len());
    text.copy_from_slice(&header);
    let mut dice = fastrand::Rng::with_seed(0);
    for (name, shape) in list {
        let (bytes, others) = data.split_at_mut(volume(shape) * size_of::<f32>());
        let scale = (3.0 / volume(shape.get(1..).unwrap_or_default()) as f32).sqrt();
        for number in bytes.as_chunks_mut::<4>().0 {
            let drawn = match name.ends_with("running_var") {
                true => 0.5 + dice.f32(),
                false => scale * (2.0 * dice.f32() - 1.0),
            };
            *number = drawn.to_le_bytes();
        }
        data = others;
    }
    let map = map.make_read_only().map_err(Error::io("cannot protect", name))?;
    Tensors::in_memory(map, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precision::Precision;

    #[test]
    fn sizes_grow_and_the_default_is_as_heavy_as_lerobots() {
        let sizes = sizes().unwrap();
        let heavy: Vec<_> = sizes.iter().map(|size| size.numbers().unwrap()).collect();
        assert!(heavy[0] < 1_000_000, "{heavy:?}");
        // LeRobot's ACT at its defaults has 51.6 million, 17.4 of which are for training.
        assert!((33_000_000..36_000_000).contains(&heavy[2]), "{heavy:?}");
        assert_eq!(heavy[1..], [heavy[2]; 3], "one backbone looks through all cameras");
        let queries: Vec<_> = sizes.iter().map(|size| size.config.n_action_steps).collect();
        assert_eq!(queries, [30, 100, 100, 100]);
    }

    #[test]
    fn made_up_weights_make_a_network_that_runs_in_every_precision() {
        let size = &sizes().unwrap()[0];
        let weights = size.weights().unwrap();
        for precision in [Precision::F32, Precision::F16, Precision::Bf16, Precision::Int8] {
            let options = Options { threads: 1, precision, ..Options::default() };
            let mut program = size.network(&weights, &options).unwrap();
            program.run().unwrap();
            let chunk = program.output("chunk").unwrap();
            assert_eq!(chunk.len(), 30 * 6);
            assert!(chunk.iter().all(|number| number.is_finite()), "{precision:?}");
            assert!(chunk.iter().any(|number| number.abs() > 1e-3), "{precision:?}");
        }
        assert!(weights.left_over().is_empty(), "the network needs all of them");
    }
}
