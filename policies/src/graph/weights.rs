//! Checkpoints for tests: tensors of any shape with numbers from a seed.

use std::io::Write;

use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoint::Tensors;

/// A small generator: the same seed, the same numbers.
pub struct Draw(pub u64);

impl Draw {
    /// From -1 to 1.
    pub fn number(&mut self) -> f32 {
        self.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
    }

    /// So many of them.
    pub fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// A checkpoint with these tensors. Weights are drawn so that sums over them stay around one,
/// variances are positive.
pub fn tensors(list: &[(&str, &[usize])]) -> Tensors {
    let mut draw = Draw(7);
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = list
        .iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let summed: usize = shape.iter().skip(1).product();
            let scale = (3.0 / summed as f32).sqrt();
            let number = |x: f32| if name.ends_with("var") { 1.1 + x } else { x * scale };
            let numbers = draw.numbers(count).into_iter();
            let bytes = numbers.flat_map(|x| number(x).to_le_bytes()).collect();
            (name.to_string(), shape.to_vec(), bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&safetensors::serialize(views, None).unwrap()).unwrap();
    // The map outlives the file's name.
    Tensors::open(file.path()).unwrap()
}
