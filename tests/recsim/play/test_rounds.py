import gymnasium
import numpy as np
import pytest

import agents
from agents.baselines import RandomAgent
from recsim.contracts.slates import FitReport
from recsim.play.rollout import rollout
from recsim.play.rounds import join, play_rounds, pool, refitted, round_curves
from recsim.runs.folder import RunFolder
from recsim.runs.work import run_trial
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial
from recsim.trials.measured import seeds_table
from recsim.trials.seeds import TrialSeeds
from recsim.trials.simulation import metrics_of

STEPS = 4


def scenario(**changes):
    content = {
        "name": "tiny",
        "description": "d",
        "env": {"preset": "interest_exploration"},
        "training_log": {"users": 5, "steps": 3},
        "agents": ["random", "linucb", {"name": "linucb", "label": "practised", "practice": 2}],
        "seeds": 1,
        "users": 6,
        "steps": STEPS,
        "rounds": 3,
    }
    return parse_scenario({**content, **changes})


@pytest.fixture
def env():
    made = gymnasium.make_vec(
        "recsim:SlateRec-v0", num_envs=6, preset="interest_exploration", reveal_state=True
    )
    yield made
    made.close()


def play(env, name, *, users, agents_of=None, **options):
    def build(seed):
        return agents.make(name, env.unwrapped.problem, seed=seed)

    seeds = agents_of or list(range(10, 10 + len(users)))
    return play_rounds(env, build, users=users, agents=seeds, max_steps=STEPS, **options)


def recorded(env, seed):
    agent = agents.make("random", env.unwrapped.problem, seed=seed)
    return rollout(env, agent, seed=seed, max_steps=STEPS, record=True)


def test_seeds_of_rounds_differ_and_do_not_depend_on_the_number_of_rounds():
    seeds = TrialSeeds.of(0)
    users, makers, practice = seeds.users_of(9), seeds.agents_of(9), seeds.practice_of(9)
    assert len({*users, *makers, *practice, *vars(seeds).values()}) == 27 + 4
    assert seeds.users_of(4) == users[:4]
    assert (users[0], makers[0]) == (seeds.users, seeds.agent)
    assert TrialSeeds.of(0).users_of(9) == users
    assert not set(users) & set(TrialSeeds.of(1).users_of(9))


def test_one_round_equals_a_rollout(env):
    agent = agents.make("linucb", env.unwrapped.problem, seed=10)
    alone = rollout(env, agent, seed=3, max_steps=STEPS)
    outcome = play(env, "linucb", users=[3])
    (played,) = outcome.rounds
    np.testing.assert_array_equal(played.items, alone.items)
    assert pool([played]).summary() == alone.summary()
    assert outcome.refits == []


def test_each_round_has_new_users_who_are_the_same_for_all_agents(env):
    both = [play(env, name, users=[3, 4]).rounds for name in ("random", "linucb")]
    for first, second in zip(*both, strict=True):
        np.testing.assert_array_equal(first.oracle_reward[0], second.oracle_reward[0])
    assert (both[0][0].oracle_reward[0] != both[0][1].oracle_reward[0]).all()


def test_refits_count_no_row_twice(env):
    log = recorded(env, 1).to_log()
    # There is no fit after the last round: the agent of the third round was fitted on two.
    outcome = play(env, "linucb", users=[3, 4, 5], log=log, learn=False, refit=True)
    logs = [log]
    for seed in (3, 4):
        agent = agents.make("linucb", env.unwrapped.problem, seed=10)
        agent.fit(join(logs))
        played = rollout(env, agent, seed=seed, max_steps=STEPS, learn=False, record=True)
        logs.append(played.to_log())
    whole = agents.make("linucb", env.unwrapped.problem, seed=10)
    whole.fit(join(logs))
    np.testing.assert_equal(outcome.agent.state_dict(), whole.state_dict())
    np.testing.assert_array_equal(outcome.rounds[1].items, played.items)
    assert [report.rows for report in outcome.refits] == [len(join(logs[:2])), len(join(logs))]


def test_rows_learned_online_do_not_count_twice(env):
    agent = agents.make("linucb", env.unwrapped.problem, seed=0)
    log = rollout(env, agent, seed=3, max_steps=STEPS, record=True).to_log()
    again, report = refitted(
        agent, log, lambda seed: agents.make("linucb", env.unwrapped.problem, seed=seed), 0
    )
    fresh = agents.make("linucb", env.unwrapped.problem, seed=0)
    fresh.fit(log)
    assert again is not agent
    assert report.rows == len(log)
    np.testing.assert_equal(again.state_dict(), fresh.state_dict())


class Recorder(RandomAgent):
    """Keeps the logs that it was fitted on, and counts calls of observe."""

    def __init__(self, config, problem, seed):
        super().__init__(config, problem, seed)
        self.seed, self.logs, self.steps = seed, [], 0

    def fit(self, log):
        self.logs.append(log)
        return FitReport(rows=len(log))

    def observe(self, feedback):
        self.steps += 1


class WarmStart(Recorder):
    """Continues from its present state in a refit."""

    refit = Recorder.fit


def play_class(env, kind, **options):
    config = RandomAgent.Config()
    return play_rounds(
        env,
        lambda seed: kind(config, env.unwrapped.problem, seed),
        users=[3, 4, 5],
        agents=[10, 11, 12],
        max_steps=STEPS,
        **options,
    )


def test_a_refit_uses_every_row_once(env):
    log = recorded(env, 1).to_log()
    outcome = play_class(env, Recorder, log=log, practice=[8], refit=True)
    (refit_log,) = outcome.agent.logs
    assert outcome.agent.seed == 12, "a new agent in the last round"
    assert len(refit_log) == len(log) + 3 * 6 * STEPS
    parts = [np.unique(refit_log.user[rows]) for rows in np.split(np.arange(len(refit_log)), 4)]
    assert [part.tolist() for part in parts] == [list(range(k, k + 6)) for k in (0, 6, 12, 18)]
    np.testing.assert_array_equal(refit_log.slate[: len(log)], log.slate)
    for part, played in zip(np.split(refit_log.slate, 4)[2:], outcome.rounds[:2], strict=True):
        np.testing.assert_array_equal(part.reshape(6, STEPS, -1), played.items.swapaxes(0, 1))


def test_an_agent_with_a_refit_continues_from_its_state(env):
    outcome = play_class(env, WarmStart, log=recorded(env, 1).to_log(), refit=True)
    assert outcome.agent.seed == 10
    assert [len(log) for log in outcome.agent.logs] == [6 * STEPS * k for k in (1, 2, 3)]


def test_an_agent_that_uses_no_log_is_kept(env):
    outcome = play(env, "random", users=[3, 4], refit=True)
    assert outcome.refits == [FitReport(rows=0)]
    other = play(env, "random", users=[3, 4])
    np.testing.assert_array_equal(outcome.rounds[1].items, other.rounds[1].items)


def test_without_refits_an_agent_learns_only_online(env):
    outcome = play_class(env, Recorder, log=recorded(env, 1).to_log())
    assert (len(outcome.agent.logs), outcome.agent.steps) == (1, 3 * STEPS)
    assert outcome.refits == []


def test_practice_comes_first_with_online_learning(env):
    outcome = play_class(env, Recorder, practice=[8, 9], learn=False)
    assert outcome.agent.steps == 2 * STEPS
    assert len(outcome.rounds) == 3
    labels = ("linucb", "practised")
    plain, practised = (scenario(rounds=1).simulate(Trial(label, 0)) for label in labels)
    assert str(plain.agent.state_dict()) != str(practised.agent.state_dict())
    np.testing.assert_array_equal(
        plain.rounds[0].oracle_reward[0], practised.rounds[0].oracle_reward[0]
    )


def test_propensities_that_some_logs_lack_are_dropped(env):
    known = recorded(env, 1).to_log()
    agent = agents.make("epsilon_greedy", env.unwrapped.problem, seed=0)
    other = rollout(env, agent, seed=2, max_steps=STEPS, record=True).to_log()
    both = join([known, other])
    assert known.propensity is not None
    assert (both.propensity is None) == (other.propensity is None)
    unknown = type(known)(**{**vars(known), "propensity": None, "slate_propensity": None})
    joined = join([known, unknown])
    assert joined.propensity is None
    assert joined.slate_propensity is None
    assert len(joined) == 2 * len(known)


def test_pooled_rounds_are_one_cohort(env):
    rounds = [recorded(env, seed) for seed in (1, 2)]
    agent = agents.make("random", env.unwrapped.problem, seed=3)
    rounds.append(rollout(env, agent, seed=3, max_steps=2))
    whole = pool(rounds)
    assert whole.active.shape == (STEPS, 18)
    assert not whole.active[2:, 12:].any()
    numbers, parts = whole.summary(), [played.summary() for played in rounds]
    steps = np.array([24, 24, 12])
    for name in ("reward_per_step", "immediate_regret_per_step", "click_per_step"):
        assert numbers[name] == pytest.approx(steps @ [p[name] for p in parts] / 60)
    assert numbers["reward_per_user"] == pytest.approx(
        np.mean([p["reward_per_user"] for p in parts])
    )
    assert numbers["coverage"] >= max(part["coverage"] for part in parts)


def test_cumulative_regret_is_summed_over_rounds(env):
    rounds = play(env, "linucb", users=[3, 4, 5]).rounds
    curves = round_curves(rounds)
    assert curves.index.name == "round"
    expected = [played.immediate_regret[played.active].sum() / 6 for played in rounds]
    np.testing.assert_allclose(curves["cumulative_immediate_regret"], np.cumsum(expected))
    np.testing.assert_allclose(
        curves["immediate_regret"], [p.immediate_regret[p.active].mean() for p in rounds]
    )
    np.testing.assert_allclose(curves["reward"], [p.reward[p.active].mean() for p in rounds])
    metrics = metrics_of(rounds)
    assert curves["cumulative_immediate_regret"].iloc[-1] == pytest.approx(
        3 * metrics["immediate_regret_per_user"]
    )
    assert metrics["last_round_reward_per_step"] == pytest.approx(curves["reward"].iloc[-1])
    assert metrics["first_round_immediate_regret_per_step"] == pytest.approx(
        curves["immediate_regret"].iloc[0]
    )
    assert (curves["active"] == 1).all()


def test_a_trial_of_rounds_is_saved_and_summarised(tmp_path):
    folder = RunFolder.create(scenario(output=str(tmp_path)))
    for label in ("random", "linucb", "practised"):
        run_trial(folder.path, Trial(label, 0))
    result = folder.result(Trial("linucb", 0))
    outcome = folder.scenario.simulate(Trial("linucb", 0))
    assert result["metrics"] == pytest.approx(metrics_of(outcome.rounds))
    assert [report["rows"] for report in result["refits"]] == [15 + 24, 15 + 48]
    curves = folder.curves(Trial("linucb", 0))
    np.testing.assert_allclose(curves, round_curves(outcome.rounds))
    known = list(seeds_table(folder.scenario, folder).columns[2:])
    assert folder.scenario.front_metrics(known) == (
        "first_round_reward_per_step",
        "last_round_reward_per_step",
    )
    assert "last_round_reward_per_step" in folder.scenario.shown_metrics(known)
