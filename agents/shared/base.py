"""Base classes of agents, so that an agent's own file has its method and nothing else.

An agent inherits from `BaseSlateAgent`, `BaseConversationAgent` or `BaseCritiquingAgent`; one that
learns with torch also inherits from `agents.shared.torch_agent.TorchAgent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from agents.recipes import Recipe
from agents.shared import slates
from agents.shared.recommending import recommend
from recsim.arrays import Ints
from recsim.contracts.slates import AgentConfig, Feedback, FitReport
from recsim.draws import Draws, chain, key_of
from recsim.errors import AgentError, listed
from recsim.problem import Problem
from recsim.problem.names import Name

if TYPE_CHECKING:
    from recsim.conversation import ConversationProblem
    from recsim.critiquing import CritiquingProblem
    from recsim.log import SlateLog

Kind = TypeVar("Kind")


class BaseAgent:
    """Settings, problem, seed, errors, saving and loading.

    A subclass returns what it has learned from `_learned` and restores it in `_restore`. Every
    numpy generator that is an attribute is saved and restored too, under the attribute's name
    without the leading underscore.

    Class attributes:
        name: The name that the agent is registered under; a class of your own needs none.
        Config: The pydantic model of its settings.
        sizes: Settings that determine the shape of the parameters, for the message of `misfit`.
        reads: What the agent sees of users and items, keys of `recsim.contracts.reads.READS`; an
            instance may have its own, where settings decide. None if it is not declared.

    Args:
        config: Settings, an instance of ``Config``.
        problem: The public facts that the agent is built for.
        seed: Seed of its own randomness.
    """

    name: ClassVar[str]
    Config: ClassVar[type[AgentConfig]] = AgentConfig
    sizes: ClassVar[tuple[str, ...]] = ()
    reads: frozenset[str] | None = None
    _config: Any
    _problem: Any

    def __init__(self, config: Any, problem: Any, seed: int) -> None:
        self._config, self._problem, self._seed = config, problem, seed

    @property
    def problem(self) -> Any:
        """The public facts that the agent was built for."""
        return self._problem

    @property
    def recipe(self) -> Recipe:
        """The arguments that the agent was built with."""
        return Recipe(None, self._config, self._problem, self._seed)

    @property
    def title(self) -> str:
        """Its name in messages: the registered name, or that of the class."""
        return getattr(self, "name", type(self).__name__)

    def error(self, message: str) -> AgentError:
        """Return an error of this agent: ``agent 'NAME' MESSAGE``."""
        return AgentError(f"agent {self.title!r} {message}")

    def unfitted(self) -> AgentError:
        """Return the error of an agent that acts before it was fitted."""
        return self.error("must be fitted before it can act.")

    def fitted(self, learned: Kind | None) -> Kind:
        """Return something that `fit` sets.

        Raises:
            AgentError: If it is None, because the agent was not fitted.
        """
        if learned is None:
            raise self.unfitted()
        return learned

    def misfit(self, reason: str) -> AgentError:
        """Return the error of a saved state that belongs to another catalogue or other settings.

        Args:
            reason: The difference, e.g. ``"it has 9 items; there are 8"``.
        """
        named = listed(map(repr, self.sizes), "or")
        settings = f"another {named}" if named else "other settings"
        return AgentError(
            f"saved agent state: {self.title!r} was fitted on another catalogue or with "
            f"{settings}: {reason}"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that a fresh agent of the same settings needs to act the same way.

        This is what the agent has learned, as copies, and the states of its random generators.
        """
        return self._learned() | self._generator_states()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the saved agent stopped.

        Args:
            state: What `state_dict` returned.

        Raises:
            AgentError: If the state belongs to another agent, another catalogue or other settings.
        """
        try:
            self._restore(state)
            self._restore_generators(state)
        except KeyError as error:
            raise AgentError(
                f"saved agent state: it has no {error.args[0]!r}, so it was not saved by "
                f"{self.title!r} with these settings."
            ) from error

    def _learned(self) -> dict[str, Any]:
        """Return copies of everything that was learned."""
        return {}

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `_learned` returned.

        A missing entry may raise KeyError, which `load_state_dict` turns into an `AgentError`.
        """

    def _generator_states(self) -> dict[str, Any]:
        """Return the state of every random generator among the attributes, by name."""
        own = self._attributes(np.random.Generator)
        return {name: generator.bit_generator.state for name, generator in own.items()}

    def _restore_generators(self, state: Mapping[str, Any]) -> None:
        """Restore the state of every random generator among the attributes."""
        for name, generator in self._attributes(np.random.Generator).items():
            generator.bit_generator.state = state[name]

    def _attributes(self, kind: type[Kind]) -> dict[str, Kind]:
        """Return the attributes of a type, by name without the leading underscore."""
        own = vars(self).items()
        return {name.lstrip("_"): value for name, value in own if isinstance(value, kind)}


class BaseSlateAgent(BaseAgent):
    """An agent that recommends slates; see `recsim.contracts.slates.Agent`.

    By default it learns nothing from a log, nothing online, and keeps nothing per user. A subclass
    adds ``act`` and ``propensities``.
    """

    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = False
    _problem: Problem

    def __init__(self, config: Any, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        slates.check_sizes(problem)
        self._slate_size = problem.slate_size
        if self.reads is not None:
            absent = {
                "user_features": not problem.user_feature_dim,
                "item_features": not problem.item_features.shape[1],
            }
            own = {name for name in self.reads if not absent.get(name)}
            target = getattr(config, "target", "")
            earned = getattr(config, "long", "") if target == "to_go" else target
            own |= {"returns"} if earned == "return" else set()
            self.reads = frozenset(own)

    @property
    def slate_size(self) -> int:
        """K, the number of items in a slate."""
        return self._slate_size

    @property
    def learns_online(self) -> bool:
        """Whether the agent learns from feedback, i.e. has a method ``observe`` of its own."""
        return type(self).observe is not BaseSlateAgent.observe

    def fit(self, log: SlateLog) -> FitReport:
        """Learn nothing from the log."""
        return FitReport(rows=0)

    def begin(self, batch_size: int) -> None:
        """Do nothing: the agent keeps nothing per user."""

    def observe(self, feedback: Feedback) -> None:
        """Do nothing: the agent learns nothing online."""

    def recommend(
        self, history: Iterable[Name] = (), k: int | None = None, **options: Any
    ) -> list[Name]:
        """Return the items that the agent recommends to one user, by name.

        Args:
            history: Items that the user clicked, the oldest first.
            k: Number of items; by default those of a slate.
            **options: ``user``, ``user_features``, ``candidates``, ``exclude`` and ``unknown``, see
                `agents.shared.recommending.recommend`.

        Returns:
            k names, or numbers of items if items have no names.

        Raises:
            AgentError: If the agent is not fitted, an item is unknown, features are missing, or
                there are too few candidates.
        """
        agent: Any = self  # a subclass has `act` and `propensities`
        return recommend(agent, self._problem, history, k, **options)

    def unfitted(self) -> AgentError:
        """Return the error of an agent that acts before it was fitted."""
        return self.error(
            "must be fitted on a log before it can act: agent.fit(log) in Python, "
            "'training_log' in a scenario."
        )

    def require(self, available: object, what: str) -> None:
        """Check that a log has the data that the agent learns from.

        Args:
            available: Whether it has.
            what: The data, e.g. ``"clicks"``.

        Raises:
            AgentError: If it has not.
        """
        if not available:
            raise self.error(f"learns from {what}, but the log has none.")

    def require_users(self, log: SlateLog, purpose: str) -> None:
        """Check that a log knows its users.

        Args:
            log: The log.
            purpose: What the agent needs them for, e.g. ``"learns what users do next"``.

        Raises:
            AgentError: If the log is anonymous.
        """
        if log.anonymous:
            raise self.error(f"{purpose}, but the log does not know its users: it is anonymous.")

    def require_user_features(self, log: SlateLog) -> None:
        """Check that a log has as many user features as the problem.

        Raises:
            AgentError: If it has not.
        """
        wanted, available = self._problem.user_feature_dim, log.user_features.shape[1]
        if available != wanted:
            raise self.error(f"expects {wanted} user features; the log has {available}.")


class BaseConversationAgent(BaseAgent):
    """An agent that holds conversations; see `recsim.contracts.conversations.ConversationAgent`.

    By default it keeps nothing per conversation. A subclass adds ``fit`` and ``act``.
    """

    conversations: ClassVar[bool] = True
    _problem: ConversationProblem

    def begin(self, batch_size: int) -> None:
        """Do nothing: the agent keeps nothing per conversation."""


class BaseCritiquingAgent(BaseAgent):
    """An agent whose recommendations are critiqued.

    See `recsim.contracts.critiquing.CritiquingAgent`. Its random numbers are a function of its
    seed, the number of the session and the turn, so the seed is part of its state. A subclass adds
    ``fit`` and ``act``.
    """

    critiquing: ClassVar[bool] = True
    _problem: CritiquingProblem

    def __init__(self, config: Any, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._sessions: Ints = np.zeros(0, dtype=np.int64)

    def begin(self, sessions: Ints) -> None:
        """Forget all sessions and start new ones with these numbers, ``(B,)``."""
        self._sessions = np.asarray(sessions, dtype=np.int64)

    def _draws_at(self, turns: Ints) -> Draws:
        """Return the random numbers of the sessions at these turns, ``(B,)``."""
        keys = chain(key_of(self._seed, "sessions of an agent"), self._sessions)
        return Draws.at(keys, turns, double=True)

    def _learned(self) -> dict[str, Any]:
        return {"seed": self._seed}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._seed = int(state["seed"])
