"""A policy of LeRobot's behind sinew_policy_server.py, and what LeRobot itself answers.

    lerobot_serves.py ROOT ADDRESS [PAPERS]

Writes what it was shown, and LeRobot's own chunks for it, to ROOT/asked.safetensors; serves the policy as
`lerobot`; answers every line with a report, the first of them once it can be asked.
"""

import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "robot/net/python"))

import torch
from lerobot.configs.types import FeatureType
from safetensors.torch import save_file
from sinew_policy_server import load, serve

# LeRobot tells of its weights where reports are read.
reports, sys.stdout = sys.stdout, sys.stderr
root, address, *papers = pathlib.Path(sys.argv[1]), *sys.argv[2:]
torch.set_num_threads(1)
policy, before, after = load(root, "cpu")
policy.eval()
config = policy.config
EPISODES = 2


def evenly(infer):
    """Whoever draws random numbers draws the same for every chunk."""

    def again(*said, **more):
        torch.manual_seed(5)
        return infer(*said, **more)

    return again


policy.predict_action_chunk = evenly(policy.predict_action_chunk)


def queue():
    if hasattr(policy, "_queues"):
        return policy._queues["action"]
    return getattr(policy, "_action_queue", None)


torch.manual_seed(3)
kept, checks = {}, 0
with torch.inference_mode():
    for episode in range(EPISODES):
        policy.reset()
        for frame in range(config.n_obs_steps):
            seen = {}
            for name, feature in config.input_features.items():
                if feature.type is FeatureType.VISUAL:
                    image = torch.randint(0, 256, feature.shape, dtype=torch.uint8)
                    kept[f"{episode}/{frame}/{name}"] = image.permute(1, 2, 0).contiguous()
                    seen[name] = image.float() / 255
                else:
                    seen[name] = torch.randn(feature.shape) * 20
                    kept[f"{episode}/{frame}/{name}"] = seen[name].clone()
            # A chunk of this moment and those before, whatever was still to come.
            if queue() is not None:
                queue().clear()
            rows = [policy.select_action(before(seen))]
        rows += list(queue() or [])
        kept[f"{episode}/rows"] = torch.cat([after(row) for row in rows]).contiguous()
        checks += len(rows)
save_file(kept, root / "asked.safetensors")

asked, over = threading.Event(), threading.Event()
work = {"listen": [address], "over": over, "ready": lambda _session: asked.set()}
work |= {"papers": folder for folder in papers}
served = threading.Thread(target=serve, args=((policy, before, after), "lerobot"), kwargs=work, daemon=True)
served.start()
for line in sys.stdin:
    while served.is_alive() and not asked.wait(0.1):
        pass
    print(json.dumps({"checks": checks, "serves": served.is_alive()}), file=reports, flush=True)
over.set()
served.join()
