"""Policies as the real LeRobot runs them (0.6.1; all versions are in made_by.json).

    $SINEW_PEER_PYTHON tests/golden/policies/make.py tests/golden/policies [NAME ...]

Needs diffusers beside LeRobot. Every folder is what `save_pretrained` left, but for
model.safetensors: the weights follow from their names (formula.py), and tensors.json holds names,
shapes and types. Five folders keep LeRobot's own model.safetensors. Beside them:

    inputs.safetensors   stepN/raw/KEY vectors; images follow from KEY:N (formula.py), and those
                         that an arm's policies saw are there as stepN/raw_u8/KEY;
                         stepN/rng/III_FUNCTION what torch drew, in the order of the calls
    outputs.safetensors  stepN/pre/KEY vectors after the preprocessor; stepN/chunk (ACT);
                         stepN/action as select_action gave it, stepN/action_post after the
                         postprocessor; step0/queue_rest the actions still to come;
                         act/MODULE what a module gave when it was first called

The ResNets are torchvision's with all widths scaled down (their width is in tensors.json).
"""

import json
import pathlib
import shutil
import sys

import torch
import torchvision
from safetensors.torch import load_file, save_file
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import formula  # noqa: E402
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature  # noqa: E402
from lerobot.policies.act.configuration_act import ACTConfig  # noqa: E402
from lerobot.policies.act.modeling_act import ACTPolicy  # noqa: E402
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig  # noqa: E402
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy  # noqa: E402
from lerobot.policies.factory import make_pre_post_processors  # noqa: E402
from lerobot.policies.tdmpc.configuration_tdmpc import TDMPCConfig  # noqa: E402
from lerobot.policies.tdmpc.modeling_tdmpc import TDMPCPolicy  # noqa: E402
from lerobot.policies.vqbet.configuration_vqbet import VQBeTConfig  # noqa: E402
from lerobot.policies.vqbet.modeling_vqbet import VQBeTPolicy  # noqa: E402

torch.set_num_threads(1)
OUT = pathlib.Path(sys.argv[1])
WANTED = sys.argv[2:]
STORED = ("act_vae_1cam", "diffusion_ddpm_crop", "diffusion_arm", "vqbet_arm", "tdmpc_arm")
DEPTHS = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
}


def narrow(name, base):
    """torchvision's ResNet, its widths scaled from 64 to `base`."""
    block, counts = DEPTHS[name]

    class Narrow(ResNet):
        def __init__(self, norm, dilate):
            torch.nn.Module.__init__(self)
            self._norm_layer = norm or torch.nn.BatchNorm2d
            self.inplanes, self.dilation, self.groups, self.base_width = base, 1, 1, 64
            self.conv1 = torch.nn.Conv2d(3, base, 7, 2, 3, bias=False)
            self.bn1 = self._norm_layer(base)
            self.relu = torch.nn.ReLU(True)
            self.maxpool = torch.nn.MaxPool2d(3, 2, 1)
            self.layer1 = self._make_layer(block, base, counts[0])
            for stage in (1, 2, 3):
                layer = self._make_layer(
                    block, base << stage, counts[stage], stride=2, dilate=bool(dilate[stage - 1])
                )
                setattr(self, f"layer{stage + 1}", layer)
            self.avgpool = torch.nn.AdaptiveAvgPool2d((1, 1))
            self.fc = torch.nn.Linear((base << 3) * block.expansion, 1000)

    def make(weights=None, norm_layer=None, replace_stride_with_dilation=None, **_):
        return Narrow(norm_layer, replace_stride_with_dilation or [False] * 3)

    return make


def stats(features):
    """Every statistic that a normalizer may ask for."""
    all_stats = {}
    for key, feature in features.items():
        if feature.type == FeatureType.VISUAL:
            mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
            std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
            least, most = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
        else:
            count = feature.shape[0]
            mean = formula.vector(key + ":mean", count) * 2
            std = formula.vector(key + ":std", count).abs() + 0.5
            least, most = mean - 2 * std, mean + 2.5 * std
        some = {"mean": mean, "std": std, "min": least, "max": most}
        some |= {"q01": least.clone(), "q99": most.clone()}
        some |= {"q10": least * 0.75, "q90": most * 0.75}
        all_stats[key] = some
    return all_stats


def observe(features, step):
    observation = {}
    for key, feature in features.items():
        if feature.type == FeatureType.VISUAL:
            image = formula.image(f"{key}:{step}", *feature.shape)
            observation[key] = torch.from_numpy(image).float() / 255
        else:
            observation[key] = formula.vector(f"{key}:{step}", feature.shape[0]) * 1.5
    return observation


class Draws:
    """Every random tensor that torch hands out, in the order of the calls."""

    NAMES = ("randn", "randn_like", "multinomial", "randint")

    def __enter__(self):
        self.drawn = []
        self.own = {name: getattr(torch, name) for name in self.NAMES}

        def watch(name, function):
            def watched(*args, **kwargs):
                result = function(*args, **kwargs)
                self.drawn.append((name, result.detach().clone()))
                return result

            return watched

        for name, function in self.own.items():
            setattr(torch, name, watch(name, function))
        return self

    def __exit__(self, *_):
        for name, function in self.own.items():
            setattr(torch, name, function)


class Ranks:
    """Insists on best values that lie so far apart that no rounding changes their order."""

    APART = 1e-4

    def __enter__(self):
        self.own, self.nearest = torch.topk, float("inf")

        def watched(values, count, **options):
            best = values.flatten().sort(descending=True).values[: count + 1]
            self.nearest = min(self.nearest, (best[:-1] - best[1:]).min().item())
            return self.own(values, count, **options)

        torch.topk = watched
        return self

    def __exit__(self, *_):
        torch.topk = self.own
        assert self.nearest > self.APART, f"values lie only {self.nearest} apart: take another seed"


def watch_modules(policy, names):
    """What the modules give when they are first called."""
    given = {}

    def hook(name):
        def keep(_module, _input, output):
            if isinstance(output, dict):
                output = output["feature_map"]
            if isinstance(output, tuple):
                output = output[0]
            given.setdefault(name, output.detach().clone())

        return keep

    for name, module in policy.named_modules():
        if name in names:
            module.register_forward_hook(hook(name))
    return given


def keep_old_normalization(folder, model, all_stats, config):
    """As checkpoints were before the processors: the statistics among the weights."""
    extra = {}
    for key, some in all_stats.items():
        for part in ("normalize_inputs", "normalize_targets", "unnormalize_outputs"):
            if (part == "normalize_inputs") != (key in config.input_features):
                continue
            buffer = f"{part}.buffer_{key.replace('.', '_')}"
            extra |= {f"{buffer}.{what}": some[what].clone() for what in ("mean", "std")}
    save_file(extra, folder / "normalization.safetensors")
    for file in folder.glob("policy_*"):
        file.unlink()
    return {**model, **extra}


def make(
    name, config, kind, steps, modules=(), base=4, dtype=None, old=False, beside=None, seed=7, renamed=None
):
    if WANTED and name not in WANTED:
        return
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    backbone = getattr(config, "vision_backbone", "resnet18")
    own = getattr(torchvision.models, backbone)
    if base:
        setattr(torchvision.models, backbone, narrow(backbone, base))
    torch.manual_seed(0)
    policy = kind(config).eval()
    setattr(torchvision.models, backbone, own)
    formula.fill(policy)
    if dtype:
        # Stored in half as many bits, run in all of them, as a loader that reads into f32 does.
        for value in policy.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.to(dtype).float())
    features = {**config.input_features, **config.output_features}
    before, after = make_pre_post_processors(config, dataset_stats=stats(features))
    if renamed:
        before.steps[0].rename_map = renamed
    policy.save_pretrained(folder)
    before.save_pretrained(folder)
    after.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    given = watch_modules(policy, modules)
    inputs, outputs = {}, {}
    torch.manual_seed(seed)
    with torch.inference_mode(), Draws() as draws, Ranks():
        policy.reset()
        for step in range(steps):
            raw = observe({**config.input_features, **(beside or {})}, step)
            inputs |= {f"step{step}/raw/{key}": value for key, value in raw.items() if value.ndim == 1}
            if name.endswith("_arm"):
                called = {after: before for before, after in (renamed or {}).items()}
                seen = {called.get(key, key): value for key, value in raw.items() if value.ndim == 3}
                seen = {key: (value * 255).round().to(torch.uint8) for key, value in seen.items()}
                inputs |= {f"step{step}/raw_u8/{key}": value for key, value in seen.items()}
            batch = before(dict(raw))
            vectors = {key: value for key, value in batch.items() if key.startswith("observation")}
            outputs |= {
                f"step{step}/pre/{key}": value.clone() for key, value in vectors.items() if value.ndim == 2
            }
            already = len(draws.drawn)
            if kind is ACTPolicy:
                outputs[f"step{step}/chunk"] = policy.predict_action_chunk(batch).clone()
            action = policy.select_action(dict(batch))
            outputs[f"step{step}/action"] = action.clone()
            outputs[f"step{step}/action_post"] = after(action.clone()).clone()
            for at, (function, drawn) in enumerate(draws.drawn[already:]):
                inputs[f"step{step}/rng/{at:03d}_{function}"] = drawn
            if kind is not ACTPolicy and step == 0 and policy._queues["action"]:
                outputs["step0/queue_rest"] = torch.stack(list(policy._queues["action"]))
    outputs |= {f"act/{key}": value for key, value in given.items()}
    save_file({key: value.contiguous() for key, value in inputs.items()}, folder / "inputs.safetensors")
    save_file({key: value.contiguous() for key, value in outputs.items()}, folder / "outputs.safetensors")
    model = load_file(folder / "model.safetensors")
    if old:
        model = keep_old_normalization(folder, model, stats(features), config)
    short = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
    short |= {torch.int64: "I64", torch.bool: "BOOL", torch.int32: "I32"}
    tensors = {}
    for key, value in sorted(model.items()):
        stored = dtype if dtype and value.is_floating_point() else value.dtype
        tensors[key] = [short[stored], list(value.shape)]
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in tensors.items())
    (folder / "tensors.json").write_text("{\n" + lines + "\n}\n")
    if name not in STORED:
        (folder / "model.safetensors").unlink()
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name:36} {size / 1e3:8.1f} kB", flush=True)


def images(height=64, width=64):
    return PolicyFeature(type=FeatureType.VISUAL, shape=(3, height, width))


def state(count):
    return PolicyFeature(type=FeatureType.STATE, shape=(count,))


def env(count):
    return PolicyFeature(type=FeatureType.ENV, shape=(count,))


def action(count):
    return {"action": PolicyFeature(type=FeatureType.ACTION, shape=(count,))}


ARM, WORLD = {"observation.state": state(6)}, {"observation.environment_state": env(5)}
TOP = {"observation.images.top": images()}
WRIST = {"observation.images.wrist": images()}
# What a simulated arm sees, and what is in the datasets beside.
LOW = images(48, 48)
DRIVEN = ARM | {"observation.images.top": LOW}
HERE = {"pretrained_backbone_weights": None, "device": "cpu"}
ACT = HERE | {
    "dim_model": 64,
    "n_heads": 4,
    "dim_feedforward": 96,
    "n_encoder_layers": 2,
    "n_vae_encoder_layers": 1,
    "latent_dim": 8,
    "chunk_size": 10,
    "n_action_steps": 10,
    "use_vae": False,
}
ACT_MODULES = (
    "model.backbone",
    "model.encoder",
    "model.decoder",
    "model.encoder_img_feat_input_proj",
    "model.encoder_cam_feat_pos_embed",
)


def act(name, inputs, steps=1, base=4, dtype=None, old=False, beside=None, **fields):
    config = ACTConfig(input_features=inputs, output_features=action(6), **(ACT | fields))
    make(name, config, ACTPolicy, steps, ACT_MODULES, base, dtype, old, beside)


SMALL = {"dim_model": 32, "n_encoder_layers": 1}
BY = {"VISUAL": "MEAN_STD", "STATE": "MEAN_STD", "ACTION": "MEAN_STD"}
act("act_vae_1cam", ARM | TOP, steps=2, use_vae=True)
act("act_novae_2cam", ARM | TOP | WRIST, steps=2)
act("act_envstate_only", ARM | WORLD, dim_model=32, use_vae=True)
act("act_envstate_img_prenorm_gelu", ARM | TOP | WORLD, pre_norm=True, feedforward_activation="gelu", n_decoder_layers=2)
act("act_ensemble", ARM | TOP, steps=9, temporal_ensemble_coeff=0.01, n_action_steps=1, chunk_size=6, dim_model=32)
act("act_queue", ARM | TOP, steps=5, n_action_steps=2, chunk_size=6, dim_model=32)
act("act_no_state", WORLD | TOP, beside=ARM, **SMALL)
act("act_uneven_images", ARM | {"observation.images.top": images(72, 100)}, **SMALL)
act("act_resnet34", ARM | TOP, vision_backbone="resnet34", **SMALL)
act("act_resnet50", ARM | TOP, vision_backbone="resnet50", **SMALL)
act("act_resnet50_dilated", ARM | TOP, vision_backbone="resnet50", replace_final_stride_with_dilation=True, **SMALL)
act("act_old_normalization", ARM | TOP, old=True, **SMALL)
act("act_quantiles", ARM | TOP, normalization_mapping=BY | {"VISUAL": "IDENTITY", "STATE": "QUANTILES", "ACTION": "QUANTILES"}, **SMALL)
act("act_quantile10", ARM | TOP, normalization_mapping=BY | {"STATE": "QUANTILE10", "ACTION": "QUANTILE10"}, **SMALL)
act("act_min_max", ARM | TOP, normalization_mapping=BY | {"VISUAL": "MIN_MAX", "STATE": "MIN_MAX", "ACTION": "IDENTITY"}, **SMALL)
act("act_bf16", ARM | TOP, dtype=torch.bfloat16, **SMALL)
act("act_f16", ARM | TOP, dtype=torch.float16, **SMALL)

DIFFUSION = HERE | {
    "horizon": 16,
    "n_action_steps": 8,
    "down_dims": (16, 32),
    "diffusion_step_embed_dim": 16,
    "spatial_softmax_num_keypoints": 8,
    "num_inference_steps": 10,
}
DIFFUSION_MODULES = (
    "diffusion.rgb_encoder",
    "diffusion.rgb_encoder.0",
    "diffusion.rgb_encoder.1",
    "diffusion.unet",
    "diffusion.unet.diffusion_step_encoder",
    "diffusion.unet.down_modules.0.0",
)
HAND, SEEN = {"observation.state": state(2)}, {"observation.image": images()}
BOTH = {"observation.images.a": images(), "observation.images.b": images()}


def diffusion(name, inputs, steps=1, base=4, joints=2, **fields):
    config = DiffusionConfig(input_features=inputs, output_features=action(joints), **(DIFFUSION | fields))
    make(name, config, DiffusionPolicy, steps, DIFFUSION_MODULES, base)


diffusion("diffusion_ddpm_crop", HAND | SEEN, steps=9, crop_shape=(56, 52))
diffusion("diffusion_ddim_2cam_shared", HAND | BOTH, use_separate_rgb_encoder_per_camera=False, noise_scheduler_type="DDIM")
diffusion("diffusion_envstate", HAND | WORLD)
diffusion("diffusion_ddpm100_2cam_separate", HAND | BOTH | WORLD, num_inference_steps=None)
diffusion("diffusion_sample_linear_resize", HAND | SEEN, prediction_type="sample", use_film_scale_modulation=False, resize_shape=(48, 48), crop_ratio=0.9, beta_schedule="linear", clip_sample=False)
diffusion("diffusion_ddim_sample", HAND | SEEN, prediction_type="sample", noise_scheduler_type="DDIM", crop_shape=(51, 57))
diffusion("diffusion_ddim_linear_unclipped", HAND | SEEN, noise_scheduler_type="DDIM", beta_schedule="linear", clip_sample=False, resize_shape=(40, 72))
diffusion("diffusion_ddpm_scaled_linear", HAND | SEEN, beta_schedule="scaled_linear", beta_start=0.001, beta_end=0.05, num_train_timesteps=50, num_inference_steps=7, resize_shape=(80, 96))
diffusion("diffusion_narrow_clip", HAND | SEEN, clip_sample_range=0.3, crop_shape=(60, 60))
diffusion("diffusion_one_observation", HAND | SEEN, steps=2, n_obs_steps=1, noise_scheduler_type="DDIM")
diffusion("diffusion_three_observations", HAND | SEEN, steps=7, n_obs_steps=3, horizon=32, n_action_steps=5, down_dims=(16, 32, 48), noise_scheduler_type="DDIM", num_inference_steps=4)
diffusion("diffusion_one_level", HAND | SEEN, down_dims=(24,), kernel_size=3, n_groups=4, horizon=10, n_action_steps=4, noise_scheduler_type="DDIM")
diffusion("diffusion_group_norm", HAND | SEEN, base=16, use_group_norm=True, noise_scheduler_type="DDIM", num_inference_steps=4)
diffusion("diffusion_resnet34", HAND | SEEN, vision_backbone="resnet34", noise_scheduler_type="DDIM", num_inference_steps=2)
diffusion("diffusion_resnet50", HAND | SEEN, vision_backbone="resnet50", noise_scheduler_type="DDIM", num_inference_steps=2)
diffusion("diffusion_mean_std", HAND | SEEN, normalization_mapping=BY | {"VISUAL": "IDENTITY"}, noise_scheduler_type="DDIM", num_inference_steps=2)
diffusion("diffusion_arm", DRIVEN, steps=9, joints=6, crop_shape=(40, 44), noise_scheduler_type="DDIM", num_inference_steps=4)

VQBET = HERE | {
    "spatial_softmax_num_keypoints": 8,
    "n_obs_steps": 3,
    "gpt_block_size": 40,
    "gpt_input_dim": 32,
    "gpt_output_dim": 32,
    "gpt_hidden_dim": 32,
    "gpt_n_layer": 2,
    "gpt_n_head": 4,
    "vqvae_embedding_dim": 32,
    "vqvae_enc_hidden_dim": 32,
}


def vqbet(name, steps, base=4, inputs=HAND | SEEN, joints=2, **fields):
    config = VQBeTConfig(input_features=inputs, output_features=action(joints), **(VQBET | fields))
    make(name, config, VQBeTPolicy, steps, ("vqbet.rgb_encoder", "vqbet.policy", "vqbet.state_projector"), base)


vqbet("vqbet_tiny", 2, crop_shape=(56, 56))
vqbet("vqbet_sequential", 1, crop_shape=None, sequentially_select=True)
OTHER = {
    "n_obs_steps": 2,
    "n_action_pred_token": 2,
    "action_chunk_size": 4,
    "vqvae_n_embed": 8,
    "vqvae_embedding_dim": 24,
    "vqvae_enc_hidden_dim": 40,
    "gpt_block_size": 30,
    "gpt_input_dim": 48,
    "gpt_output_dim": 56,
    "gpt_hidden_dim": 48,
    "gpt_n_layer": 1,
    "gpt_n_head": 2,
    "bet_softmax_temperature": 0.7,
    "spatial_softmax_num_keypoints": 6,
    "normalization_mapping": BY,
}
vqbet("vqbet_other_sizes", 2, crop_shape=(56, 60), **OTHER)
vqbet("vqbet_group_norm", 1, base=16, crop_shape=None, use_group_norm=True)
vqbet("vqbet_resnet34", 1, crop_shape=None, vision_backbone="resnet34")
vqbet("vqbet_arm", 6, inputs=DRIVEN, joints=6, crop_shape=(40, 44))

TDMPC = {
    "device": "cpu",
    "n_action_repeats": 1,
    "horizon": 3,
    "image_encoder_hidden_dim": 8,
    "state_encoder_hidden_dim": 24,
    "latent_dim": 12,
    "mlp_dim": 32,
    "cem_iterations": 3,
    "n_gaussian_samples": 24,
    "n_pi_samples": 6,
    "n_elites": 5,
}


def tdmpc(name, inputs, steps, seed=7, joints=2, renamed=None, **fields):
    config = TDMPCConfig(input_features=inputs, output_features=action(joints), **(TDMPC | fields))
    make(name, config, TDMPCPolicy, steps, ("model._encoder",), seed=seed, renamed=renamed)


tdmpc("tdmpc_image", HAND | SEEN, 3)
tdmpc("tdmpc_world", HAND | WORLD, 2, uncertainty_regularizer_coeff=0.0, q_ensemble_size=2, min_std=0.1, max_std=1.0, n_gaussian_samples=11, n_pi_samples=15)
tdmpc("tdmpc_own_action", HAND | WORLD, 3, use_mpc=False, n_action_repeats=2)
tdmpc("tdmpc_all_inputs", HAND | SEEN | WORLD, 4, n_action_steps=2, n_pi_samples=0, horizon=4, cem_iterations=2)
SCALED = BY | {"ACTION": "MIN_MAX", "ENV": "MEAN_STD"}
OTHER = {
    "n_action_repeats": 2,
    "horizon": 2,
    "image_encoder_hidden_dim": 5,
    "state_encoder_hidden_dim": 17,
    "latent_dim": 21,
    "q_ensemble_size": 3,
    "mlp_dim": 40,
    "discount": 0.7,
    "min_std": 0.0,
    "n_gaussian_samples": 37,
    "n_pi_samples": 1,
    "uncertainty_regularizer_coeff": 0.3,
    "n_elites": 7,
    "elite_weighting_temperature": 2.0,
    "gaussian_mean_momentum": 0.4,
    "normalization_mapping": {key: NormalizationMode(mode) for key, mode in SCALED.items()},
}
tdmpc("tdmpc_other_sizes", HAND | {"observation.image": images(90, 90)} | WORLD, 5, **OTHER)
# LeRobot's TD-MPC acts on one picture, which must be called observation.image.
RENAMED = {"observation.images.top": "observation.image"}
tdmpc("tdmpc_arm", ARM | {"observation.image": LOW}, 5, joints=6, renamed=RENAMED, horizon=6, n_action_steps=4)

if not WANTED or "act_full_size" in WANTED:
    config = ACTConfig(input_features=ARM | {"observation.images.top": images(480, 640)}, output_features=action(6), **HERE)
    make("act_full_size", config, ACTPolicy, 1, base=None)
if not WANTED or "diffusion_full_size" in WANTED:
    fields = {"horizon": 16, "n_action_steps": 8, "crop_shape": (84, 84), "use_group_norm": True}
    fields |= {"num_inference_steps": 10, "noise_scheduler_type": "DDIM"}
    seen = {"observation.image": images(96, 96)}
    config = DiffusionConfig(input_features=HAND | seen, output_features=action(2), **fields, **HERE)
    make("diffusion_full_size", config, DiffusionPolicy, 1, ("diffusion.rgb_encoder.0", "diffusion.unet"), base=None)

import diffusers  # noqa: E402
import lerobot  # noqa: E402

versions = {"lerobot": lerobot.__version__, "torch": torch.__version__.split("+")[0]}
versions |= {"torchvision": torchvision.__version__.split("+")[0], "diffusers": diffusers.__version__}
(OUT / "made_by.json").write_text(json.dumps(versions) + "\n")
