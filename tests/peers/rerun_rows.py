"""A file for Rerun, read by Rerun's own reader."""

import json
import pathlib
import subprocess
import sys

import pyarrow as pa


def reader_of(path, checks):
    """Rerun's reader of a file that `rerun rrd verify` finds nothing wrong with."""
    try:
        from rerun.chunk import RrdReader
    except ImportError as missing:
        print(json.dumps({"skipped": f"rerun-sdk with rerun.chunk is not there: {missing}"}))
        sys.exit(0)
    rerun = pathlib.Path(sys.executable).parent / "rerun"
    verified = subprocess.run([rerun, "rrd", "verify", path], capture_output=True, text=True)
    checks.holds(verified.returncode == 0, "rerun rrd verify:", verified.stdout, verified.stderr)
    return RrdReader(path)


class Rows:
    """What was logged under each path, and when."""

    def __init__(self, chunks):
        self.batches = {}
        for chunk in chunks:
            self.batches.setdefault(chunk.entity_path, []).append(chunk.to_record_batch())

    def rows(self, path, component, number="frame_index", time="timestamp"):
        """Number and time of every row, and what it holds."""
        found = []
        for batch in self.batches.get(path, []):
            if component in batch.schema.names and number in batch.schema.names:
                times = batch.column(time).cast(pa.int64()).to_pylist()
                numbers = batch.column(number).to_pylist()
                found += zip(numbers, times, batch.column(component).to_pylist())
        return sorted(found, key=lambda row: row[0])

    def static(self, path, component):
        """What holds for all time."""
        for batch in self.batches.get(path, []):
            if component in batch.schema.names and not {"frame_index", "tick"} & set(batch.schema.names):
                return batch.column(component).to_pylist()[-1]
        return None
