"""A checkpoint tried by LeRobot's own `eval_policy`, in our simulation, tick by tick.

usage: lerobot_sim.py PORT CHECKPOINT SEED EPISODES
The last line is JSON: how many episodes, and each one's seed, success and rewards.
"""

import functools
import json
import sys
from pathlib import Path

import gymnasium as gym
import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.processor import PolicyProcessorPipeline
from lerobot.scripts.lerobot_eval import eval_policy

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "robot/sim/gym"))
from sinew_gym import SinewEnv  # noqa: E402


def main(port, checkpoint, seed, episodes):
    torch.set_num_threads(1)
    config = PreTrainedConfig.from_pretrained(checkpoint)
    policy = get_policy_class(config.type).from_pretrained(checkpoint)
    before, after = make_pre_post_processors(policy_cfg=config, pretrained_path=checkpoint)
    nothing = PolicyProcessorPipeline(steps=[])
    env = gym.vector.SyncVectorEnv([functools.partial(SinewEnv, int(port))])
    info = eval_policy(
        env=env,
        policy=policy,
        env_preprocessor=nothing,
        env_postprocessor=nothing,
        preprocessor=before,
        postprocessor=after,
        n_episodes=int(episodes),
        start_seed=int(seed),
    )
    env.close()
    tried = info["per_episode"]
    print(json.dumps({"checks": len(tried), "per_episode": tried, "aggregated": info["aggregated"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
