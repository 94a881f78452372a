"""Critiquing sessions: properties that hold exactly for every agent."""

import gymnasium as gym
import numpy as np
import pytest

import agents
import recsim  # noqa: F401  (registers the environments)
from recsim.contracts.critiquing import Showing
from recsim.draws import Draws, Purpose, chain, key_of
from recsim.metrics import critiquing as C
from recsim.play.critiquing import (
    critique_curves,
    critique_metrics,
    critique_users,
    play_critiquing,
)

PLANTED = {"users": 150, "num_items": 80, "num_aspects": 12, "reviews": 8}


def make(num_envs=64, **settings):
    return gym.make_vec("recsim:CritiqueRec-v0", num_envs=num_envs, planted=PLANTED, **settings)


class Linear:
    """Scores are linear in critiques: items that share most aspects with them fall.

    Args:
        problem: The public facts.
        weight: Weight of critiques; 0 to ignore them.
        strict: Whether items with a critiqued aspect are ranked last.
    """

    def __init__(self, problem, weight=0.0, strict=False):
        self.problem, self.weight, self.strict = problem, weight, strict
        rng = np.random.default_rng(0)
        self.bias = rng.normal(size=(problem.num_users, problem.num_items))
        has = problem.item_aspects.astype(float)
        self.items = (has - has.mean(axis=0)).T

    def begin(self, sessions):
        self.sessions = sessions

    def act(self, obs):
        user = obs["user"][:, 0]
        critiques = np.einsum(
            "bk,ki->bi", np.minimum(obs["critiqued"], 0).astype(float), self.items
        )
        scores = (self.bias[user] + self.weight * critiques).round(9)
        if self.strict:
            wrong = (obs["critiqued"] < 0).astype(float) @ self.problem.item_aspects.T
            scores = np.where(wrong > 0, scores - 100, scores)
        draws = Draws.at(chain(key_of(5, "test"), self.sessions), obs["turn"][:, 0])
        chance = draws.uniform(Purpose("justification"), self.problem.num_aspects)
        return Showing(scores, chance < 0.6)


def linear(env, **settings):
    return Linear(env.unwrapped.problem, **settings)


def test_an_agent_that_ignores_critiques_shows_its_first_ranking():
    env = make()
    result = play_critiquing(env, linear(env), seed=0)
    numbers = critique_metrics(result)
    assert 0 < numbers["sr_final@1"] < 1
    assert numbers["sr_final@1"] == numbers["hr@10"]
    for n in (1, 5, 10, 20):
        hits = (result.ranks[:, 0] < n + 9).mean()
        assert numbers[f"sr_final@{n}"] == numbers[f"sr_first@{n}"] == hits
        assert numbers[f"base_sr_final@{n}"] == hits
    assert [numbers[f"base_al@{n}"] for n in (5, 10)] == [numbers[f"al@{n}"] for n in (5, 10)]
    np.testing.assert_array_equal(result.ranks, result.base_ranks)
    assert (numbers["won"], numbers["equal"], numbers["lost"]) == (0, 1, 0)
    assert numbers["gain"] == 0
    assert numbers["critiques"] > 5, "there were many critiques"


def test_without_critiques_the_use_of_critiques_has_no_effect():
    env = make(critiques="none")
    one, other = (play_critiquing(env, linear(env, weight=weight), seed=0) for weight in (0, 3))
    np.testing.assert_array_equal(one.ranks, other.ranks)
    assert one.sessions["critiques"].sum() == 0


def test_ruling_out_critiqued_aspects_never_lowers_the_goal():
    env = make()
    result = play_critiquing(env, linear(env, strict=True), seed=0)
    ranks = result.ranks
    later = ranks[:, 1:] >= 0
    assert (ranks[:, 1:] <= ranks[:, :-1])[later].all(), "its rank never gets worse"
    for n in (1, 5, 10, 20):
        np.testing.assert_array_equal(C.sr_final(ranks, n), C.sr_first(ranks, n))
    assert critique_metrics(result)["lost"] == 0
    assert critique_metrics(result)["gain"] > 0.1


def test_mistakes_of_the_user_make_the_filter_lower_the_goal():
    env = make(mistakes=0.5)
    result = play_critiquing(env, linear(env, strict=True), seed=0)
    ranks = result.ranks
    assert (ranks[:, 1:] > ranks[:, :-1])[ranks[:, 1:] >= 0].any()


def test_using_critiques_helps():
    env = make()
    ignoring, using = (
        play_critiquing(env, linear(env, weight=weight), seed=0) for weight in (0, 1.0)
    )
    np.testing.assert_array_equal(ignoring.base_ranks, using.base_ranks)
    assert critique_metrics(using)["gain"] > 0.1


def test_sums_by_user_give_the_metrics():
    env = make()
    result = play_critiquing(env, linear(env, weight=1.0), seed=0)
    metrics, users = critique_metrics(result), critique_users(result)
    assert users["user"].tolist() == sorted(set(result.sessions["user"]))
    assert users["episodes"].sum() == len(result.sessions)
    for name in users.columns[2:]:
        if not name.endswith(".count"):
            counts = users.get(f"{name}.count", users["episodes"])
            assert users[name].sum() / counts.sum() == pytest.approx(metrics[name], nan_ok=True)
    assert {"sr_final@1", "justification_f1", "won", "f_map@5"} <= set(users)


@pytest.mark.parametrize("settings", [{}, {"seeker": "random", "mistakes": 0.2}])
def test_the_batch_size_has_no_effect(settings):
    results = []
    for size in (1, 37, 200):
        env = make(size, **settings)
        results.append(play_critiquing(env, linear(env, weight=1.0), seed=3))
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].ranks, other.ranks)
        assert results[0].sessions.equals(other.sessions)
        for name, values in results[0].turns.items():
            np.testing.assert_array_equal(values, other.turns[name])


def test_the_seed_is_that_of_the_critiques():
    env = make(seeker="random")
    one, again, other = (
        play_critiquing(env, linear(env, weight=1.0), seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.ranks, again.ranks)
    assert (one.ranks != other.ranks).any()
    np.testing.assert_array_equal(one.ranks[:, 0], other.ranks[:, 0])


def test_curves_and_numbers_agree():
    env = make(patience=2)
    result = play_critiquing(env, linear(env, weight=1.0), seed=0)
    curves, numbers = critique_curves(result), critique_metrics(result)
    assert curves.index.tolist() == list(range(1, 11))
    assert curves["found"].iloc[-1] == numbers["sr_first@1"] == numbers["sr_final@1"]
    assert curves["found"].iloc[0] == numbers["immediate"]
    assert curves["found_without_critiques"].iloc[-1] == numbers["base_sr_final@1"]
    assert curves["found_by_critiques"].iloc[-1] == pytest.approx(numbers["gain"])
    assert curves["reciprocal_rank"].iloc[0] == pytest.approx(numbers["mrr"])
    assert curves["active"].iloc[0] == 1
    left = ~result.sessions["success"] & (result.sessions["turn"] < 10)
    assert left.any(), "some users give up"
    assert numbers["al"] > result.sessions["turn"].mean(), "a user who gives up counts as T turns"
    np.testing.assert_array_equal((result.ranks >= 0).sum(axis=1), result.sessions["turn"])
    assert numbers["reward"] == numbers["sr_final@1"]


def test_items_can_be_justified_by_their_own_aspects():
    env = make(justification="item")
    numbers = critique_metrics(play_critiquing(env, linear(env), seed=0))
    assert numbers["justification_of_item_f1"] == 1
    assert 0 < numbers["justification_f1"] < 1


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("name", ["critique_popularity", "critique_random"])
def test_agents_of_the_registry(name, cold):
    env, done = make(cold_start=cold), []
    agent = agents.make(name, env.unwrapped.problem, seed=0)
    agent.fit(env.unwrapped.training_data)
    result = play_critiquing(env, agent, seed=0, on_batch=done.append)
    assert done == [64, 128, 150]
    np.testing.assert_array_equal(result.ranks, result.base_ranks)


def test_published_reviews(data_dir):
    """The success rate agrees with an independent run with another split: 12.7 %."""
    env = gym.make_vec(
        "recsim:CritiqueRec-v0",
        num_envs=512,
        path=str(data_dir / "aspects_cellphone"),
        reader={"min_rating": 4, "core_u": 5, "core_i": 5},
    )
    world = env.unwrapped
    sizes = (world.num_episodes, world.problem.num_items, world.problem.num_aspects)
    assert sizes == (1280, 830, 101)
    metrics = {}
    for name in ("critique_popularity", "critique_random"):
        agent = agents.make(name, world.problem, seed=0)
        agent.fit(world.training_data)
        metrics[name] = critique_metrics(play_critiquing(env, agent, seed=0))
    popular = metrics["critique_popularity"]
    assert popular["sr_final@1"] == popular["hr@10"]
    assert abs(popular["sr_final@1"] - 0.127) < 4 * np.sqrt(0.127 * 0.873 / 1280)
    chance = 10 / (830 - 7)  # of the items that a user has not reviewed
    assert abs(metrics["critique_random"]["sr_final@1"] - chance) < 4 * np.sqrt(chance / 1280)
