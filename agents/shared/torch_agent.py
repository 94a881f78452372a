"""Base classes of agents that learn with torch: device, random numbers, saving of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from agents.shared.base import BaseAgent
from agents.shared.devices import restore_generator
from recsim.arrays import torch_device

Model = TypeVar("Model", bound=nn.Module)


class DeviceAgent(BaseAgent):
    """An agent that computes with torch on the ``device`` of its settings.

    Stands before the base of its kind among the bases of a class: ``class MyAgent(DeviceAgent,
    BaseSlateAgent)``. Every torch generator that it keeps as an attribute is saved with it.
    """

    def __init__(self, config: Any, problem: Any, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._device = torch_device(config.device, f"agent {self.title!r}: ")

    def _new_generator(self, seed: int | None = None) -> torch.Generator:
        """Return a new generator on the agent's device, by default with the agent's seed."""
        return torch.Generator(self._device).manual_seed(self._seed if seed is None else seed)

    def _tensor(self, values: Any) -> Tensor:
        """Return a copy of an array on the agent's device."""
        return torch.as_tensor(np.array(values), device=self._device)

    def _load(self, network: nn.Module, saved: Mapping[str, Any]) -> None:
        """Load saved parameters into a network.

        Raises:
            AgentError: If they are those of a network of another shape.
        """
        try:
            network.load_state_dict(dict(saved))
        except RuntimeError as error:
            raise self.misfit(str(error).splitlines()[-1].strip()) from error

    def _generator_states(self) -> dict[str, Any]:
        own = self._attributes(torch.Generator)
        states = {name: generator.get_state() for name, generator in own.items()}
        return super()._generator_states() | states

    def _restore_generators(self, state: Mapping[str, Any]) -> None:
        super()._restore_generators(state)
        for name, generator in self._attributes(torch.Generator).items():
            restore_generator(generator, state[name])


class TorchAgent(DeviceAgent, Generic[Model], ABC):
    """An agent whose `fit` trains a network, or several that are parts of one module.

    ``_model`` is None until `fit` sets it; ``model`` returns it, or raises the error of an agent
    that was not fitted. Its parameters are saved and restored.

    Class attributes:
        parts: The names under which parameters are saved: one name for the whole network, or the
            names of its children, each of which is saved by itself.
    """

    parts: ClassVar[tuple[str, ...]] = ("model",)

    def __init__(self, config: Any, problem: Any, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        """The fitted network.

        Raises:
            AgentError: If the agent was not fitted.
        """
        return self.fitted(self._model)

    @abstractmethod
    def _rebuild(self, state: Mapping[str, Any]) -> Model:
        """Return a network of the same shape as the saved one; its parameters are overwritten.

        Args:
            state: What `_learned` returned.
        """

    def _learned(self) -> dict[str, Any]:
        learned = super()._learned()
        if self._model is not None:
            for name, part in self._named_parts(self._model).items():
                learned[name] = parameters(part)
        return learned

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self._model = None
        if state.get(self.parts[0]) is not None:
            model = self._rebuild(state)
            for name, part in self._named_parts(model).items():
                self._load(part, state[name])
            self._model = model.eval()

    def _named_parts(self, model: nn.Module) -> dict[str, nn.Module]:
        if len(self.parts) == 1:
            return {self.parts[0]: model}
        return {name: model.get_submodule(name) for name in self.parts}


def parameters(network: nn.Module) -> dict[str, Tensor]:
    """Return copies of a network's parameters and buffers, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
