"""What sinew_policy_server.py makes of questions that are none, and of those that are."""

import io
import json
import pathlib
import random
import sys
from importlib.util import find_spec

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "robot/net/python"))

if find_spec("zenoh") is None:
    print(json.dumps({"checks": 1, "skipped": "eclipse-zenoh is not installed"}))
    sys.exit()

import numpy as np
import sinew_policy_server
from sinew_policy_server import MOST_PARTS, Desk, Function, Question, Refused, _answer, decode, encode

checks = 0


def same(value):
    global checks
    assert decode(encode(value)) == value, value
    checks += 1


def refused(data, part):
    global checks
    try:
        Question(data)
    except Refused as why:
        assert part in str(why), (part, why)
        checks += 1
        return
    raise AssertionError(f"{data[:40]!r} was taken")


for value in (0, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1, -1, -24, -25, -(2**63)):
    same(value)
for value in (1.5, -0.1, 1e300, None, True, False, b"", b"x" * 300, "", "ü" * 100, [], [[1], {"a": [2]}], {}):
    same(value)
# As the other side writes them: the shortest that keeps the number.
for data, value in ((b"\xf9\x3e\x00", 1.5), (b"\xfa\x3d\xcc\xcc\xcd", float(np.float32(0.1)))):
    assert decode(data) == value
    checks += 1

view = {"width": 2, "height": 1, "format": "rgb8", "data": bytes(6)}
frame = {"state": [1.0, 2], "images": {"observation.images.top": view}}
asked = {"v": 1, "robot": "white", "asker": 2**64 - 1, "task": None, "frames": [frame]}
question = Question(encode({**asked, "later": "x"}))
assert question.frames[0]["observation.state"].tolist() == [1.0, 2.0] and question.who == ("white", 2**64 - 1)
assert question.frames[0]["observation.images.top"].shape == (1, 2, 3)


def without(value, *places):
    """The question with another value at this place."""
    changed = decode(encode(asked))
    at = changed
    for place in places[:-1]:
        at = at[place]
    at[places[-1]] = value
    return encode(changed)


refused(b"", "ends too early")
refused(b"\x9f\x01\xff", "no CBOR")
refused(b"\x81" * 100, "nested")
refused(b"\x9b" + b"\xff" * 8, "ends too early")
refused(b"\x5b" + b"\xff" * 8, "ends too early")
refused(b"\xa1\x01\x02", "name")
refused(encode([0] * MOST_PARTS), "too many parts")
refused(encode(asked) + b"\0", "too many")
refused(without(2, "v"), "version 2")
refused(without([], "frames"), "frames")
refused(without([frame] * 17, "frames"), "frames")
refused(without(None, "robot"), "nobody")
refused(without([1], "asker"), "nobody")
refused(without(5, "task"), "task")
for state in ([float("nan")], [1e300], ["x"], 7, [0.0] * 65):
    refused(without(state, "frames", 0, "state"), "state")
top = ("frames", 0, "images", "observation.images.top")
for field, value in (("width", 3), ("width", 0), ("height", 1 << 40), ("data", "x"), ("format", "png")):
    refused(without(value, *top, field), "top")
if sinew_policy_server.Image is None:
    refused(without("jpeg", *top, "format"), "top")
wide = {"width": 8192, "height": 8192, "format": "jpeg", "data": b""}
refused(without(wide, *top), "pixels" if sinew_policy_server.Image else "top")

dice = random.Random(7)
whole = encode(asked)
for _ in range(20_000):
    data = bytearray(whole) if dice.random() < 0.8 else bytearray(dice.randbytes(dice.randrange(80)))
    for _ in range(dice.randrange(1, 4)):
        if data:
            data[dice.randrange(len(data))] = dice.randrange(256)
    try:
        Question(bytes(data))
    except Refused:
        pass
    checks += 1

# One question of each waits, the newest, in the turn of its oldest; those that look alike go together.
desk, turned = Desk(), []


class Ticket(Question):
    def answer(self, said):
        turned.append((self.who[1], said["error"]))


for asker, value in ((1, 0.0), (2, 0.0), (1, 1.0)):
    desk.lay(Ticket(encode({**asked, "asker": asker, "frames": [{**frame, "state": [value, 0.0]}]})))
desk.lay(Ticket(encode({**asked, "asker": 3, "frames": [frame, frame]})))
assert turned == [(1, "superseded")], turned
first = desk.take(8, 0)
assert [one.who[1] for one in first] == [1, 2] and first[0].frames[0]["observation.state"][0] == 1.0
assert [one.who[1] for one in desk.take(8, 0)] == [3] and desk.take(8, 0) == []
function = Function(lambda frames: np.zeros((4, 2)), {"observation.state": (2,)}, frames=2)
assert (function.rows, function.width, function.steps, function.frames) == (4, 2, 4, 2)
checks += 5

# What a robot sends is opened at its turn, only where it is looked at, and one that is none is its own affair.
if sinew_policy_server.Image is not None:
    file = io.BytesIO()
    sinew_policy_server.Image.new("RGB", (2, 1), (255, 255, 255)).save(file, "JPEG")
    packed, other = {**view, "format": "jpeg", "data": file.getvalue()}, "observation.images.other"
    looked = Function(lambda frames: np.zeros((4, 2)), {"observation.images.top": (3, 1, 2)})
    seen, turned[:] = [], []
    looked.think = lambda asked: seen.extend(asked) or [np.zeros((4, 2)) for _ in asked]

    class Asked(Question):
        def answer(self, said):
            turned.append((self.who[1], said.get("error", "")))

    def shows(asker, top, more):
        images = {"observation.images.top": top, other: more}
        return Asked(encode({**asked, "asker": asker, "frames": [{**frame, "images": images}]}))

    none = {**packed, "data": b"none"}
    _answer(looked, [shows(1, packed, none), shows(2, none, packed), shows(3, {**packed, "width": 1}, none)])
    ((frames, _task),) = seen
    assert frames[0]["observation.images.top"].mean() > 250 and other not in frames[0], frames
    said = dict(turned)
    assert said[1] == "" and "no JPEG" in said[2] and "its size" in said[3], said
    checks += 4

# What comes in the place of something small has the same end.
sinew_policy_server.MOST_WAITING_BYTES, turned[:] = 2000, []
for state in ([0.0], [0.5] * 60, [0.1] * 64):
    desk.lay(Ticket(encode({**asked, "frames": [{**frame, "state": state}] * (1 + 3 * (len(state) == 64))})))
assert [why for _, why in turned] == ["superseded", "too many robots wait already"], turned
checks += 1
print(json.dumps({"checks": checks}))
