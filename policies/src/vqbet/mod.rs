//! VQ-BeT: a transformer looks at the last observations and says how likely each code of a book is;
//! two codes are drawn, and what they stand for becomes a chunk of actions.
//!
//! ```text
//! images ─▶ places ─▶ linear ─┐                ┌▶ logits ─▶ two codes ─▶ code book ─▶ decode ─┐
//! joints ─▶ linear ───────────┤ tokens ─▶ GPT ─┤                 │                            + ─▶ chunk
//! query ──────────────────────┘                └▶ offsets ───────┴▶ those of the two codes ───┘
//! ```

mod head;
mod sampler;

use crate::checkpoint::Tensors;
use crate::config::VqBetConfig;
use crate::error::{Error, Result};
use crate::graph::{Activation, Builder, Graph, Id};
use crate::layers::gpt::Gpt;
use crate::layers::keypoints::Keypoints;
pub use head::{Book, LAYERS};
pub use sampler::Sampler;

const HEAD: &str = "vqbet.action_head";

/// The network in parts, between which codes are drawn.
#[derive(Clone, Debug)]
pub struct Graphs {
    /// From observations, the oldest first, to `features`, to the `offsets` of every code, and to
    /// the `logits` of the codes: of both layers, `[2, codes]`, or of the first only where the second
    /// is drawn knowing it. Inputs have the names of their features, images
    /// `[n_obs_steps, height, width, channels]` as [`crate::vision::Framing`] cuts them and the
    /// joints `[n_obs_steps, n]`.
    pub look: Graph,
    /// Where the second code is drawn knowing the first: from `features` and `chosen`, which is 1
    /// for the first code and 0 for the others, to `logits`.
    pub second: Option<Graph>,
    /// From the sum of the codes' vectors, `code`, to `actions`.
    pub decode: Graph,
}

impl Graphs {
    /// Builds them all.
    pub fn new(config: &VqBetConfig, tensors: &Tensors) -> Result<Self> {
        let second = config.sequentially_select.then(|| {
            let mut b = Builder::new(tensors);
            let features = b.input("features", vec![1, config.gpt_output_dim]);
            let chosen = b.input("chosen", vec![1, config.vqvae_n_embed]);
            let both = b.concat_channels(&[features, chosen])?;
            let logits = b.linear(both, &format!("{HEAD}.map_to_cbet_preds_secondary_bin.0"))?;
            b.output("logits", logits);
            Ok::<_, Error>(b.finish())
        });
        let mut b = Builder::new(tensors);
        let mut x = b.input("code", vec![1, config.vqvae_embedding_dim]);
        for (nth, layer) in [0, 2, 4].into_iter().enumerate() {
            if nth > 0 {
                x = b.activate(x, Activation::Relu);
            }
            x = b.linear(x, &format!("{HEAD}.vqvae_model.decoder.{layer}"))?;
        }
        let actions = b.reshape(x, vec![config.action_chunk_size, config.common.action_dim()])?;
        b.output("actions", actions);
        Ok(Self { look: look(config, tensors)?, second: second.transpose()?, decode: b.finish() })
    }
}

/// Whether a tensor served training only, so that nobody need miss it.
#[must_use]
pub fn for_training(tensor: &str) -> bool {
    let ends = [".cluster_size", ".embed_avg", ".initted", ".attn.bias", ".freeze_codebook"];
    tensor.starts_with("vqbet.action_head.vqvae_model.encoder.")
        || tensor == "vqbet.action_head.vqvae_model.discretized"
        || tensor == "vqbet.select_target_actions_indices"
        || ends.iter().any(|end| tensor.ends_with(end))
}

fn look(config: &VqBetConfig, tensors: &Tensors) -> Result<Graph> {
    let mut b = Builder::new(tensors);
    let tokens = tokens(&mut b, config)?;
    let gpt = Gpt {
        prefix: "vqbet.policy".to_owned(),
        layers: config.gpt_n_layer,
        heads: config.gpt_n_head,
    };
    let made = gpt.build(&mut b, tokens)?;
    // The last of them, which is the newest observation's query.
    let count = b.shape(made)[0];
    let features = b.rows(made, count - 1..count)?;
    let codes = LAYERS * config.vqvae_n_embed;
    let numbers = config.action_chunk_size * config.common.action_dim();
    let offsets = format!("{HEAD}.map_to_cbet_preds_offset.0");
    tensors.expect(&format!("{offsets}.weight"), &[codes * numbers, config.gpt_output_dim])?;
    let offsets = b.linear(features, &offsets)?;
    let offsets = b.reshape(offsets, vec![codes, numbers])?;
    let (map, layers) = match config.sequentially_select {
        true => ("map_to_cbet_preds_primary_bin", 1),
        false => ("map_to_cbet_preds_bin", LAYERS),
    };
    let logits = b.linear(features, &format!("{HEAD}.{map}.0"))?;
    let logits = b.reshape(logits, vec![layers, config.vqvae_n_embed])?;
    b.output("features", features);
    b.output("offsets", offsets);
    b.output("logits", logits);
    Ok(b.finish())
}

/// For every observation what each camera sees, where the joints are, and the query; up to the
/// newest observation's query, because later tokens tell it nothing.
fn tokens(b: &mut Builder<'_>, config: &VqBetConfig) -> Result<Id> {
    let common = &config.common;
    let times = common.n_obs_steps;
    let places = "vqbet.policy.transformer.wpe.weight";
    b.tensors().expect(places, &[config.gpt_block_size, config.gpt_hidden_dim])?;
    if times > config.gpt_block_size {
        return Err(Error::Field {
            field: "n_obs_steps".to_owned(),
            what: format!("{times} do not fit into a gpt_block_size of {}", config.gpt_block_size),
            path: common.path.clone(),
        });
    }
    let framing = config.framing();
    let [height, width] = framing.size();
    let eye = Keypoints {
        prefix: "vqbet.rgb_encoder".to_owned(),
        backbone: config.vision_backbone,
        group_norm: config.use_group_norm,
        places: config.spatial_softmax_num_keypoints,
    };
    let mut parts = Vec::new();
    for (name, _) in common.images() {
        let images = b.input(name, vec![times, height, width, framing.channels]);
        let seen = eye.build(b, images)?;
        parts.push(b.linear(seen, "vqbet.rgb_feature_projector.0")?);
    }
    let state = common.state().map_or(0, |feature| feature.numbers());
    let state = b.input("observation.state", vec![times, state]);
    let state = b.linear(state, "vqbet.state_projector.0")?;
    parts.push(b.name(state, "vqbet.state_projector"));
    let query = b.weight("vqbet.action_token")?;
    let query = b.reshape(query, vec![1, config.gpt_input_dim])?;
    let zeros = vec![0.0; times * config.gpt_input_dim];
    let nothing = b.constant("no query", zeros, vec![times, config.gpt_input_dim])?;
    parts.push(b.add(nothing, query)?);
    let rows = b.concat_channels(&parts)?;
    let tokens = b.reshape(rows, vec![times * parts.len(), config.gpt_input_dim])?;
    // LeRobot counts all inputs here, and finds the query only where the network takes all of them.
    match common.inputs.len() + 1 == parts.len() {
        true => Ok(tokens),
        false => Err(Error::Field {
            field: "input_features".to_owned(),
            what: format!(
                "{} features, and this policy takes the joints and its cameras only: {}",
                common.inputs.len(),
                parts.len() - 1
            ),
            path: common.path.clone(),
        }),
    }
}
