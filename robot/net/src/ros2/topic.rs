//! A publisher in ROS 2's graph, and that of pictures.

use std::sync::atomic::{AtomicI64, Ordering};

use sinew_drivers::Nanos;
use zenoh::Wait;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};

use super::message::{CompressedImage, Header, Stamp, Typed, attachment, encode, now};
use super::{Node, name};
use crate::session::zenoh_error;
use crate::{Error, presence};

/// One topic.
#[derive(Debug)]
pub struct Topic {
    publisher: Publisher<'static>,
    gid: [u8; 16],
    /// The number of the next message: the first is 1 (rmw_publisher_data.cpp).
    next: AtomicI64,
    _alive: zenoh::liveliness::LivelinessToken,
    _node: Node,
}

impl Topic {
    /// Puts it there.
    pub fn open<M: Typed>(node: &Node, topic: &str, priority: Priority) -> Result<Self, Error> {
        let entity = &node.0.entity;
        let session = node.0.network.session();
        let publisher = session.declare_publisher(entity.topic_key::<M>(topic));
        // As rmw_zenoh does where history is kept only to a depth: nobody waits for who does not listen.
        let publisher = publisher.congestion_control(CongestionControl::Drop).priority(priority);
        let publisher = publisher.wait().map_err(|error| zenoh_error("publishing", &error))?;
        let id = node.one_more(entity.full(topic));
        let token = entity.publisher_token::<M>(id, topic);
        Ok(Self {
            publisher,
            gid: name::gid(&token),
            next: AtomicI64::new(1),
            _alive: presence::announce(&node.0.network, &token)?,
            _node: node.clone(),
        })
    }

    /// Whether somebody listens.
    pub fn is_heard(&self) -> bool {
        self.publisher.matching_status().wait().is_ok_and(|status| status.matching())
    }

    /// Says something.
    pub fn say<M: Typed>(&self, message: &M) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let put = self.publisher.put(encode(message)).attachment(attachment(n, now(), self.gid));
        // What the network does not take is nothing that anybody could wait for.
        put.wait().unwrap_or_default();
    }
}

/// What a camera sees, for ROS 2.
#[derive(Debug)]
pub struct Pictures {
    topic: Topic,
    camera: String,
}

impl Pictures {
    /// The topic where image_transport looks for compressed pictures of `<camera>/image_raw`.
    pub(super) fn open(node: &Node, camera: &str) -> Result<Self, Error> {
        name::check(camera)?;
        let topic = format!("{camera}/image_raw/compressed");
        let topic = Topic::open::<CompressedImage<'_>>(node, &topic, Priority::DataLow)?;
        Ok(Self { topic, camera: camera.to_owned() })
    }

    /// Whether somebody looks.
    pub fn is_watched(&self) -> bool {
        self.topic.is_heard()
    }

    /// Shows a picture, a JPEG file, which was taken at this instant of this machine's clock.
    pub fn show(&self, at: Nanos, file: &[u8]) {
        let header = Header { stamp: Stamp::of(at), frame_id: &self.camera };
        self.topic.say(&CompressedImage { header, format: "jpeg", data: file });
    }
}
