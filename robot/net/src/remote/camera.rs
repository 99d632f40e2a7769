//! A camera of a robot on another machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sinew_drivers::Error;
use sinew_drivers::camera::{Source, Taken, jpeg};
use zenoh::Wait;
use zenoh::handlers::{RingChannel, RingChannelHandler};
use zenoh::pubsub::Subscriber;
use zenoh::sample::Sample;

use super::link::Link;
use crate::message::{CameraDescription, PictureHead, decode, moment};

/// How long no picture may come before the camera counts as gone.
const SILENCE: Duration = Duration::from_secs(3);

/// A camera of a robot on another machine, which sends while somebody looks.
pub struct RemoteCamera {
    link: Arc<Link>,
    camera: CameraDescription,
    pictures: Subscriber<RingChannelHandler<Sample>>,
}

impl RemoteCamera {
    /// Begins to look.
    pub fn open(link: &Arc<Link>, name: &str) -> Result<Self, Error> {
        let failed = |what: String| Error::Camera { camera: name.to_owned(), what };
        let cameras = &link.description.cameras;
        let camera = cameras.iter().find(|camera| camera.name == name).cloned();
        let camera = camera.ok_or_else(|| {
            let known: Vec<_> = cameras.iter().map(|camera| camera.name.as_str()).collect();
            failed(format!("{} has none of that name, but {}", link.address, known.join(", ")))
        })?;
        let key = link.keys.camera(name);
        let pictures = link.network.session().declare_subscriber(key);
        // Whoever is slow sees the newest picture, not one that has waited behind others.
        let pictures = pictures.with(RingChannel::new(1)).wait();
        let pictures = pictures.map_err(|error| failed(error.to_string()))?;
        Ok(Self { link: Arc::clone(link), camera, pictures })
    }

    fn failed(&self, what: String) -> Error {
        Error::Camera { camera: self.camera.name.clone(), what }
    }
}

impl Source for RemoteCamera {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let came = self.pictures.recv_deadline(Instant::now() + SILENCE);
        let came = came.map_err(|error| self.failed(error.to_string()))?;
        let nothing = || format!("nothing came for {} seconds", SILENCE.as_secs());
        let sample = came.ok_or_else(|| self.failed(nothing()))?;
        let head = sample.attachment().map(|head| head.to_bytes()).unwrap_or_default();
        let head: PictureHead =
            decode(&head).map_err(|refusal| self.failed(format!("its pictures: {refusal}")))?;
        let jpeg = sample.payload().to_bytes();
        if jpeg.len() > PictureHead::MOST_JPEG {
            return Err(self.failed(format!("a picture of {} bytes", jpeg.len())));
        }
        let at = self.link.here(head.at, self.link.clock().now());
        let picture = jpeg::decode(&jpeg, self.camera.width, self.camera.height);
        let picture = picture.map_err(|what| self.failed(what))?;
        Ok(Taken { at, moment: moment(&head.moment), picture })
    }
}
