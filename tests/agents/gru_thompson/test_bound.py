"""The initial state, the divergences, and the bound."""

import math
from dataclasses import replace

import torch
from torch.distributions import Normal, kl_divergence

from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.losses import Terms, terms
from agents.gru_thompson.posterior import Gaussian, gaussian_kl


def test_divergence_of_gaussians(generator):
    m, mu = torch.randn(2, 5, generator=generator)
    s, sigma = torch.rand(2, 5, generator=generator) + 0.1
    expected = kl_divergence(Normal(m, s), Normal(mu, sigma))
    torch.testing.assert_close(gaussian_kl(m, s, mu, sigma), expected)


def test_a_table_has_its_initial_values_and_respects_its_bounds(generator):
    site = Gaussian(torch.tensor([-0.3, 0.0, 0.9]), 0.05, 2.0, low=-1, high=1)
    torch.testing.assert_close(site.mean(), torch.tensor([-0.3, 0.0, 0.9]))
    torch.testing.assert_close(site.scale(), torch.full((3,), 0.05))
    with torch.no_grad():
        site.location.fill_(50.0)
        site.width.fill_(50.0)
    assert (site.mean() <= 1).all()
    assert (site.scale() <= 2).all()
    torch.testing.assert_close(site.draw(generator, size=(2,), temperature=0.0), torch.ones(2, 3))


def test_samples_have_mean_and_deviation_of_the_table(generator):
    site = Gaussian(torch.tensor([1.0, -2.0]), 0.5, 2.0)
    drawn = site.draw(generator, size=(20_000,), temperature=0.5)
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0]), atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((2,), 0.25), atol=0.01, rtol=0)


class TestStart:
    def test_weights_fall_with_the_fourth_power_of_the_rank(self, make_model):
        model = make_model()
        mean, _ = model.start(torch.tensor([[4, -1, 5, 6]]))
        weight = torch.tensor([1, 1 / 16, 1 / 81])
        weight = weight / weight.sum()
        torch.testing.assert_close(weight, torch.tensor([0.930, 0.058, 0.0115]), atol=1e-3, rtol=0)
        expected = weight @ model.items.mean()[[4, 5, 6]]
        torch.testing.assert_close(mean[0], expected)

    def test_deviation_by_hand(self, make_model):
        model = make_model(horizon=4)
        deviation = model.start(torch.tensor([[4, 5]]))[1][0]
        points = model.items.mean()[[4, 5]]
        variance = (points - points.sum(dim=0) / 4).square().mean(dim=0)
        torch.testing.assert_close(deviation, 0.2 * (variance + 1e-6).sqrt())

    def test_padding_changes_nothing(self, make_model):
        model = make_model()
        short = model.start(torch.tensor([[4, 5]]))
        long = model.start(torch.tensor([[4, -1, -1, 5, -1]]))
        torch.testing.assert_close(long, short)

    def test_users_without_clicks_start_from_the_prior(self, make_model):
        mean, deviation = make_model(start_scale=0.7).start(torch.tensor([[-1, -1]]))
        assert mean.tolist() == [[0, 0]]
        torch.testing.assert_close(deviation, torch.full((1, 2), 0.7))


def test_divergence_of_the_parameters_in_closed_form(make_model, generator):
    """With one group whose scale is nearly certain, the divergence has a closed form."""
    model = make_model(hierarchical=False)
    with torch.no_grad():
        model.group_scale.width.fill_(-30.0)
    actual = model.kl("linear", generator)
    scale = torch.nn.functional.softplus(model.group_scale.mean()) + 1e-3
    total = torch.zeros(())
    own = Normal(model.items.mean(), model.items.scale())
    centre, unsure = model.group_mean.mean(), model.group_mean.scale()
    # E over mu ~ N(c, u^2) of KL(q || N(mu, s^2)) is KL(q || N(c, s^2)) + u^2 / (2 s^2).
    total = total + kl_divergence(own, Normal(centre.expand(7, 2), scale.expand(7, 2))).sum()
    total = total + 7 * (unsure**2 / (2 * scale**2)).sum()
    for site, mean, deviation in (
        (model.group_mean, 0.0, 5.0),
        (model.group_scale, 0.0, 5.0),
        (model.bias, 0.0, 1.0),
        (model.gamma, 0.5, 0.3),
    ):
        prior = Normal(torch.full_like(site.mean(), mean), deviation)
        total = total + kl_divergence(Normal(site.mean(), site.scale()), prior).sum()
    torch.testing.assert_close(actual, total)
    # The matrices of the recurrent state count only if it is in use.
    matrices = sum(
        kl_divergence(Normal(site.mean(), site.scale()), Normal(0.0, 1.0)).sum()
        for site in model.matrices.values()
    )
    gamma = kl_divergence(Normal(model.gamma.mean(), model.gamma.scale()), Normal(0.5, 0.3))
    torch.testing.assert_close(model.kl("gru", generator), total + matrices - gamma)


def certain(model):
    """Make every sample equal to the mean, up to rounding."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("width"):
                value.fill_(-30.0)
        model.spread.fill_(-50.0)  # the smallest alpha, .001
    return model


def test_batches_give_unbiased_estimates_of_the_bound(make_model, make_choices, generator):
    model, choices = certain(make_model()), make_choices(users=6)
    full = terms(model, "linear", choices, 6, generator)
    pairs = [choices.select(torch.tensor([a, b])) for a in range(6) for b in range(a)]
    parts = [terms(model, "linear", pair, 6, generator) for pair in pairs]
    mean = torch.stack([part.likelihood for part in parts]).mean()
    torch.testing.assert_close(mean, full.likelihood, atol=0.05, rtol=1e-3)
    starts = torch.stack([part.starts for part in parts]).mean()
    torch.testing.assert_close(starts, full.starts, rtol=1e-3, atol=0)


def test_the_likelihood_is_weighted_by_the_inverse_of_its_temperature():
    parts = Terms(torch.tensor(-10.0), torch.tensor(3.0), torch.tensor(1.0))
    for temperature, expected in ((1.0, -14.0), (0.5, -24.0)):
        config = FitConfig(likelihood_temperature=temperature)
        assert parts.bound(config).item() == expected
    assert parts.bound(FitConfig(prior_temperature=2.0)).item() == -12.0


def test_the_bound_has_gradients_for_all_parameters_in_use(make_model, make_choices, generator):
    model = make_model(state="gru")
    bound = terms(model, "gru", make_choices(), 6, generator).bound(model.config)
    bound.backward()
    missing = {name for name, value in model.named_parameters() if value.grad is None}
    assert missing == {"gamma.location", "gamma.width"}
    assert all(torch.isfinite(v.grad).all() for v in model.parameters() if v.grad is not None)


def test_unscored_choices_do_not_count(make_model, make_choices, generator):
    model, choices = certain(make_model()), make_choices()
    none = replace(choices, scored=torch.zeros_like(choices.scored))
    assert terms(model, "linear", none, 6, generator).likelihood == 0
    assert terms(model, "linear", choices, 6, generator).likelihood < -6 * math.log(2)
