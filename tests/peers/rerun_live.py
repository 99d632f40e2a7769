"""A loop that was shown in Rerun, in the hands of Rerun's own reader. One with cameras moves.

    rerun_live.py FILE.rrd TICKS [CAMERA PICTURES]…
"""

import io
import sys
from importlib.metadata import version

import av
from hands import Checks
from rerun_arm import JOINTS, check_arm
from rerun_rows import Rows, reader_of

CHECKS = Checks()


def check_arms(rows, ticks):
    """Poses come about thirty times a second, and fit the values of their tick."""
    for role, of in [("state", "observation"), ("action", "action")]:
        lines = [rows.rows(f"/{of}.{joint}.pos", "Scalars:scalars", "tick", "time") for joint in JOINTS]
        lines = [{row[0]: row[2][0] for row in line} for line in lines]
        values = {tick: [line.get(tick) for line in lines] for tick in range(1, ticks + 1)}
        count = check_arm(CHECKS, rows, role, values, "tick", "time")
        seconds = (rows.rows("/timing", "Scalars:scalars", "tick", "time")[-1][1] - first_time(rows)) / 1e9
        CHECKS.holds(seconds * 10 < count <= seconds * 30.4 + 1, f"{count} poses in {seconds} s")


def first_time(rows):
    return rows.rows("/timing", "Scalars:scalars", "tick", "time")[0][1]


def check_pictures(rows, camera, shown):
    """Every picture is a JPEG of the camera's size, and none comes before the one that was before it."""
    found = rows.rows(f"/observation.images.{camera}", "EncodedImage:blob", "tick", "time")
    CHECKS.equal(f"pictures of {camera}", len(found), shown)
    times = [row[1] for row in found]
    CHECKS.holds(times == sorted(set(times)), f"times of {camera}")
    pixels = []
    for _, _, (blob,) in found:
        with av.open(io.BytesIO(bytes(blob))) as file:
            pixels.append(next(file.decode(video=0)).to_ndarray(format="rgb24"))
    CHECKS.holds(all(picture.shape == (480, 640, 3) for picture in pixels), f"sizes of {camera}")
    CHECKS.holds(any((one != other).any() for one, other in zip(pixels, pixels[1:])), f"{camera} moves")


def main():
    reader, ticks = reader_of(sys.argv[1], CHECKS), int(sys.argv[2])
    cameras = list(zip(sys.argv[3::2], sys.argv[4::2]))
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
        if not cameras:
            # Nothing moves and nothing limits: after the smooth start, what was asked for is what was sent.
            CHECKS.equal(f"goals of {joint}", [row[2] for row in sent][-30:], [row[2] for row in asked][-30:])
            # An arm on a table sags.
            CHECKS.near(f"place of {joint}", there[-1][2][0], asked[-1][2][0], 5.0)
        limits = [row[2] for row in rows.rows(f"/limits.{joint}.pos", "Scalars:scalars", "tick", "time")]
        CHECKS.holds(0 < len(limits) <= ticks and all(limit == limits[0] for limit in limits), "limits of", joint)
        (low, high), places = limits[0], [row[2][0] for row in there]
        CHECKS.holds(low < high and low - 1 <= min(places) and max(places) <= high + 1, f"{joint} within {limits[0]}")
    timing = rows.rows("/timing", "Scalars:scalars", "tick", "time")
    CHECKS.equal("timings", len(timing), ticks)
    CHECKS.equal("stages", rows.static("/timing", "SeriesLines:names"), ["wake", "bus", "work", "tick"])
    CHECKS.holds(all(sum(row[2][:3]) <= row[2][3] + 1 for row in timing), "stages are parts of the tick")
    check_arms(rows, ticks)
    for camera, shown in cameras:
        check_pictures(rows, camera, int(shown))
    CHECKS.done("rerun", version("rerun-sdk"))


main()
