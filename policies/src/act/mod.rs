//! ACT: what the cameras see and the joints say, to a chunk of actions, by a transformer.
//!
//! ```text
//! images ─▶ ResNet ─▶ 1×1 ─┐
//! joints ─▶ linear ────────┤ tokens ─▶ encoder ─▶ decoder (one query an action) ─▶ chunk
//! latent 0 ─▶ linear ──────┘
//! ```
//! The VAE's encoder is for training: when a chunk is made the latent is zero.

mod weights;

use crate::checkpoint::Tensors;
use crate::config::{ActConfig, Feature, Feedforward};
use crate::error::{Error, Result};
use crate::graph::{Activation, Builder, Graph, Id};
use crate::layers::position;
use crate::layers::resnet::{Names, Norm, Resnet};
use crate::layers::transformer::{Stack, Style};

pub use weights::tensors;

/// The network. Inputs have the names of their features, images `[1, height, width, channels]` and
/// vectors `[1, n]`, all normalised; the output is `chunk`, `[chunk_size, actions]`.
pub fn graph(config: &ActConfig, tensors: &Tensors) -> Result<Graph> {
    let style = style(config)?;
    let width = config.dim_model;
    let mut b = Builder::new(tensors);
    let (tokens, places) = tokens(&mut b, config)?;
    let encoder = Stack { prefix: "model.encoder", layers: config.n_encoder_layers, style };
    let memory = encoder.encoder(&mut b, tokens, places)?;
    tensors.expect("model.decoder_pos_embed.weight", &[config.chunk_size, width])?;
    let queries = b.weight("model.decoder_pos_embed.weight")?;
    let zeros = vec![0.0; config.chunk_size * width];
    let nothing = b.constant("no actions", zeros, vec![config.chunk_size, width])?;
    let decoder = Stack { prefix: "model.decoder", layers: config.n_decoder_layers, style };
    let x = decoder.decoder(&mut b, [nothing, queries], [memory, places])?;
    tensors.expect("model.action_head.weight", &[config.common.action_dim(), width])?;
    let chunk = b.linear(x, "model.action_head")?;
    b.output("chunk", chunk);
    Ok(b.finish())
}

/// Whether a tensor served training only, so that nobody need miss it.
#[must_use]
pub fn for_training(tensor: &str) -> bool {
    tensor.starts_with("model.vae_encoder")
}

fn style(config: &ActConfig) -> Result<Style> {
    let activation = match config.feedforward_activation {
        Feedforward::Relu => Activation::Relu,
        Feedforward::Gelu => Activation::Gelu,
        Feedforward::Glu => {
            return Err(Error::Field {
                field: "feedforward_activation".to_owned(),
                what: "glu halves what the next layer expects whole, so that no such network runs, in LeRobot neither; accepted: relu, gelu".to_owned(),
                path: config.common.path.clone(),
            });
        }
    };
    Ok(Style {
        heads: config.n_heads,
        inner: config.dim_feedforward,
        activation,
        pre_norm: config.pre_norm,
    })
}

fn backbone(config: &ActConfig) -> Resnet {
    Resnet {
        names: Names::of_modules("model.backbone"),
        depth: config.vision_backbone,
        norm: Norm::Batch,
        dilate_last: config.replace_final_stride_with_dilation,
    }
}

/// What the encoder looks at, and where each token stands.
fn tokens(b: &mut Builder<'_>, config: &ActConfig) -> Result<(Id, Id)> {
    let common = &config.common;
    let latent = "model.encoder_latent_input_proj";
    b.tensors().expect(&format!("{latent}.weight"), &[config.dim_model, config.latent_dim])?;
    let zeros = vec![0.0; config.latent_dim];
    let zeros = b.constant("no latent", zeros, vec![1, config.latent_dim])?;
    let mut tokens = vec![b.linear(zeros, latent)?];
    let vectors = [
        ("observation.state", "model.encoder_robot_state_input_proj", common.state()),
        ("observation.environment_state", "model.encoder_env_state_input_proj", common.env_state()),
    ];
    for (name, projection, feature) in vectors {
        if let Some(feature) = feature {
            let x = b.input(name, vec![1, feature.numbers()]);
            tokens.push(b.linear(x, projection)?);
        }
    }
    let places = "model.encoder_1d_feature_pos_embed.weight";
    b.tensors().expect(places, &[tokens.len(), config.dim_model])?;
    let mut places = vec![b.weight(places)?];
    for (name, feature) in common.images() {
        let (token, place) = camera(b, config, name, feature)?;
        tokens.push(token);
        places.push(place);
    }
    Ok((b.concat_rows(&tokens)?, b.concat_rows(&places)?))
}

/// A camera's tokens, one for each place of its feature map.
fn camera(
    b: &mut Builder<'_>,
    config: &ActConfig,
    name: &str,
    feature: &Feature,
) -> Result<(Id, Id)> {
    let [channels, height, width] = feature.image().unwrap_or_default();
    let image = b.input(name, vec![1, height, width, channels]);
    let map = backbone(config).build(b, image)?;
    let map = b.name(map, "model.backbone");
    let map = b.conv2d(map, "model.encoder_img_feat_input_proj", 1, 0, 1)?;
    let shape = b.shape(map);
    let (height, width, channels) = (shape[1], shape[2], shape[3]);
    let half = config.dim_model / 2;
    let waves = position::image_waves(height, width, half);
    let places = "model.encoder_cam_feat_pos_embed";
    let places = b.constant(places, waves, vec![height * width, 2 * half])?;
    Ok((b.reshape(map, vec![height * width, channels])?, places))
}
