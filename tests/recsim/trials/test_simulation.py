from contextlib import closing

import numpy as np
import pandas as pd
import pytest

import agents
from agents.shared.base import BaseSlateAgent
from envs.world.presets import PRESETS
from recsim import compare
from recsim.contracts.slates import Decision
from recsim.errors import UserError
from recsim.files import load_state
from recsim.runs.folder import RunFolder
from recsim.runs.work import run_trial
from recsim.scenario.environments import make_env
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.sources import EnvSpec
from recsim.scenario.trial import Trial
from recsim.trials.over_seeds import metrics_table
from recsim.trials.seeds import TrialSeeds
from recsim.trials.simulation import collect_log, metrics_of
from recsim.trials.value_gap import best_known, with_value_gap


class Untold(BaseSlateAgent):
    """An agent that does not declare what it sees."""

    def act(self, obs):
        return Decision(np.tile(np.arange(self.slate_size), (len(obs["candidates"]), 1)))

    def propensities(self, obs, items):
        return None


def scenario(**changes):
    content = {
        "name": "tiny",
        "description": "d",
        "env": {"preset": "retention", "max_days": 4},
        "training_log": {"users": 6, "steps": 4},
        "agents": ["random", "popularity", "linucb"],
        "seeds": 2,
        "users": 6,
        "steps": 12,
    }
    return parse_scenario({**content, **changes})


def test_a_seed_is_split_into_different_streams():
    seeds = TrialSeeds.of(3)
    assert TrialSeeds.of(3) == seeds
    parts = list(vars(seeds).values())
    assert len(set(parts)) == 6
    assert not set(parts) & set(vars(TrialSeeds.of(4)).values())


def test_a_trial_is_a_function_of_its_seed():
    first, again, other = (scenario().simulate(Trial("linucb", seed)).rounds for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0].items, again[0].items)
    assert metrics_of(first) == metrics_of(again)
    assert metrics_of(first) != metrics_of(other)


def test_all_agents_meet_the_same_users():
    runs = [scenario().simulate(Trial(label, 0)).rounds[0] for label in ("random", "popularity")]
    # The best reward possible in the first state tells users apart.
    np.testing.assert_array_equal(runs[0].oracle_reward[0], runs[1].oracle_reward[0])
    (other,) = scenario().simulate(Trial("random", 1)).rounds
    assert (other.oracle_reward[0] != runs[0].oracle_reward[0]).all()


def test_the_training_log_is_used_and_its_users_are_others():
    seen = {}
    for seed in (0, 1):
        course = scenario().simulate(Trial("popularity", seed))
        assert 6 <= course.fitted.rows <= 24
        seen[seed] = course.agent.state_dict()
    first, other = (str(state) for state in seen.values())
    assert first != other, "each seed collects its own log"


def test_one_log_for_all_seeds_if_it_has_a_seed():
    s = scenario(training_log={"users": 6, "steps": 4, "seed": 9})
    states = [str(s.simulate(Trial("popularity", seed)).agent.state_dict()) for seed in (0, 1)]
    assert states[0] == states[1]


def test_without_learning_the_agent_stays_as_it_was_fitted():
    def arrays(learn):
        return scenario(learn=learn).simulate(Trial("linucb", 0)).agent.state_dict()

    fixed, learned = arrays(False), arrays(True)
    assert str(fixed) != str(learned)


def test_early_reward_is_that_of_the_first_five_slates():
    (played,) = scenario().simulate(Trial("random", 0)).rounds
    active = played.active[:5]
    expected = played.reward[:5][active].mean()
    assert metrics_of([played])["early_reward_per_step"] == pytest.approx(expected)


@pytest.mark.parametrize("axis", ["step", "day"])
def test_a_trial_is_written_with_curves_numbers_and_agent(tmp_path, axis):
    folder = RunFolder.create(scenario(output=str(tmp_path), axis=axis))
    trial = Trial("linucb", 1)
    run_trial(folder.path, trial)
    result = folder.result(trial)
    assert (result["agent"], result["seed"]) == ("linucb", 1)
    course = folder.scenario.simulate(trial)
    (played,) = course.rounds
    assert result["metrics"] == pytest.approx(metrics_of([played]), nan_ok=True)
    assert result["fit"]["rows"] == course.fitted.rows
    curves = folder.curves(trial)
    assert curves.index.name == axis
    np.testing.assert_allclose(
        curves["cumulative_reward"], played.curves(axis, len(curves))["cumulative_reward"]
    )
    state = load_state(folder.path / "trials" / "linucb" / "seed-1" / "agent.pt")
    fresh = agents.make("linucb", played.problem, seed=0)
    fresh.load_state_dict(state)
    assert str(fresh.state_dict()) == str(course.agent.state_dict())


def test_a_curve_says_whether_anybody_is_left(tmp_path):
    # Everybody leaves at the end of a session of one slate.
    world = {"session": {"minutes": 0.01, "step_minutes": 100.0}}
    s = scenario(env={"preset": "interest_evolution", "world": world}, output=str(tmp_path))
    folder = RunFolder.create(s)
    run_trial(folder.path, Trial("random", 0))
    assert folder.curves(Trial("random", 0))["active"].tolist() == [1.0, 0.0]
    folder = RunFolder.create(scenario(env={"preset": "boredom"}, output=str(tmp_path)))
    run_trial(folder.path, Trial("random", 0))
    assert folder.curves(Trial("random", 0))["active"].tolist() == [1.0] * 12


def test_a_log_on_disk_trains_agents_too(tmp_path):
    log = collect_log(scenario(), scenario().training_log, TrialSeeds.of(5))
    log.save(tmp_path / "log")
    training = {"data": {"reader": "saved", "path": str(tmp_path / "log")}}
    course = scenario(training_log=training).simulate(Trial("popularity", 0))
    assert course.fitted.rows == len(log)


def test_a_collector_is_fitted_on_a_log_of_its_own():
    collector = {"agent": "linucb", "config": {"alpha": 0.0}, "users": 20, "steps": 6}
    fitted = {**collector, "training_log": {"agent": "random", "users": 200, "steps": 6}}

    def clicks(training, seed=0):
        s = scenario(training_log=training, learn=False)
        assert type(s).model_validate(s.resolved()) == s
        return collect_log(s, s.training_log, TrialSeeds.of(seed)).clicks.mean()

    def mean(training):
        return np.mean([clicks(training, seed) for seed in range(3)])

    assert clicks(fitted) == clicks(fitted)
    assert mean(fitted) > 1.3 * mean(collector), "an unfitted one does not know what users like"


def oracles(**changes):
    """A comparison of a random agent with two oracles, in a world where slates change users."""
    content = {
        "name": "tiny",
        "description": "d",
        "env": {"preset": "long_term_satisfaction"},
        "agents": [
            "random",
            {"name": "oracle", "label": "greedy"},
            {"name": "oracle", "label": "foresighted", "config": {"objective": "long_term"}},
        ],
        "seeds": 3,
        "users": 20,
        "steps": 60,
    }
    content |= changes
    return compare(content, content["agents"])


def shown(result):
    table = result.summary.table("main")
    return table.heads[2:], " ".join(note.text for note in table.notes)


def test_the_value_gap_is_to_the_oracle_that_earns_most():
    result = oracles()
    seeds = result.summary.table("seeds").data.set_index(["agent", "seed"])
    earned, gap = seeds["reward_per_user"], seeds["value_gap"]
    assert (gap["foresighted"] == 0).all()
    for agent in ("random", "greedy"):
        assert gap[agent].tolist() == (earned["foresighted"] - earned[agent]).tolist()
    assert gap["greedy"].mean() > 0
    # The greedy oracle loses no immediate reward, and still earns less.
    assert seeds["immediate_regret_per_step"]["greedy"].max() < 1e-6
    heads, notes = shown(result)
    assert "value gap" in heads
    assert "below that of foresighted, the best known policy here, of 2 the one with" in notes
    assert "value_gap" not in set(result.differences["metric"]), "a difference already"


def test_a_seed_that_the_best_known_policy_lacks_is_left_out_of_the_gap():
    earned = {"best": [5.0, None, 7.0], "other": [4.0, 9.0, 4.0], "agent": [1.0, 2.0, 4.0]}
    rows = [
        {"agent": agent, "seed": seed, "reward_per_user": reward}
        for agent, rewards in earned.items()
        for seed, reward in enumerate(rewards)
        if reward is not None
    ]
    seeds = with_value_gap(pd.DataFrame(rows), ["best", "other"])
    assert best_known(seeds, ["best", "other"]) == "best", "6 on average, where 'other' has 5.67"
    table = metrics_table(seeds, 0.95).set_index(["agent", "metric"])
    row = table.loc["agent", "value_gap"]
    assert (row["mean"], row["seeds"]) == (3.5, 2)
    assert best_known(seeds, []) is None


def test_immediate_regret_is_left_out_where_slates_change_users():
    heads, notes = shown(oracles())
    assert not any("regret" in head for head in heads)
    titles = [plot.get_title() for plot in oracles().plot("curves").axes]
    assert not any("egret" in title for title in titles)
    heads, notes = shown(oracles(metrics=["immediate_regret_per_step"]))
    assert heads == ["immediate regret per step"]
    assert "the agent that earns most may have the largest" in notes


def test_immediate_regret_is_shown_where_slates_do_not_change_users():
    result = oracles(env={"preset": "position_bias"})
    heads, notes = shown(result)
    assert "immediate regret per step" in heads
    assert "may have the largest" not in notes
    titles = [plot.get_title() for plot in result.plot("curves").axes]
    assert any("Immediate regret" in title for title in titles)


def test_a_world_that_hides_its_state_has_no_immediate_regret():
    hidden = {"preset": "position_bias", "reveal_state": False}
    result = oracles(env=hidden, agents=["random"], rounds=2)
    heads, _ = shown(result)
    assert not any("regret" in head for head in heads)
    assert not any("regret" in name for name in result.table["metric"])
    for name in ("immediate_regret_per_step", "last_round_immediate_regret_per_user"):
        message = f"metrics: '{name}' needs env.reveal_state to be true"
        with pytest.raises(UserError, match=message):
            oracles(env=hidden, agents=["random"], rounds=2, metrics=[name])
    with pytest.raises(UserError, match=r"front: .* needs env.reveal_state to be true"):
        oracles(env=hidden, agents=["random"], front=["immediate_regret_per_user", "coverage"])


def test_without_an_oracle_there_is_no_value_gap_and_the_table_says_so():
    heads, notes = shown(oracles(agents=["random"]))
    assert "value gap" not in heads
    assert "add the agent 'oracle' for the value gap" in notes
    with pytest.raises(UserError, match=r"metrics: 'value_gap' .* add the agent 'oracle'"):
        oracles(agents=["random"], metrics=["value_gap"])
    with pytest.raises(UserError, match="'regret_per_step' is now called 'immediate_regret_per"):
        oracles(metrics=["regret_per_step"])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_world_says_whether_slates_change_users(preset):
    static = {"position_bias", "interest_exploration"}
    with closing(make_env(EnvSpec.model_validate({"preset": preset}), 2)) as env:
        assert env.unwrapped.changes_users == (preset not in static)


def test_what_agents_see_stands_under_the_table():
    _, notes = shown(oracles(agents=["random", "linucb", "oracle", Untold]))
    assert "random: nothing; linucb: user features, item features;" in notes
    assert "oracle: the hidden state of users, which no real system knows" in notes
    assert "Untold: not declared." in notes
