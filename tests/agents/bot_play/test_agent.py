"""The agent in sessions with users."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsim.errors import AgentError, UserError
from recsim.files import load_state, save_state
from recsim.play.critiquing import critique_metrics

SHORT = {"bpr": {"epochs": 3}, "play": {"steps": 20}}
PLREC = {"base": "plrec", "plrec": {"dim": 6}, "play": {"steps": 5}}


@pytest.fixture
def fitted(build, data):
    return build(data, **SHORT)


@pytest.mark.parametrize("sessions", [1, 7])
def test_sessions_do_not_depend_on_the_batch(data, fitted, play, sessions):
    together, apart = play(data, fitted), play(data, fitted, sessions=sessions)
    np.testing.assert_array_equal(together.ranks, apart.ranks)
    np.testing.assert_array_equal(together.turns["aspects_shown"], apart.turns["aspects_shown"])


@pytest.mark.parametrize("settings", [SHORT, PLREC | {"normalise_counts": True}])
def test_sessions_are_a_function_of_the_seed_and_the_same_for_a_loaded_agent(
    data, build, play, settings, tmp_path
):
    agent = build(data, seed=3, **settings)
    first = play(data, agent).ranks
    np.testing.assert_array_equal(first, play(data, build(data, seed=3, **settings)).ranks)
    assert (first != play(data, build(data, seed=4, **settings)).ranks).any()
    save_state(tmp_path / "agent.pt", agent.state_dict())
    other = build(data, seed=5, fit=False, **settings)
    other.load_state_dict(load_state(tmp_path / "agent.pt"))
    np.testing.assert_array_equal(first, play(data, other).ranks)


def test_an_agent_that_does_not_listen_shows_its_first_ranking(data, build, play):
    result = play(data, build(data, **SHORT, listens=False))
    np.testing.assert_array_equal(result.ranks, result.base_ranks)
    metrics = critique_metrics(result)
    assert metrics["sr_final@1"] == metrics["hr@10"]
    assert metrics["gain"] == 0


def test_with_a_zero_encoder_critiques_have_no_effect(data, fitted, play):
    for parameter in fitted.model.encoder.parameters():
        parameter.data.zero_()
    result = play(data, fitted)
    assert result.sessions["critiques"].sum() > 0
    np.testing.assert_array_equal(result.ranks, result.base_ranks)


def test_a_critique_weight_of_zero_is_the_ranking_without_critiques(data, build, play):
    result = play(data, build(data, **SHORT, critique_weight=0.0))
    np.testing.assert_array_equal(result.ranks, result.base_ranks)
    whole, half, first = (
        scores(data, build(data, **SHORT, critique_weight=weight)) for weight in (1.0, 0.5, 0.0)
    )
    np.testing.assert_allclose(half, (whole + first) / 2, rtol=1e-4, atol=1e-6)


def scores(data, agent):
    agent.begin(np.arange(2))
    return agent.act(observation(data)).scores


def observation(data):
    """Return an observation of a user and an unknown user, who both critiqued aspect 0."""
    critiqued = np.zeros((2, data.num_aspects), dtype=np.int8)
    critiqued[:, 0] = -1
    return {
        "user": np.array([[0], [-1]]),
        "preferences": np.zeros((2, data.num_aspects)),
        "critiqued": critiqued,
        "shown": np.full((2, 10), -1),
        "turn": np.ones((2, 1), dtype=np.int64),
        "action_mask": np.ones((2, data.num_items), dtype=np.int8),
    }


def test_scores_are_those_of_the_preferences_after_the_critiques(data, fitted):
    """A critique is subtracted from c; the vector of an unknown user depends on c alone."""
    model, counts = fitted.model, torch.as_tensor(data.user_counts[0], dtype=torch.double)
    counts[0] -= max(counts[0].item(), 1)
    unknown = torch.zeros(data.num_aspects, dtype=torch.double)
    unknown[0] = -1
    encoded = model.encoder(torch.stack([counts, unknown]))
    latent = encoded + torch.stack([model.users[0], torch.zeros_like(model.users[0])])
    expected = (latent @ model.items.T).detach().numpy()
    np.testing.assert_allclose(scores(data, fitted), expected, rtol=1e-5, atol=1e-6)


def test_with_the_filter_the_rank_of_the_target_never_gets_worse(data, build, play):
    agent = build(data, **SHORT, listens=False, aspect_filter=True)
    result = play(data, agent)
    ranks = np.where(result.ranks < 0, 0, result.ranks)
    assert (np.diff(ranks, axis=1) <= 0).all()
    metrics = critique_metrics(result)
    assert metrics["sr_final@5"] == metrics["sr_first@5"]
    assert metrics["sr_final@1"] > metrics["base_sr_final@1"]


def test_with_a_threshold_justifications_are_deterministic(data, build):
    agent = build(data, **SHORT, threshold=0.5)
    showings = []
    for session in (0, 8):
        agent.begin(np.arange(2) + session)
        showing = agent.act(observation(data))
        showings.append(showing.justification)
        np.testing.assert_array_equal(showing.justification, showing.aspects > 0)
    np.testing.assert_array_equal(*showings)
    assert build(data, **SHORT, threshold=0.0).act(observation(data)).justification.all()


def test_the_base_is_the_same_for_all_kinds_of_fine_tuning(data, build):
    reports = []
    for tuning in ("none", "control", "bot_play"):
        agent = build(data, fit=False, fine_tuning=tuning, bpr={"epochs": 3})
        if tuning != "none":
            agent = build(data, fit=False, fine_tuning=tuning, **SHORT)
        reports.append(agent.fit(data).losses)
    assert reports[0] == reports[1][:3] == reports[2][:3]
    assert reports[1][-1] != reports[2][-1]


def test_test_reviews_are_not_used(data, build):
    changed = data.aspects.copy()
    changed[data.rows("test")] = False
    item = data.item.copy()
    item[data.rows("test")] = 0
    other = replace(data, aspects=changed, item=item)
    first, second = (build(one, fit=False, **SHORT) for one in (data, data))
    assert first.fit(data).losses == second.fit(other).losses


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "plrec", "bpr": {"dim": 3}}, "'bpr' has no effect"),
        ({"plrec": {"dim": 3}}, "'plrec' has no effect"),
        ({"fine_tuning": "none", "play": {"turns": 3}}, "'play' has no effect"),
        ({"fine_tuning": "control", "play": {"seeker": "random"}}, "the control has no critiques"),
        ({"listens": False, "critique_weight": 0.5}, "'critique_weight' has no effect"),
        ({"play": {"turns": 1}}, "turns must be at least 2"),
        ({"play": {"top": 3}}, "'top' has no effect"),
        ({"play": {"critiques": "all", "seeker": "random"}}, "'seeker' has no effect"),
        ({"play": {"inverse": True, "discount": 0.5}}, "'discount' has no effect"),
        ({"play": {"sekeer": "random"}}, "seeker"),
        ({"device": "nowhere"}, "no device 'nowhere'"),
    ],
)
def test_wrong_settings_are_rejected(data, build, settings, message):
    with pytest.raises(UserError, match=message):
        build(data, fit=False, **settings)


def test_errors_of_fitting_and_loading(data, build, fitted):
    with pytest.raises(AgentError, match="must be fitted before it can act"):
        build(data, fit=False).act(observation(data))
    with pytest.raises(AgentError, match="train part is empty"):
        build(data, fit=False).fit(data.select("test"))
    large = {"base": "plrec", "plrec": {"dim": 51}, "fine_tuning": "none"}
    with pytest.raises(AgentError, match=r"plrec\.dim is 51; it must be at most .* items, 50"):
        build(data, **large)
    with pytest.raises(AgentError, match="'bot_play' was fitted on another catalogue or with"):
        build(data, fit=False, bpr={"dim": 3}).load_state_dict(fitted.state_dict())
    build(data, fit=False).load_state_dict(build(data, fit=False).state_dict())


def test_training_works_with_every_option_of_play(data, build):
    for options in (
        {"critiques": "all", "last_turn_loss": True, "early_stop": True, "remove_shown": True},
        {"loss": "bpr", "top": 3, "inverse": True},
        {"seeker": "different", "l2": 1e-3},
        {"seeker": "random", "turns": 2},
    ):
        agent = build(data, fit=False, play={"steps": 3} | options)
        assert all(np.isfinite(entry["loss"]) for entry in agent.fit(data).losses)
    deep = {"enc_layers": 2, "proj_layers": 1, "epochs": 2}
    agent = build(data, bpr=deep, play={"steps": 2})
    build(data, fit=False, bpr=deep).load_state_dict(agent.state_dict())


def test_with_freeze_only_the_encoder_is_trained(data, build):
    before = build(data, bpr={"epochs": 3}, fine_tuning="none").model.state_dict()
    settings = SHORT | {"play": {"steps": 5, "freeze": True}}
    after = build(data, **settings).model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder.0.weight", "encoder.0.bias"}
