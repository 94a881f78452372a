import copy

import pytest
import torch

from agents.dt4ier.data import PAD, Windows
from agents.dt4ier.losses import Batch, contrast, similarity, sums

SMALL = {"embed_dim": 16, "context": 4, "history": 4, "buckets": 8, "batch_size": 8}
NO_DROPOUT = {"dropout": 0.0, "list_dropout": 0.0}


def test_cross_entropy_of_uniform_scores(random_log, train):
    case = train(random_log(num_items=9), steps=0, **SMALL)
    with torch.no_grad():
        case.model.decoder.out.weight.zero_()
        case.model.decoder.out.bias.zero_()
    # Nine items and the tokens of padding, beginning and end.
    expected = torch.tensor(12.0).log()
    assert case.cross_entropy(case.data) == pytest.approx(float(expected), abs=1e-6)


def test_padding_is_not_a_target(log_of, train):
    log = log_of([[[0, 1, -1], [2, -1, -1]]], 5)
    case = train(log, steps=0, **SMALL)
    with torch.no_grad():
        case.model.decoder.out.weight.zero_()
        case.model.decoder.out.bias.copy_(torch.arange(8.0))
    windows = case.data.windows(torch.tensor([0]), 4)
    with torch.no_grad():
        total, contrasts = sums(case.model, case.data, Batch(windows, torch.zeros(2, 2)), 0.0)
    scores = torch.arange(8.0).log_softmax(dim=0)
    assert float(total) == pytest.approx(-float(scores[[1, 2, 3]].sum()), abs=1e-5)
    assert contrasts is None


def test_returns_to_go_with_the_rewards_of_a_low_session():
    rewards = torch.tensor([[1.0, 0.2], [0.4, 1.0], [0.1, 0.2], [0.9, 0.9]])
    weights = torch.full((4, 2), 0.5)
    windows = Windows(torch.ones(1, 3, dtype=torch.bool), torch.tensor([0, 1, 2]))
    rtg = torch.tensor([[0.75, 0.7], [0.25, 0.6], [0.05, 0.1]])
    contrasted = contrast(windows, rewards, weights, rtg, rewards, 0.6)
    assert contrasted is not None
    low, omega = contrasted
    # Only the third step has low reward; contrasted with itself, it has no weight.
    torch.testing.assert_close(low, torch.tensor([[0.3, 0.7], [0.1, 0.2], [0.05, 0.1]]))
    torch.testing.assert_close(omega, torch.tensor([0.85, 0.85, 0.0]))
    assert contrast(windows, rewards, weights, rtg, rewards, 0.1) is None


def test_similarity_by_hand():
    vectors = torch.tensor([[[1.0, 0.0], [1.0, 2.0], [9.0, 9.0]]])
    others = torch.tensor([[[0.0, 3.0], [2.0, -3.0], [-9.0, 9.0]]])
    shown = torch.tensor([[True, True, False]])
    # The sums are (2, 2) and (2, 0).
    assert float(similarity(vectors, others, shown)) == pytest.approx(0.5**0.5)


def test_a_small_step_on_the_contrast_alone_makes_the_two_less_alike(random_log, train):
    case = train(random_log(users=20), steps=0, **SMALL, **NO_DROPOUT)
    # Before training the cosines are so close to 1 that, in single precision, a step changes them
    # by less than the rounding differs between processors, and no fixed step size descends
    # everywhere. A small step in double precision changes them by what the gradient predicts.
    model, size = case.model.double(), 1e-3
    weights = list(model.parameters())

    def alike(batch):
        return sums(model, case.data, batch, 1.0)[1] / batch.omega.sum()

    for batch in [case.trainer.draw() for _ in range(5)]:
        before = alike(batch)
        gradients = torch.autograd.grad(before, weights, materialize_grads=True)
        expected = -size * float(sum((gradient**2).sum() for gradient in gradients))
        start = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= size * gradient
            change = float(alike(batch) - before)
        model.load_state_dict(start)
        assert expected < 0
        assert change == pytest.approx(expected, rel=0.01)
        prompts = torch.autograd.grad(alike(batch), list(model.reward.parameters()))
        assert any(gradient.abs().sum() > 0 for gradient in prompts)


def test_without_alpha_training_uses_the_cross_entropy_alone(random_log, train):
    log = random_log(users=20)
    case = train(log, steps=3, alpha=0.0, **SMALL, **NO_DROPOUT)
    assert (case.trainer.losses[:, 1] == 0).all()
    # The same steps written out, on the cross-entropy alone.
    other = train(log, steps=0, alpha=0.0, **SMALL, **NO_DROPOUT)
    other.trainer.losses = torch.zeros(3, 2)
    other.trainer.steps = 3
    model, data, trainer = other.model, other.data, other.trainer
    model.train()
    for _ in range(3):
        starts = torch.randint(len(data), (8,), generator=trainer.generator)
        windows = data.windows(starts, 4)
        rtg = data.rtg[windows.rows] * trainer.weights[windows.rows]
        total, _ = sums(model, data, Batch(windows, rtg), 0.0)
        trainer.optimizer.zero_grad()
        (total / (data.slates[windows.rows] != PAD).sum()).backward()
        trained = [v for group in trainer.optimizer.param_groups for v in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        trainer.optimizer.step()
    for name, value in case.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


@pytest.mark.parametrize("size", [1, 3])
def test_a_batch_in_parts_has_the_same_gradient(random_log, train, size):
    case = train(random_log(users=20), steps=0, **SMALL, **NO_DROPOUT)
    batch = case.trainer.draw()
    whole = copy.deepcopy(case.model)
    case.trainer.model = whole
    total = case.trainer.backward(batch)
    case.trainer.model, case.trainer.part_size = case.model, size
    assert sum(len(part.windows.rows) for part in batch.parts(size)) == len(batch.windows.rows)
    torch.testing.assert_close(case.trainer.backward(batch), total)
    for one, other in zip(whole.parameters(), case.model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4)


def test_without_returns_to_go_there_is_no_contrast(random_log, train):
    case = train(random_log(), steps=1, rtg="zero", **SMALL)
    assert case.trainer.draw().low_rtg is None
