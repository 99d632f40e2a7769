"""zenoh's own Python client in the place of another machine: it reads a hosted arm and drives it, and
is refused whatever it may not do.

usage: zenoh_client.py ROBOT ENDPOINT
Needs eclipse-zenoh, cbor2 and Pillow. The last line is JSON: what was checked, and the loop's counts.
"""

import hashlib
import hmac
import io
import json
import signal
import sys
import threading
import time
from importlib import metadata

try:
    import cbor2
    import zenoh
    from PIL import Image
except ImportError as missing:
    print(json.dumps({"skipped": f"no {missing.name} in this Python"}))
    sys.exit(0)
from hands import Checks

ROBOT, ENDPOINT = sys.argv[1:]
CHECKS = Checks()
check, equal = CHECKS.holds, CHECKS.equal
#: For whatever another process has to do first.
PATIENCE = 30.0


def until(what, read):
    """Reads until there is something, and gives it."""
    end = time.monotonic() + PATIENCE
    while True:
        got = read()
        if got:
            CHECKS.count += 1
            return got
        if time.monotonic() > end:
            sys.exit(f"it never came to that: {what() if callable(what) else what}")
        time.sleep(0.01)


def sign(secret, payload):
    return hmac.new(secret, payload, hashlib.sha256).digest()[:16]


class Robot:
    """What can be seen of it, and asked of it."""

    def __init__(self, session):
        self.session = session
        self.states, self.events, self.healths, self.pictures = [], [], [], []
        self.subscribed = [
            session.declare_subscriber(f"sinew/{ROBOT}/{part}", lambda sample, kept=kept: kept.append(cbor2.loads(bytes(sample.payload))))
            for part, kept in [("state", self.states), ("event", self.events), ("health", self.healths)]
        ]
        # Whatever is waited for on the network counts, and nothing that it has no room for.
        self.actions = session.declare_publisher(f"sinew/{ROBOT}/action", congestion_control=zenoh.CongestionControl.BLOCK)

    def look(self):
        picture = lambda sample: self.pictures.append((cbor2.loads(bytes(sample.attachment)), bytes(sample.payload)))
        self.subscribed.append(self.session.declare_subscriber(f"sinew/{ROBOT}/camera/front", picture))

    def ask(self, part, message=None, secret=None):
        """The answer, or the words of the refusal."""
        more = {}
        if message is not None:
            more["payload"] = cbor2.dumps(message)
            if secret is not None:
                more["attachment"] = sign(secret, more["payload"])
        for reply in self.session.get(f"sinew/{ROBOT}/{part}", timeout=PATIENCE, **more):
            return cbor2.loads(bytes(reply.ok.payload)) if reply.ok else reply.err.payload.to_string()
        sys.exit(f"nobody answers to {part}")

    def lease(self, op, who="python", lease=0, n=0, take_over=False, secret=None):
        asked = {"v": 1, "op": op, "who": who, "lease": lease, "n": n, "take_over": take_over}
        return self.ask("lease", asked, secret)

    def state(self):
        return self.states[-1]

    def refused(self):
        return self.healths[-1]["refused"] if self.healths else {}

    def happened(self, kind):
        return [event for event in self.events if event["kind"] == kind]


class Holder:
    """A lease and a thread that says sixty times a second where the arm is to be."""

    def __init__(self, robot, goal):
        self.robot, self.goal, self.n = robot, goal, 0
        granted = robot.lease("take")["granted"]
        self.lease, self.secret = granted["lease"], granted["secret"]
        self.watchdog = granted["watchdog_ms"]
        asked = time.monotonic_ns()
        there = robot.ask("clock")["at"]
        # The host's clock when it answered, half way between question and answer.
        self.offset = there - (asked + time.monotonic_ns()) // 2
        self.turn, self.over = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self.drive, daemon=True)

    def next(self):
        self.n += 1
        return self.n

    def say(self, values, n=None, **more):
        """An action, as bytes and with its signature."""
        action = {"v": 1, "lease": self.lease, "n": n or self.next(), "arm": 0, "at": time.monotonic_ns() + self.offset, "values": values}
        payload = cbor2.dumps(action | more)
        return payload, sign(self.secret, payload)

    def put(self, payload, signature):
        self.robot.actions.put(payload, attachment=signature)

    def ask(self, op, secret=None):
        with self.turn:
            return self.robot.lease(op, lease=self.lease, n=self.next(), secret=secret or self.secret)

    def begin(self):
        equal("drive", self.ask("drive")["refused"], None)
        self.thread.start()

    def drive(self):
        while not self.over.wait(1 / 60):
            with self.turn:
                self.put(*self.say(self.goal))

    def silence(self):
        self.over.set()
        self.thread.join()


def description(robot):
    told = robot.ask("describe")
    equal("describe", (told["v"], told["robot"], told["kind"], told["holder"]), (1, ROBOT, "so101_follower", None))
    names = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
    equal("values", told["arms"][0]["values"], [f"{name}.pos" for name in names])
    equal("cameras", [camera["name"] for camera in told["cameras"]], ["front"])
    return told


def seen(robot, told):
    until("states", lambda: len(robot.states) > 10)
    for first, second in zip(robot.states, robot.states[1:]):
        check(second["n"] > first["n"] and second["at"] > first["at"], first, second)
    state = robot.state()
    equal("state", (state["v"], state["mode"], state["lease"], len(state["values"]), len(state["ages"])), (1, "free", 0, 6, 6))
    check(not robot.pictures)
    robot.look()
    until("pictures", lambda: len(robot.pictures) > 3)
    (first, _), (head, file) = robot.pictures[0], robot.pictures[3]
    check(head["n"] > first["n"] and head["at"] > first["at"], first, head)
    picture = Image.open(io.BytesIO(file))
    picture.load()
    camera = told["cameras"][0]
    equal("picture", (picture.format, picture.size), ("JPEG", (camera["width"], camera["height"])))
    equal("its head", (head["width"], head["height"]), picture.size)
    check(len(set(picture.convert("RGB").tobytes())) > 50, "a picture of nothing")


def driven(robot):
    begun = list(robot.state()["values"])
    goal = [begun[0] + 15.0, *begun[1:5], begun[5] + 20.0]
    holder = Holder(robot, goal)
    refused = robot.lease("take", who="ben", take_over=True)
    check(refused["granted"] is None and "python drives it" in refused["refused"], refused)
    check("its lease is over" in robot.lease("drive", lease=holder.lease + 1, n=9, secret=holder.secret))
    check("signature" in holder.ask("drive", secret=bytes(32)))
    holder.begin()
    until("the pose", lambda: all(abs(robot.state()["values"][place] - goal[place]) < 2.0 for place in (0, 5)))
    state = robot.state()
    equal("driven", (state["mode"], state["lease"]), ("driven", holder.lease))
    check(0 < state["done"] <= holder.n, state["done"], holder.n)
    equal("holder", robot.ask("describe")["holder"], "python")
    holder.silence()
    released = holder.ask("release")
    motors = released["stopped"][0]["motors"]
    check(len(motors) == 6 and all(motor["ok"] and not motor["torque"] for motor in motors), released)
    until("free", lambda: robot.state()["mode"] == "free")
    for kind in ["lease_taken", "driven", "lease_refused", "lease_released"]:
        until(kind, lambda: robot.happened(kind))


def abused(robot):
    """Whatever is wrong is refused and counted, and the arm goes on as if nothing had been said."""
    until("a health", lambda: robot.healths)
    before = dict(robot.refused())
    holder = Holder(robot, list(robot.state()["values"]))
    holder.begin()
    until("driven", lambda: robot.state()["mode"] == "driven")
    calm = until("a health while it is driven", lambda: robot.healths and robot.healths[-1])
    far = [value + 30.0 for value in holder.goal]
    stranger = bytes(32)
    with holder.turn:
        for _ in range(5):
            payload, _ = holder.say(far)
            holder.put(payload, sign(stranger, payload))
        payload, signature = holder.say(far)
        for wrong in [None, b"", signature[:15], signature + b"\0", hmac.new(holder.secret, payload, hashlib.sha256).digest()]:
            holder.put(payload, wrong)
        said = holder.say(holder.goal)
        holder.put(*said)
        for _ in range(4):
            holder.put(*said)
        holder.put(*holder.say(far, n=1))
        for version in [0, 2, 1 << 40]:
            holder.put(*holder.say(far, v=version))
        for _ in range(2):
            holder.put(*holder.say(far, more=bytes(4096)))
        for lease in [0, holder.lease - 1, holder.lease + 1]:
            holder.put(*holder.say(far, lease=lease))
        for values in [[float("nan")] * 6, [float("inf")] * 6, far + [0.0], far[:5], [0.0] * 65, "far", None]:
            holder.put(*holder.say(values))
        holder.put(*holder.say(far, arm=1))
        for noise in [b"", b"noise", bytes(64), b"\x9f" * 500, b"\xa1\x61v\x01", said[0][:-1], said[0] + b"\0"]:
            holder.put(noise, sign(holder.secret, noise))
    asked = [b"", b"noise", cbor2.dumps({"v": 2, "op": "take", "who": "", "lease": 0, "n": 0, "take_over": True})]
    for payload in asked:
        replies = list(robot.session.get(f"sinew/{ROBOT}/lease", payload=payload, timeout=PATIENCE))
        check(len(replies) == 1 and replies[0].err is not None, payload)
    said = {"unsigned": 10, "replayed": 5, "version": 4, "too_big": 2, "no_lease": 3, "malformed": 17}
    want = {word: before.get(word, 0) + count for word, count in said.items()}
    until(lambda: f"refusals {want}: {robot.refused()}", lambda: robot.refused() == want)
    state = robot.state()
    equal("still driven", (state["mode"], state["lease"]), ("driven", holder.lease))
    for place in range(6):
        CHECKS.near("it stayed where it was", state["values"][place], holder.goal[place], 3.0)
    check(robot.happened("refused"), robot.events)
    return holder, calm


def flooded(robot, holder, calm):
    """More than a holder may say, and more than anybody may ask."""
    for _ in range(10):
        with holder.turn:
            for said in [holder.say([]) for _ in range(6000)]:
                holder.put(*said)
        until("a health after it", lambda seen=len(robot.healths): len(robot.healths) > seen + 1)
        if robot.refused().get("too_fast"):
            break
    check(robot.refused().get("too_fast", 0) > 0, robot.refused())
    questions = [robot.session.get(f"sinew/{ROBOT}/describe", timeout=PATIENCE) for _ in range(1000)]
    answers = [reply for question in questions for reply in question]
    equal("answers", len(answers), len(questions))
    said_no = [reply.err.payload.to_string() for reply in answers if reply.ok is None]
    check(said_no and all("too many" in words for words in said_no), len(said_no))
    ticks = robot.healths[-1]["ticks"]
    until("it goes on", lambda: robot.healths[-1]["ticks"] > ticks)
    now = robot.healths[-1]
    equal("answers of motors that did not come", now["lost"], calm["lost"])
    return calm, now


def left(robot, holder):
    """Who falls silent is not followed any more; and a stop needs no lease."""
    holder.silence()
    stopped = lambda *causes: robot.state()["mode"] == "stopped" and robot.state()["cause"] in causes
    # The arm's own dead man is there first, unless the loop had more to do.
    until("stopped", lambda: stopped("dead_man", "lease"))
    equal("its lease", robot.state()["lease"], 0)
    again = Holder(robot, list(robot.state()["values"]))
    again.begin()
    until("driven", lambda: robot.state()["mode"] == "driven")
    answer = robot.lease("stop", who="somebody else")
    check(all(motor["ok"] and not motor["torque"] for motor in answer["stopped"][0]["motors"]), answer)
    until("stopped by somebody", lambda: stopped("remote"))
    again.silence()
    check(stopped("remote"), robot.state())


def main():
    # What hangs, in here or over there, ends and has failed.
    signal.alarm(180)
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([ENDPOINT]))
    config.insert_json5("scouting/multicast/enabled", "false")
    # A session that is not closed keeps the process from ending.
    with zenoh.open(config) as session:
        robot = Robot(session)
        told = description(robot)
        seen(robot, told)
        driven(robot)
        holder, calm = abused(robot)
        calm, now = flooded(robot, holder, calm)
        left(robot, holder)
    counts = {word: {"calm": calm[word], "flooded": now[word]} for word in ["ticks", "late", "lost", "actions"]}
    CHECKS.done("eclipse-zenoh", metadata.version("eclipse-zenoh"), refused=now["refused"], **counts)


if __name__ == "__main__":
    main()
