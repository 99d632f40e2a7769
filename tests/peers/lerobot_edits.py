"""Edited datasets against LeRobot: ours for it to read, its own for us.

    lerobot_edits.py PLAN      a JSON list of steps, each an object whose "do" is a function below
"""

import json
import pathlib
import shutil
import sys
from importlib.metadata import version

import lerobot_sets
import numpy as np
import pyarrow.parquet as pq
from hands import Checks
from lerobot_sets import opened

CHECKS = Checks()
check = CHECKS.holds

# LeRobot adds a hundred images in 32-bit floats and loses the last digits.
ROUNDED_OFF = 2e-3
# Numbers of frames, episodes and tasks, which an edit gives anew.
NUMBERS = ("episode_index", "index", "task_index")


def near(ours, theirs, within=1e-6):
    ours, theirs = np.array(ours, np.float64).reshape(-1), np.array(theirs, np.float64).reshape(-1)
    scale = np.maximum(1, np.abs(theirs))
    return ours.shape == theirs.shape and bool(np.all(np.abs(ours - theirs) <= within * scale))


def rows_of(root):
    tables = sorted((root / "meta/episodes").glob("*/*.parquet"))
    return [row for table in tables for row in pq.read_table(table).to_pylist()]


def stats_of(row, key):
    prefix = f"stats/{key}/"
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


def read(root):
    """Indices, times and tasks follow from the place of a frame; every image decodes."""
    root = pathlib.Path(root)
    dataset = opened(root)
    meta, fps, index, rows = dataset.meta, dataset.fps, 0, rows_of(root)
    check(len(rows) == len(meta.episodes) == meta.total_episodes, root, len(rows))
    check(sorted(meta.tasks["task_index"]) == list(range(meta.total_tasks)), root, meta.tasks)
    for number in range(meta.total_episodes):
        episode = meta.episodes[number]
        check(episode["dataset_from_index"] == index, root, number)
        tasks = set()
        for frame in range(episode["length"]):
            item = dataset[index]
            found = [item[key].item() for key in ("index", "episode_index", "frame_index")]
            check(found == [index, number, frame], root, found)
            check(abs(item["timestamp"].item() - frame / fps) < 1e-6, root, index)
            tasks.add(item["task"])
            for key in meta.camera_keys:
                check(tuple(item[key].shape) == (3, *meta.features[key]["shape"][:2]), root, key)
            index += 1
        check(tasks == set(episode["tasks"]), root, number, tasks, episode["tasks"])
        check(episode["dataset_to_index"] == index, root, number)
    check(len(dataset) == index == meta.total_frames, root, index)
    statistics(dataset, rows)


def statistics(dataset, rows):
    """Each episode's are what LeRobot computes of its columns, and all of them together theirs."""
    from lerobot.datasets.compute_stats import aggregate_stats, get_feature_stats

    root, meta = dataset.root, dataset.meta
    for key, column in lerobot_sets.columns(dataset):
        for row in rows:
            if isinstance(column, list):
                check(not stats_of(row, key), root, key, "is text and has statistics")
                continue
            part = column[row["dataset_from_index"] : row["dataset_to_index"]]
            if key == "timestamp":
                # LeRobot looks at the times before they are rounded to 32 bits.
                part = np.arange(len(part)) / dataset.fps
            theirs = get_feature_stats(part, axis=0, keepdims=part.ndim == 1)
            ours = stats_of(row, key)
            check(set(ours) == set(theirs), root, key, set(ours) ^ set(theirs))
            for name, value in theirs.items():
                check(near(ours[name], value), root, key, name, ours[name], value)
    known = [key for key, feature in meta.features.items() if feature["dtype"] != "string"]
    check(set(meta.stats) == set(known), root, set(meta.stats) ^ set(known))
    for key in known:
        shape = (3, 1, 1) if key in meta.camera_keys else (-1,)
        parts = [
            {key: {n: np.array(v).reshape(-1 if n == "count" else shape) for n, v in stats_of(row, key).items()}}
            for row in rows
        ]
        check(all(part[key] for part in parts), root, key, "lacks statistics")
        theirs = aggregate_stats(parts)[key]
        check(set(theirs) == set(meta.stats[key]), root, key, set(meta.stats[key]))
        for name, value in theirs.items():
            check(near(meta.stats[key][name], value), root, key, name, meta.stats[key][name], value)
            check(np.shape(meta.stats[key][name]) == value.shape, root, key, name, value.shape)


def looks_like(stats, images, *what):
    """Statistics of so few images that LeRobot looks at each; decoders may be a step apart."""
    pixels = np.stack([image.numpy() for image in images])
    check(stats["count"] == [len(images)], *what, stats["count"])
    for name, of in (("min", np.min), ("max", np.max), ("mean", np.mean), ("std", np.std)):
        theirs = of(pixels.astype(np.float64), axis=(0, 2, 3))
        within = 1.5 / 255 if name in ("min", "max") else 0.5 / 255
        check(near(stats[name], theirs, within), *what, name, stats[name], theirs)


def holds(root, of, without=(), tasks=None, apart=0, again=False):
    """The dataset has these episodes of these datasets, one after the other, and nothing else.

    `tasks` says what the tasks of frames have become; `apart` how far pixels may be off, on average;
    `again` whether statistics of images are of the source's pixels as they were decoded."""
    dataset = opened(root)
    new, rows, at = dict(lerobot_sets.columns(dataset)), rows_of(pathlib.Path(root)), 0
    number = 0
    for source, episodes in of:
        source = opened(source)
        wanted = {key for key in source.meta.features if key not in without}
        check(set(dataset.meta.features) == wanted, root, set(dataset.meta.features) ^ wanted)
        old, old_rows = dict(lerobot_sets.columns(source)), rows_of(source.root)
        for episode in range(len(old_rows)) if episodes is None else episodes:
            first, last = (old_rows[episode][f"dataset_{end}_index"] for end in ("from", "to"))
            check(rows[number]["length"] == last - first, root, number)
            for key in wanted - set(source.meta.camera_keys) - set(NUMBERS):
                a, b = new[key][at : at + last - first], old[key][first:last]
                same = a == b if isinstance(a, list) else a.tobytes() == b.tobytes()
                check(same, root, key, f"episode {number} is not {episode} of {source.root}")
            for frame in range(first, last):
                a, b = dataset[at], source[frame]
                meant = b["task"] if tasks is None else tasks[number]
                check(a["task"] == meant, root, at, a["task"], meant)
                for key in wanted & set(source.meta.camera_keys):
                    error = np.abs(lerobot_sets.pixels(a[key]).astype(int) - lerobot_sets.pixels(b[key])).mean()
                    check(error <= apart, root, at, key, error)
                at += 1
            for key in wanted & set(source.meta.camera_keys):
                ours = stats_of(rows[number], key)
                if again:
                    looks_like(ours, [source[n][key] for n in range(first, last)], root, key)
                    continue
                for name, value in stats_of(old_rows[episode], key).items():
                    check(ours[name] == value, root, key, name, ours[name], value)
            number += 1
    check(number == dataset.meta.total_episodes and at == len(dataset), root, number, at)


def delete(root, to, episodes):
    from lerobot.datasets.dataset_tools import delete_episodes

    delete_episodes(opened(root), episodes, output_dir=to, repo_id="peer/less")


def split(root, to, parts):
    from lerobot.datasets.dataset_tools import split_dataset

    split_dataset(opened(root), parts, output_dir=to)


def merge(roots, to):
    from lerobot.datasets.dataset_tools import merge_datasets

    merge_datasets([opened(root) for root in roots], "peer/more", output_dir=to)


def remove(root, to, names):
    from lerobot.datasets.dataset_tools import remove_feature

    remove_feature(opened(root), names, output_dir=to, repo_id="peer/without")


def reword(root, to, new_task, episode, task):
    """In a copy, as LeRobot does it in place."""
    from lerobot.datasets.dataset_tools import modify_tasks

    shutil.copytree(root, to)
    modify_tasks(opened(to), new_task=new_task, episode_tasks={episode: task})


def films(root, to):
    from lerobot.datasets.dataset_tools import convert_image_to_video_dataset

    convert_image_to_video_dataset(opened(root), output_dir=pathlib.Path(to), repo_id="peer/films")


def newer(root):
    from lerobot.scripts.convert_dataset_v21_to_v30 import convert_dataset

    convert_dataset("peer/older", root=root, push_to_hub=False)


def make(root, kind, seed=0):
    lerobot_sets.make(pathlib.Path(root), kind, seed)


def show(root, to):
    check(lerobot_sets.show(root, pathlib.Path(to)) > 0)


STEPS = {step.__name__: step for step in (read, holds, delete, split, merge, remove, reword, films, newer, make, show)}


def main():
    for step in json.loads(sys.argv[1]):
        try:
            STEPS[step.pop("do")](**step)
        except Exception:
            print("in", step, file=sys.stderr)
            raise
        CHECKS.holds(True)
    CHECKS.done("lerobot", version("lerobot"))


main()
