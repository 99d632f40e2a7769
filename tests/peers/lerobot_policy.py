"""LeRobot's own policies: makes a checkpoint, and answers random observations from a folder.

    lerobot_policy.py make ROOT KIND     a policy with random weights and statistics, saved
    lerobot_policy.py answer ROOT        loads the folder as it is, shows it random observations, and
                                         writes inputs.safetensors and outputs.safetensors into it
"""

import json
import pathlib
import sys
from importlib.util import find_spec

import torch
from lerobot.configs import PreTrainedConfig
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.tdmpc.configuration_tdmpc import TDMPCConfig
from lerobot.policies.vqbet.configuration_vqbet import VQBeTConfig
from safetensors.torch import save_file

STEPS = 7
# Where torch's random numbers come from.
DRAWS = ("randn", "randn_like", "multinomial", "randint")
JOINTS = 5
torch.set_num_threads(1)


def features(cameras, joints):
    inputs = {"observation.state": PolicyFeature(FeatureType.STATE, (joints,))}
    for name in cameras:
        inputs[f"observation.images.{name}"] = PolicyFeature(FeatureType.VISUAL, (3, 64, 96))
    return inputs, {"action": PolicyFeature(FeatureType.ACTION, (joints,))}


def config(kind):
    arm = kind == "act_so101"
    inputs, outputs = features(["top"] if arm or "ensemble" in kind else ["wrist", "top"], 6 if arm else JOINTS)
    common = {
        "input_features": inputs,
        "output_features": outputs,
        "pretrained_backbone_weights": None,
        "device": "cpu",
        "push_to_hub": False,
    }
    act = {**common, "dim_model": 64, "dim_feedforward": 128, "chunk_size": 8, "latent_dim": 16}
    diffusion = {**common, "horizon": 8, "n_action_steps": 4, "down_dims": (32, 64), "num_inference_steps": 5}
    eye, world = PolicyFeature(FeatureType.VISUAL, (3, 64, 64)), PolicyFeature(FeatureType.ENV, (4,))
    seen = {"observation.state": inputs["observation.state"], "observation.image": eye}
    planned = {**common, "input_features": seen, "mlp_dim": 64, "n_gaussian_samples": 40, "n_pi_samples": 8}
    planned |= {"n_elites": 6, "cem_iterations": 3}
    planned.pop("pretrained_backbone_weights")
    looked_up = {**common, "input_features": seen, "crop_shape": (56, 56), "n_obs_steps": 3, "action_chunk_size": 4}
    looked_up |= {f"gpt_{side}_dim": 64 for side in ("input", "output", "hidden")}
    looked_up |= {"gpt_block_size": 40, "gpt_n_layer": 2, "gpt_n_head": 4, "vqvae_embedding_dim": 32}
    told = {**planned, "input_features": seen | {"observation.environment_state": world}}
    quantiles = {"VISUAL": "MEAN_STD", "STATE": "QUANTILES", "ACTION": "QUANTILE10"}
    quantiles = {name: NormalizationMode(mode) for name, mode in quantiles.items()}
    kinds = {
        "act": lambda: ACTConfig(**act, n_action_steps=3),
        "act_so101": lambda: ACTConfig(**act, n_action_steps=8),
        "act_ensemble": lambda: ACTConfig(**act, n_action_steps=1, temporal_ensemble_coeff=0.05),
        "act_quantiles": lambda: ACTConfig(**act, n_action_steps=3, normalization_mapping=quantiles),
        "diffusion_ddpm": lambda: DiffusionConfig(**diffusion, crop_shape=(56, 80)),
        "diffusion_ddim": lambda: DiffusionConfig(
            **diffusion, noise_scheduler_type="DDIM", use_group_norm=True, use_separate_rgb_encoder_per_camera=False
        ),
        "vqbet": lambda: VQBeTConfig(**looked_up),
        "tdmpc": lambda: TDMPCConfig(**planned),
        "tdmpc_steps": lambda: TDMPCConfig(**told, n_action_repeats=1, n_action_steps=3),
    }
    return kinds[kind]()


def statistics(found):
    stats = {}
    for name, feature in found.items():
        if feature.type is FeatureType.VISUAL:
            stats[name] = {"mean": torch.rand(3, 1, 1), "std": torch.rand(3, 1, 1) + 0.1}
            continue
        least = torch.randn(feature.shape) * 30
        most = least + torch.rand(feature.shape) * 60 + 1
        shares = {"min": 0, "q01": 0.01, "q10": 0.1, "q90": 0.9, "q99": 0.99, "max": 1}
        stats[name] = {stat: least + (most - least) * share for stat, share in shares.items()}
        stats[name] |= {"mean": (least + most) / 2, "std": (most - least) / 4}
    return stats


def make(root, kind):
    torch.manual_seed(len(kind))
    made = config(kind)
    policy = get_policy_class(made.type)(made).eval()
    for name, tensor in policy.state_dict().items():
        # Statistics as after training: those of a fresh backbone are zeros and ones.
        if name.endswith("running_mean"):
            tensor.copy_(torch.randn(tensor.shape) * 0.1)
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
        # Rewards and values of nothing but zeros would leave a plan nothing to look for.
        if name.endswith("weight") and tensor.dim() > 1 and not tensor.any():
            tensor.copy_(torch.randn(tensor.shape) * 0.3)
    stats = statistics({**made.input_features, **made.output_features})
    steps = make_pre_post_processors(made, dataset_stats=stats)
    for part in (policy, *steps):
        part.save_pretrained(root)
    return {"checks": 1, "parameters": sum(parameter.numel() for parameter in policy.parameters())}


def answer(root):
    torch.manual_seed(11)
    loaded = PreTrainedConfig.from_pretrained(root)
    policy = get_policy_class(loaded.type).from_pretrained(root, config=loaded).eval()
    before, after = make_pre_post_processors(loaded, pretrained_path=str(root))
    drawn = []
    own = {name: getattr(torch, name) for name in DRAWS}

    def recording(name):
        def recorded(*arguments, **options):
            drawn.append((name, own[name](*arguments, **options)))
            return drawn[-1][1].clone()

        return recorded

    inputs, outputs = {}, {}
    with torch.inference_mode():
        policy.reset()
        for step in range(STEPS):
            seen = {}
            for name, feature in loaded.input_features.items():
                if feature.type is FeatureType.VISUAL:
                    image = torch.randint(0, 256, feature.shape, dtype=torch.uint8)
                    inputs[f"step{step}/raw_u8/{name}"] = image
                    seen[name] = image.float() / 255
                else:
                    seen[name] = torch.randn(feature.shape) * 20
                    inputs[f"step{step}/raw/{name}"] = seen[name].clone()
            batch = before(seen)
            drawn = []
            for name in DRAWS:
                setattr(torch, name, recording(name))
            action = policy.select_action(dict(batch))
            for name in DRAWS:
                setattr(torch, name, own[name])
            for nth, (name, tensor) in enumerate(drawn):
                inputs[f"step{step}/rng/{nth:03}_{name}"] = tensor
            for name, tensor in batch.items():
                if name.startswith("observation.") and isinstance(tensor, torch.Tensor) and tensor.ndim == 2:
                    outputs[f"step{step}/pre/{name}"] = tensor.clone()
            outputs[f"step{step}/action"] = action.clone()
            outputs[f"step{step}/action_post"] = after(action).clone()
    save_file(inputs, root / "inputs.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in outputs.items()}, root / "outputs.safetensors")
    return {"checks": len(outputs), "steps": STEPS}


verb, root = sys.argv[1], pathlib.Path(sys.argv[2])
if verb == "make" and sys.argv[3].startswith("diffusion") and find_spec("diffusers") is None:
    print(json.dumps({"checks": 1, "skipped": "diffusers is not installed"}))
else:
    print(json.dumps(make(root, sys.argv[3]) if verb == "make" else answer(root)))
