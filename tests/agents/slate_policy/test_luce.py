"""Log-probabilities of slates, by hand and against the same in numpy."""

import numpy as np
import pytest
import torch

from agents.shared.plackett_luce import prefix_propensities
from agents.slate_policy.luce import log_probabilities


def test_by_hand():
    logits = torch.log(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    terms = log_probabilities(logits, torch.tensor([[3, 1, 0, 2]]))
    expected = np.log([[4 / 10, 2 / 6, 1 / 4, 1]])
    np.testing.assert_allclose(terms.numpy(), expected, atol=1e-6)


def test_they_are_the_logarithms_of_the_exact_propensities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 8)) * 3
    slates = np.argsort(rng.random((50, 8)), axis=1)[:, :5]
    terms = log_probabilities(torch.as_tensor(logits), torch.as_tensor(slates)).numpy()
    np.testing.assert_allclose(
        terms.cumsum(axis=1), np.log(prefix_propensities(logits, slates)), atol=1e-12
    )


def test_padding_counts_nothing_and_excludes_nothing():
    logits = torch.log(torch.tensor([[1.0, 2.0, 3.0, 4.0]])).requires_grad_()
    terms = log_probabilities(logits, torch.tensor([[3, -1, 1, -1]]))
    np.testing.assert_allclose(terms.detach().numpy(), np.log([[4 / 10, 1, 2 / 6, 1]]), atol=1e-6)
    terms.sum().backward()
    # d log(4/10) + d log(2/6): 1 for each item picked, less its probability at each pick.
    expected = [-1 / 10 - 1 / 6, 1 - 2 / 10 - 2 / 6, -3 / 10 - 3 / 6, 1 - 4 / 10]
    assert logits.grad[0].tolist() == pytest.approx(expected, abs=1e-6)
