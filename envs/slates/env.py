"""``SlateRec-v0``: slates shown to simulated users; one user, or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.slates.building import ActionMode, simulation_of
from envs.slates.faces import ManyUsersEnv, OneUserEnv
from envs.slates.simulation import Simulation
from envs.world.backend import Backend
from envs.world.presets import override
from envs.world.presets import preset as preset_of
from envs.world.world import World, WorldConfig
from recsim.errors import UserError
from recsim.problem import Problem


class SlateRecEnv(OneUserEnv):
    """One simulated user who is shown slates of items.

    ## Description
    At each step the agent shows a slate of K items. The user clicks or does not, watches what was
    clicked, and changes: interests drift, satisfaction and boredom move, time runs out. Where the
    world has retention, the end of a session is followed by the user's return after some days, or
    by their leaving for good. The world is composed of the parts in `envs.world`; presets carry
    the known problems of the field: ``interest_evolution``, ``interest_exploration``,
    ``long_term_satisfaction``, ``boredom``, ``position_bias``, ``retention``.

    ## Action Space
    ``MultiDiscrete([C] * K)``: indices into ``obs["candidates"]``. An item that stands twice in a
    slate is shown once: the second occurrence shows nothing, cannot be clicked, takes nothing from
    the others, and stands as -1 in ``info["items"]`` and in the history.

    With ``action="slot"`` the action is ``Discrete(C)``, one item at a time. The K-th completes the
    slate and the user reacts; until then the reward is 0 and nothing happens. Two keys are added
    to the observation: ``partial_slate`` (K,) and ``action_mask`` (C,), 1 where the item is not in
    the slate yet; `action_masks` gives the same as booleans.

    ## Observation Space
    A flat ``Dict`` of what a real system would see:

    | key | shape | content |
    |---|---|---|
    | ``user_features`` | (F,) | what the system was told of the user on arrival |
    | ``history_items`` | (H*K,) | the last H slates shown, oldest first, padded with -1 |
    | ``history_clicks`` | (H*K,) | 1 where the item was clicked |
    | ``history_length`` | (1,) | slates in the history, at most H |
    | ``feedback`` | (R,) | named rewards of the last step, in the order of ``problem.rewards`` |
    | ``candidates`` | (C,) | item ids that may be shown |
    | ``time`` | (3,) | day, session of the user, step of the session |

    Item features and groups are public too: ``env.unwrapped.problem``.

    ## Rewards
    The scalar is the weighted sum of the named rewards in ``info["rewards"]``: ``click`` (number
    of clicks), ``watch`` (minutes) and, where there is retention, ``return`` (1 / days until the
    return, at the last step of a session; 0 if the user never returns).

    ``info`` also holds ``items`` and ``clicks`` (K,), ``session_end``, ``gap_days`` (0 where no
    session ended or the user never returns) and ``churned``. With ``reveal_state=True`` it holds
    what no real system has: ``state`` (latent variables), ``oracle_slate`` (the candidate indices
    with the largest expected immediate reward), ``long_term_slate`` (see
    `World.long_term_slate`), all three for the returned observation, and ``expected_reward`` of the
    slate just shown with the largest possible, ``oracle_reward``; the difference is the regret.

    ## Starting State
    A new user: interests from `Population`, the first step of the first session on day 0.

    ## Episode End
    Terminated when the user leaves for good: churn, or the end of the session where the world has
    no retention. Truncated after ``max_steps`` slates, or from day ``max_days`` on.

    ## Arguments
    * ``preset``: which world to start from.
    * ``world``: changes to it, nested as in `WorldConfig`, e.g. ``{"drift": {"rate": 0.3}}``.
    * ``rewards``: weights of named rewards, e.g. ``{"return": 5}``; the others keep the preset's.
    * ``slate_size``: K. ``num_candidates``: C, drawn anew at each step; the whole catalogue, in
      the order of the ids, if None. ``history``: H.
    * ``max_steps``, ``max_days``: limits; 0 for none, the preset's if None. Days pass in worlds
      with retention only.
    * ``action``: ``"slate"`` or ``"slot"``. ``reveal_state``: see above.
    * ``render_mode``: ``"ansi"`` gives the last step as text.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:SlateRec-v0", num_envs=8192)`` steps all users at once in
    `SlateRecVectorEnv`. One user of it behaves step by step as this environment does.

    ## Version History
    * v0: Initial version.
    """

    def __init__(
        self,
        preset: str = "interest_evolution",
        world: Mapping[str, Any] | None = None,
        rewards: Mapping[str, float] | None = None,
        slate_size: int | None = None,
        num_candidates: int | None = None,
        history: int = 5,
        max_steps: int | None = None,
        max_days: int | None = None,
        action: ActionMode = "slate",
        reveal_state: bool = False,
        render_mode: str | None = None,
    ) -> None:
        simulation = build(
            1,
            preset=preset,
            world=world,
            rewards=rewards,
            slate_size=slate_size,
            num_candidates=num_candidates,
            history=history,
            max_steps=max_steps,
            max_days=max_days,
            action=action,
            reveal_state=reveal_state,
        )
        super().__init__(simulation, render_mode)

    @property
    def world(self) -> WorldConfig:
        """The configuration of the world."""
        return _config(self.simulation)


class SlateRecVectorEnv(ManyUsersEnv):
    """Many users of `SlateRecEnv` at once, on the CPU (numpy) or on any device (torch).

    Spaces, rewards, episodes and arguments are those of `SlateRecEnv`, with a leading user axis;
    a named reward is an array ``(B,)``. Episodes restart in the step in which they end
    (``AutoresetMode.SAME_STEP``): the observation returned is the new user's, the last one of the
    old user stands in ``info["final_obs"]``, its info in ``info["final_info"]``, with the masks
    ``info["_final_obs"]`` and ``info["_final_info"]``. All other entries of info describe the step
    just taken, those of ``reveal_state`` excepted that describe the returned observation. Every
    entry is an array over all users, ``final_obs`` and ``final_info`` dicts of arrays: there is one
    dict for the batch where Gymnasium's ``SyncVectorEnv`` has an array of one dict per user.

    All users share one random generator, seeded by ``reset(seed=)``.

    Args:
        num_envs: Users, B.
        max_episode_steps: Steps of the environment after which an episode is truncated, if
            ``max_steps`` has not done so. With ``action="slot"`` whole slates only.
        backend: ``"numpy"`` or ``"torch"``.
        device: Torch device, e.g. ``"cuda"``; then observations, rewards and info are tensors on
            that device and actions are expected there.
        **settings: Arguments of `SlateRecEnv`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        backend: str = "numpy",
        device: str | None = None,
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        simulation = build(num_envs, backend=Backend.make(backend, device), **settings)
        super().__init__(simulation, max_episode_steps)

    @property
    def world(self) -> WorldConfig:
        """The configuration of the world."""
        return _config(self.simulation)


def build(
    num_users: int,
    *,
    preset: str = "interest_evolution",
    world: Mapping[str, Any] | None = None,
    rewards: Mapping[str, float] | None = None,
    slate_size: int | None = None,
    num_candidates: int | None = None,
    history: int = 5,
    max_steps: int | None = None,
    max_days: int | None = None,
    action: ActionMode = "slate",
    reveal_state: bool = False,
    backend: Backend | None = None,
) -> Simulation:
    """Build the engine from the arguments of `SlateRecEnv`.

    Raises:
        UserError: An argument is wrong; the message says which and what would be right.
    """
    start = preset_of(preset)
    config = override(start.world, world or {})
    if max_days and not config.retention:
        raise UserError(f"max_days is {max_days}, but no days pass in a world without retention.")
    backend = backend or Backend.make()
    users = World(config, backend)
    problem = Problem(
        num_items=config.catalogue.num_items,
        slate_size=start.slate_size,
        num_candidates=config.catalogue.num_items,
        user_feature_dim=config.catalogue.dim,
        item_features=users.items.features,
        item_groups=users.items.group,
        rewards={name: start.rewards.get(name, 0.0) for name in config.reward_names},
    )
    days = start.max_days if max_days is None else max_days
    return simulation_of(
        users,
        problem,
        num_users,
        rewards=rewards,
        slate_size=slate_size,
        num_candidates=num_candidates,
        history=history,
        max_steps=start.max_steps if max_steps is None else max_steps,
        max_days=days if config.retention else None,
        action=action,
        reveal_state=reveal_state,
        backend=backend,
    )


def _config(simulation: Simulation) -> WorldConfig:
    assert isinstance(simulation.world, World)
    return simulation.world.config
