"""``LearnedRec-v0``: slates shown to users who behave like those of a log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.learned.model import UserModel
from envs.learned.source import user_model_of
from envs.learned.world import LearnedWorld
from envs.slates.building import ActionMode, simulation_of
from envs.slates.faces import ManyUsersEnv, OneUserEnv
from envs.slates.simulation import Simulation
from envs.world.backend import Backend
from recsim.errors import UserError


class LearnedRecEnv(OneUserEnv):
    """A user like those of a log, as far as a model fitted to it can tell.

    ## Description
    A user of the log is drawn, and answers slates as the model of `envs.learned` says: clicks
    depend on what is known of the user, on the slates that they remember, and on the items and
    their order; the end of a session on its length; the return on the user and on what was shown
    and clicked last. The model is wrong where the log says little: about items that it hardly
    shows, and about slates unlike its own. How wrong it is about users of the log that it has
    not seen stands in ``env.unwrapped.model_error`` (name to number; see
    `envs.learned.error.ModelError`), and scenarios print it with every result.

    ## Action Space
    That of ``SlateRec-v0``: ``MultiDiscrete([C] * K)``, or ``Discrete(C)`` with ``action="slot"``.

    ## Observation Space
    That of ``SlateRec-v0``. ``user_features`` are those of a user of the log.

    ## Rewards
    The weighted sum of the named rewards of the log: ``click`` is the number of clicks; ``return``,
    at the last step of a session, is drawn from the returns of the log; any other is what the
    model expects given the clicks.

    ``info`` is that of ``SlateRec-v0``. A user who leaves for good is one who did not come back
    within the log's window. With ``reveal_state=True`` the expected reward and the oracle are those
    of the model: exact for it, not for the users of the log.

    ## Starting State
    A user of the log, any of them as likely, without a history, on day 0.

    ## Episode End
    Terminated when the user leaves for good: always at the end of a session if the log has no
    ``return``. Truncated after ``max_steps`` slates, or from day ``max_days`` on.

    ## Arguments
    * ``reader``, ``path``, ``options``: the log, as in `recsim.log.read_log`, that a model is
      fitted to when the environment is built.
    * ``model``: folder of a saved model. With a log, the model is saved there once, and loaded
      ever after; without a folder it is fitted once per process.
    * ``fit``: settings of the fit, see `envs.learned.config.UserModelConfig`.
    * ``user_model``: the model itself, in place of all these; not for `gymnasium.make`.
    * ``rewards``: weights of named rewards; the others keep the log's.
    * ``slate_size``: K, that of the log if None. ``num_candidates``: C, drawn anew at each step;
      the whole catalogue if None. ``history``: H.
    * ``max_steps``, ``max_days``: limits; 0 for none.
    * ``action``, ``reveal_state``, ``render_mode``: as in ``SlateRec-v0``.
    * ``device``: torch device of the networks.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:LearnedRec-v0", num_envs=1000, ...)`` steps all users at once.

    ## Version History
    * v0: Initial version.
    """

    def __init__(
        self,
        model: str | None = None,
        reader: str | None = None,
        path: str | None = None,
        options: Mapping[str, Any] | None = None,
        fit: Mapping[str, Any] | None = None,
        user_model: UserModel | None = None,
        rewards: Mapping[str, float] | None = None,
        slate_size: int | None = None,
        num_candidates: int | None = None,
        history: int = 5,
        max_steps: int | None = 60,
        max_days: int | None = None,
        action: ActionMode = "slate",
        reveal_state: bool = False,
        device: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        simulation = build(
            1,
            model=model,
            reader=reader,
            path=path,
            options=options,
            fit=fit,
            user_model=user_model,
            rewards=rewards,
            slate_size=slate_size,
            num_candidates=num_candidates,
            history=history,
            max_steps=max_steps,
            max_days=max_days,
            action=action,
            reveal_state=reveal_state,
            device=device,
        )
        super().__init__(simulation, render_mode)

    @property
    def user_model(self) -> UserModel:
        """The model behind the users."""
        return _model(self.simulation)

    @property
    def model_error(self) -> dict[str, float]:
        """How wrong the model is about users that it has not seen, by name."""
        return self.user_model.error.numbers()


class LearnedRecVectorEnv(ManyUsersEnv):
    """Many users of `LearnedRecEnv` at once; the contract is that of ``SlateRec-v0``.

    Args:
        num_envs: Users, B.
        max_episode_steps: As in `envs.slates.env.SlateRecVectorEnv`.
        **settings: Arguments of `LearnedRecEnv`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        super().__init__(build(num_envs, **settings), max_episode_steps)

    @property
    def user_model(self) -> UserModel:
        """The model behind the users."""
        return _model(self.simulation)

    @property
    def model_error(self) -> dict[str, float]:
        """How wrong the model is about users that it has not seen, by name."""
        return self.user_model.error.numbers()


def build(
    num_users: int,
    *,
    model: str | None = None,
    reader: str | None = None,
    path: str | None = None,
    options: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    user_model: UserModel | None = None,
    rewards: Mapping[str, float] | None = None,
    slate_size: int | None = None,
    num_candidates: int | None = None,
    history: int = 5,
    max_steps: int | None = 60,
    max_days: int | None = None,
    action: ActionMode = "slate",
    reveal_state: bool = False,
    device: str | None = None,
) -> Simulation:
    """Build the engine from the arguments of `LearnedRecEnv`.

    Raises:
        UserError: An argument is wrong; the message says which and what would be right.
    """
    if user_model is None:
        user_model = user_model_of(model, reader, path, options, fit, device)
    elif (model, reader, path, options, fit, device) != (None,) * 6:
        raise UserError("Give LearnedRec-v0 a user_model, or where to find one, not both.")
    if max_days and user_model.returns is None:
        raise UserError(f"max_days is {max_days}, but the log has no return, so no days pass.")
    problem = user_model.problem
    backend = Backend.make()
    size = problem.slate_size if slate_size is None else slate_size
    return simulation_of(
        LearnedWorld(user_model, size, backend),
        problem,
        num_users,
        rewards=rewards,
        slate_size=size,
        num_candidates=num_candidates,
        history=history,
        max_steps=max_steps,
        max_days=max_days,
        action=action,
        reveal_state=reveal_state,
        backend=backend,
    )


def _model(simulation: Simulation) -> UserModel:
    assert isinstance(simulation.world, LearnedWorld)
    return simulation.world.model
