"""LeRobot's own arms against virtual ones: python lerobot_arm.py PORT CONTROL_SOCKET TYPE

Connects, calibrates as a person would (answering its prompts, moving the joints by hand), reads,
commands, and disconnects; then connects once more with the calibration found in the motors.
Needs HF_LEROBOT_HOME to point at an empty folder.
"""

import builtins
import json
import sys
from importlib.metadata import version

import dynamixel_sdk
import lerobot.motors.feetech.feetech as feetech
import lerobot.motors.motors_bus as motors_bus
from hands import Checks, Hands, patient_timeout
from lerobot.robots.koch_follower import KochFollower, KochFollowerConfig
from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig
from lerobot.teleoperators.so_leader import SO101Leader, SO101LeaderConfig

ARMS = {
    "so101_follower": (SO101Follower, SO101FollowerConfig),
    "so101_leader": (SO101Leader, SO101LeaderConfig),
    "koch_follower": (KochFollower, KochFollowerConfig),
}
#: How far the hand moves every joint to either side of where it starts.
SWEEP = 600


def unit(mode, row):
    """How much of LeRobot's measure a count is."""
    span = row.range_max - row.range_min
    return {"range_m100_100": 200 / span, "range_0_100": 100 / span, "degrees": 360 / 4095}[mode.value]


class Person:
    """Answers LeRobot's prompts and sweeps the joints while it watches."""

    def __init__(self, hands):
        self.hands = hands
        self.prompts = []
        self.start = hands.joints()
        self.steps = self.sweep()

    def answer(self, prompt=""):
        self.prompts.append(prompt)
        return ""

    def sweep(self):
        for motor, start in self.start.items():
            for way in (-SWEEP, SWEEP, 0):
                self.hands.hold(motor, start + way)
                yield
            self.hands.release(motor)

    def pressed_enter(self):
        """LeRobot asks this after every look at the positions: one movement a look."""
        return next(self.steps, "done") == "done"


def main(port, control, kind):
    checks, hands = Checks(), Hands(control)
    person = Person(hands)
    builtins.input = person.answer
    motors_bus.enter_pressed = person.pressed_enter
    feetech.patch_setPacketTimeout = patient_timeout
    dynamixel_sdk.PortHandler.setPacketTimeout = patient_timeout
    make, config = ARMS[kind]

    arm = make(config(port=port, id="virtual"))
    arm.connect(calibrate=True)
    checks.equal("one prompt", len(person.prompts), 1)
    full_turns = {"wrist_roll"} | ({"shoulder_pan"} if kind.startswith("koch") else set())
    for name, row in arm.calibration.items():
        want = (0, 4095) if name in full_turns else (2047 - SWEEP, 2047 + SWEEP)
        checks.equal(f"range of {name}", (row.range_min, row.range_max), want)
        away = int(person.start[row.id]) - 2047
        offset = -away if kind.startswith("koch") else away
        checks.equal(f"offset of {name}", row.homing_offset, offset)
    checks.equal("calibrated", arm.is_calibrated, True)

    follower = hasattr(arm, "send_action")
    read = arm.get_observation if follower else arm.get_action
    # A servo under torque goes on to the goal it had before its offset: where it stands then is not the
    # middle, but as far from it as the joint truly is from where the person had it.
    joints, seen = hands.still(), read()
    for name, row in arm.calibration.items():
        # The gripper's 0 to 100 and the others' symmetric units all put the start in the middle.
        middle = 50 if name == "gripper" else 0
        away = joints[row.id] - person.start[row.id]
        want = middle + away * unit(arm.bus.motors[name].norm_mode, row)
        checks.near(f"place of {name}", seen[f"{name}.pos"], want, 0.5)
    for _ in range(50):
        checks.equal("read", len(read()), 6)
    if follower:
        goal = {name: value + 12 for name, value in read().items()}
        sent = arm.send_action(goal)
        checks.equal("sent", sent.keys(), goal.keys())
        for name, want in goal.items():
            checks.becomes(f"goal of {name}", lambda n=name: read()[n], want, 3.0)
    arm.disconnect()

    # What is in the motors is what is in the file: no prompt this time.
    again = make(config(port=port, id="virtual"))
    again.connect(calibrate=True)
    checks.equal("no second prompt", len(person.prompts), 1)
    checks.equal("same calibration", again.bus.read_calibration(), arm.calibration)
    again.disconnect()
    checks.done("lerobot", version("lerobot"))


main(*sys.argv[1:])
