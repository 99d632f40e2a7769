"""Writes what LeRobot's processor steps and its temporal ensembler answer to golden.json beside this
file: every way of scaling in both directions, with spans and deviations of zero among them, actions
relative to a state and back, and ensembles of several coefficients.

    python make.py        (an environment with lerobot; see tests/peers/setup)
"""

import json
from importlib.metadata import version
from pathlib import Path

import torch
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.lerobot_types import TransitionKey
from lerobot.policies.act.modeling_act import ACTTemporalEnsembler
from lerobot.processor import (
    AbsoluteActionsProcessorStep,
    NormalizerProcessorStep,
    RelativeActionsProcessorStep,
    UnnormalizerProcessorStep,
)
from lerobot.processor.converters import create_transition

torch.manual_seed(5)
NAMES = ["shoulder_pan.pos", "elbow.pos", "wrist.pos", "gripper.pos", "Gripper_2.pos"]
JOINTS = len(NAMES)


def numbers(tensor):
    return [float(number) for number in tensor.flatten()]


def statistics():
    least = torch.randn(JOINTS) * 40
    most = least + torch.rand(JOINTS) * 80
    most[2] = least[2]
    deviation = torch.rand(JOINTS) * 20
    deviation[1] = 0
    found = {"mean": (least + most) / 2, "std": deviation, "min": least, "max": most}
    for name, share in (("q01", 0.01), ("q10", 0.1), ("q90", 0.9), ("q99", 0.99)):
        found[name] = least + (most - least) * share
    return found


def scaling(mode, stats):
    features = {"action": PolicyFeature(FeatureType.ACTION, (JOINTS,))}
    modes = {FeatureType.ACTION: mode}
    there = NormalizerProcessorStep(features, modes, {"action": stats})
    back = UnnormalizerProcessorStep(features, modes, {"action": stats})
    asked = [torch.randn(1, JOINTS) * scale for scale in (0.1, 1, 50)] + [stats["min"][None].clone()]
    run = lambda step, action: step(create_transition(action=action))[TransitionKey.ACTION]
    return {
        "mode": mode.value,
        "asked": [numbers(action) for action in asked],
        "forward": [numbers(run(there, action)) for action in asked],
        "inverse": [numbers(run(back, action)) for action in asked],
    }


def relative(exclude, names):
    step = RelativeActionsProcessorStep(True, exclude, names)
    back = AbsoluteActionsProcessorStep(True, step)
    state, action = torch.randn(1, JOINTS) * 50, torch.randn(1, JOINTS) * 5
    step(create_transition(observation={"observation.state": state}))
    absolute = back(create_transition(action=action))[TransitionKey.ACTION]
    return {
        "exclude_joints": exclude,
        "action_names": names,
        "state": numbers(state),
        "action": numbers(action),
        "absolute": numbers(absolute),
    }


def ensemble(coefficient, length, steps):
    ensembler = ACTTemporalEnsembler(coefficient, length)
    chunks = [torch.randn(1, length, 2) for _ in range(steps)]
    return {
        "coefficient": coefficient,
        "length": length,
        "chunks": [numbers(chunk) for chunk in chunks],
        "actions": [numbers(ensembler.update(chunk)) for chunk in chunks],
    }


stats = statistics()
golden = {
    "made_with": {name: version(name) for name in ("lerobot", "torch")},
    "statistics": {name: numbers(tensor) for name, tensor in stats.items()},
    "scalings": [scaling(mode, stats) for mode in NormalizationMode],
    "relatives": [
        relative([], None),
        relative(["gripper"], NAMES),
        relative(["WRIST.pos", ""], NAMES[:4]),
        relative(["gripper"], None),
    ],
    "ensembles": [ensemble(0.01, 6, 15), ensemble(0.0, 3, 8), ensemble(-0.2, 5, 12), ensemble(0.5, 1, 4)],
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")
