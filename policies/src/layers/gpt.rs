//! A transformer in the manner of GPT: every token sees itself and those before it.

use crate::error::Result;
use crate::graph::{Activation, Builder, Id, Weights};

/// Added to variances.
const EPS: f32 = 1e-5;

/// The network, as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    /// What all its tensors' names begin with.
    pub prefix: String,
    /// How many layers it has.
    pub layers: usize,
    /// How many heads attend.
    pub heads: usize,
}

impl Gpt {
    /// Tokens to what they become, a row for each.
    pub fn build(&self, b: &mut Builder<'_>, tokens: Id) -> Result<Id> {
        let part = |name: &str| format!("{}.{name}", self.prefix);
        let count = b.shape(tokens)[0];
        let x = b.linear(tokens, &part("transformer.wte"))?;
        let places = b.weight(&part("transformer.wpe.weight"))?;
        let places = b.rows(places, 0..count)?;
        let mut x = b.add(x, places)?;
        for layer in 0..self.layers {
            let part = |name: &str| format!("{}.transformer.h.{layer}.{name}", self.prefix);
            let normed = b.layer_norm(x, &part("ln_1"), EPS)?;
            let seen = self.attend(b, normed, &part("attn"))?;
            x = b.add(x, seen)?;
            let y = b.layer_norm(x, &part("ln_2"), EPS)?;
            let y = b.linear(y, &part("mlp.0"))?;
            let y = b.activate(y, Activation::Gelu);
            let y = b.linear(y, &part("mlp.2"))?;
            x = b.add(x, y)?;
        }
        let x = b.layer_norm(x, &part("transformer.ln_f"), EPS)?;
        let x = b.linear(x, &part("lm_head"))?;
        Ok(b.name(x, &self.prefix))
    }

    fn attend(&self, b: &mut Builder<'_>, x: Id, prefix: &str) -> Result<Id> {
        let width = b.channels(x);
        let weights = Weights {
            weight: format!("{prefix}.c_attn.weight"),
            bias: Some(format!("{prefix}.c_attn.bias")),
        };
        b.tensors().expect(&weights.weight, &[3 * width, width])?;
        let mut project = |name: &str, nth: usize| {
            let rows = nth * width..(nth + 1) * width;
            b.linear_rows(x, &format!("{prefix}.{name}"), weights.clone(), rows)
        };
        let projected = [project("q", 0)?, project("k", 1)?, project("v", 2)?];
        let x = b.attention(prefix, projected, self.heads, true)?;
        b.linear(x, &format!("{prefix}.c_proj"))
    }
}
