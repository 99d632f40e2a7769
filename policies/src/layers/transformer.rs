//! The transformer of ACT: torch's multi-head attention with positions added to queries and keys.

use super::resnet::List;
use crate::error::Result;
use crate::graph::{Activation, Builder, Id, Weights};

/// Added to variances.
const EPS: f32 = 1e-5;

/// What all its layers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How many heads attend.
    pub heads: usize,
    /// How wide it is between the two linear maps.
    pub inner: usize,
    /// The curve between the two linear maps.
    pub activation: Activation,
    /// Whether a part norms what it takes instead of what it gives.
    pub pre_norm: bool,
}

/// Some layers below each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack<'a> {
    /// What all their tensors' names begin with.
    pub prefix: &'a str,
    /// How many there are.
    pub layers: usize,
    /// What they have in common.
    pub style: Style,
}

impl Stack<'_> {
    /// An encoder: every token sees all others.
    pub fn encoder(&self, b: &mut Builder<'_>, mut x: Id, places: Id) -> Result<Id> {
        for layer in 0..self.layers {
            x = self.look_around(b, x, places, layer)?;
            x = self.feed_forward(b, x, layer, "norm2")?;
        }
        if self.style.pre_norm {
            x = b.layer_norm(x, &format!("{}.norm", self.prefix), EPS)?;
        }
        Ok(b.name(x, self.prefix))
    }

    /// A decoder: tokens see each other, and then what the encoder made.
    pub fn decoder(
        &self,
        b: &mut Builder<'_>,
        [mut x, places]: [Id; 2],
        [memory, memory_places]: [Id; 2],
    ) -> Result<Id> {
        let keys = b.add(memory, memory_places)?;
        for layer in 0..self.layers {
            x = self.look_around(b, x, places, layer)?;
            x = self.around(b, x, layer, "norm2", |b, x| {
                let placed = b.add(x, places)?;
                let name = self.part(layer, "multihead_attn");
                attend(b, [placed, keys, memory], &name, self.style.heads)
            })?;
            x = self.feed_forward(b, x, layer, "norm3")?;
        }
        let x = b.layer_norm(x, &format!("{}.norm", self.prefix), EPS)?;
        Ok(b.name(x, self.prefix))
    }

    /// Lists the tensors of an encoder, or of a decoder, of this width.
    pub fn tensors(&self, list: &mut List, width: usize, decodes: bool) {
        let mut pair = |name: String, joint: &str, shape: Vec<usize>| {
            list.push((format!("{name}{joint}bias"), vec![shape[0]]));
            list.push((format!("{name}{joint}weight"), shape));
        };
        let attentions: &[&str] =
            if decodes { &["self_attn", "multihead_attn"] } else { &["self_attn"] };
        for layer in 0..self.layers {
            for attention in attentions {
                let name = self.part(layer, attention);
                pair(name.clone(), ".in_proj_", vec![3 * width, width]);
                pair(name, ".out_proj.", vec![width, width]);
            }
            pair(self.part(layer, "linear1"), ".", vec![self.style.inner, width]);
            pair(self.part(layer, "linear2"), ".", vec![width, self.style.inner]);
            for norm in 1..=attentions.len() + 1 {
                pair(self.part(layer, &format!("norm{norm}")), ".", vec![width]);
            }
        }
        if decodes || self.style.pre_norm {
            pair(format!("{}.norm", self.prefix), ".", vec![width]);
        }
    }

    fn look_around(&self, b: &mut Builder<'_>, x: Id, places: Id, layer: usize) -> Result<Id> {
        self.around(b, x, layer, "norm1", |b, x| {
            let placed = b.add(x, places)?;
            attend(b, [placed, placed, x], &self.part(layer, "self_attn"), self.style.heads)
        })
    }

    fn feed_forward(&self, b: &mut Builder<'_>, x: Id, layer: usize, norm: &str) -> Result<Id> {
        self.around(b, x, layer, norm, |b, x| {
            let weight = self.part(layer, "linear1.weight");
            b.tensors().expect(&weight, &[self.style.inner, b.channels(x)])?;
            let x = b.linear(x, &self.part(layer, "linear1"))?;
            let x = b.activate(x, self.style.activation);
            b.linear(x, &self.part(layer, "linear2"))
        })
    }

    /// What a part makes is added to what it takes; the norm comes before the part or after the sum.
    fn around(
        &self,
        b: &mut Builder<'_>,
        x: Id,
        layer: usize,
        norm: &str,
        part: impl FnOnce(&mut Builder<'_>, Id) -> Result<Id>,
    ) -> Result<Id> {
        let norm = self.part(layer, norm);
        if self.style.pre_norm {
            let normed = b.layer_norm(x, &norm, EPS)?;
            let y = part(b, normed)?;
            b.add(x, y)
        } else {
            let y = part(b, x)?;
            let sum = b.add(x, y)?;
            b.layer_norm(sum, &norm, EPS)
        }
    }

    fn part(&self, layer: usize, name: &str) -> String {
        format!("{}.layers.{layer}.{name}", self.prefix)
    }
}

/// Attention with torch's names: one tensor holds the maps of queries, keys and values.
fn attend(b: &mut Builder<'_>, [q, k, v]: [Id; 3], prefix: &str, heads: usize) -> Result<Id> {
    let weights = Weights {
        weight: format!("{prefix}.in_proj_weight"),
        bias: Some(format!("{prefix}.in_proj_bias")),
    };
    let width = b.channels(q);
    b.tensors().expect(&weights.weight, &[3 * width, width])?;
    let mut project = |x, name: &str, nth: usize| {
        let rows = nth * width..(nth + 1) * width;
        b.linear_rows(x, &format!("{prefix}.{name}"), weights.clone(), rows)
    };
    let projected = [project(q, "q", 0)?, project(k, "k", 1)?, project(v, "v", 2)?];
    let x = b.attention(prefix, projected, heads, false)?;
    b.linear(x, &format!("{prefix}.out_proj"))
}
