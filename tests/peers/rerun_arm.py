"""An arm that was shown in Rerun, held against poses that are computed here from its URDF."""

import math
import pathlib
import xml.etree.ElementTree as ElementTree

import numpy as np

URDF = pathlib.Path(__file__).parent / "../../teleop/src/kinematics/arms/so101.urdf"
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]


def numbers(text):
    return np.array([float(number) for number in text.split()])


def turned(axis, angle):
    """Rodrigues' rotation."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def rigid(rotation, place):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, place
    return pose


def from_quaternion(turn):
    x, y, z, w = turn
    return np.eye(3) + 2 * np.array(
        [
            [-y * y - z * z, x * y - z * w, x * z + y * w],
            [x * y + z * w, -x * x - z * z, y * z - x * w],
            [x * z - y * w, y * z + x * w, -x * x - y * y],
        ]
    )


class Arm:
    """The SO-101."""

    def __init__(self):
        joints = {joint.get("name"): joint for joint in ElementTree.parse(URDF).getroot().iter("joint")}
        self.joints = [joints[name] for name in JOINTS]

    def poses(self, values):
        """Each joint's frame, at values in degrees and a gripper in shares of a hundred."""
        limit = self.joints[-1].find("limit")
        closed, opened = float(limit.get("lower")), float(limit.get("upper"))
        angles = [math.radians(value) for value in values[:-1]]
        angles.append(closed + (opened - closed) * values[-1] / 100)
        at = np.eye(4)
        for joint, angle in zip(self.joints, angles):
            origin = joint.find("origin")
            roll, pitch, yaw = numbers(origin.get("rpy"))
            turn = turned(np.array([0, 0, 1]), yaw) @ turned(np.array([0, 1, 0]), pitch)
            turn = turn @ turned(np.array([1, 0, 0]), roll)
            axis = numbers(joint.find("axis").get("xyz"))
            at = at @ rigid(turn, numbers(origin.get("xyz"))) @ rigid(turned(axis, angle), np.zeros(3))
            yield at


def check_arm(checks, rows, role, values, *timelines):
    """Every pose of a role is that of the values of its time, {time: values}. Returns how many."""
    arm = Arm()
    find = lambda joint, what: rows.rows(f"/arm/{role}/{joint}", what, *timelines)
    places = [find(joint, "Transform3D:translation") for joint in JOINTS]
    turns = [find(joint, "Transform3D:quaternion") for joint in JOINTS]
    for joint in JOINTS:
        checks.equal(f"limbs of {role} {joint}", len(find(joint, "Capsules3D:lengths")), 1)
    checks.holds(rows.static("/arm/base", "Capsules3D:lengths"), "a base")
    checks.holds(rows.static("/arm/reach", "LineStrips3D:strips"), "a reach")
    for at, (place, turn) in enumerate(zip(zip(*places), zip(*turns))):
        number = place[0][0]
        for joint, wanted, (_, _, (there,)), (_, _, (quaternion,)) in zip(
            JOINTS, arm.poses(values[number]), place, turn
        ):
            off = np.abs(wanted[:3, 3] - there).max()
            checks.holds(off < 1e-5, f"place of {role} {joint} at {number}:", there, wanted[:3, 3])
            off = np.abs(wanted[:3, :3] - from_quaternion(quaternion)).max()
            checks.holds(off < 1e-5, f"turn of {role} {joint} at {number}:", quaternion, wanted)
    checks.holds(len({len(found) for found in places + turns}) == 1, "as many poses of every joint")
    return len(places[0])
