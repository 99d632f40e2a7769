//! A hosted robot for ROS 2 to look at, as a node of its graph, on the keys and in the bytes of
//! [rmw_zenoh](https://github.com/ros2/rmw_zenoh).
//!
//! ```text
//! a tick ───▶ sensor_msgs/JointState ──────▶ /<robot>/joint_states
//! a camera ─▶ sensor_msgs/CompressedImage ─▶ /<robot>/<camera>/image_raw/compressed
//! ```
//! Nothing comes in this way: who drives holds a lease.
//!
//! Each fact that is rmw_zenoh's own stands where it is used, with the file of its repository that says
//! so (docs/design.md at 99a6a2b; attachment_helpers.cpp at 534747d, liveliness_utils.cpp at 3411fde and the
//! others in rmw_zenoh_cpp/src/detail). None was tried with a real ROS 2.

mod joints;
mod message;
mod name;
mod topic;

use std::sync::{Arc, Mutex, PoisonError};

pub use joints::JointStates;
pub use topic::Pictures;

use crate::message::ArmDescription;
use crate::{Error, Network, presence};
use name::Entity;

/// What the node of a robot is called, in the robot's namespace.
const NODE: &str = "sinew";

/// A robot in ROS 2's graph. Its clones are the same one; it goes with the last of them.
#[derive(Clone, Debug)]
pub struct Node(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    network: Network,
    /// Its own place in the graph.
    entity: Entity,
    /// What it publishes.
    topics: Mutex<Vec<String>>,
    _alive: zenoh::liveliness::LivelinessToken,
}

impl Node {
    /// Puts a robot there, in this domain.
    pub fn open(network: &Network, robot: &str, domain: u32) -> Result<Self, Error> {
        name::check(robot)?;
        let entity = Entity {
            domain,
            session: network.session().zid().to_string(),
            namespace: format!("/{robot}"),
            node: NODE,
        };
        let alive = presence::announce(network, &entity.node_token())?;
        let network = network.clone();
        Ok(Self(Arc::new(Inner { network, entity, topics: Mutex::default(), _alive: alive })))
    }

    /// Where its joints are.
    pub fn joint_states(&self, arms: &[ArmDescription]) -> Result<JointStates, Error> {
        JointStates::open(self, arms)
    }

    /// What a camera sees.
    pub fn pictures(&self, camera: &str) -> Result<Pictures, Error> {
        Pictures::open(self, camera)
    }

    /// What it publishes, by the full names.
    pub fn topics(&self) -> Vec<String> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of one more of its publishers.
    fn one_more(&self, topic: String) -> usize {
        let mut topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.push(topic);
        topics.len()
    }
}
