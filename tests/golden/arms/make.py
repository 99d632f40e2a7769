"""Writes the motors of LeRobot's arms to golden.json beside this file.

    python make.py        (an environment with lerobot[feetech,dynamixel]; see tests/peers/setup)
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from lerobot.robots.koch_follower import KochFollower, KochFollowerConfig
from lerobot.robots.omx_follower import OmxFollower, OmxFollowerConfig
from lerobot.robots.so_follower import SOFollower, SOFollowerRobotConfig
from lerobot.teleoperators.koch_leader import KochLeader, KochLeaderConfig
from lerobot.teleoperators.omx_leader import OmxLeader, OmxLeaderConfig
from lerobot.teleoperators.so_leader import SOLeader, SOLeaderTeleopConfig

ARMS = {
    "so100_follower": (SOFollower, SOFollowerRobotConfig),
    "so101_follower": (SOFollower, SOFollowerRobotConfig),
    "so100_leader": (SOLeader, SOLeaderTeleopConfig),
    "so101_leader": (SOLeader, SOLeaderTeleopConfig),
    "koch_follower": (KochFollower, KochFollowerConfig),
    "koch_leader": (KochLeader, KochLeaderConfig),
    "omx_follower": (OmxFollower, OmxFollowerConfig),
    "omx_leader": (OmxLeader, OmxLeaderConfig),
}


def motors(kind, config):
    # Their constructors make the calibration folder; it goes again.
    with tempfile.TemporaryDirectory() as folder:
        device = kind(config(port="none", id="x", calibration_dir=Path(folder)))
        rows = [[n, m.id, m.model, m.norm_mode.value] for n, m in device.bus.motors.items()]
        return {"folder": device.name, "motors": rows}


def lekiwi():
    from lerobot.robots.lekiwi import LeKiwi, LeKiwiConfig

    return motors(LeKiwi, lambda **fields: LeKiwiConfig(cameras={}, **fields))


if __name__ == "__main__":
    arms = {name: motors(*classes) for name, classes in ARMS.items()} | {"lekiwi": lekiwi()}
    golden = {"made_with": {"lerobot": version("lerobot")}, "arms": arms}
    text = json.dumps(golden, separators=(",", ":")).replace("],[", "],\n[")
    Path(__file__).with_name("golden.json").write_text(text + "\n")
