"""What MuJoCo and pinocchio do with the SO-101, for the tests of this package.

    pip install mujoco==3.17.0 pin scipy
    python make.py

Masses and shapes are read from ../../models/so101.toml, joints from the URDF of sinew-teleop; the servos,
commands and the scene are written out here. Quaternions are w x y z. Writes so101_dynamics.json,
so101_traj.json and so101_grasp.json beside this file.
"""

import json
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

HERE = Path(__file__).resolve().parent
MODEL = tomllib.loads((HERE / "../../models/so101.toml").read_text())
URDF = ET.parse(HERE / "../../../../teleop/src/kinematics/arms/so101.urdf").getroot()
SERVO = {"damping": 0.6, "frictionloss": 0.052, "armature": 0.028}
VARIANTS = {"A_kp998_f2.94": (998.22, 2.731, 2.94), "C_kp17.8_f3.35": (17.8, 0.0, 3.35)}
DT, COMMAND, RECORD = 0.002, 0.02, 0.01


def numbers(text):
    return [float(part) for part in text.split()]


def words(values):
    return " ".join(repr(float(value)) for value in values)


def joints():
    """Each joint: name, parent, child, place, turn, limits; fixed ones have no limits."""
    for joint in URDF.findall("joint"):
        origin, limit = joint.find("origin"), joint.find("limit")
        yield {
            "name": joint.get("name"),
            "parent": joint.find("parent").get("link"),
            "child": joint.find("child").get("link"),
            "xyz": numbers(origin.get("xyz")),
            "rpy": numbers(origin.get("rpy")),
            "limits": None if limit is None else (float(limit.get("lower")), float(limit.get("upper"))),
        }


MOVING = [joint for joint in joints() if joint["limits"]]
LINKS = {link["name"]: link for link in MODEL["link"]}


# Rigid dynamics.


def inertia(link):
    xx, xy, xz, yy, yz, zz = link["inertia"]
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return pin.Inertia(link["mass"], np.array(link["centre"]), tensor)


def rigid():
    model, at = pin.Model(), 0
    for joint in MOVING:
        turn = Rotation.from_euler("xyz", joint["rpy"]).as_matrix()
        at = model.addJoint(at, pin.JointModelRZ(), pin.SE3(turn, np.array(joint["xyz"])), joint["name"])
        model.appendBodyToJoint(at, inertia(LINKS[joint["child"]]), pin.SE3.Identity())
    return model


def dynamics():
    model, random = rigid(), np.random.default_rng(101)
    data = model.createData()
    low, high = np.array([joint["limits"] for joint in MOVING]).T
    samples = []
    for number in range(40):
        q, v = random.uniform(low, high), random.uniform(-3, 3, 6)
        a = random.uniform(-10, 10, 6)
        sample = {
            "q": q.tolist(),
            "v": v.tolist(),
            "a": a.tolist(),
            "tau_rnea": pin.rnea(model, data, q, v, a).tolist(),
            "tau_gravity": pin.computeGeneralizedGravity(model, data, q).tolist(),
        }
        if number < 10:
            mass = np.triu(pin.crba(model, data, q))
            sample["M"] = (mass + np.triu(mass, 1).T).tolist()
        samples.append(sample)
    return {"tool": "pinocchio " + pin.__version__, "samples": samples}


# MuJoCo's own world.


def geom(link, piece):
    kind, size = ("box", piece["box"]) if "box" in piece else ("cylinder", piece["cylinder"])
    finger = ' class="finger"' if piece.get("finger") else ""
    return f'<geom name="{link}/{piece["name"]}" type="{kind}" pos="{words(piece["at"])}" size="{words(size)}"{finger}/>'


def body(name, joint):
    link = LINKS[name]
    place = f'pos="0 0 {MODEL["sole"] if joint is None else 0}"'
    if joint:
        x, y, z, w = Rotation.from_euler("xyz", joint["rpy"]).as_quat()
        place = f'pos="{words(joint["xyz"])}" quat="{words([w, x, y, z])}"'
    out = [f'<body name="{name}" {place}>']
    if joint:
        out.append(f'<joint name="{joint["name"]}" type="hinge" axis="0 0 1" range="{words(joint["limits"])}"/>')
    xx, xy, xz, yy, yz, zz = link["inertia"]
    out.append(
        f'<inertial pos="{words(link["centre"])}" mass="{link["mass"]!r}" '
        f'fullinertia="{words([xx, yy, zz, xy, xz, yz])}"/>'
    )
    out += [geom(name, piece) for piece in link["pieces"]]
    for child in joints():
        if child["parent"] != name:
            continue
        if child["limits"]:
            out += body(child["child"], child)
        else:
            x, y, z, w = Rotation.from_euler("xyz", child["rpy"]).as_quat()
            out.append(f'<site name="tip" pos="{words(child["xyz"])}" quat="{words([w, x, y, z])}"/>')
    return out + ["</body>"]


def world(servo, cube=False):
    kp, kv, most = servo
    option = '<option timestep="0.002" integrator="implicitfast" gravity="0 0 -9.81"'
    option += ' cone="elliptic" impratio="10"/>' if cube else '><flag contact="disable"/></option>'
    scene = [
        '<geom name="table" type="plane" size="0.6 0.6 0.05" contype="1" conaffinity="3" condim="3" friction="1 0.005 0.0001"/>',
        '<body name="cube" pos="0.21 0.03 0.015"><freejoint name="cube"/>',
        '<inertial pos="0 0 0" mass="0.03" diaginertia="4.5e-06 4.5e-06 4.5e-06"/>',
        '<geom name="cube" type="box" size="0.015 0.015 0.015" contype="1" conaffinity="3" condim="4" friction="1 0.01 0.0001" solref="0.01 1"/></body>',
    ]
    # A gripper is told to use half its strength.
    gripper = ' forcerange="-0.96 0.96"' if cube else ""
    actuators = [
        f'<position name="{joint["name"]}" joint="{joint["name"]}" ctrlrange="{words(joint["limits"])}"'
        + (gripper if joint["name"] == "gripper" else "")
        + "/>"
        for joint in MOVING
    ]
    return "\n".join(
        [
            '<mujoco><compiler angle="radian" autolimits="true" inertiafromgeom="false"/>',
            option,
            "<default>",
            f'<joint damping="{SERVO["damping"]}" frictionloss="{SERVO["frictionloss"]}" armature="{SERVO["armature"]}"/>',
            f'<position kp="{kp}" kv="{kv}" forcerange="-{most} {most}"/>',
            '<geom contype="2" conaffinity="1" condim="3" friction="0.6 0.005 0.0001"/>',
            '<default class="finger"><geom condim="4" friction="1 0.01 0.0001" solref="0.01 1" priority="1"/></default>',
            "</default><worldbody>",
            *(scene if cube else []),
            *body("base_link", None),
            "</worldbody><actuator>",
            *actuators,
            "</actuator></mujoco>",
        ]
    )


def swing():
    """Steps of one joint after the other, then sines of all."""
    t = np.arange(500) * COMMAND
    u = np.zeros((500, 6))
    for joint, step in enumerate([0.5, -0.4, 0.5, -0.5, 0.6, 0.5]):
        on = (t >= 0.5 + 0.4 * joint - 1e-9) & (t < 3.5 + 0.15 * joint - 1e-9)
        u[on, joint] = step
    wide, often = [0.8, 0.5, 0.6, 0.6, 1.0, 0.4], [0.4, 0.5, 0.6, 0.7, 0.8, 1.0]
    middle, late = [0, -0.3, 0.2, 0.1, 0, 0.6], t >= 5.0 - 1e-9
    ramp = np.clip(t - 5.0, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    for joint in range(6):
        sine = middle[joint] + wide[joint] * np.sin(2 * np.pi * often[joint] * (t - 5.0))
        u[late, joint] = (ramp * sine)[late]
    return np.round(u, 6)


def trajectories():
    commands, variants = swing(), {}
    for name, servo in VARIANTS.items():
        model = mujoco.MjModel.from_xml_string(world(servo))
        data, places = mujoco.MjData(model), []
        for step in range(round(10 / DT)):
            if step % round(RECORD / DT) == 0:
                places.append(np.round(data.qpos, 6).tolist())
            data.ctrl[:] = commands[step // round(COMMAND / DT)]
            mujoco.mj_step(model, data)
        kp, kv, most = servo
        variants[name] = {"kp": kp, "kv": kv, "fmax": most, "qpos": places}
    return {
        "tool": "mujoco " + mujoco.__version__,
        "timestep": DT,
        "command_hz": round(1 / COMMAND),
        "record_hz": round(1 / RECORD),
        "common": SERVO,
        "command": commands.tolist(),
        "variants": variants,
    }


def inverse(model, data, place, yaw, start):
    """Joints that bring the tip there, pointing down, its fixed jaw behind it along `yaw`."""
    low, high = model.jnt_range[model.actuator_trnid[:5, 0]].T
    at = [model.jnt_qposadr[model.actuator_trnid[joint, 0]] for joint in range(5)]
    x = -np.array([np.cos(yaw), np.sin(yaw), 0])

    def off(q):
        data.qpos[at] = q
        mujoco.mj_kinematics(model, data)
        axes = data.site("tip").xmat.reshape(3, 3)
        return np.r_[(data.site("tip").xpos - place) * 20, axes[:, 2] + [0, 0, 1], 0.3 * (axes[:, 0] - x)]

    return least_squares(
        off, np.clip(start, low + 1e-3, high - 1e-3), bounds=(low, high), xtol=1e-14, ftol=1e-14, gtol=1e-14
    ).x


def grasp():
    """Above the cube, down, close, lift; the cube stands turned by a quarter."""
    model = mujoco.MjModel.from_xml_string(world(VARIANTS["A_kp998_f2.94"], cube=True))
    data, yaw, cube = mujoco.MjData(model), -np.pi / 2, np.array([0.21, 0.03, 0.015])
    beside = np.array([cube[0], cube[1], 0]) - np.array([np.cos(yaw), np.sin(yaw), 0]) * 0.021
    q, ways = np.array([0, 0, 0.6, 1.2, 0]), []
    for height in (0.08, 0.010, 0.130):
        q = inverse(model, data, beside + [0, 0, height], yaw, q)
        ways.append(q)
    above, down, up = ways
    home, wide, shut = np.array([0, -0.6, 0.6, 0.9, 0.0]), 0.9, 0.05
    plan = [(0.0, home, 0.0), (0.5, home, 0.0), (2.0, above, wide), (2.5, above, wide), (4.0, down, wide)]
    plan += [(4.5, down, wide), (5.5, down, shut), (6.0, down, shut), (7.5, up, shut), (10.0, up, shut)]
    times, rows = [row[0] for row in plan], [np.r_[row[1], row[2]] for row in plan]
    commands = []
    for t in np.arange(500) * COMMAND:
        piece = min(np.searchsorted(times, t, side="right") - 1, len(times) - 2)
        part = (t - times[piece]) / (times[piece + 1] - times[piece])
        part = part * part * (3 - 2 * part)
        commands.append(np.round(rows[piece] * (1 - part) + rows[piece + 1] * part, 6))
    data = mujoco.MjData(model)
    at = [model.jnt_qposadr[model.actuator_trnid[joint, 0]] for joint in range(6)]
    free = model.jnt_qposadr[model.joint("cube").id]
    start = [*cube, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
    data.qpos[at], data.qpos[free : free + 7] = np.r_[home, 0.0], start
    places, q = [], []
    for step in range(round(10 / DT)):
        if step % round(0.1 / DT) == 0:
            places.append(np.round(data.qpos[free : free + 7], 6).tolist())
        data.ctrl[:] = commands[step // round(COMMAND / DT)]
        mujoco.mj_step(model, data)
    assert data.qpos[free + 2] > 0.1, "the cube is not lifted"
    return {
        "tool": "mujoco " + mujoco.__version__,
        "command_hz": round(1 / COMMAND),
        "start_q": np.r_[home, 0.0].tolist(),
        "cube_start_pos_quat_wxyz": start,
        "command": [command.tolist() for command in commands],
        "end_q": np.round(data.qpos[at], 6).tolist(),
        "cube_pos_quat_wxyz": places,
    }


if __name__ == "__main__":
    for name, made in (("dynamics", dynamics()), ("traj", trajectories()), ("grasp", grasp())):
        (HERE / f"so101_{name}.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
