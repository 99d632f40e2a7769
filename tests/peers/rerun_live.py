"""A loop that was shown in Rerun, in the hands of Rerun's own reader.

    rerun_live.py FILE.rrd TICKS
"""

import sys
from importlib.metadata import version

from hands import Checks
from rerun_rows import Rows, reader_of

CHECKS = Checks()
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]


def main():
    reader, ticks = reader_of(sys.argv[1], CHECKS), int(sys.argv[2])
    CHECKS.equal("layouts", len(reader.blueprints()), 1)
    (store,) = reader.recordings()
    rows = Rows(reader.stream(store=store))
    for joint in JOINTS:
        line = lambda what: rows.rows(f"/{what}.{joint}.pos", "Scalars:scalars", "tick", "time")
        there, asked, sent = line("observation"), line("action"), line("sent")
        for what, found in [("action", asked), ("sent", sent)]:
            CHECKS.equal(f"ticks of {what} {joint}", [row[0] for row in found], list(range(1, ticks + 1)))
        CHECKS.holds(0 < len(there) <= ticks, "readings of", joint)
        times = [row[1] for row in asked]
        CHECKS.holds(times == sorted(set(times)) and times[0] > 1_600_000_000 * 10**9, "times of", joint)
        # Nothing moves and nothing limits: what was asked for is what was sent.
        CHECKS.equal(f"goals of {joint}", [row[2] for row in sent], [row[2] for row in asked])
        CHECKS.near(f"place of {joint}", there[-1][2][0], asked[-1][2][0], 3.0)
    timing = rows.rows("/timing", "Scalars:scalars", "tick", "time")
    CHECKS.equal("timings", len(timing), ticks)
    CHECKS.equal("stages", rows.static("/timing", "SeriesLines:names"), ["wake", "bus", "work", "tick"])
    CHECKS.holds(all(sum(row[2][:3]) <= row[2][3] + 1 for row in timing), "stages are parts of the tick")
    CHECKS.done("rerun", version("rerun-sdk"))


main()
