"""LeRobot's networks for networks.rs: writes a checkpoint of each into a folder, then runs the one
that a line on stdin names and prints wall and CPU milliseconds; of several robots' inputs together,
each robot's share of them.

usage: networks.py FOLDER act|act2|unet16 ... THREADS
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionConditionalUnet1d
from safetensors.torch import save_file

# How many robots' inputs are also run together.
TOGETHER = (4, 8)
IMAGES = ("observation.images.top", "observation.images.wrist")


def features(state, image, cameras=1):
    seen = {"observation.state": PolicyFeature(FeatureType.STATE, (state,))}
    return seen | {name: PolicyFeature(FeatureType.VISUAL, image) for name in IMAGES[:cameras]}


def act(place, cameras):
    torch.manual_seed(0)
    policy = ACTPolicy(
        ACTConfig(
            device="cpu",
            pretrained_backbone_weights=None,
            input_features=features(6, (3, 480, 640), cameras),
            output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
        )
    ).eval()
    for name, buffer in policy.model.backbone.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape) * 0.1)
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape) + 0.5)
        if name.endswith("weight"):
            buffer.copy_(torch.rand(buffer.shape) * 0.5 + 0.5)
    policy.save_pretrained(place)
    images = {name: torch.randn(1, 3, 480, 640) for name in IMAGES[:cameras]}

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = policy.model

        def forward(self, state, *images):
            return self.model({"observation.images": list(images), "observation.state": state})[0]

    return Net().eval(), {"observation.state": torch.randn(1, 6)} | images


def unet(horizon):
    torch.manual_seed(0)
    config = DiffusionConfig(
        device="cpu",
        horizon=horizon,
        input_features=features(2, (3, 96, 96)),
        output_features={"action": PolicyFeature(FeatureType.ACTION, (2,))},
    )
    model = DiffusionConditionalUnet1d(config, global_cond_dim=132).eval()
    step = torch.tensor([37])

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.unet = model

        def forward(self, sample, condition):
            return self.unet(sample, step.expand(len(sample)), global_cond=condition)

    return Net().eval(), {"sample": torch.randn(1, horizon, 2), "condition": torch.randn(1, 132)}


def channels_last(tensor):
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def openvino(net, inputs, threads, precision):
    import openvino as ov

    model = ov.convert_model(net, example_input=inputs)
    config = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    if precision:
        config["INFERENCE_PRECISION_HINT"] = precision
    compiled = ov.Core().compile_model(model, "CPU", config)
    request = compiled.create_infer_request()
    arrays = [tensor.numpy() for tensor in inputs]
    chosen = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    return chosen, lambda: request.infer(arrays)[0]


def main():
    folder, threads = Path(sys.argv[1]), int(sys.argv[-1])
    torch.set_num_threads(threads)
    runs, answers = {}, {}
    make = {
        "act": lambda place: act(place, 1),
        "act2": lambda place: act(place, 2),
        "unet16": lambda place: unet(16),
    }
    for name in sys.argv[2:-1]:
        place = folder / name
        net, inputs = make[name](place)
        place.mkdir(exist_ok=True)
        if name == "unet16":
            save_file(net.state_dict(), place / "model.safetensors")
        for key, tensor in inputs.items():
            channels_last(tensor).contiguous().numpy().tofile(place / f"{key}.f32")
        values = tuple(inputs.values())
        with torch.inference_mode():
            answers[name] = net(*values).numpy().copy()
        answers[name].tofile(place / "answer.f32")
        runs[f"{name} torch"] = lambda net=net, values=values: net(*values)
        for count in TOGETHER:
            many = tuple(value.repeat(count, *[1] * (value.dim() - 1)) for value in values)
            runs[f"{name} torch, {count} together"] = lambda net=net, many=many: net(*many)
        try:
            _, runs[f"{name} openvino f32"] = openvino(net, values, threads, "f32")
            chosen, run = openvino(net, values, threads, None)
            # Where the processor computes no bf16, OpenVINO's default is f32, and no second peer.
            if chosen != "f32":
                off = np.abs(run() - answers[name]).max()
                runs[f"{name} openvino default, which is {chosen} and off by {off:.1e}"] = run
            else:
                runs[f"{name} openvino f32 (its default here)"] = runs.pop(f"{name} openvino f32")
        except ImportError:
            pass
    print("ready", torch.__version__, *sorted(runs), sep=";", flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            run = runs[line.strip()]
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            count = next((count for count in TOGETHER if f" {count} together" in line), 1)
            print(wall / count * 1e3, cpu / count * 1e3, flush=True)


main()
