//! The eye of Diffusion and VQ-BeT: a ResNet, and where in the image each of its last channels
//! points to.

use crate::config::Backbone;
use crate::error::Result;
use crate::graph::{Activation, Builder, Id};
use crate::layers::resnet::{Names, Norm, Resnet};

/// The network, as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keypoints {
    /// What all its tensors' names begin with.
    pub prefix: String,
    /// How deep its ResNet is.
    pub backbone: Backbone,
    /// Whether the ResNet has group norms instead of batch norms.
    pub group_norm: bool,
    /// How many places there are.
    pub places: usize,
}

impl Keypoints {
    /// Images `[n, height, width, 3]` to what is worth knowing of each, `[n, 2 · places]`.
    pub fn build(&self, b: &mut Builder<'_>, images: Id) -> Result<Id> {
        let prefix = &self.prefix;
        let backbone = Resnet {
            names: Names::of_sequence(&format!("{prefix}.backbone")),
            depth: self.backbone,
            norm: if self.group_norm { Norm::Group } else { Norm::Batch },
            dilate_last: false,
        };
        let map = backbone.build(b, images)?;
        let places = format!("{prefix}.pool.pos_grid");
        if b.tensors().contains(&places) {
            // Whoever runs the graph computes them anew; that the sizes agree is worth knowing.
            let shape = b.shape(map);
            b.tensors().expect(&places, &[shape[1] * shape[2], 2])?;
        }
        let nets = format!("{prefix}.pool.nets");
        b.tensors().expect(&format!("{nets}.weight"), &[self.places, b.channels(map), 1, 1])?;
        let points = b.conv2d(map, &nets, 1, 0, 1)?;
        let points = b.spatial_softmax(points)?;
        let x = b.linear(points, &format!("{prefix}.out"))?;
        let x = b.activate(x, Activation::Relu);
        Ok(b.name(x, prefix))
    }
}
