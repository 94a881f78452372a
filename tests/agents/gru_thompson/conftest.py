from collections.abc import Callable

import pytest
import torch

from agents.gru_thompson.choices import Choices
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.model import Model


@pytest.fixture
def generator() -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(3)


@pytest.fixture
def make_model(generator) -> Callable[..., Model]:
    """Build a model of a few items in three groups, with posterior means far from 0."""

    def build(num_items=7, slots=3, horizon=4, **settings) -> Model:
        config = FitConfig(**{"dim": 2, "state": "linear"} | settings)
        model = Model(config, torch.arange(num_items) % 3, slots, horizon, generator)
        with torch.no_grad():
            model.items.location.normal_(generator=generator)
        return model

    return build


@pytest.fixture
def make_choices() -> Callable[..., Choices]:
    """Build random choices from full slates; some choices are "nothing"."""

    def build(users=6, steps=4, slots=3, num_items=7, seed=0) -> Choices:
        draw = torch.Generator().manual_seed(seed)
        keys = torch.rand((users, steps, num_items), generator=draw)
        items = keys.argsort(dim=2)[:, :, :slots]
        choice = torch.randint(slots + 1, (users, steps), generator=draw)
        click = items.gather(2, (choice - 1).clamp_min(0)[:, :, None])[:, :, 0]
        yes = torch.ones(users, steps, dtype=torch.bool)
        return Choices(
            items=items,
            length=torch.full((users, steps), slots + 1),
            choice=choice,
            click=torch.where(choice > 0, click, -1),
            scored=yes,
            context=yes.clone(),
        )

    return build
