"""Every agent of this project declares what it sees."""

import pytest

import agents
from recsim.contracts.reads import READS, history_of, reads_of, reads_text
from recsim.problem import Problem


@pytest.mark.parametrize("name", agents.BUILTIN)
def test_every_agent_declares_what_it_sees(name):
    declared = agents.load(name).reads
    assert declared is not None
    assert declared <= READS.keys()


def test_the_state_is_seen_by_privileged_agents_alone():
    seeing = {name for name in agents.BUILTIN if "state" in agents.load(name).reads}
    assert seeing == {"oracle"}


def problem(features):
    import numpy as np

    return Problem(
        num_items=6,
        slate_size=2,
        user_feature_dim=features,
        item_features=np.zeros((6, features), dtype=np.float32),
        rewards={"click": 1.0, "return": 0.0},
    )


def test_settings_and_the_problem_decide_what_an_agent_sees():
    def seen(name, features=2, **config):
        return reads_of(agents.make(name, problem(features), **config))

    assert seen("linucb") == ["user_features", "item_features"]
    assert seen("linucb", features=0) == ["item_ids"]
    assert seen("linucb", target="return") == ["user_features", "item_features", "returns"]
    assert seen("popularity") == ["item_ids"]
    assert seen("popularity", exclude_seen=True) == ["item_ids", "history"]
    assert seen("mixture") == ["state"]
    assert seen("mixture", members=[{"name": "random"}, {"name": "popularity"}]) == ["item_ids"]
    assert seen("clone") == ["user_features", "item_ids"]
    assert seen("clone", keep=0.25, target="return") == ["user_features", "item_ids", "returns"]
    assert "history" in seen("clone", network="mlp")
    assert seen("dt4ier") == ["user_features", "item_ids", "history", "returns"]
    assert seen("dt4ier", rtg="zero", user_features=False) == ["item_ids", "history"]


def test_agents_that_see_the_same_stand_together():
    contents = {
        "a": {"declared": True, "reads": []},
        "b": {"declared": True, "reads": ["item_ids", "history"], "history": 20},
        "c": {"declared": True, "reads": ["item_ids", "history"], "history": 20},
        "d": {"declared": False, "reads": []},
    }
    text = "What they see - a: nothing; b, c: item ids, history (20); d: not declared."
    assert reads_text(contents) == text
    assert reads_text({}) == ""
    assert history_of(agents.make("dt4ier", problem(2), history=7)) == 7
    assert history_of(agents.make("random", problem(2))) is None
