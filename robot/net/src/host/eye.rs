//! What a camera of a hosted robot sees, for whoever looks.

use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};

use crate::key::{self, RobotKeys};
use crate::message::{PictureHead, encode};
use crate::ros2::Pictures;
use crate::session::zenoh_error;
use crate::{Error, Network};

/// One camera on the network.
pub struct Eye {
    publisher: Publisher<'static>,
    ros2: Option<Pictures>,
}

impl Eye {
    /// Puts a camera of this robot on the network.
    pub fn open(network: &Network, robot: &str, camera: &str) -> Result<Self, Error> {
        key::check(camera)?;
        let key = RobotKeys::new(robot)?.camera(camera);
        let publisher = network.session().declare_publisher(key).encoding(Encoding::IMAGE_JPEG);
        // A picture that the line has no room for is followed by a newer one.
        let publisher = publisher.congestion_control(CongestionControl::Drop);
        let declared = publisher.priority(Priority::DataLow).wait();
        let publisher = declared.map_err(|error| zenoh_error("publishing", &error))?;
        Ok(Self { publisher, ros2: None })
    }

    /// For ROS 2 as well.
    pub fn with_ros2(self, pictures: Pictures) -> Self {
        Self { ros2: Some(pictures), ..self }
    }

    /// Whether somebody looks.
    pub fn is_watched(&self) -> bool {
        let here = self.publisher.matching_status().wait().is_ok_and(|status| status.matching());
        here || self.ros2.as_ref().is_some_and(Pictures::is_watched)
    }

    /// Shows a picture, a JPEG file.
    pub fn show(&self, head: &PictureHead, file: Vec<u8>) {
        if let Some(ros2) = self.ros2.as_ref().filter(|ros2| ros2.is_watched()) {
            ros2.show(head.at, &file);
        }
        // What the network does not take is followed by a newer one.
        self.publisher.put(file).attachment(encode(head)).wait().unwrap_or_default();
    }
}
