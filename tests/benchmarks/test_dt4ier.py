"""The reference of the benchmark computes the same as `agents.dt4ier`."""

import torch

from benchmarks.dt4ier import Case, Naive

torch.set_num_threads(1)

FEW = 3


def test_the_reference_has_the_same_loss_gradient_and_slates():
    case = Case(batch=4, steps=3, slots=2, items=20, device="cpu")
    case.model.eval()
    naive = Naive(case)
    loss = case.trainer.backward(case.trainer.batch(case.starts[:FEW]))[0]
    gradients = {
        name: v.grad.clone() for name, v in case.model.named_parameters() if v.grad is not None
    }
    torch.testing.assert_close(naive.train(FEW), loss)
    assert gradients["state.items.weight"].abs().sum() > 0
    for name, value in case.model.named_parameters():
        if name in gradients:
            torch.testing.assert_close(value.grad, gradients[name], atol=1e-5, rtol=1e-4, msg=name)
    assert torch.equal(case.decode()[:FEW], naive.decode(FEW))
