"""Answers, acceptance and rewards of conversations, worked out by hand.

The data are in conftest.py. Episode 0 is user 0 and item 0, 1 user 0 and item 1, 2 user 0 and
item 3, 3 user 1 and item 2.
"""

import numpy as np
import pytest

from recsim.errors import UserError


def start(env, index, seed=0):
    return env.reset(seed=seed, options={"index": index})


def test_a_yes_needs_the_item_and_the_user(make, act):
    ask, _ = act
    env = make()
    start(env, 0)
    obs, reward, *_ = env.step(ask(0))  # has it, cares
    assert obs["answers"].tolist() == [1, 0, 0, 0]
    assert reward == 0.01
    obs, reward, *_ = env.step(ask(1))  # has it, does not care
    assert obs["answers"].tolist() == [1, 2, 0, 0]
    assert reward == -0.1
    obs, *_, info = env.step(ask(3))  # cares, does not have it
    assert obs["answers"].tolist() == [1, 2, 0, 2]
    assert obs["history"].tolist() == [1, -1, -1, 0, 0]
    assert obs["turn"].tolist() == [3]
    assert (info["n_questions"], info["n_recs"]) == (3, 0)


def test_only_a_yes_rules_items_out(make, act):
    ask, show = act
    env = make()
    obs, info = start(env, 0)
    assert obs["candidate_bin"].tolist() == [2]  # floor(log2(5 + 1))
    *_, info = env.step(ask(1))  # a no, though the target has it
    assert info["candidates"].tolist() == [1, 1, 1, 1, 1]
    *_, info = env.step(ask(0))
    assert info["candidates"].tolist() == [1, 1, 0, 0, 0]
    obs, *_, info = env.step(show(1, 4))
    assert info["candidates"].tolist() == [1, 0, 0, 0, 0]
    assert obs["shown"].tolist() == [1, 4, *[-1] * 8]


def test_a_no_rules_items_out_if_answers_depend_on_the_item_alone(make, act):
    ask, _ = act
    env = make(answer_model="item")
    assert env.problem.no_filters
    start(env, 0)
    obs, *_ = env.step(ask(1))
    assert obs["answers"].tolist() == [0, 1, 0, 0]
    assert not make().problem.no_filters
    assert make().problem.yes_filters
    assert not make(noise=0.1).problem.yes_filters


def test_users_may_answer_that_they_do_not_care(make, act):
    ask, _ = act
    env = make(answer_model="unknown")
    start(env, 0)
    obs, reward, *_ = env.step(ask(1))
    assert obs["answers"].tolist() == [0, 3, 0, 0]
    assert obs["history"][0] == 3
    assert reward == -0.1
    obs, *_ = env.step(ask(2))
    assert obs["answers"].tolist() == [0, 3, 2, 0]


def test_a_slate_with_the_target_ends_the_conversation(make, act):
    _, show = act
    env = make()
    start(env, 0)
    obs, reward, terminated, truncated, info = env.step(show(1, 2))
    assert (reward, terminated, truncated) == (-0.1, False, False)
    obs, reward, terminated, truncated, info = env.step(show(4, 0))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["success"], info["rank"], info["turn"]) == (True, 2, 2)
    assert (info["n_recs"], info["items_shown"]) == (2, 4)
    assert info["hdcg"] == pytest.approx(0.5 + (1 / np.log2(3) - 0.5) / np.log2(3))
    assert obs["history"].tolist() == [-2, 2, 0, 0, 0]


def test_the_last_action_is_evaluated(make, act):
    ask, show = act
    for last, success in ((show(0, 4), True), (show(3, 4), False)):
        env = make(max_turns=3)
        start(env, 0)
        env.step(ask(0))
        _, _, terminated, truncated, _ = env.step(ask(1))
        assert not terminated
        assert not truncated
        _, reward, terminated, truncated, info = env.step(last)
        assert terminated == success
        assert truncated == (not success)
        assert reward == (1.0 if success else -0.3)
        assert info["turn"] == 3


@pytest.mark.parametrize("kind", ["again", "late", "shown", "twice"])
def test_illegal_actions(make, act, kind):
    ask, show = act
    first = {"again": ask(0), "shown": show(1, 2)}.get(kind)
    wrong = {"again": ask(0), "late": ask(0), "shown": show(2, 4), "twice": show(3, 3)}[kind]
    message = {
        "again": "asks again for attribute 0",
        "late": "asks on its last turn",
        "shown": "shown before",
        "twice": "an item twice",
    }[kind]
    turns = 1 if kind == "late" else 5
    env = make(max_turns=turns)
    start(env, 0)
    if first:
        env.step(first)
    with pytest.raises(ValueError, match=message):
        env.step(wrong)
    env = make(max_turns=turns, illegal="penalise")
    start(env, 0)
    if first:
        env.step(first)
    before = env.step(wrong)
    assert before[1] == (-0.3 if kind == "late" else -0.1)
    assert before[0]["history"][0 if first is None else 1] == -3
    assert before[4]["turn"] == (1 if first is None else 2)


def test_masks_hold_the_legal_questions(make, act):
    ask, _ = act
    env = make(max_turns=3)
    start(env, 0)
    assert env.action_masks().tolist() == [True] * 5
    env.step(ask(2))
    assert env.action_masks().tolist() == [True, True, False, True, True]
    *_, info = env.step(ask(0))
    assert info["action_mask"].tolist() == [0, 0, 0, 0, 1], "only a slate on the last turn"


def test_questions_whose_answer_is_certain_can_be_masked(make, act):
    ask, _ = act
    env = make(mask_certain=True)
    start(env, 0)
    env.step(ask(0))  # items 0 and 1 are left: 0 has 1, 1 has 2, neither has 3
    assert env.action_masks().tolist() == [False, True, True, False, True]


def test_a_class_is_asked_for_as_a_whole(make, act):
    ask, _ = act
    env = make(question="enumerated", answer_model="item")
    assert env.action_space["attribute"].n == 2
    start(env, 3)  # item 2 has 1 and 2
    obs, reward, *_, info = env.step(ask(1))
    assert obs["answers"].tolist() == [0, 1, 1, 2]
    assert reward == 0.01
    assert info["n_questions"] == 1
    assert info["candidates"].tolist() == [0, 0, 1, 0, 0]
    assert env.action_masks().tolist() == [False, False, True], "part of class 0 is known"


def test_several_attributes_at_once(make, act):
    ask, _ = act
    env = make(question="multi_choice", choices=2)
    start(env, 1)  # user 0, item 1: yes to 0 and 2
    obs, *_, info = env.step(ask([0, 3]))
    assert obs["answers"].tolist() == [1, 0, 0, 2]
    obs, *_, info = env.step(ask([2, -1]))
    assert obs["answers"].tolist() == [1, 0, 1, 2]
    assert (info["n_questions"], info["turn"]) == (2, 2)
    assert info["candidates"].tolist() == [0, 1, 0, 0, 0]


def test_a_discrete_question_is_completed_by_other_attributes(make):
    env = make(question="multi_choice", choices=2, action="discrete")
    start(env, 1)
    obs, *_ = env.step(3)
    assert (obs["answers"] > 0).sum() == 2
    assert obs["answers"][3] == 2


@pytest.mark.parametrize("opening", ["none", "free", "costs_turn"])
def test_the_user_may_open(make, opening):
    openings = set()
    for seed in range(20):
        env = make(opening=opening)
        obs, info = start(env, 1, seed=seed)
        openings.add(tuple(np.flatnonzero(obs["answers"] == 1).tolist()))
        assert info["turn"] == (1 if opening == "costs_turn" else 0)
        assert info["n_questions"] == 0
    assert openings == ({()} if opening == "none" else {(0,), (2,)}), (
        "yes to 0 and 2, each by chance"
    )


def test_any_acceptable_item_is_accepted(make, act):
    ask, show = act
    env = make(acceptable=3)
    start(env, 0)  # user 0 took items 0, 1 and 3; 1 shares an attribute with 0, 3 does not
    *_, terminated, _, _ = env.step(show(1, 4))
    assert terminated
    start(env, 0)
    *_, terminated, _, _ = env.step(show(3, 4))
    assert not terminated
    # A yes to attribute 2 leaves only item 1 acceptable.
    start(env, 0)
    obs, *_ = env.step(ask(2))
    assert obs["answers"].tolist() == [0, 0, 1, 0]
    *_, terminated, _, _ = env.step(show(0, 4))
    assert not terminated
    *_, terminated, _, _ = env.step(show(1, 3))
    assert terminated


def test_noise_is_the_frequency_of_wrong_answers(make_batch):
    count = 4000
    env = make_batch(count, noise=0.2)
    state = env.simulation.conversations
    state.episodes = np.tile(state.episodes[:2], count // 2)
    env.reset(seed=1, options={"index": np.arange(count)})
    action = {
        "type": np.zeros(count, dtype=int),
        "attribute": np.zeros(count, dtype=int),
        "slate": np.full((count, 2), -1),
    }
    obs, *_ = env.step(action)
    wrong = (obs["answers"][:, 0] == 2).mean()  # the truth is yes for both
    assert abs(wrong - 0.2) < 4 * np.sqrt(0.16 / count)


def test_free_recommendations_take_no_turn(make):
    env = make(max_turns=2, free_recommendations=1)
    assert env.problem.free_recommendations == 1
    start(env, 0)
    free = {"type": 2, "attribute": 0, "slate": [1, 2]}
    *_, info = env.step(free)
    assert (info["turn"], info["n_recs"]) == (0, 1)
    *_, info = env.step({**free, "slate": [3, 4]})
    assert info["turn"] == 1, "only one is free"
    counting = make()
    start(counting, 0)
    with pytest.raises(ValueError, match="needs free_recommendations"):
        counting.step(free)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_turn": 3}, r"ConvRec-v0\.max_turn: unknown key\. Did you mean 'max_turns'"),
        ({"noise": 0.7}, r"ConvRec-v0\.noise"),
        ({"rewards": {"accepts": 1.0}}, r"rewards\.accepts: unknown key\. Did you mean 'accept'"),
        ({"slate_size": 6}, "slate_size is 6; there are 5 items"),
        ({"split": "valid"}, "split 'valid' has no interactions"),
        ({"split": "tests"}, r"ConvRec-v0\.split: must be .*'test', not 'tests'"),
        ({"sampler": "all"}, r"ConvRec-v0\.sampler: must be .*, not 'all'"),
        ({"action": "slates"}, r"ConvRec-v0\.action: must be 'slate' or 'discrete'"),
        ({"planted": {}}, "only one of 'data', 'path' and 'planted'"),
        ({"opening": "costs_turn", "max_turns": 1}, "max_turns of at least 2"),
    ],
)
def test_wrong_settings_are_refused(make, settings, message):
    with pytest.raises(UserError, match=message):
        make(**settings)


def test_planted_data_are_checked():
    from envs.conversation import ConvRecEnv

    with pytest.raises(UserError, match=r"planted\.kind is 'code'. Did you mean 'codes'"):
        ConvRecEnv(planted={"kind": "code"})
    with pytest.raises(UserError, match=r"planted\.bit: unknown key\. Did you mean 'bits'"):
        ConvRecEnv(planted={"kind": "codes", "bit": 3})


def test_unknown_episodes_are_refused(make):
    env = make()
    with pytest.raises(UserError, match=r"options\['index'\] of user 0 is 4; .* 0 \.\.\. 3"):
        env.reset(options={"index": 4})
    with pytest.raises(UserError, match=r"reset has no option 'idx'\. Did you mean 'index'"):
        env.reset(options={"idx": 0})
