"""Has LeRobot write calibration files beside this one, the way its robots do.

    python make.py        (an environment with lerobot[feetech,dynamixel]; see tests/peers/setup)
"""

import random
from pathlib import Path

import draccus
from lerobot.motors import MotorCalibration

JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
dice = random.Random(3)


def write(name, joints):
    calibration = {
        joint: MotorCalibration(
            id=number,
            drive_mode=dice.randrange(2),
            homing_offset=dice.randint(-2047, 2047),
            range_min=dice.randrange(2048),
            range_max=dice.randrange(2048, 4096),
        )
        for number, joint in enumerate(joints, start=1)
    }
    # The last two lines of LeRobot's _save_calibration.
    with open(Path(__file__).with_name(name), "w") as f, draccus.config_type("json"):
        draccus.dump(calibration, f, indent=4)


if __name__ == "__main__":
    write("so101.json", JOINTS)
    write("lekiwi.json", [f"arm_{j}" for j in JOINTS] + ["base_left_wheel", "base_back_wheel"])
    write("odd_names.json", ["z", "a", "Schulter \u00e4", "\U0001f9be", 'quo"te\\', "tab\tend\x7f"])
    write("none.json", [])
