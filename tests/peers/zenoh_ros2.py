"""A hosted arm as ROS 2's rmw_zenoh would find it: the graph's tokens taken apart as rmw_zenoh does, the
messages by the types and the CDR of rosbags, which knows ROS 2 without having it.

usage: zenoh_ros2.py ROBOT ENDPOINT DOMAIN
Needs eclipse-zenoh, cbor2, rosbags, xxhash and Pillow. The last line is JSON: what was checked.
"""

import io
import json
import math
import signal
import struct
import sys
import time
from importlib import metadata

try:
    import cbor2
    import xxhash
    import zenoh
    from PIL import Image
    from rosbags.typesys import Stores, get_typestore
except ImportError as missing:
    print(json.dumps({"skipped": f"no {missing.name} in this Python"}))
    sys.exit(0)
from hands import Checks

ROBOT, ENDPOINT, DOMAIN = sys.argv[1:]
CHECKS = Checks()
check, equal = CHECKS.holds, CHECKS.equal
TYPES = get_typestore(Stores.ROS2_JAZZY)


class Topic:
    """What rmw_zenoh would know of a publisher from its token, and where it would listen to it."""

    def __init__(self, token):
        parts = token.split("/")
        equal("parts of a publisher's token", len(parts), 13)
        equal("its beginning", parts[:2] + parts[3:4] + parts[5:7], ["@ros2_lv", DOMAIN, "0", "MP", "%"])
        self.session, self.id = parts[2], parts[4]
        namespace, self.node, topic = (part.replace("%", "/") for part in parts[7:10])
        equal("its node", (namespace, self.node), (f"/{ROBOT}", "sinew"))
        self.name, dds, self.hash = topic, parts[10], parts[11]
        package, kind = dds.removesuffix("_").split("::msg::dds_::")
        self.type = f"{package}/msg/{kind}"
        equal("hash of its type", self.hash, TYPES.hash_rihs01(self.type))
        reliability, durability, history, deadline, lifespan, liveliness = parts[12].split(":")
        equal("its quality", (reliability, durability, history.split(",")), ("", "", ["", "10"]))
        equal("its times", (deadline, lifespan, liveliness), (",", ",", ",,"))
        self.key = f"{DOMAIN}/{topic.strip('/')}/{dds}/{self.hash}"
        self.gid = xxhash.xxh3_128_intdigest(token.encode()).to_bytes(16, "little")
        self.samples = []

    def heard(self, sample):
        self.samples.append((bytes(sample.attachment), bytes(sample.payload)))

    def messages(self):
        """Each message, after what goes beside it was looked at."""
        before = None
        for attachment, payload in self.samples:
            equal("attachment", len(attachment), 33)
            n, at, length = struct.unpack("<qqB", attachment[:17])
            equal("whose it is", (length, attachment[17:]), (16, self.gid))
            check(abs(at - time.time_ns()) < 60e9, at)
            check(n >= 1 and (before is None or n > before), n, before)
            before = n
            message = TYPES.deserialize_cdr(payload, self.type)
            # The very bytes that another program makes of it.
            equal(self.type, payload, bytes(TYPES.serialize_cdr(message, self.type)))
            yield message


def until(what, read):
    end = time.monotonic() + 30.0
    while not read():
        if time.monotonic() > end:
            sys.exit(f"it never came to that: {what}")
        time.sleep(0.01)


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


def look(session):
    tokens = [str(reply.ok.key_expr) for reply in session.liveliness().get(f"@ros2_lv/{DOMAIN}/**", timeout=10.0)]
    node = [token.split("/") for token in tokens if "/NN/" in token]
    zid = node[0][2]
    equal("nodes", node, [["@ros2_lv", DOMAIN, zid, "0", "0", "NN", "%", f"%{ROBOT}", "sinew"]])
    check(zid in map(str, [*session.info.peers_zid(), *session.info.routers_zid()]), zid)
    topics = {topic.name: topic for topic in (Topic(token) for token in tokens if "/MP/" in token)}
    equal("topics", sorted(topics), [f"/{ROBOT}/front/image_raw/compressed", f"/{ROBOT}/joint_states"])
    equal("their session and numbers", ({topic.session for topic in topics.values()}, {topic.id for topic in topics.values()}), ({zid}, {"1", "2"}))
    elsewhere = [reply for reply in session.liveliness().get(f"@ros2_lv/{int(DOMAIN) + 1}/**", timeout=10.0)]
    equal("in another domain", elsewhere, [])
    return topics


def main():
    # What hangs, in here or over there, ends and has failed.
    signal.alarm(120)
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([ENDPOINT]))
    config.insert_json5("scouting/multicast/enabled", "false")
    with zenoh.open(config) as session:
        topics = look(session)
        described = next(iter(session.get(f"sinew/{ROBOT}/describe", timeout=30.0))).ok
        arm = cbor2.loads(bytes(described.payload))["arms"][0]
        states = []
        subscribed = [session.declare_subscriber(f"sinew/{ROBOT}/state", lambda sample: states.append(cbor2.loads(bytes(sample.payload))))]
        subscribed += [session.declare_subscriber(topic.key, topic.heard) for topic in topics.values()]
        until("messages", lambda: all(len(topic.samples) > 20 for topic in topics.values()) and len(states) > 20)
        joints = list(topics[f"/{ROBOT}/joint_states"].messages())
        images = list(topics[f"/{ROBOT}/front/image_raw/compressed"].messages())
    names = [value.removesuffix(".pos") for value in arm["values"]]
    rows = [[math.radians(value * reach["degrees"]) for value, reach in zip(state["values"], arm["reaches"])] for state in states]
    for message in joints:
        equal("joints", (list(message.name), message.header.frame_id), (names, ""))
        check(len(message.velocity) == 0 and len(message.effort) == 0)
    same = lambda row, position: all(abs(one - other) < 1e-9 for one, other in zip(row, position))
    for message in joints[5:15]:
        check(any(same(row, message.position) for row in rows), message.position)
    check(any(abs(angle) > 0.1 for angle in joints[-1].position), joints[-1].position)
    for message in images:
        equal("a picture", (message.format, message.header.frame_id), ("jpeg", "front"))
    picture = Image.open(io.BytesIO(bytes(images[-1].data)))
    picture.load()
    equal("its size", picture.size, (640, 480))
    for messages in (joints, images):
        stamps = [nanoseconds(message.header.stamp) for message in messages]
        check(stamps == sorted(set(stamps)) and abs(stamps[-1] - time.time_ns()) < 60e9, stamps)
    CHECKS.done("rosbags", metadata.version("rosbags"), joints=len(joints), images=len(images))


if __name__ == "__main__":
    main()
