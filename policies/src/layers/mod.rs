//! The parts that networks are built of, as functions over a graph's builder. Names of modules and
//! tensors are LeRobot's.

pub mod gpt;
pub mod keypoints;
pub mod position;
pub mod resnet;
pub mod transformer;
pub mod unet1d;
