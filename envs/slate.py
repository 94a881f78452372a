"""``SlateRec-v0``: slates shown to simulated users; one user, or a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal, SupportsInt

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.simulation import Shown, Simulation
from envs.transcript import transcript
from envs.world.backend import Array, Backend
from envs.world.presets import override
from envs.world.presets import preset as preset_of
from envs.world.world import WorldConfig
from recsim.errors import UserError, did_you_mean
from recsim.problem import Problem

ActionMode = Literal["slate", "slot"]


class SlateRecEnv(gym.Env[dict[str, Any], Any]):
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

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

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
        self.simulation = build(
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
        self.render_mode = render_mode
        self.observation_space = self.simulation.space()
        self.action_space = self.simulation.action_space()
        self._last: dict[str, Any] = {}

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem

    @property
    def world(self) -> WorldConfig:
        """The configuration of the world."""
        return self.simulation.world.config

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Start with a new user; ``options`` are not used."""
        super().reset(seed=seed)
        stream = self.simulation.backend.stream(self.np_random)
        obs, info = self.simulation.reset(stream)
        self._last = {}
        return self._first(obs), _first(info)

    def step(
        self, action: Any
    ) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Show a slate, or with ``action="slot"`` add an item to it.

        Raises:
            ValueError: The action has the wrong shape, or an index that is no candidate.
        """
        batch = self.simulation.step(np.asarray(action)[None])
        obs, reward, terminated, truncated, shown, revealed = batch
        info: dict[str, Any] = {}
        if shown is not None:
            info = self._last = self._describe(shown)
        if revealed:
            info = info | _first(revealed)
        return self._first(obs), reward.item(), terminated.item(), truncated.item(), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions, for learners that mask them.

        Returns:
            With ``action="slot"``, ``(C,)``: False where the item is in the slate already. Else all
            True, ``(K*C,)``, slot by slot: no mask of independent slots can forbid a repeat.
        """
        mask: NDArray[np.bool_] = _action_masks(self.simulation)[0]
        return mask

    def render(self) -> str | None:
        """The last step as text."""
        return transcript(self._last) if self.render_mode else None

    def _describe(self, shown: Shown) -> dict[str, Any]:
        """What `Simulation.describe` says of the one user, in plain numbers."""
        outcome = shown.outcome
        ended, gap, churned = outcome.session_end, outcome.gap, outcome.churned
        return {
            "rewards": dict(zip(self.problem.rewards, outcome.rewards[0].tolist(), strict=True)),
            "items": shown.items[0],
            "clicks": shown.clicks[0],
            "session_end": ended is not None and ended.item(),
            "gap_days": 0 if gap is None else gap.item(),
            "churned": churned is not None and churned.item(),
        }

    def _first(self, obs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        first = {name: array[0] for name, array in obs.items()}
        if self.simulation.whole_catalogue:
            first["candidates"] = first["candidates"].copy()
        return first


class SlateRecVectorEnv(VectorEnv[dict[str, Array], Array, Array]):
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

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

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
        self.simulation = build(num_envs, backend=Backend.make(backend, device), **settings)
        if max_episode_steps is not None:
            slates, rest = divmod(max_episode_steps, self.simulation.steps_per_slate)
            if rest or slates < 1:
                raise UserError(
                    f"max_episode_steps is {max_episode_steps}; it must be a positive multiple of "
                    f"the {self.simulation.steps_per_slate} steps that a slate takes."
                )
            self.simulation.max_steps = min(slates, self.simulation.max_steps or slates)
        self.num_envs = num_envs
        self.render_mode = None
        self.single_observation_space = self.simulation.space()
        self.single_action_space = self.simulation.action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem

    @property
    def world(self) -> WorldConfig:
        """The configuration of the world."""
        return self.simulation.world.config

    @property
    def max_days(self) -> int | None:
        """Day from which on an episode is truncated; None for no limit."""
        return self.simulation.max_days

    def reset(
        self,
        *,
        seed: SupportsInt | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Start with new users in every row; ``options`` are not used.

        Raises:
            ValueError: ``seed`` is a list; the users share one generator.
        """
        if isinstance(seed, list):
            raise ValueError("SlateRecVectorEnv has one generator for all users: seed is a number.")
        super().reset(seed=None if seed is None else int(seed))
        return self.simulation.reset(self.simulation.backend.stream(self.np_random))

    def step(self, actions: Array) -> tuple[dict[str, Array], Array, Array, Array, dict[str, Any]]:
        """Show a slate to every user.

        Raises:
            ValueError: The actions have the wrong shape, or an index that is no candidate.
        """
        simulation = self.simulation
        obs, reward, terminated, truncated, shown, info = simulation.step(actions)
        reward = simulation.xp.astype(reward, simulation.xp.float64)
        if shown is not None:
            info = simulation.describe(shown) | info
        done = terminated | truncated
        if bool(done.any()):
            rows = simulation.xp.nonzero(done)[0]
            final_obs, final_info = obs, info
            obs, info = simulation.replace(rows, info)
            info = info | {"final_obs": final_obs, "_final_obs": done}
            info |= {"final_info": final_info, "_final_info": done}
        return obs, reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of every user; see `SlateRecEnv.action_masks`."""
        return _action_masks(self.simulation)


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
    items = config.catalogue.num_items
    slate = start.slate_size if slate_size is None else slate_size
    offered = items if num_candidates is None else num_candidates
    if not 1 <= offered <= items:
        raise UserError(f"num_candidates is {offered}; the catalogue has {items} items.")
    if not 1 <= slate <= offered:
        raise UserError(f"slate_size is {slate}; there are {offered} candidates to fill it with.")
    if num_users < 1 or history < 1:
        raise UserError(f"num_envs is {num_users} and history {history}; each must be at least 1.")
    for name, limit in (("max_steps", max_steps), ("max_days", max_days)):
        if limit is not None and limit < 0:
            raise UserError(f"{name} is {limit}; it must be positive, or 0 for no limit.")
    if action not in ("slate", "slot"):
        raise UserError(f"action is {action!r}.{did_you_mean(str(action), ['slate', 'slot'])}")
    if max_days and not config.retention:
        raise UserError(f"max_days is {max_days}, but no days pass in a world without retention.")
    for name, weight in (rewards or {}).items():
        if name not in config.reward_names:
            raise UserError(
                f"rewards: this world has no reward {name!r}."
                f"{did_you_mean(name, config.reward_names)}"
            )
        if isinstance(weight, bool) or not isinstance(weight, Real) or not math.isfinite(weight):
            raise UserError(f"rewards.{name} must be a finite number, not {weight!r}.")
    return Simulation(
        config,
        num_users,
        slate_size=slate,
        num_candidates=num_candidates,
        rewards={**start.rewards, **(rewards or {})},
        history=history,
        max_steps=(start.max_steps if max_steps is None else max_steps) or None,
        max_days=(start.max_days if max_days is None else max_days) or None,
        slots=action == "slot",
        reveal_state=reveal_state,
        backend=backend or Backend.make(),
    )


def _first(info: Mapping[str, Any]) -> dict[str, Any]:
    """Info of the first user: numbers where the batch has ``(B,)``, arrays else."""
    return {
        name: _first(value)
        if isinstance(value, dict)
        else (value.item() if value.ndim == 1 else value[0])
        for name, value in info.items()
    }


def _action_masks(simulation: Simulation) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = simulation.backend.to_numpy(simulation.action_mask()) > 0  # (B, C)
    return mask if simulation.slots else np.tile(mask, (1, simulation.problem.slate_size))
