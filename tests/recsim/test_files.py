import json
import math
import os

import numpy as np
import pandas as pd
import pytest
import torch

import agents
from recsim.errors import AgentError
from recsim.files import csv_text, load_state, plain, save_state, with_nan, write_atomically
from recsim.problem import Problem


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def stop(*_):
        raise OSError("power is gone")

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(OSError, match="power"):
        write_atomically(path, "new")
    assert path.read_text() == "old"


def test_csv_restores_every_number():
    values = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-50, 50)
    frame = pd.DataFrame({"name": "x", "count": 3, "value": [*values, math.nan]})
    head, *rows, last = csv_text(frame).splitlines()
    assert head == "name,count,value"
    assert [float(row.split(",")[2]) for row in rows] == values.tolist()
    assert rows[0].startswith("x,3,")
    assert last == "x,3,"


def test_nan_passes_through_json_as_null():
    content = {"a": [1.5, math.nan, np.float64("inf")], "b": {"c": np.int64(3), 4: (True, None)}}
    text = json.dumps(plain(content), allow_nan=False)
    assert text == '{"a": [1.5, null, null], "b": {"c": 3, "4": [true, null]}}'
    back = with_nan(json.loads(text))
    assert math.isnan(back["a"][1])
    assert back["b"]["c"] == 3


def test_a_loaded_state_equals_the_saved_one(tmp_path):
    generator = np.random.default_rng(5)
    state = {
        "weights": torch.arange(6.0).reshape(2, 3),
        "counts": np.arange(4)[::-1],
        "scalar": np.float32(0.5),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3)),
        "nested": [{"x": np.ones(2, dtype=np.float32)}, ("a", None, 3)],
        "rng": generator.bit_generator.state,
    }
    path = tmp_path / "agent.pt"
    save_state(path, state)
    torch.load(path, weights_only=True)
    again = load_state(path)
    assert torch.equal(again["weights"], state["weights"])
    for name in ("counts", "flags", "empty"):
        assert isinstance(again[name], np.ndarray)
        assert again[name].dtype == state[name].dtype
        np.testing.assert_array_equal(again[name], state[name])
    assert again["scalar"] == 0.5
    assert again["nested"][1] == ("a", None, 3)
    assert again["nested"][0]["x"].tolist() == [1, 1]
    other = np.random.default_rng()
    other.bit_generator.state = again["rng"]
    assert other.random() == generator.random()


@pytest.mark.parametrize("wrong", [object(), np.array(["text"]), {1, 2}])
def test_values_that_cannot_be_saved_are_named(tmp_path, wrong):
    with pytest.raises(TypeError, match=r"state\['a'\]\[1\].* cannot be saved"):
        save_state(tmp_path / "agent.pt", {"a": [0, wrong]})


def test_the_state_of_another_agent_is_refused(tmp_path):
    problem = Problem(
        num_items=3,
        user_feature_dim=1,
        item_features=np.zeros((3, 1), dtype=np.float32),
    )
    path = tmp_path / "agent.pt"
    save_state(path, agents.make("random", problem).state_dict())
    agents.make("random", problem).load_state_dict(load_state(path))
    for name in ("linucb", "epsilon_greedy", "popularity"):
        with pytest.raises(AgentError, match=r"agent\.pt: this state has no '.*another agent"):
            agents.make(name, problem).load_state_dict(load_state(path))
