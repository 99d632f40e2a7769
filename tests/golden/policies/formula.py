"""Weights, images and vectors that follow from their names, the same in every language, so that no
file has to hold them. tests/golden/policies/formula.rs is the same in Rust.

    hash(name)  FNV-1a of 64 bits over the name
    mix(i)      splitmix64's finaliser of hash + (i + 1) * 0x9E3779B97F4A7C15, i counted row by row
    u(i)        (mix(i) >> 40) / 2^24, in 0..1, exact in 32 bits;  s(i) = 2 u(i) - 1
    weights     4 dimensions: sqrt(6 / fan_in) s;  2, 3: sqrt(3 / fan_in) s, fan_in without the first
                otherwise: "…running_var" 0.5 + u, "…weight" 0.75 + 0.5 u, the rest 0.1 s
Integers and what LeRobot computes itself (LEFT) stay as LeRobot made them.
"""

import numpy as np
import torch

LEFT = ("pos_enc", "pos_grid", ".attn.bias")
WORD = 0xFFFFFFFFFFFFFFFF


def fnv(name):
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & WORD
    return state


def units(name, count):
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(fnv(name))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def weights(name, shape):
    u = units(name, int(np.prod(shape)))
    s = u * np.float32(2) - np.float32(1)
    if len(shape) >= 2:
        fan = int(np.prod(shape[1:]))
        values = np.float32(np.sqrt((6.0 if len(shape) == 4 else 3.0) / fan)) * s
    elif name.endswith("running_var"):
        values = np.float32(0.5) + u
    elif name.endswith("weight"):
        values = np.float32(0.75) + np.float32(0.5) * u
    else:
        values = np.float32(0.1) * s
    return torch.from_numpy(values.reshape(shape))


def fill(policy):
    for name, value in policy.state_dict().items():
        if value.is_floating_point() and not any(left in name for left in LEFT):
            value.copy_(weights(name, tuple(value.shape)))


def image(tag, channels, height, width):
    y, x = np.mgrid[0:height, 0:width]
    tint = fnv(tag) % 97
    planes = [(x * 3 + y * 5 + c * 40 + ((x * y) >> 6) + tint * 7) & 255 for c in range(channels)]
    return np.stack(planes).astype(np.uint8)


def vector(tag, count):
    return torch.from_numpy(units("vec:" + tag, count) * np.float32(2) - np.float32(1))
