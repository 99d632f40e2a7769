"""Trains a small ACT with LeRobot's own classes on what `sinew sim record` wrote, on one processor.

    sinew sim record --env so101_lift --episodes 100 --root target/lift
    python train.py target/lift target/act_lift [STEPS]

Dataset, policy, loss, optimizer, processors and the checkpoint's files are LeRobot's; only the frames are
kept in memory, because its loader takes three times as long as the training of so small a network.
"""

import sys
import time

import torch
from lerobot.configs.types import FeatureType
from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors
from lerobot.utils.feature_utils import dataset_to_policy_features

CHUNK, DIM, BATCH, RATE = 30, 128, 64, 1e-3


def main(root, out, steps=6000):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    about = LeRobotDatasetMetadata("local/lift", root=root)
    features = dataset_to_policy_features(about.features)
    outputs = {name: of for name, of in features.items() if of.type is FeatureType.ACTION}
    config = ACTConfig(
        input_features={name: of for name, of in features.items() if name not in outputs},
        output_features=outputs,
        device="cpu",
        push_to_hub=False,
        chunk_size=CHUNK,
        n_action_steps=CHUNK // 2,
        dim_model=DIM,
        n_heads=4,
        dim_feedforward=4 * DIM,
        n_encoder_layers=2,
        n_decoder_layers=1,
        use_vae=False,
        dropout=0.0,
        optimizer_lr=RATE,
    )
    policy = ACTPolicy(config).train()
    before, after = make_pre_post_processors(config, dataset_stats=about.stats)
    deltas = {"action": [number / about.fps for number in config.action_delta_indices]}
    dataset = LeRobotDataset("local/lift", root=root, delta_timestamps=deltas)
    kept = [*config.input_features, "action", "action_is_pad"]
    began = time.time()
    rows = [dataset[number] for number in range(len(dataset))]
    frames = {name: torch.stack([row[name] for row in rows]) for name in kept}
    print(f"{len(rows)} frames in {time.time() - began:.0f} s", flush=True)
    optimizer = config.get_optimizer_preset().build(policy.get_optim_params())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=[group["lr"] for group in optimizer.param_groups], total_steps=steps
    )
    began = time.time()
    for step in range(1, steps + 1):
        chosen = torch.randint(len(rows), (BATCH,))
        loss, _ = policy.forward(before({name: of[chosen] for name, of in frames.items()}))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 500 == 0:
            print(f"step {step}: loss {loss.item():.4f}, {time.time() - began:.0f} s", flush=True)
    for part in (policy, before, after):
        part.save_pretrained(out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
