"""The Python of docs/gymnasium.md runs."""

import re
from pathlib import Path

import pytest

from envs.slates.env import SlateRecVectorEnv
from recsim.errors import UserError
from recsim.play.rollout import rollout

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gymnasium.md").read_text()


def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(snippet, names)


def test_agents_need_the_default_mode():
    env = SlateRecVectorEnv(2, autoreset_mode="DISABLED")
    with pytest.raises(UserError, match="is DISABLED; agents need SAME_STEP"):
        rollout(env, None, seed=0, max_steps=3)
