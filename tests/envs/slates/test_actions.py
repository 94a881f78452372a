"""Actions of ``SlateRec-v0``: slates, slots, candidates, and errors."""

import contextlib

import numpy as np
import pytest
import torch

from envs.slates.env import SlateRecEnv, SlateRecVectorEnv

RIGHT = "it must be 5 whole numbers in 0 ... 199, indices of candidates."


def flat(tree, prefix=""):
    """Nested dicts of arrays as one dict."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, np.asarray(value)


def test_a_repeated_item_is_shown_once():
    env = SlateRecEnv(preset="position_bias", slate_size=4)
    env.reset(seed=0)
    for _ in range(50):
        obs, _, _, _, info = env.step([9, 9, 4, 9])
        assert info["items"].tolist() == [9, -1, 4, -1]
        assert info["clicks"][1] == info["clicks"][3] == 0
        assert obs["history_items"][-4:].tolist() == [9, -1, 4, -1]


def test_slots_are_a_slate_in_pieces():
    settings = {"preset": "boredom", "slate_size": 3, "num_candidates": 20}
    whole, pieces = SlateRecEnv(**settings), SlateRecEnv(action="slot", **settings)
    obs, _ = whole.reset(seed=2)
    pieces.reset(seed=2)
    for step in range(10):
        slate = [(step * 3 + slot * 7) % 20 for slot in range(3)]
        candidates = obs["candidates"]
        obs, reward, _, _, info = whole.step(slate)
        for position, choice in enumerate(slate):
            part, slot_reward, _, _, slot_info = pieces.step(choice)
            if position < 2:
                chosen = slate[: position + 1]
                assert slot_reward == 0
                assert slot_info["items"].tolist() == [-1, -1, -1]
                assert not any(value.any() for key, value in flat(slot_info) if key != "items")
                assert part["partial_slate"].tolist() == [
                    *candidates[chosen],
                    *[-1] * (2 - position),
                ]
                assert np.flatnonzero(part["action_mask"] == 0).tolist() == sorted(chosen)
                assert np.array_equal(pieces.action_masks(), part["action_mask"].astype(bool))
        assert slot_reward == reward
        for key, value in flat(info):
            assert np.array_equal(value, dict(flat(slot_info))[key]), key
        for key, value in obs.items():
            assert np.array_equal(value, part[key]), key
        assert part["action_mask"].all()


def test_action_masks_of_slates_allow_everything():
    env = SlateRecEnv(slate_size=3, num_candidates=10)
    env.reset(seed=0)
    assert env.action_masks().tolist() == [True] * 30


def test_candidates_are_distinct_and_equally_likely():
    env = SlateRecVectorEnv(num_envs=400, num_candidates=30, preset="boredom")
    obs, _ = env.reset(seed=0)
    counts = np.zeros(200)
    for _ in range(50):
        ordered = np.sort(obs["candidates"], axis=1)
        assert np.all(ordered[:, 1:] > ordered[:, :-1])
        counts += np.bincount(obs["candidates"].ravel(), minlength=200)
        obs = env.step(np.tile(np.arange(5), (400, 1)))[0]
    # 200 items in 30 strata of 6 or 7: chances 1/6 or 1/7
    share = counts / (400 * 50)
    assert share.min() > 1 / 7 - 0.02
    assert share.max() < 1 / 6 + 0.02


def test_actions_index_the_candidates_of_the_observation():
    env = SlateRecEnv(num_candidates=12, slate_size=3, preset="boredom")
    obs, _ = env.reset(seed=0)
    for _ in range(10):
        candidates = obs["candidates"]
        obs, _, _, _, info = env.step([4, 0, 11])
        assert info["items"].tolist() == candidates[[4, 0, 11]].tolist()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0, 1, 2, 3, 200], f"The action of user 0 is [0, 1, 2, 3, 200]; {RIGHT}"),
        ([0, 1, 2, 3, -1], f"The action of user 0 is [0, 1, 2, 3, -1]; {RIGHT}"),
        ([0, 1, 2], "The action has shape (3,); it must have shape (5,)."),
        (3, "The action has shape (); it must have shape (5,)."),
        ([[0, 1], [2]], "The action must be whole numbers of shape (5,)."),
        ([0.0, 1, 2, 3, 4], "The action must be whole numbers, not float64."),
        ([True] * 5, "The action must be whole numbers, not bool."),
        (None, "The action must be whole numbers, not object."),
        ("01234", "The action must be whole numbers, not <U5."),
        ({"slate": [0]}, "The action must be whole numbers, not object."),
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_wrong_action_gets_the_same_sentence_from_both_faces(action, message, backend):
    env = SlateRecEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action") as one:
        env.step(action)
    assert str(one.value) == message
    env = SlateRecVectorEnv(2, backend=backend)
    env.reset(seed=0)
    right = [action, [0, 1, 2, 3, 4]] if message.count("user 0") else [action, action]
    with contextlib.suppress(TypeError, ValueError, RuntimeError):
        right = torch.tensor(right) if backend == "torch" else np.array(right)
    with pytest.raises(ValueError, match="action") as many:
        env.step(right)
    assert str(many.value).replace("float32", "float64") == message
