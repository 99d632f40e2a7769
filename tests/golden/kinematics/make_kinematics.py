"""Poses and Jacobians of the arms that are built in, by pinocchio: pip install pin, then

    python make_kinematics.py        writes so101.json, so100.json and koch.json beside it

Each row has angles, the tip's pose as x y z and the quaternion w x y z, and for the first rows the
Jacobian column by column: the tip's speed, then its turning speed, in the base's axes.
"""

import json
import pathlib

import numpy as np
import pinocchio

HERE = pathlib.Path(__file__).parent
ARMS = HERE.parents[2] / "teleop/src/kinematics/arms"
TIPS = {"so101": "gripper_frame_link", "so100": "tip", "koch": "link_5"}

for seed, (arm, tip) in enumerate(TIPS.items()):
    model = pinocchio.buildModelFromUrdf(str(ARMS / f"{arm}.urdf"))
    data = model.createData()
    frame = model.getFrameId(tip, pinocchio.FrameType.BODY)
    joints = [name for name in model.names if name not in ("universe", "gripper")]
    places = [model.joints[model.getJointId(name)].idx_q for name in joints]
    low, high = model.lowerPositionLimit, model.upperPositionLimit
    angles = np.random.default_rng(seed).uniform(low, high, (400, model.nq))
    angles[:3] = np.zeros(model.nq), low, high
    rows = []
    for number, q in enumerate(angles):
        pinocchio.forwardKinematics(model, data, q)
        pinocchio.updateFramePlacements(model, data)
        pose = data.oMf[frame]
        x, y, z, w = pinocchio.Quaternion(pose.rotation).coeffs()
        row = {"q": q[places].tolist(), "pose": [*pose.translation.tolist(), w, x, y, z]}
        if number < 50:
            axes = pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED
            jacobian = pinocchio.computeFrameJacobian(model, data, q, frame, axes)
            row["jacobian"] = [jacobian[:, place].tolist() for place in places]
        rows.append(row)
    text = {"pinocchio": pinocchio.__version__, "joints": joints, "rows": rows}
    (HERE / f"{arm}.json").write_text(json.dumps(text))
