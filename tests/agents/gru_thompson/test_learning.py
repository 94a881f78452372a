"""Learning tests in a world that follows the model, where the truth is known."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import agents
from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import from_log
from agents.gru_thompson.losses import choice_likelihood
from recsim.estimators import evaluate
from reproductions.gru_thompson.distance import DistanceWorld

WORLD = DistanceWorld(num_items=40, num_groups=8, slate_size=4)
TRAINING = {"dim": 2, "state": "linear", "steps": 120, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def log():
    torch.set_num_threads(1)
    cohort = WORLD.start(300, 1)
    cohort.log_for(12)
    return cohort.to_log()


@pytest.fixture(scope="module")
def state(log):
    agent = GRUThompsonAgent(
        GRUThompsonConfig(**TRAINING, likelihood_temperature=0.05), log.problem, 0
    )
    agent.fit(log)
    return agent.state_dict()


def with_policy(state, problem, **policy):
    agent = GRUThompsonAgent(GRUThompsonConfig(**TRAINING, **policy), problem, 0)
    agent.load_state_dict(state)
    return agent


@pytest.fixture(scope="module")
def cohort():
    """New users after five slates."""
    people = WORLD.start(300, 2)
    people.log_for(5)
    return people


def click_rate(cohort, choose, steps=8):
    people = copy.deepcopy(cohort)
    for _ in range(steps):
        people.show(choose(people))
    return np.stack(people.clicks[-steps:]).sum() / steps / 300


@pytest.mark.parametrize("policy", ["greedy", "thompson", "in_slate", "ucb"])
def test_every_strategy_is_far_better_than_random_and_below_the_oracle(state, log, cohort, policy):
    agent = with_policy(state, log.problem, policy=policy)
    learned = click_rate(cohort, lambda people: agent.act(people.observation()).slates)
    random = click_rate(cohort, lambda people: people.random())
    oracle = click_rate(cohort, lambda people: people.oracle())
    # The standard deviation of each rate over users and steps is about .01.
    assert learned > random + 0.2
    assert learned < oracle + 0.02


def test_it_is_clicked_far_more_than_what_is_popular_and_about_as_much_as_counting(
    state, log, cohort
):
    """Counting which clicks follow which is as good in this world, and is the bar to report."""
    agent = with_policy(state, log.problem, policy="greedy")
    learned = click_rate(cohort, lambda people: agent.act(people.observation()).slates)
    rates = {}
    for name in ("popularity", "sequential_rules", "ease"):
        rival = agents.make(name, log.problem, seed=0)
        rival.fit(log)
        rates[name] = click_rate(
            cohort, lambda people, rival=rival: rival.act(people.observation()).slates
        )
    print(learned, rates)
    assert learned > rates["popularity"] + 0.2
    # Measured: 0.02 below; the standard error of a difference is about .012.
    assert learned > max(rates.values()) - 0.07


def popularity_likelihood(train, test):
    """Return the mean log-probability of choices in proportion to clicks per impression."""
    shape = (WORLD.num_items,)
    shown, clicked = np.zeros(shape), np.zeros(shape)
    np.add.at(shown, train.slate, 1)
    np.add.at(clicked, train.slate, train.clicks)
    appeal = (clicked + 1) / (shown + 4)
    nothing = (train.clicks.sum(axis=1) == 0).mean()
    weights = np.column_stack([np.full(len(test), nothing), appeal[test.slate]])
    choice = np.where(test.clicks.any(axis=1), test.clicks.argmax(axis=1) + 1, 0)
    return np.log(weights[np.arange(len(test)), choice] / weights.sum(axis=1)).mean()


def test_choices_of_new_users_are_predicted_better_than_by_popularity(
    state, log, cohort, generator
):
    people = copy.deepcopy(cohort)
    for _ in range(5):
        people.show(people.random())
    shown = people.to_log()
    choices = from_log(shown).after(5)
    model = with_policy(state, log.problem, policy="greedy")._model
    with torch.no_grad():
        start, _ = model.start(choices.context_clicks)
        drawn = model.globals(generator, temperature=0.0)
        each = choice_likelihood(model, "linear", choices, drawn, start, generator, 0.0)
    likelihood = float(each[choices.scored].mean())
    late = shown.select(shown.step >= 5)
    assert likelihood > popularity_likelihood(log, late) + 0.1
    assert likelihood > np.log(1 / 5) + 0.2


def test_rarely_shown_items_are_less_certain(state, log):
    model = with_policy(state, log.problem, policy="greedy")._model
    shown = np.bincount(log.slate.ravel(), minlength=WORLD.num_items)
    order = np.argsort(shown)
    scale = model.items.scale().mean(dim=1).detach().numpy()
    assert shown[order[:10]].mean() < 0.7 * shown[order[-10:]].mean()
    assert scale[order[:10]].mean() > 1.5 * scale[order[-10:]].mean()


def test_the_recurrent_state_learns_in_stages(log, cohort):
    config = TRAINING | {"state": "gru", "steps": 200, "likelihood_temperature": 0.05}
    agent = GRUThompsonAgent(GRUThompsonConfig(**config, policy="greedy"), log.problem, 0)
    report = agent.fit(log)
    assert {row["stage"] for row in report.losses} == {1, 2}
    learned = click_rate(cohort, lambda people: agent.act(people.observation()).slates)
    assert learned > click_rate(cohort, lambda people: people.random()) + 0.15


def test_clipped_ips_on_a_uniform_log_estimates_the_value_of_the_policy():
    world = DistanceWorld(num_items=8, num_groups=4, slate_size=1, nothing=-1.0, history=5)
    people = world.start(500, 4)
    people.log_for(8)
    config = GRUThompsonConfig(
        **TRAINING, likelihood_temperature=0.05, policy="thompson", propensity_draws=100
    )
    agent = GRUThompsonAgent(config, people.problem, 0)
    agent.fit(people.to_log())

    people = world.start(2500, 5)
    truth = []
    for _ in range(4):
        table = agent.action_probabilities(people.observation())[:, 0]  # (U, I)
        every = [people.probabilities(np.full((2500, 1), item))[:, 0] for item in range(8)]
        truth.append((table * np.stack(every, axis=1)).sum(axis=1))
        people.show(people.random())
    uniform = people.to_log()
    uniform = replace(uniform, propensity=np.full(uniform.slate.shape, 1 / 8))
    (value,) = evaluate(uniform, agent, ["clipped_ips"], clip=8.0, level=0.99)
    assert value.low < np.mean(truth) < value.high
    # The rate of the logging policy is outside, so the test distinguishes the policies.
    assert uniform.clicks.mean() < value.low
