"""The three agents: learning, acting and saving."""

import numpy as np
import pytest
import torch

import agents
from recsim.errors import UserError

NAMES = ["sasrec", "bert4rec", "gru4rec"]
ITEMS = 12
SMALL = {"dim": 16, "layers": 1, "dropout": 0.0, "learning_rate": 0.01, "init_std": 0.1}
QUICK = SMALL | {"steps": 5, "max_length": 6}


def planted(seed, users, length=12):
    """Sequences in which an item is followed by one other, nine times out of ten.

    The other times, and at first, items come by a popularity of their own.
    """
    follower = np.random.default_rng(100 + seed).permutation(ITEMS)
    popularity = np.random.default_rng(200 + seed).dirichlet(np.ones(ITEMS))
    rng = np.random.default_rng(seed)
    drawn = rng.choice(ITEMS, (users, length), p=popularity)
    for step in range(1, length):
        goes_on = rng.random(users) < 0.9
        drawn[:, step] = np.where(goes_on, follower[drawn[:, step - 1]], drawn[:, step])
    return drawn, follower


def observe(histories, items=ITEMS, candidates=None):
    histories = np.asarray(histories)
    if candidates is None:
        candidates = np.tile(np.arange(items), (len(histories), 1))
    return {
        "history_items": histories,
        "history_clicks": (histories >= 0).astype(np.int8),
        "candidates": np.asarray(candidates),
    }


@pytest.fixture
def fitted(make_sequences):
    def build(name, sequences, num_items=ITEMS, seed=0, **config):
        log = make_sequences(sequences, num_items)
        agent = agents.make(name, log.problem, seed=seed, **(QUICK | config))
        agent.fit(log)
        return agent

    return build


@pytest.mark.parametrize("name", NAMES)
def test_users_without_events_are_shown_popular_items(make_sequences, name):
    rng = np.random.default_rng(0)
    sequences = rng.choice(3, (150, 4), p=[0.2, 0.7, 0.1])
    log = make_sequences(sequences, 3)
    agent = agents.make(name, log.problem, **(SMALL | {"steps": 80, "max_length": 4}))
    agent.fit(log)
    scores = agent.scores(observe(np.full((2, 5), -1), 3))
    assert np.argsort(-scores, axis=1).tolist() == [[1, 0, 2]] * 2


@pytest.mark.parametrize("name", NAMES)
def test_slates_hold_candidates_of_their_own_row(fitted, name):
    many = 40  # more than eight times the candidates
    rng = np.random.default_rng(1)
    agent = fitted(name, rng.integers(0, many, (20, 5)), many)
    agent._slate_size = 2
    candidates = np.argsort(rng.random((6, many)), axis=1)[:, :3]
    obs = observe(rng.integers(0, many, (6, 4)), candidates=candidates)
    slates = agent.act(obs).slates
    assert (np.sort(slates, axis=1)[:, 0] < np.sort(slates, axis=1)[:, 1]).all()
    whole = agent.scores({**obs, "candidates": np.tile(np.arange(many), (6, 1))})
    own = np.take_along_axis(whole, candidates, axis=1)
    np.testing.assert_allclose(agent.scores(obs), own, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(slates, np.argsort(-own, axis=1)[:, :2])


@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_depend_on_the_size_of_blocks(fitted, monkeypatch, name):
    agent = fitted(name, planted(0, 20)[0])
    obs = observe(planted(1, 9)[0])
    before = agent.scores(obs)
    monkeypatch.setattr("agents.sequential.agent._BLOCK", 1)
    np.testing.assert_allclose(agent.scores(obs), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_excluded_items_come_last_in_their_own_order(fitted, name):
    sequences = planted(0, 20)[0]
    agent = fitted(name, sequences, exclude_seen=True)
    plain = fitted(name, sequences)
    agent._slate_size = ITEMS
    history = np.array([[3, 5, 3, -1], [-1, -1, -1, -1]])
    seen = [{3, 5}, set()]
    slates, scores = agent.act(observe(history)).slates, plain.scores(observe(history))
    for row in range(2):
        order = np.argsort(-scores[row]).tolist()
        expected = [i for i in order if i not in seen[row]] + [i for i in order if i in seen[row]]
        assert slates[row].tolist() == expected


@pytest.mark.parametrize("name", NAMES)
def test_events_before_the_window_have_no_effect(fitted, name):
    agent = fitted(name, planted(0, 20)[0], max_length=4)
    history = planted(1, 5)[0]
    other = history.copy()
    other[:, :-4] = (other[:, :-4] + 1) % ITEMS
    np.testing.assert_array_equal(agent.scores(observe(history)), agent.scores(observe(other)))


@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_depend_on_where_the_history_is_padded(fitted, name):
    agent = fitted(name, planted(0, 20)[0])
    left = np.array([[-1, -1, 3, 1], [-1, -1, -1, -1], [-1, -1, -1, 5]])
    right = np.array([[3, 1, -1, -1], [-1, -1, -1, -1], [5, -1, -1, -1]])
    scores = agent.scores(observe(left))
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, agent.scores(observe(right)))
    wide = np.concatenate([np.full((3, 9), -1), left], axis=1)
    np.testing.assert_allclose(scores, agent.scores(observe(wide)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_scores_without_touching_the_global_generator(fitted, name):
    obs, sequences = observe(planted(1, 5)[0]), planted(0, 20)[0]
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same = (fitted(name, sequences, dropout=0.3).scores(obs) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - fitted(name, sequences, dropout=0.3, seed=1).scores(obs)).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_second_log_replaces_the_first(fitted, make_sequences, name):
    obs = observe(planted(1, 5)[0])
    agent = fitted(name, planted(3, 20)[0])
    agent.fit(make_sequences(planted(0, 20)[0], ITEMS))
    np.testing.assert_array_equal(agent.scores(obs), fitted(name, planted(0, 20)[0]).scores(obs))


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_agent_scores_the_same(fitted, make_sequences, name):
    agent, obs = fitted(name, planted(0, 20)[0]), observe(planted(1, 5)[0])
    problem = make_sequences([[0]], ITEMS).problem
    fresh = agents.make(name, problem, seed=9, **QUICK)
    fresh.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(fresh.scores(obs), agent.scores(obs))
    wider = agents.make(name, problem, **(QUICK | {"dim": 8}))
    with pytest.raises(UserError, match=f"'{name}' was fitted on another catalogue or with other"):
        wider.load_state_dict(agent.state_dict())
    empty = agents.make(name, problem, **QUICK)
    empty.load_state_dict({})
    with pytest.raises(UserError, match=f"'{name}' must be fitted on a log"):
        empty.act(obs)


def test_training_stops_when_held_out_events_are_predicted_no_better(make_sequences):
    rng = np.random.default_rng(0)
    log = make_sequences(rng.integers(0, ITEMS, (40, 6)), ITEMS)  # nothing to learn
    settings = SMALL | {"steps": 2000, "evaluate_every": 5, "patience": 3}
    agent = agents.make("gru4rec", log.problem, **settings)
    losses = agent.fit(log).losses
    values = [row["ndcg@10"] for row in losses]
    assert losses[-1]["step"] < 2000
    assert len(losses) == int(np.argmax(values)) + 1 + 3
    every = agents.make("gru4rec", log.problem, **(settings | {"held_out": 0.0, "steps": 30}))
    report = every.fit(log)
    assert [row["step"] for row in report.losses] == [5, 10, 15, 20, 25, 30]
    assert "ndcg@10" not in report.losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_validation_log_decides_only_when_to_stop(make_sequences, name):
    sequences = planted(0, 30)[0]
    log, problem = make_sequences(sequences, ITEMS), make_sequences([[0]], ITEMS).problem
    obs = observe(planted(1, 5)[0])
    later = [make_sequences(planted(seed, 30)[0][:, :2], ITEMS) for seed in (2, 3)]

    def fitted(steps, validation):
        settings = SMALL | {"max_length": 6, "evaluate_every": 4, "patience": 9, "steps": steps}
        agent = agents.make(name, problem, **settings, held_out=0.0)
        return agent, agent.fit(log, validation).losses

    plain, _ = fitted(4, None)
    judged = [fitted(4, validation) for validation in later]
    for agent, _ in judged:  # the one state that they can choose
        np.testing.assert_array_equal(agent.scores(obs), plain.scores(obs))
    assert judged[0][1][0]["ndcg@10"] != judged[1][1][0]["ndcg@10"]
    with pytest.raises(UserError, match="found no later event of a user of the log"):
        fitted(4, make_sequences([[-1], [-1]], ITEMS))


def test_averaged_parameters_are_those_of_the_last_steps(make_sequences):
    log = make_sequences(planted(0, 20)[0], ITEMS)

    def bias(average, steps):
        settings = QUICK | {"steps": steps, "average": average, "held_out": 0.0}
        agent = agents.make("sasrec", log.problem, **settings, warm_up=0)
        agent.fit(log)
        return agent.state_dict()["model"]["bias"]

    torch.testing.assert_close(bias(0.9, 1), bias(0.0, 1))
    assert (bias(0.9, 5) - bias(0.0, 5)).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_log_without_events_or_users_is_refused(make_sequences, make_problem, make_log, name):
    empty = make_sequences([[-1, -1]], ITEMS)
    agent = agents.make(name, empty.problem, **QUICK)
    with pytest.raises(UserError, match=f"'{name}' learns from clicks, but the log has none"):
        agent.fit(empty)
    with pytest.raises(UserError, match=f"'{name}' learns from clicks, but the log has none"):
        agent.fit(empty.select([]))
    problem = make_problem()
    with pytest.raises(UserError, match="it is anonymous"):
        agents.make(name, problem, **QUICK).fit(make_log(problem, 5, anonymous=True))
    with pytest.raises(UserError, match="needs at least 2 items"):
        agents.make(name, make_problem(num_items=1, slate_size=1))


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("sasrec", {"dim": 10, "heads": 4}, "'heads' must divide 'dim': 10 is not a multiple of 4"),
        ("sasrec", {"loss": "cross_entropy", "negatives": 3}, "'negatives' has no effect"),
        ("gru4rec", {"calibration": 0.5}, "'calibration' has no effect with loss 'auto'"),
        ("sasrec", {"loss": "bpr"}, "loss"),
        ("sasrec", {"held_out": 1.0}, "held_out"),
        ("bert4rec", {"mask_share": 0.0}, "greater than 0"),
        ("gru4rec", {"heads": 2}, "unknown key"),
        ("sasrec", {"device": "nowhere"}, "'sasrec': no device 'nowhere' here"),
    ],
)
def test_wrong_settings_are_refused(make_problem, name, config, message):
    with pytest.raises(UserError, match=message):
        agents.make(name, make_problem(), **config)
