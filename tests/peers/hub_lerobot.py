"""LeRobot records a dataset, pushes it to a hub, and opens it from there by its name:

    hub_lerobot.py FOLDER EPISODES

HF_ENDPOINT says where the hub is. LeRobot 0.6.1 wants huggingface_hub 1.x, which asks the public Hub
whether a card would do, whatever HF_ENDPOINT says: that one question is left out.
"""

import pathlib
import sys
from importlib.metadata import version

import torchcodec_libraries

# LeRobot streams through torchcodec alone.
torchcodec_libraries.lend()

import huggingface_hub  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
from lerobot.datasets.streaming_dataset import StreamingLeRobotDataset  # noqa: E402
from lerobot_dataset import CHECKS, FPS, every_frame, features, length_of, record  # noqa: E402

huggingface_hub.RepoCard.validate = lambda *_, **__: None

REPO = "lab/pick"
check = CHECKS.holds
folder, episodes = pathlib.Path(sys.argv[1]), int(sys.argv[2])
made = LeRobotDataset.create(REPO, fps=FPS, features=features(), root=folder / "made", robot_type="so_follower", video_backend="pyav")
record(made, range(episodes))
made.push_to_hub(tags=["peer"])
refs = huggingface_hub.HfApi().list_repo_refs(REPO, repo_type="dataset")
check([tag.name for tag in refs.tags] == ["v3.0"], refs.tags)
card = huggingface_hub.DatasetCard.load(REPO)
check({"LeRobot", "peer"} <= set(card.data.tags), card.data.tags)
check("LeRobot" in huggingface_hub.HfApi().dataset_info(REPO).tags)
# Again, as after one more episode: the tag moves.
made.push_to_hub(tags=["peer"])

loaded = LeRobotDataset(REPO, root=folder / "loaded", video_backend="pyav")
check(loaded.meta.total_episodes == episodes, loaded.meta.total_episodes)
every_frame(loaded, episodes)
one = LeRobotDataset(REPO, episodes=[1], root=folder / "one", video_backend="pyav")
check(len(one) == length_of(1), len(one))
streaming = StreamingLeRobotDataset(REPO, shuffle=False)
frames = sum(length_of(episode) for episode in range(episodes))
seen = [int(item["index"]) for item in streaming]
check(sorted(seen) == list(range(frames)), len(seen))
torchcodec_libraries.give_back()
CHECKS.done("lerobot", version("lerobot"))
