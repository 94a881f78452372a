"""Random generators continue from a saved state, and missing devices are refused."""

import pytest
import torch

from agents.shared.devices import restore_generator
from recsim.arrays import torch_device
from recsim.errors import UserError


def drawn(state):
    generator = torch.Generator().manual_seed(5)
    restore_generator(generator, state)
    return torch.rand(4, generator=generator)


def test_random_numbers_continue_from_a_saved_state():
    generator = torch.Generator().manual_seed(0)
    torch.rand(7, generator=generator)
    state = generator.get_state()
    assert torch.equal(drawn(state), torch.rand(4, generator=generator))


def test_a_state_of_another_kind_of_device_becomes_a_seed():
    # Generators of CUDA have a seed and an offset, 16 bytes.
    one, other = torch.arange(16, dtype=torch.uint8), torch.arange(1, 17, dtype=torch.uint8)
    assert torch.equal(drawn(one), drawn(one))
    assert not torch.equal(drawn(one), drawn(other))


def test_a_missing_device_is_refused():
    with pytest.raises(UserError, match="agent 'x': no device 'nowhere' here"):
        torch_device("nowhere", "agent 'x': ")


def test_a_device_that_computes_nothing_is_refused():
    with pytest.raises(UserError, match="agent 'x': no device 'meta' here"):
        torch_device("meta", "agent 'x': ")
