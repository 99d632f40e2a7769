"""What the peers' scripts share: hands for a virtual bus, and a count of what was checked."""

import json
import os
import socket
import sys
import time

#: How long a servo may take to answer, in milliseconds.
PATIENCE = int(os.environ.get("SINEW_PEER_PATIENCE", "500"))


def patient_timeout(port, length):
    """What replaces the SDKs' timeouts of some thirty milliseconds, which a busy machine can
    exceed without any servo being silent."""
    port.packet_start_time = port.getCurrentTime()
    port.packet_timeout = port.tx_time_per_byte * length + PATIENCE


class Hands:
    """Pushes joints of a virtual bus through its control socket."""

    def __init__(self, path):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.connect(path)
        self.lines = self.stream.makefile("rw")

    def command(self, command):
        self.lines.write(json.dumps(command) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def hold(self, motor, position):
        self.command({"hand": {"id": motor, "position": position}})

    def release(self, motor):
        self.command({"release": {"id": motor}})

    def joints(self):
        """Where every joint truly is, by motor id."""
        return {servo["id"]: servo["joint"] for servo in self.command("state")["servos"]}

    def still(self, within=0.5, patience=10.0):
        """Waits until no joint moves any more, and says where they are then."""
        end = time.monotonic() + patience
        before, now = {}, self.joints()
        while any(abs(now[motor] - before.get(motor, 1e9)) > within for motor in now):
            if time.monotonic() > end:
                sys.exit(f"the joints never stand still: {before}, {now}")
            time.sleep(0.1)
            before, now = now, self.joints()
        return now


class Checks:
    """Counts what held; the first thing that does not ends the script."""

    def __init__(self):
        self.count = 0

    def equal(self, what, got, want):
        if got != want:
            sys.exit(f"{what}: got {got}, want {want}")
        self.count += 1

    def holds(self, condition, *what):
        if not condition:
            sys.exit("FAILED: " + " ".join(map(str, what)))
        self.count += 1

    def near(self, what, got, want, within):
        if not abs(got - want) <= within:
            sys.exit(f"{what}: got {got}, want {want} within {within}")
        self.count += 1

    def becomes(self, what, read, want, within, patience=10.0):
        """Reads until the value is near `want`; motion takes its time."""
        end = time.monotonic() + patience
        got = read()
        while abs(got - want) > within and time.monotonic() < end:
            got = read()
        self.near(what, got, want, within)

    def done(self, peer, version, **more):
        print(json.dumps({"peer": peer, "version": version, "checks": self.count, **more}))
