"""LeRobot opens calibration files where they lie and writes them again.

    lerobot_calibration.py FOLDER        with HF_LEROBOT_CALIBRATION set

Copies what LeRobot would save for the devices named `white` into FOLDER as TYPE.json.
"""

import sys
from pathlib import Path

from lerobot.robots.koch_follower import KochFollower, KochFollowerConfig
from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig
from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig

out = Path(sys.argv[1])
for device in (
    SO101Follower(SO101FollowerConfig(port="none", id="white")),
    SO101Leader(SO101LeaderConfig(port="none", id="white")),
    KochFollower(KochFollowerConfig(port="none", id="white")),
):
    assert device.calibration, f"{device} found nothing at {device.calibration_fpath}"
    assert set(device.calibration) == set(device.bus.motors), device.calibration
    device._save_calibration(out / f"{device.name}.json")
    # Its bus computes with what was read.
    device.bus._normalize(dict.fromkeys((m.id for m in device.bus.motors.values()), 2000))
