"""LeRobot takes episodes that were recorded here, and trains on them.

    lerobot_train.py ROOT EPISODES FRAMES OUT     a few steps of a small ACT; the checkpoint is in OUT
"""

import pathlib
import sys
from importlib.metadata import version

import numpy as np
from hands import Checks

CHECKS = Checks()
check = CHECKS.holds
CAMERA = "observation.images.front"


def look(root, episodes, frames):
    """Every frame opens, joints move, and the pictures are not all one."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("peer/recorded", root=root, video_backend="pyav")
    check(dataset.num_episodes == episodes, "the episodes are there", dataset.num_episodes)
    check(len(dataset) == frames, "the frames are there", len(dataset))
    items = [dataset[at] for at in range(len(dataset))]
    states = np.stack([item["observation.state"].numpy() for item in items])
    actions = np.stack([item["action"].numpy() for item in items])
    check(states.shape == (frames, 6) and actions.shape == (frames, 6), "six joints", states.shape)
    check(np.isfinite(states).all() and np.ptp(states, axis=0).max() > 1, "the arm moves", None)
    # The follower goes where the leader was a moment before.
    check(np.abs(states[15:] - actions[15:]).mean() < 15, "it follows", np.abs(states - actions).mean())
    pictures = np.stack([item[CAMERA].numpy() for item in items])
    check(np.ptp(pictures, axis=0).max() > 0.2, "the picture changes", pictures.shape)
    check(items[-1]["task"] == "Pick the cube", "the task is kept", items[-1]["task"])


def train(root, out):
    from lerobot.scripts import lerobot_train

    small = "--policy.chunk_size=10 --policy.n_action_steps=10 --policy.dim_model=64 --policy.dim_feedforward=128"
    plain = "--policy.device=cpu --policy.push_to_hub=false --policy.pretrained_backbone_weights=null"
    steps = "--steps=3 --save_freq=3 --log_freq=1 --batch_size=2 --num_workers=0 --wandb.enable=false"
    sys.argv = [
        "lerobot-train",
        "--dataset.repo_id=peer/recorded",
        f"--dataset.root={root}",
        "--dataset.video_backend=pyav",
        "--policy.type=act",
        f"--output_dir={out}",
        *f"{small} {plain} {steps}".split(),
    ]
    lerobot_train.main()
    folder = pathlib.Path(out) / "checkpoints" / "000003" / "pretrained_model"
    check((folder / "model.safetensors").is_file(), "there is a checkpoint", folder)
    return folder


ROOT, EPISODES, FRAMES, OUT = sys.argv[1:]
look(ROOT, int(EPISODES), int(FRAMES))
CHECKPOINT = train(ROOT, OUT)
CHECKS.done("lerobot-train", version("lerobot"), checkpoint=str(CHECKPOINT))
