//! The tensors of an ACT, by its configuration alone.

use crate::config::ActConfig;
use crate::error::Result;
use crate::layers::resnet::List;
use crate::layers::transformer::Stack;

/// Name and shape of every tensor that [`super::graph`] asks for, behind a backbone whose first
/// convolution gives `stem` channels ([`STEM`](crate::layers::resnet::STEM) where it is torchvision's). What
/// served training only is not among them.
pub fn tensors(config: &ActConfig, stem: usize) -> Result<List> {
    let (common, width) = (&config.common, config.dim_model);
    let style = super::style(config)?;
    let mut list = List::new();
    let linear = |list: &mut List, name: &str, out: usize, into: usize| {
        list.push((format!("{name}.weight"), vec![out, into]));
        list.push((format!("{name}.bias"), vec![out]));
    };
    linear(&mut list, "model.encoder_latent_input_proj", width, config.latent_dim);
    let mut vectors = 1;
    for (part, feature) in [("robot", common.state()), ("env", common.env_state())] {
        if let Some(feature) = feature {
            let name = format!("model.encoder_{part}_state_input_proj");
            linear(&mut list, &name, width, feature.numbers());
            vectors += 1;
        }
    }
    list.push(("model.encoder_1d_feature_pos_embed.weight".to_owned(), vec![vectors, width]));
    if common.images().next().is_some() {
        let channels = super::backbone(config).tensors(&mut list, stem);
        let projection = "model.encoder_img_feat_input_proj";
        list.push((format!("{projection}.weight"), vec![width, channels, 1, 1]));
        list.push((format!("{projection}.bias"), vec![width]));
    }
    let encoder = Stack { prefix: "model.encoder", layers: config.n_encoder_layers, style };
    encoder.tensors(&mut list, width, false);
    let decoder = Stack { prefix: "model.decoder", layers: config.n_decoder_layers, style };
    decoder.tensors(&mut list, width, true);
    list.push(("model.decoder_pos_embed.weight".to_owned(), vec![config.chunk_size, width]));
    linear(&mut list, "model.action_head", common.action_dim(), width);
    Ok(list)
}
