"""LeRobot's own arm, leader, camera and recording against `sinew sim serve`:
python lerobot_served.py READY DATASET

READY is the line with which it says where everything is. The arm comes calibrated; it is calibrated
anew as a person would, from stop to stop, moved, and recorded while the scripted hand leads.
Needs HF_LEROBOT_HOME to point at an empty folder.
"""

import builtins
import json
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.request import urlopen

import lerobot.motors.feetech.feetech as feetech
import lerobot.motors.motors_bus as motors_bus
import lerobot.scripts.lerobot_record as lerobot_record
import lerobot.utils.utils as utils
import numpy as np
from hands import Checks, Hands, patient_timeout
from lerobot.cameras.zmq import ZMQCamera, ZMQCameraConfig
from lerobot.configs.dataset import DatasetRecordConfig
from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig
from lerobot.teleoperators.so_leader import SO101LeaderConfig
from PIL import Image

SIDE = (96, 64)
#: Further than any joint goes, in counts.
FAR = 2500
#: Which joints are folded up, and how far, so that the table does not stop another, by motor.
FOLDED, FOLD = {2: (3, 4), 3: (4,)}, 900


class Person:
    """Puts the joints in their middle, and then sweeps each from stop to stop."""

    def __init__(self, hands, middles):
        self.hands, self.middles = hands, middles
        self.steps = self.sweep()

    def answer(self, prompt=""):
        for motor, middle in self.middles.items():
            self.hands.hold(motor, middle)
        return "c"

    def sweep(self):
        for motor, middle in self.middles.items():
            self.hands.hold(motor, middle - FAR)
            yield
            for folded in FOLDED.get(motor, ()):
                self.hands.hold(folded, self.middles[folded] - FOLD)
            for place in (middle + FAR, middle):
                self.hands.hold(motor, place)
                yield
            for folded in FOLDED.get(motor, ()):
                self.hands.hold(folded, self.middles[folded])
        for motor in self.middles:
            self.hands.release(motor)

    def pressed_enter(self):
        return next(self.steps, "done") == "done"


def main(ready, dataset):
    ready, checks = json.loads(ready), Checks()
    feetech.patch_setPacketTimeout = patient_timeout
    folder = Path(ready["calibration"])
    cameras = {
        name: ZMQCameraConfig(
            server_address="127.0.0.1", port=ready["zmq_port"], camera_name=name,
            width=SIDE[0], height=SIDE[1], fps=30,
        )
        for name in ready["cameras"]
    }  # fmt: skip

    camera = ZMQCamera(cameras["front"])
    camera.connect()
    first = camera.read()
    checks.equal("shape of a picture", first.shape, (SIDE[1], SIDE[0], 3))
    camera.disconnect()
    with urlopen(ready["cameras"]["front"].replace(".mjpg", ".jpg")) as answer:
        shown = np.asarray(Image.open(answer).convert("RGB"))
    for channel, mean in enumerate(shown.mean(axis=(0, 1))):
        checks.near(f"mean of channel {channel}", first[:, :, channel].mean(), mean, 2)
    checks.holds(np.ptp(shown.mean(axis=(0, 1))) > 4, "colours to tell apart", shown.mean(axis=(0, 1)))

    config = SO101FollowerConfig(port=ready["follower"], id="follower", calibration_dir=folder)
    arm = SO101Follower(config)
    arm.connect(calibrate=False)
    checks.equal("calibrated as the motors are", arm.is_calibrated, True)
    written = arm.calibration
    hands = Hands(ready["follower"] + ".control")
    # The middle of each range as the file has it, in true counts.
    middles = {
        row.id: (row.range_min + row.range_max) / 2 + row.homing_offset for row in written.values()
    }
    person = Person(hands, middles)
    builtins.input = person.answer
    motors_bus.enter_pressed = person.pressed_enter
    arm.calibrate()
    for name, row in arm.calibration.items():
        known = written[name]
        checks.near(f"offset of {name}", row.homing_offset, known.homing_offset, 3)
        for end in ("range_min", "range_max"):
            checks.near(f"{end} of {name}", getattr(row, end), getattr(known, end), 12)
    for name, value in arm.get_observation().items():
        checks.near(f"middle of {name}", value, 50 if name == "gripper.pos" else 0, 4)

    # Connecting anew puts torque on.
    arm.disconnect()
    arm = SO101Follower(config)
    arm.connect(calibrate=False)
    goal = {name: value + 15 for name, value in arm.get_observation().items()}
    arm.send_action(goal)
    for name, want in goal.items():
        checks.becomes(f"goal of {name}", lambda n=name: arm.get_observation()[n], want, 8.0)
    arm.disconnect()

    utils.say = lerobot_record.log_say = lambda *words, **more: None
    recorded = lerobot_record.record(
        lerobot_record.RecordConfig(
            robot=SO101FollowerConfig(
                port=ready["follower"], id="follower", calibration_dir=folder, cameras=cameras
            ),
            teleop=SO101LeaderConfig(port=ready["leader"], id="leader", calibration_dir=folder),
            dataset=DatasetRecordConfig(
                repo_id="sinew/served", root=dataset, single_task="follow", fps=20,
                num_episodes=1, episode_time_s=3, reset_time_s=0, push_to_hub=False,
            ),
            play_sounds=False,
        )
    )  # fmt: skip
    checks.holds(recorded.num_frames >= 50, "frames", recorded.num_frames)
    rows = recorded.hf_dataset.with_format("numpy")
    states, actions = np.stack(rows["observation.state"]), np.stack(rows["action"])
    moved = np.ptp(actions, axis=0)
    checks.holds((moved > 5).sum() >= 4, "the leader moved", moved)
    # Some ticks behind, as springs and masses are.
    behind = [np.abs(states[by:] - actions[: len(actions) - by]).mean() for by in range(12)]
    checks.holds(min(behind) < 9, "the follower followed", behind)
    checks.done("lerobot", version("lerobot"), frames=recorded.num_frames)


main(*sys.argv[1:])
