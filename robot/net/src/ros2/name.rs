//! What nodes, topics and types are called on zenoh's keys.

use twox_hash::XxHash3_128;

use super::message::Typed;
use crate::Error;
use crate::key::NAME_LENGTH;

/// A name that ROS 2 takes, in a topic and as a namespace: rmw's validate_namespace.c and
/// validate_full_topic_name.c.
pub fn check(name: &str) -> Result<(), Error> {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let first = name.chars().next().is_some_and(|first| !first.is_ascii_digit());
    match first && name.len() <= NAME_LENGTH && name.chars().all(letter) {
        true => Ok(()),
        false => Err(Error::RosName { name: name.to_owned() }),
    }
}

/// A publisher's quality of service where it is rmw_zenoh's own (reliable, volatile, for ever), and ten
/// messages deep: qos_to_keyexpr in liveliness_utils.cpp, defaults in qos.cpp.
const QOS: &str = "::,10:,:,:,,";

/// A node's place in the graph.
#[derive(Debug)]
pub struct Entity {
    /// ROS_DOMAIN_ID.
    pub domain: u32,
    /// zenoh's id of the session.
    pub session: String,
    /// With its slash.
    pub namespace: String,
    /// The node.
    pub node: &'static str,
}

impl Entity {
    /// The token that says that the node is there: "Graph Cache" in docs/design.md; the enclave is none.
    pub fn node_token(&self) -> String {
        self.token(0, "NN")
    }

    /// The token that says that one of its publishers is there.
    pub fn publisher_token<M: Typed>(&self, id: usize, topic: &str) -> String {
        let (topic, (kind, hash)) = (mangled(&self.full(topic)), (M::TYPE, M::HASH));
        format!("{}/{topic}/{kind}/{hash}/{QOS}", self.token(id, "MP"))
    }

    /// Where that publisher publishes: "Topic and Service name mapping" in docs/design.md.
    pub fn topic_key<M: Typed>(&self, topic: &str) -> String {
        let topic = self.full(topic);
        let topic = topic.trim_start_matches('/');
        format!("{}/{topic}/{}/{}", self.domain, M::TYPE, M::HASH)
    }

    /// A topic of the node's, with its namespace.
    pub fn full(&self, topic: &str) -> String {
        format!("{}/{topic}", self.namespace)
    }

    fn token(&self, id: usize, kind: &str) -> String {
        let Self { domain, session, namespace, node } = self;
        format!("@ros2_lv/{domain}/{session}/0/{id}/{kind}/%/{}/{node}", mangled(namespace))
    }
}

/// A name as one part of a key: mangle_name in liveliness_utils.cpp.
fn mangled(name: &str) -> String {
    name.replace('/', "%")
}

/// The number by which a publisher is known: Entity::Entity in liveliness_utils.cpp.
pub fn gid(token: &str) -> [u8; 16] {
    XxHash3_128::oneshot(token.as_bytes()).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ros2::message::{CompressedImage, JointState};

    fn entity() -> Entity {
        Entity {
            domain: 2,
            session: "8b20917502ee955ac4476e0266340d5c".into(),
            namespace: "/white".into(),
            node: "sinew",
        }
    }

    #[test]
    fn tokens_and_keys_are_put_together_as_in_rmw_zenohs_design() {
        let entity = entity();
        assert_eq!(
            entity.node_token(),
            "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/0/NN/%/%white/sinew"
        );
        let joints = "sensor_msgs::msg::dds_::JointState_/RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e";
        assert_eq!(
            entity.publisher_token::<JointState<'_>>(1, "joint_states"),
            format!(
                "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/1/MP/%/%white/sinew/%white%joint_states/{joints}/::,10:,:,:,,"
            )
        );
        assert_eq!(
            entity.topic_key::<JointState<'_>>("joint_states"),
            format!("2/white/joint_states/{joints}")
        );
        let image = entity.topic_key::<CompressedImage<'_>>("front/image_raw/compressed");
        assert!(image.starts_with("2/white/front/image_raw/compressed/sensor_msgs::msg::dds_::"));
    }

    #[test]
    fn ros_takes_fewer_names_than_we_do() {
        for name in ["white", "SO_101", "_a"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "arm-1", "1arm", "a/b", "ä", "a b"] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    /// From xxHash's own sanity checks: XXH3 128 of nothing, without a seed.
    #[test]
    fn a_gid_is_xxh3_the_lower_half_first() {
        let gid = gid("");
        assert_eq!(gid[..8], 0x6001_C324_468D_497F_u64.to_le_bytes());
        assert_eq!(gid[8..], 0x99AA_06D3_0147_98D8_u64.to_le_bytes());
    }
}
