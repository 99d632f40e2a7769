"""LeRobot opens by its name a dataset that was pushed to a hub, and the official client a policy:

    hub_opens.py FOLDER DATASET ROOT POLICY CHECKPOINT FILES

HF_ENDPOINT says where the hub is; ROOT and CHECKPOINT are what was pushed, on this machine; each camera
has FILES videos.
"""

import hashlib
import pathlib
import sys
from importlib.metadata import version

import torchcodec_libraries

torchcodec_libraries.lend()

import huggingface_hub  # noqa: E402
import numpy as np  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
from lerobot.datasets.streaming_dataset import StreamingLeRobotDataset  # noqa: E402
from lerobot_dataset import CHECKS  # noqa: E402

check = CHECKS.holds
folder, repo, root, policy, checkpoint, files = sys.argv[1:]
folder = pathlib.Path(folder)
videos = [name for name in huggingface_hub.HfApi().list_repo_files(repo, repo_type="dataset") if name.endswith(".mp4")]
check(len(videos) == int(files), videos)
here = LeRobotDataset(repo, root=root, video_backend="pyav")
there = LeRobotDataset(repo, root=folder / "pulled", video_backend="pyav")
check(there.meta.total_episodes == here.meta.total_episodes > 1)
check(len(there) == len(here) > 0)
for index in range(len(here)):
    ours, theirs = here[index], there[index]
    check(ours.keys() == theirs.keys())
    for key in ours:
        same = ours[key] == theirs[key] if isinstance(ours[key], str) else np.array_equal(ours[key], theirs[key])
        check(same, key, index)
one = LeRobotDataset(repo, episodes=[1], root=folder / "one", video_backend="pyav")
check(0 < len(one) < len(here))
if len(videos) == 1:
    # LeRobot 0.6.1 streams a frame at the time of its number in the whole dataset, which is its place in
    # the video only where one file holds them all.
    seen = sorted(int(item["index"]) for item in StreamingLeRobotDataset(repo, shuffle=False))
    check(seen == list(range(len(here))), seen[:5])

card = huggingface_hub.DatasetCard.load(repo)
check({"LeRobot", "so101"} <= set(card.data.tags), card.data.tags)
check(card.data.task_categories == ["robotics"] and card.data.license == "apache-2.0")
check(card.data.configs == [{"config_name": "default", "data_files": "data/*/*.parquet"}])
check("visualize_dataset?path=" + repo in card.text)

card = huggingface_hub.ModelCard.load(policy)
check(card.data.library_name == "lerobot" and card.data.pipeline_tag == "robotics")
check({"robotics", "lerobot", "act"} <= set(card.data.tags), card.data.tags)
fetched = pathlib.Path(huggingface_hub.snapshot_download(policy, cache_dir=folder / "cache"))
weights = "model.safetensors"
digests = [hashlib.sha256((at / weights).read_bytes()).hexdigest() for at in (fetched, pathlib.Path(checkpoint))]
check(digests[0] == digests[1])
check(digests[0] in card.text, "the card names the weights")
torchcodec_libraries.give_back()
CHECKS.done("hub", version("lerobot"))
