"""LeRobot's policies for policies.rs: writes a checkpoint of one at LeRobot's defaults, then does what
a line on stdin says and prints its wall and CPU milliseconds, and for `chunk` the action.

usage: policies.py FOLDER act1|act2|diffusion16|diffusion64|tdmpc THREADS
"""

import resource
import sys
import time

START = time.perf_counter()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lerobot.common.control_utils import predict_action  # noqa: E402
from lerobot.configs.types import FeatureType, PolicyFeature  # noqa: E402
from lerobot.policies.act.configuration_act import ACTConfig  # noqa: E402
from lerobot.policies.act.modeling_act import ACTPolicy, ACTTemporalEnsembler  # noqa: E402
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig  # noqa: E402
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy  # noqa: E402
from lerobot.policies.factory import make_pre_post_processors  # noqa: E402
from lerobot.policies.tdmpc.configuration_tdmpc import TDMPCConfig  # noqa: E402
from lerobot.policies.tdmpc.modeling_tdmpc import TDMPCPolicy  # noqa: E402
from lerobot.policies.utils import prepare_observation_for_inference  # noqa: E402

IMPORTED = time.perf_counter() - START


def features(state, cameras, image):
    seen = {"observation.state": PolicyFeature(FeatureType.STATE, (state,))}
    return seen | {camera: PolicyFeature(FeatureType.VISUAL, image) for camera in cameras}


def config(case):
    if case.startswith("act"):
        cameras = [f"observation.images.{name}" for name in ("top", "wrist")[: int(case[3:])]]
        return ACTPolicy, ACTConfig(
            device="cpu",
            pretrained_backbone_weights=None,
            input_features=features(6, cameras, (3, 480, 640)),
            output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
        )
    if case == "tdmpc":
        return TDMPCPolicy, TDMPCConfig(
            device="cpu",
            input_features=features(6, ["observation.image"], (3, 84, 84)),
            output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
        )
    horizon = int(case[len("diffusion") :])
    return DiffusionPolicy, DiffusionConfig(
        device="cpu",
        horizon=horizon,
        n_action_steps=horizon // 2,
        pretrained_backbone_weights=None,
        noise_scheduler_type="DDIM",
        num_inference_steps=10,
        input_features=features(2, ["observation.image"], (3, 96, 96)),
        output_features={"action": PolicyFeature(FeatureType.ACTION, (2,))},
    )


def statistics(all_features):
    stats = {}
    for key, feature in all_features.items():
        shape = (3, 1, 1) if feature.type == FeatureType.VISUAL else feature.shape
        mean, spread = (0.45, 0.22) if feature.type == FeatureType.VISUAL else (10.0, 40.0)
        stats[key] = {
            "mean": torch.full(shape, mean),
            "std": torch.full(shape, spread),
            "min": torch.full(shape, mean - 2 * spread),
            "max": torch.full(shape, mean + 2 * spread),
        }
    return stats


def write(folder, case):
    torch.manual_seed(0)
    kind, made = config(case)
    policy = kind(made).eval()
    for name, buffer in policy.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape) * 0.1)
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape) + 0.5)
    for parameter in policy.parameters():
        # Rewards of nothing but zeros would leave a plan nothing to look for.
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.xavier_normal_(parameter)
    policy.save_pretrained(folder)
    stats = statistics(made.input_features | made.output_features)
    for steps in make_pre_post_processors(made, dataset_stats=stats):
        steps.save_pretrained(folder)


def observation(made):
    seen = {}
    for key, feature in made.input_features.items():
        if feature.type == FeatureType.VISUAL:
            channels, high, wide = feature.shape
            at = np.arange(high * wide * channels)
            seen[key] = ((at * 7 + at // (wide * 3) * 5) % 256).astype(np.uint8)
            seen[key] = seen[key].reshape(high, wide, channels)
        else:
            seen[key] = np.linspace(-20, 30, feature.shape[0], dtype=np.float32)
    return seen


class Act(torch.nn.Module):
    def __init__(self, policy):
        super().__init__()
        self.model = policy.model

    def forward(self, state, *images):
        return self.model({"observation.images": list(images), "observation.state": state})[0]


class Step(torch.nn.Module):
    def __init__(self, policy):
        super().__init__()
        self.unet = policy.diffusion.unet

    def forward(self, sample, step, condition):
        return self.unet(sample, step, global_cond=condition)


def openvino(policy, case, threads, precision):
    """The networks alone, without what is before, between and behind them. None of a planner's: they run
    too often for what is between to be left out."""
    if case == "tdmpc":
        raise ImportError
    import openvino as ov

    def compiled(net, inputs):
        model = ov.convert_model(net.eval(), example_input=inputs)
        asked = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        if precision:
            asked["INFERENCE_PRECISION_HINT"] = precision
        made = ov.Core().compile_model(model, "CPU", asked)
        request = made.create_infer_request()
        arrays = [tensor.numpy() for tensor in inputs]
        chosen = made.get_property("INFERENCE_PRECISION_HINT").to_string()
        return chosen, lambda: request.infer(arrays)

    if case.startswith("act"):
        images = (torch.rand(1, 3, 480, 640) for _ in range(int(case[3:])))
        return compiled(Act(policy), (torch.randn(1, 6), *images))
    diffusion, made = policy.diffusion, policy.config
    images = torch.rand(made.n_obs_steps, *made.image_features["observation.image"].shape)
    length = diffusion.unet.down_modules[0][0].cond_encoder[1].in_features
    condition = torch.randn(1, length - made.diffusion_step_embed_dim)
    sample = torch.randn(1, made.horizon, 2)
    chosen, encode = compiled(diffusion.rgb_encoder[0], (images,))
    _, step = compiled(Step(policy), (sample, torch.tensor([37]), condition))

    def chunk():
        encode()
        for _ in range(made.num_inference_steps):
            step()

    return chosen, chunk


class Lerobot:
    def __init__(self, folder, case):
        self.folder, self.case = folder, case

    def load(self):
        kind, _ = config(self.case)
        self.policy = kind.from_pretrained(self.folder).eval()
        self.before, self.behind = make_pre_post_processors(self.policy.config, self.folder)
        self.seen = observation(self.policy.config)

    def chunk(self):
        self.policy.reset()
        return self.pop()

    def pop(self):
        device = torch.device("cpu")
        seen = dict(self.seen)
        return predict_action(seen, self.policy, device, self.before, self.behind, False)

    def bare_pop(self):
        if not hasattr(self, "processed"):
            ready = prepare_observation_for_inference(dict(self.seen), torch.device("cpu"))
            self.processed = self.before(ready)
        with torch.inference_mode():
            self.policy.select_action(self.processed)

    def encode(self):
        made = self.policy.config
        images = torch.rand(1, made.n_obs_steps, 1, *made.image_features["observation.image"].shape)
        state = torch.rand(1, made.n_obs_steps, 2)
        batch = {"observation.images": images, "observation.state": state}
        with torch.inference_mode():
            self.policy.diffusion._prepare_global_conditioning(batch)

    def ensemble(self):
        if not hasattr(self, "ensembler"):
            self.ensembler, self.last = ACTTemporalEnsembler(0.01, 100), torch.rand(1, 100, 6)
        with torch.inference_mode():
            self.ensembler.update(self.last)


def say(*words):
    print(*words, file=sys.__stdout__, flush=True)


RUNS = ("load", "chunk", "pop", "bare_pop", "encode", "ensemble")


def main():
    # Loading prints; only what is asked for goes to the bench.
    sys.stdout = sys.stderr
    folder, case, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    write(folder, case)
    peer = Lerobot(folder, case)
    runs = {name: getattr(peer, name) for name in RUNS}
    say(";".join(["ready", f"torch {torch.__version__}", f"{IMPORTED * 1e3:.0f}"]))
    for line in sys.stdin:
        name = line.strip()
        if name == "peak":
            say(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0.0)
            continue
        if name.startswith("openvino") and name not in runs:
            try:
                made = openvino(peer.policy, case, threads, name.partition(" ")[2])
            except ImportError:
                say("none")
                continue
            print(f"# {name} computes in {made[0]}", file=sys.stderr)
            runs[name] = made[1]
        wall, cpu = time.perf_counter(), time.process_time()
        answer = runs[name]()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        action = answer.flatten().tolist() if name == "chunk" else []
        say(wall * 1e3, cpu * 1e3, *action)


main()
