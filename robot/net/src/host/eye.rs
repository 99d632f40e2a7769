//! What a camera of a hosted robot sees, for whoever looks.

use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};

use crate::key::{self, RobotKeys};
use crate::message::{PictureHead, encode};
use crate::session::zenoh_error;
use crate::{Error, Network};

/// One camera on the network.
pub struct Eye(Publisher<'static>);

impl Eye {
    /// Puts a camera of this robot on the network.
    pub fn open(network: &Network, robot: &str, camera: &str) -> Result<Self, Error> {
        key::check(camera)?;
        let key = RobotKeys::new(robot)?.camera(camera);
        let publisher = network.session().declare_publisher(key).encoding(Encoding::IMAGE_JPEG);
        // A picture that the line has no room for is followed by a newer one.
        let publisher = publisher.congestion_control(CongestionControl::Drop);
        let declared = publisher.priority(Priority::DataLow).wait();
        Ok(Self(declared.map_err(|error| zenoh_error("publishing", &error))?))
    }

    /// Whether somebody looks.
    pub fn is_watched(&self) -> bool {
        self.0.matching_status().wait().is_ok_and(|status| status.matching())
    }

    /// Shows a picture, a JPEG file.
    pub fn show(&self, head: &PictureHead, file: Vec<u8>) {
        // What the network does not take is followed by a newer one.
        self.0.put(file).attachment(encode(head)).wait().unwrap_or_default();
    }
}
