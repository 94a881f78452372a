"""``LearnedRec-v0``: slates shown to users who behave like those of a log."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from envs.learned.model import UserModel
from envs.learned.settings import LearnedRecSettings
from envs.learned.source import user_model_of
from envs.learned.world import LearnedWorld
from envs.slates.building import simulation_of
from envs.slates.faces import SlateBatchEnv, SlateEnv
from envs.slates.simulation import SlateSimulation
from envs.world.backend import Backend
from recsim.errors import EnvError


class _Learned:
    """The user model behind both faces."""

    simulation: SlateSimulation

    @property
    def user_model(self) -> UserModel:
        """The model that predicts how users react."""
        assert isinstance(self.simulation.world, LearnedWorld)
        return self.simulation.world.model

    @property
    def model_error(self) -> dict[str, float]:
        """Errors of the model on users that it was not fitted to, by name."""
        return self.user_model.error.numbers()


class LearnedRecEnv(_Learned, SlateEnv):
    """A simulated user like those of a log, as predicted by a model fitted to it.

    ## Description
    A user of the log is drawn, and reacts to slates as the model of `envs.learned` predicts. Clicks
    depend on the user's features, on the last slates that they were shown, and on the items of the
    slate and their order; the end of a session on its length; the return on the user and on what
    was shown and clicked last. The model is wrong where the log has few data: on items that were
    hardly shown, and on slates that differ from the logged ones. Its errors, measured on users of
    the log that it was not fitted to, are in ``env.unwrapped.model_error`` (name to number; see
    `envs.learned.error.ModelError`); scenarios print them with every result.

    ## Action Space
    That of ``SlateRec-v0``: ``MultiDiscrete([C] * K)``, or ``Discrete(C)`` with ``action="slot"``.

    ## Observation Space
    That of ``SlateRec-v0``. ``user_features`` are those of a user of the log.

    ## Rewards
    The weighted sum of the named rewards of the log: ``click`` is the number of clicks; ``return``,
    at the last step of a session, is drawn from the returns in the log; any other reward is the
    model's expectation given the clicks.

    ``info`` is that of ``SlateRec-v0``. A user leaves for good if they do not come back within the
    log's window. With ``reveal_state=True`` the expected reward and the oracle are those of the
    model: exact for the model, not for the users of the log.

    ## Starting State
    A user of the log, drawn uniformly, without a history, on day 0.

    ## Episode End
    Terminated when the user leaves for good: at the end of every session if the log has no
    ``return``. Truncated after ``max_steps`` slates, or from day ``max_days`` on.

    ## Arguments
    * ``reader``, ``path``, ``options``: a log, as in `recsim.log.read_log`; a model is fitted to it
      when the environment is built.
    * ``model``: folder of a saved model. With a log, the model is saved there the first time and
      loaded later; without a folder it is fitted once per process.
    * ``fit``: settings of the fit, see `envs.learned.config.UserModelConfig`.
    * ``user_model``: the model itself, in place of all these; not for `gymnasium.make`.
    * ``rewards``: weights of named rewards; the others keep the log's.
    * ``slate_size``: K; None for that of the log. ``num_candidates``: C, drawn at each step;
      None for the whole catalogue. ``history``: H.
    * ``max_steps``, ``max_days``: limits; 0 for no limit.
    * ``action``, ``observation``, ``reveal_state``, ``render_mode``: as in ``SlateRec-v0``.
    * ``device``: torch device of the networks.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:LearnedRec-v0", num_envs=1000, ...)`` steps all users at once.

    ## Version History
    * v0: Initial version. Release 0.2.0 changed all random numbers once: a user's draws are now a
      function of (seed, user, episode, step), not of the rest of the batch. From 0.2.0 on, a change
      of numbers is a new version.
    """

    Settings = LearnedRecSettings

    def __init__(
        self,
        *,
        user_model: UserModel | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(_build(1, self.Settings.of(settings), user_model), render_mode)


class LearnedRecVectorEnv(_Learned, SlateBatchEnv):
    """Many users of `LearnedRecEnv` at once, as in `envs.slates.env.SlateRecVectorEnv`.

    Args:
        num_envs: Users, B.
        user_model: As in `LearnedRecEnv`.
        max_episode_steps: As in `envs.slates.env.SlateRecVectorEnv`.
        autoreset_mode: As in `envs.slates.env.SlateRecVectorEnv`.
        render_mode: None: a batch is not rendered.
        **settings: Arguments of `LearnedRecEnv`.
    """

    Settings = LearnedRecSettings

    def __init__(
        self,
        num_envs: int = 1,
        *,
        user_model: UserModel | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        simulation = _build(num_envs, self.Settings.of(settings), user_model)
        super().__init__(simulation, max_episode_steps, autoreset_mode, render_mode)


def _build(
    num_users: int, settings: LearnedRecSettings, user_model: UserModel | None
) -> SlateSimulation:
    """Build the simulation.

    Raises:
        UserError: If there is no model or more than one source of it, or a setting is wrong.
    """
    if user_model is None:
        user_model = user_model_of(settings)
    elif settings.source_keys:
        raise EnvError("Give LearnedRec-v0 a user_model, or where to find one, not both.")
    if settings.max_days and user_model.returns is None:
        raise EnvError(
            f"max_days is {settings.max_days}, but the log has no return, so no days pass."
        )
    problem, backend = user_model.problem, Backend.make()
    world = LearnedWorld(user_model, settings.slate_size or problem.slate_size, backend)
    return simulation_of(world, problem, num_users, settings, backend)
