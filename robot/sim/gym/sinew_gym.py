"""A simulated SO-101 as a Gymnasium environment; one file, to be copied where it is needed.

    sinew sim serve --env so101_lift --lockstep 5555

    env = SinewEnv(5555)
    observation, _ = env.reset(seed=7)
    observation, reward, terminated, truncated, info = env.step(action)

Observations and actions are in LeRobot's units: degrees, the gripper from 0 to 100. Names are those that
LeRobot's own evaluation takes: `agent_pos` is the state, `environment_state` is where things lie.
"""

import json
import socket

import gymnasium as gym
import numpy as np


class SinewEnv(gym.Env):
    metadata = {"render_modes": [], "render_fps": 30}

    def __init__(self, port=5555, host="127.0.0.1"):
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self.about = self._ask({"describe": {}})
        self.task_description = self.about["task"]
        self._max_episode_steps = self.about["ticks"]
        wide = lambda names: gym.spaces.Box(-np.inf, np.inf, (len(names),), np.float64)
        self.observation_space = gym.spaces.Dict(
            {"agent_pos": wide(self.about["state"]), "environment_state": wide(self.about["truth"])}
        )
        self.action_space = gym.spaces.Box(-np.inf, np.inf, (len(self.about["action"]),), np.float32)

    def _ask(self, request):
        self._socket.sendall((json.dumps(request) + "\n").encode())
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the simulation has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def _seen(self, answer):
        return {
            "agent_pos": np.array(answer["state"]),
            "environment_state": np.array(answer["truth"]),
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        seed = seed if seed is not None else int(self.np_random.integers(2**31))
        return self._seen(self._ask({"reset": seed})), {"is_success": False}

    def step(self, action):
        answer = self._ask({"step": [float(value) for value in action]})
        ended = bool(answer["over"])
        achieved = bool(answer["achieved"])
        info = {"is_success": achieved}
        return self._seen(answer), answer["reward"], achieved, ended and not achieved, info

    def close(self):
        self._lines.close()
        self._socket.close()
