//! What codes stand for, and how likely each is.

use crate::checkpoint::Tensors;
use crate::config::VqBetConfig;
use crate::error::Result;

/// How many codes a chunk has: one of each layer of the book.
pub const LAYERS: usize = 2;

/// The book of codes: for each layer a vector for each code.
#[derive(Clone, Debug)]
pub struct Book {
    layers: [Vec<f32>; LAYERS],
    width: usize,
    temperature: f32,
}

impl Book {
    /// Reads it.
    pub fn read(config: &VqBetConfig, tensors: &Tensors) -> Result<Self> {
        let width = config.vqvae_embedding_dim;
        let layer = |nth: usize| {
            let name =
                format!("vqbet.action_head.vqvae_model.vq_layer.layers.{nth}._codebook.embed");
            tensors.expect(&name, &[1, config.vqvae_n_embed, width])?;
            tensors.read(&name)
        };
        let temperature = config.bet_softmax_temperature as f32;
        Ok(Self { layers: [layer(0)?, layer(1)?], width, temperature })
    }

    /// How likely each code is, in place of its logit.
    pub fn likelihoods(&self, logits: &mut [f32]) {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) / self.temperature;
        logits.iter_mut().for_each(|x| *x = (*x / self.temperature - largest).exp());
        let all: f32 = logits.iter().sum();
        logits.iter_mut().for_each(|x| *x /= all);
    }

    /// The sum of the vectors that the codes stand for.
    pub fn look_up(&self, codes: [usize; LAYERS], sum: &mut [f32]) {
        sum.fill(0.0);
        for (layer, code) in self.layers.iter().zip(codes) {
            let vector = layer.chunks_exact(self.width).nth(code).unwrap_or_default();
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
    }

    /// What the codes say of the actions themselves, from the offsets of all codes, is added to them.
    pub fn add_offsets(&self, codes: [usize; LAYERS], offsets: &[f32], actions: &mut [f32]) {
        let many = self.layers[0].len() / self.width;
        let row = |(layer, code): (usize, usize)| {
            offsets.chunks_exact(actions.len()).nth(layer * many + code).unwrap_or_default()
        };
        let mut layers = codes.into_iter().enumerate();
        let rows: [&[f32]; LAYERS] = std::array::from_fn(|_| layers.next().map_or(&[][..], row));
        for (at, action) in actions.iter_mut().enumerate() {
            *action += rows.iter().filter_map(|row| row.get(at)).sum::<f32>();
        }
    }
}
