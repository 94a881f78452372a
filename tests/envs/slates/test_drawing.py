"""Pictures of a user who is shown slates."""

import copy
import itertools
import pickle
import warnings

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo, RenderCollection
from matplotlib.figure import Figure

from envs.replay import SlateReplayEnv
from envs.slates.drawing import Story
from envs.slates.env import SlateRecEnv
from recsim.errors import UserError
from tests.envs.families import ONE, log

BOREDOM = {"preset": "boredom", "max_steps": 4}


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_picture_has_the_items_and_what_was_clicked():
    story, figure = Story(np.arange(20)), Figure()
    story.begin("a new user", 0.5)
    story.draw(figure)
    assert words(figure) == []
    info = {"items": np.array([12, -1, 7]), "clicks": np.array([0, 0, 1]), "session_end": False}
    story.add(info, "shown", 0.6)
    story.add(info | {"items": np.full(3, -1)}, "of an incomplete slate", 0.6)
    story.add(info | {"session_end": True}, "shown", 0.4)
    story.draw(figure)
    assert words(figure) == ["12", "", "7", "clicked"]
    assert [bar.get_height() for bar in figure.axes[1].patches] == [1, 1]
    (line,) = figure.axes[2].lines
    assert line.get_xydata().tolist() == [[0.5, 0.5], [1.5, 0.6], [2.5, 0.4]]
    assert story.ends == [2]
    assert story.line == "slate 2: shown"
    story.begin("another user", None)
    story.draw(figure)
    assert words(figure) == []
    assert len(figure.axes) == 2, "no satisfaction"


@pytest.mark.parametrize("name", ["slates", "slots", "learned"])
def test_pictures_are_pixels_that_change_with_every_slate(name):
    env = ONE[name](render_mode="rgb_array")
    env.reset(seed=0)
    frames = [env.render()]
    env.action_space.seed(0)
    for _ in range(2 * env.simulation.steps_per_slate):
        env.step(env.action_space.sample())
    frames.append(env.render())
    for frame in frames:
        assert (frame.shape, frame.dtype) == ((400, 640, 3), np.uint8)
    assert (frames[0] != frames[1]).any()
    assert np.array_equal(env.render(), frames[1])
    assert np.array_equal(pickle.loads(pickle.dumps(env)).render(), frames[1])


def test_a_picture_does_not_change_the_numbers():
    rewards = []
    for mode in (None, "rgb_array"):
        env = SlateRecEnv(render_mode=mode, **BOREDOM)
        env.reset(seed=1)
        rewards.append([env.step([0, 1, 2, 3, 4])[1] for _ in range(4)])
    assert rewards[0] == rewards[1]


def test_frames_are_collected():
    env = RenderCollection(gym.make("recsim:SlateRec-v0", render_mode="rgb_array", **BOREDOM))
    env.reset(seed=0)
    for _ in range(3):
        env.step([0, 1, 2, 3, 4])
    frames = env.render()
    assert len(frames) == 4
    assert all((one != other).any() for one, other in itertools.pairwise(frames))


@pytest.mark.filterwarnings("default")
def test_a_video_is_recorded(tmp_path):
    pytest.importorskip("moviepy")
    env = gym.make("recsim:SlateRec-v0", render_mode="rgb_array", **BOREDOM)
    env = RecordVideo(env, str(tmp_path / "videos"), episode_trigger=lambda number: True)
    env.reset(seed=0)
    for _ in range(4):
        env.step([0, 1, 2, 3, 4])
    env.close()
    (video,) = (tmp_path / "videos").glob("*.mp4")
    assert video.stat().st_size > 1000
    assert env.frames_per_sec == 2


def test_without_a_display_a_person_is_told_once(monkeypatch):
    monkeypatch.setattr(plt, "get_backend", lambda: "agg")
    env = SlateRecEnv(render_mode="human", **BOREDOM)
    with pytest.warns(UserWarning, match="there is no display here .* Use render_mode='rgb_array'"):
        env.reset(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.step([0, 1, 2, 3, 4])
        assert env.render() is None
        env.close()


def test_a_window_shows_every_step(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "get_backend", lambda: "TkAgg")
    monkeypatch.setattr(plt, "pause", lambda seconds: shown.append((seconds, words(plt.gcf()))))
    before = plt.get_fignums()
    env = SlateRecEnv(render_mode="human", **BOREDOM)
    env.reset(seed=0)
    env.step([0, 1, 2, 3, 4])
    assert env.render() is None
    assert [seconds for seconds, _ in shown] == [0.5, 0.5]
    assert shown[0][1] == []
    assert shown[1][1][:1] == ["0"]
    copy.deepcopy(env).close()  # a copy has a window of its own
    assert len(plt.get_fignums()) == len(before) + 1
    env.close()
    env.close()
    assert plt.get_fignums() == before


def test_render_modes_are_those_of_the_metadata():
    assert SlateRecEnv.metadata["render_modes"] == ["ansi", "rgb_array", "human"]
    assert SlateRecEnv.metadata["render_fps"] == 2
    with pytest.raises(UserError, match=r"render_mode is 'rgb'\. Did you mean 'rgb_array'"):
        SlateRecEnv(render_mode="rgb")
    with pytest.raises(UserError, match=r"render_mode is 'human'\. Known: ansi\."):
        ONE["conversations"](render_mode="human")
    with pytest.raises(UserError, match=r"render_mode is 'ansi'\. There is none\."):
        SlateReplayEnv(log=log(), render_mode="ansi")
