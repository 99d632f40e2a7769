"""Serves any policy to Sinew's robots: LeRobot's own, or a function of yours.

    from sinew_policy_server import load, serve

    serve(load("lerobot/smolvla_base"), name="smolvla")       # a policy of LeRobot's, with its processors
    serve(think, name="mine", inputs={"observation.state": (6,)})     # think(frames) -> rows of actions

or, for a policy of LeRobot's, python sinew_policy_server.py PATH --name smolvla. The robot asks it with

    sinew rollout --policy zenoh://smolvla@HOST:7447 --robot white ...

One file that needs eclipse-zenoh and numpy (and LeRobot for `load`). It listens on this machine alone unless
`listen` says more; then give it certificates (`papers`, the folder of `sinew net keygen`), or whoever
reaches the port may ask. Where Pillow is installed pictures come as JPEG files, and as they are otherwise.
"""

import argparse
import contextlib
import io
import json
import pathlib
import struct
import sys
import threading
import time

import numpy as np
import zenoh

try:
    from PIL import Image
except ImportError:
    Image = None

VERSION = 1
HERE = "tcp/127.0.0.1:7447"
MOST_BYTES = 32 << 20
MOST_PARTS = 1 << 14
MOST_WAITING_BYTES = 256 << 20
MOST_WAITING = 64
MOST_FRAMES, MOST_VALUES, MOST_CAMERAS, MOST_SIDE, MOST_NUMBERS = 16, 64, 16, 8192, 1 << 16
MOST_PIXELS = 1 << 25
SUPERSEDED = "superseded"


class Refused(Exception):
    """What a question is answered with instead of actions."""


# CBOR (RFC 8949), as much of it as is spoken here.


def decode(data):
    """The one value that these bytes are; whatever else they are is refused."""
    value, end = _read(memoryview(data), 0, 0, iter(range(MOST_PARTS)))
    if end != len(data):
        raise Refused(f"{len(data) - end} bytes too many")
    return value


def _read(data, at, depth, left):
    if depth > 16:
        raise Refused("it is nested too deeply")
    if next(left, None) is None:
        raise Refused("it has too many parts")
    first, at = _cut(data, at, 1)
    kind, info = first[0] >> 5, first[0] & 31
    if info < 24:
        number = info
    elif info < 28:
        head, at = _cut(data, at, 1 << (info - 24))
        number = int.from_bytes(head, "big")
    else:
        raise Refused("no CBOR that is spoken here")
    if kind == 0:
        return number, at
    if kind == 1:
        return -1 - number, at
    if kind in (2, 3):
        found, at = _cut(data, at, number)
        try:
            return (bytes(found) if kind == 2 else str(found, "utf-8")), at
        except UnicodeDecodeError:
            raise Refused("a text that is none") from None
    if kind == 4:
        values = []
        for _ in range(number):
            value, at = _read(data, at, depth + 1, left)
            values.append(value)
        return values, at
    if kind == 5:
        entries = {}
        for _ in range(number):
            name, at = _read(data, at, depth + 1, left)
            if not isinstance(name, str):
                raise Refused("a name that is no text")
            entries[name], at = _read(data, at, depth + 1, left)
        return entries, at
    if kind == 7 and info in (25, 26, 27):
        return struct.unpack({25: ">e", 26: ">f", 27: ">d"}[info], head)[0], at
    if kind == 7 and info in (20, 21, 22, 23):
        return {20: False, 21: True}.get(info), at
    raise Refused("no CBOR that is spoken here")


def _cut(data, at, count):
    if count > len(data) - at:
        raise Refused("it ends too early")
    return data[at : at + count], at + count


def encode(value):
    """A value as bytes."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, dict):
        entries = (encode(part) for entry in value.items() for part in entry)
        return _head(5, len(value)) + b"".join(entries)
    return _head(4, len(value)) + b"".join(encode(part) for part in value)


def _head(kind, number):
    if number < 24:
        return bytes([kind << 5 | number])
    size = next(size for size in range(4) if number < 1 << (8 << size))
    return bytes([kind << 5 | 24 + size]) + number.to_bytes(1 << size, "big")


# What a robot asks.


class Question:
    """The frames that a robot saw, and who is to be answered."""

    def __init__(self, data):
        if len(data) > MOST_BYTES:
            raise Refused(f"{len(data)} bytes, where {MOST_BYTES} are the most")
        asked = decode(data)
        if not isinstance(asked, dict) or not isinstance(asked.get("v"), int):
            raise Refused("no question")
        if asked["v"] != VERSION:
            raise Refused(f"it speaks version {asked['v']}, and this server version {VERSION}")
        frames, self.task = asked.get("frames"), asked.get("task")
        if not isinstance(self.task, str | None):
            raise Refused("a task that is no text")
        if not isinstance(frames, list) or not 1 <= len(frames) <= MOST_FRAMES:
            raise Refused(f"1 to {MOST_FRAMES} frames are looked at")
        self.frames = [_frame(frame) for frame in frames]
        self.who = (asked.get("robot"), asked.get("asker"))
        if not isinstance(self.who[0], str) or not isinstance(self.who[1], int):
            raise Refused("nobody asks")
        self.bytes = len(data)
        pictures = [of for frame in self.frames for of in frame.values() if len(of.shape) == 3]
        if sum(of.shape[0] * of.shape[1] for of in pictures) > MOST_PIXELS:
            raise Refused(f"pictures of more than {MOST_PIXELS} pixels in all")
        sizes = [tuple((name, of.shape) for name, of in sorted(frame.items())) for frame in self.frames]
        self.shape = (tuple(sizes), self.task is None)
        self.query = None

    def open(self, inputs):
        """Opens the pictures that are looked at, and puts the others away."""
        for frame in self.frames:
            for name, of in list(frame.items()):
                if len(of.shape) == 3 and name not in inputs:
                    del frame[name]
                elif isinstance(of, Packed):
                    frame[name] = of.open()

    def answer(self, said):
        query, self.query = self.query, None
        if query is not None:
            _reply(query, {"v": VERSION, **said})


def _reply(query, said):
    try:
        query.reply(query.key_expr, encode(said), encoding=zenoh.Encoding.APPLICATION_CBOR)
        query.drop()
    except zenoh.ZError as error:
        print(f"an answer did not go out: {error}", file=sys.stderr, flush=True)


def _frame(frame):
    if not isinstance(frame, dict) or not isinstance(frame.get("images", {}), dict):
        raise Refused("a frame that is none")
    found = {}
    for field, name in (("state", "observation.state"), ("environment_state", "observation.environment_state")):
        values = frame.get(field) or []
        numbers = isinstance(values, list) and all(isinstance(value, float | int) for value in values)
        if not numbers or len(values) > MOST_VALUES:
            raise Refused(f"{field} that is no numbers")
        if values:
            with np.errstate(over="ignore"):
                found[name] = np.array([float(value) for value in values]).astype(np.float32)
            if not np.isfinite(found[name]).all():
                raise Refused(f"{field} that is no numbers")
    images = frame.get("images", {})
    if len(images) > MOST_CAMERAS:
        raise Refused(f"{len(images)} pictures, where {MOST_CAMERAS} are the most")
    return found | {name: _picture(name, view) for name, view in images.items()}


def _picture(name, view):
    view = view if isinstance(view, dict) else {}
    width, height, layout, data = (view.get(field) for field in ("width", "height", "format", "data"))
    sides = all(isinstance(side, int) and 1 <= side <= MOST_SIDE for side in (width, height))
    if not sides or not isinstance(data, bytes):
        raise Refused(f"{name} is no picture")
    if layout == "rgb8" and len(data) == width * height * 3:
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)
    if layout == "jpeg" and Image is not None:
        return Packed(name, (height, width, 3), data)
    raise Refused(f"{name} is not of its size, or of a format that is not read here")


class Packed:
    """A JPEG file that is opened when its robot's turn comes: who only asks costs no work."""

    def __init__(self, name, shape, data):
        self.name, self.shape, self.data = name, shape, data

    def open(self):
        try:
            image = Image.open(io.BytesIO(self.data), formats=["JPEG"])
            if (image.height, image.width) == self.shape[:2]:
                return np.asarray(image.convert("RGB"))
        except Exception as error:
            raise Refused(f"{self.name} is no JPEG file: {error}") from None
        raise Refused(f"{self.name} is not of its size")


class Desk:
    """Who waits: one question of each robot, in the order in which the robots came."""

    def __init__(self):
        self.waiting, self.changed = {}, threading.Condition()

    def lay(self, question):
        with self.changed:
            old = self.waiting.get(question.who)
            waiting = sum(one.bytes for one in self.waiting.values())
            waiting += question.bytes - (old.bytes if old else 0)
            if waiting > MOST_WAITING_BYTES or old is None and len(self.waiting) >= MOST_WAITING:
                return question.answer({"error": "too many robots wait already"})
            # It keeps the place of the one before.
            self.waiting[question.who] = question
            self.changed.notify()
        if old is not None:
            old.answer({"error": SUPERSEDED})

    def take(self, most, patience):
        """The first that waits, and others that look like it."""
        with self.changed:
            if not self.waiting:
                self.changed.wait(patience)
            taken = []
            for who, question in list(self.waiting.items()):
                if len(taken) < most and (not taken or question.shape == taken[0].shape):
                    taken.append(self.waiting.pop(who))
            return taken


# What answers.


class Function:
    """Rows of actions by a function of one robot's frames."""

    batch = 1

    def __init__(self, think, inputs, rows=None, width=None, frames=1, steps=None, kind="function"):
        if not inputs:
            raise ValueError("inputs: what does it look at? {'observation.state': (6,)}, pictures (3, height, width)")
        self.function = think
        self.inputs, self.frames, self.kind = dict(inputs), int(frames), kind
        self.task, self.averaged = False, None
        if rows is None or width is None:
            rows, width = np.asarray(self.think([self.blank()])[0]).shape
        self.rows, self.width = int(rows), int(width)
        self.steps = min(steps or self.rows, self.rows)

    def blank(self):
        frame = {}
        for name, shape in self.inputs.items():
            picture = len(shape) == 3
            frame[name] = np.zeros((*shape[1:], shape[0]), np.uint8) if picture else np.zeros(shape, np.float32)
        return [frame] * self.frames, ""

    def think(self, asked):
        return [np.asarray(self.function(frames), np.float64) for frames, _task in asked]


class LeRobot(Function):
    """Rows of actions by a policy of LeRobot's; robots that ask at once are answered at once."""

    batch = 8

    def __init__(self, policy, before, after):
        import torch
        from lerobot.configs.types import FeatureType

        self.torch, self.policy, self.before, self.after = torch, policy.eval(), before, after
        config = policy.config
        wanted = (FeatureType.STATE, FeatureType.ENV, FeatureType.VISUAL)
        inputs = {name: tuple(of.shape) for name, of in config.input_features.items() if of.type in wanted}
        steps = getattr(config, "n_action_steps", None)
        super().__init__(None, inputs, frames=config.n_obs_steps, steps=steps, kind=config.type)
        self.averaged = getattr(config, "temporal_ensemble_coeff", None)
        # Whoever reads words wants some.
        self.task = any("tokenizer" in type(step).__name__.lower() for step in before.steps)

    def think(self, asked):
        torch = self.torch
        with torch.inference_mode():
            self.policy.reset()
            for moment in range(len(asked[0][0])):
                batch = self._seen([(frames[moment], task) for frames, task in asked])
                if self.frames > 1:
                    self._remember(batch)
            chunk = self.policy.predict_action_chunk(batch)
            # The steps behind it take one action of each robot at a time.
            rows = [self.after(chunk[:, row]) for row in range(chunk.shape[1])]
            return list(torch.stack(rows, 1).double().cpu().numpy())

    def _seen(self, shown):
        torch, batch = self.torch, {}
        for name in self.inputs:
            missing = [frame for frame, _ in shown if name not in frame]
            if missing:
                raise Refused(f"{name} is missing among {', '.join(missing[0])}")
            both = torch.from_numpy(np.stack([frame[name] for frame, _ in shown]))
            if both.ndim == 4:
                both = both.permute(0, 3, 1, 2).float().div(255).contiguous()
            wanted = self.inputs[name]
            if tuple(both.shape[1:]) != wanted:
                raise Refused(f"{name} is {tuple(both.shape[1:])}, and {wanted} was trained")
            batch[name] = both
        batch = self.before(batch | {"task": [task or "" for _, task in shown]})
        # The steps add one that nobody has taken yet, and some policies would look at it.
        batch.pop("action", None)
        return batch

    def _remember(self, batch):
        from lerobot.policies.utils import populate_queues
        from lerobot.utils.constants import ACTION, OBS_IMAGES

        images = list(self.policy.config.image_features)
        if images:
            batch[OBS_IMAGES] = self.torch.stack([batch[name] for name in images], dim=-4)
        self.policy._queues = populate_queues(self.policy._queues, batch, exclude_keys=[ACTION])


def load(path, device=None):
    """A policy of LeRobot's and the steps before and behind it, from a folder or the Hub."""
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    config = PreTrainedConfig.from_pretrained(path)
    if device is not None:
        config.device = device
    policy = get_policy_class(config.type).from_pretrained(path, config=config)
    over = {"device_processor": {"device": config.device}}
    steps = make_pre_post_processors(config, pretrained_path=str(path), preprocessor_overrides=over)
    return policy, *steps


def serve(
    policy, name="policy0", *, listen=(), connect=(), papers=None, config=None, fps=None, over=None, ready=None, **about
):
    """Answers until `over` (a threading.Event) is set, or Ctrl-C.

    `policy` is what `load` gives, or a function of the last frames, each of which is a dictionary of arrays
    (pictures as height, width, 3 bytes), that gives rows of actions; then `inputs` names what it looks at, and
    `frames`, `steps` say how many moments it looks at and how many rows are carried out before it is asked again.
    """
    thinker = LeRobot(*policy, **about) if isinstance(policy, tuple) else Function(policy, **about)
    _check(name)
    described = {
        "v": VERSION,
        "name": name,
        "kind": thinker.kind,
        "program": f"sinew_policy_server.py {VERSION}, Python {sys.version.split()[0]}",
        "inputs": [{"name": feature, "shape": list(shape)} for feature, shape in thinker.inputs.items()],
        "width": thinker.width,
        "frames": thinker.frames,
        "rows": thinker.rows,
        "steps": thinker.steps,
        "averaged": thinker.averaged,
        "fps": None if fps is None else float(fps),
        "task": thinker.task,
        "images": "rgb8" if Image is None else "jpeg",
    }
    desk, over = Desk(), over or threading.Event()

    def ask(query):
        try:
            question = Question(b"" if query.payload is None else query.payload.to_bytes())
            question.query = query
            desk.lay(question)
        except Refused as why:
            _reply(query, {"v": VERSION, "error": _words(why)})

    def describe(query):
        _reply(query, described)

    root = f"sinew/policy/{name}"
    with _join(list(listen), list(connect), papers, config) as session, contextlib.ExitStack() as held:
        if any(reply.ok for reply in session.get(f"{root}/describe", timeout=1)):
            raise RuntimeError(f"a policy called {name} answers already")
        held.enter_context(session.declare_queryable(root, ask))
        held.enter_context(session.declare_queryable(f"{root}/describe", describe))
        held.enter_context(session.liveliness().declare_token(f"{root}/alive"))
        print(f"{name} ({thinker.kind}) answers; Ctrl-C ends it", file=sys.stderr, flush=True)
        if ready is not None:
            ready(session)
        try:
            while not over.is_set():
                asked = desk.take(thinker.batch, 0.2)
                if asked:
                    _answer(thinker, asked)
        except KeyboardInterrupt:
            pass


def _answer(thinker, asked):
    began, opened = time.perf_counter(), []
    for question in asked:
        try:
            question.open(thinker.inputs)
            opened.append(question)
        except Refused as why:
            question.answer({"error": _words(why)})
    asked = opened
    if not asked:
        return
    try:
        answers = thinker.think([(question.frames, question.task) for question in asked])
    except Exception as error:
        if not isinstance(error, Refused):
            print(f"the policy failed: {error!r}", file=sys.stderr, flush=True)
        answers = [error] * len(asked)
    took = (time.perf_counter() - began) * 1e3
    for question, rows in zip(asked, answers, strict=True):
        question.answer(_said(rows, thinker.width, took))


def _said(rows, width, took):
    if isinstance(rows, Exception):
        return {"error": _words(rows) or type(rows).__name__}
    if rows.ndim != 2 or rows.shape[1] != width or rows.size > MOST_NUMBERS:
        return {"error": f"the policy gave {rows.shape}, where rows of {width} were expected"}
    if not np.isfinite(rows).all():
        return {"error": "the policy gave what is no number"}
    return {"width": width, "rows": rows.ravel().tolist(), "took_ms": took}


def _words(error):
    return " ".join(str(error).split())[:200]


def _check(name):
    letters = all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name)
    if not letters or not 1 <= len(name) <= 64 or name == "policy":
        raise ValueError(f"{name!r} is no name on a network: letters, digits, _ and - up to 64")


def _join(listen, connect, papers, config):
    free = not listen and config is None
    try:
        return zenoh.open(_config(listen or [HERE] * free, connect, papers, config))
    except zenoh.ZError:
        if not free:
            raise
        # Another host of this machine is there already: it introduces who asks.
        return zenoh.open(_config(["tcp/127.0.0.1:0"], [*connect, HERE], papers, config))


def _config(listen, connect, papers, file):
    config = zenoh.Config() if file is None else zenoh.Config.from_file(file)
    settings = {"transport/link/rx/max_message_size": MOST_BYTES + (8 << 20)}
    if file is None:
        settings |= {"mode": "peer", "scouting/multicast/enabled": False}
    if listen:
        settings["listen/endpoints"] = listen
    if connect:
        settings["connect/endpoints"] = connect
    if papers is not None:
        folder = pathlib.Path(papers)
        own = {"certificate": str(folder / "own.pem"), "private_key": str(folder / "own.key")}
        tls = {f"{side}_{what}": path for side in ("listen", "connect") for what, path in own.items()}
        tls |= {"root_ca_certificate": str(folder / "house.pem"), "enable_mtls": True}
        settings |= {f"transport/link/tls/{key}": value for key, value in tls.items()}
    for key, value in settings.items():
        config.insert_json5(key, json.dumps(value))
    return config


def main():
    parser = argparse.ArgumentParser(description="Serve a policy of LeRobot's to Sinew's robots")
    parser.add_argument("path", help="a checkpoint's folder, or its id on the Hub")
    parser.add_argument("--name", help="what robots call it; by default as the folder")
    parser.add_argument("--listen", action="append", default=[], help="tcp/HOST:PORT or tls/HOST:PORT")
    parser.add_argument("--connect", action="append", default=[], help="a zenoh router or another host")
    parser.add_argument("--papers", help="the folder of this machine's certificates, for tls/")
    parser.add_argument("--zenoh-config", help="a configuration file of zenoh's own")
    parser.add_argument("--device", help="cpu, cuda, mps ...")
    said = parser.parse_args()
    name = said.name or pathlib.PurePath(said.path).name
    places = {"listen": said.listen, "connect": said.connect, "papers": said.papers, "config": said.zenoh_config}
    serve(load(said.path, said.device), name, **places)


if __name__ == "__main__":
    main()
