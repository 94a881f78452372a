"""``SlateRec-v0``: slates shown to simulated users; one user, or a batch."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from envs.slates.building import simulation_of
from envs.slates.faces import SlateBatchEnv, SlateEnv
from envs.slates.settings import SlateRecSettings, SlateRecVectorSettings
from envs.slates.simulation import SlateSimulation
from envs.world.backend import Array, Backend
from envs.world.config import WorldConfig
from envs.world.presets import override
from envs.world.presets import preset as preset_of
from envs.world.rewards import named_rewards
from envs.world.world import World
from recsim.errors import EnvError
from recsim.problem import Problem


class SlateRecEnv(SlateEnv):
    """One simulated user who is shown slates of items.

    ## Description
    At each step the agent shows a slate of K items. The user may click, watches what they clicked,
    and changes: interests drift, satisfaction and boredom move, time runs out. In worlds with
    retention, the user returns some days after the end of a session, or leaves for good. A world is
    composed of the parts in `envs.world`; the presets are the known problems of the field:
    ``interest_evolution``, ``interest_exploration``, ``long_term_satisfaction``, ``boredom``,
    ``position_bias``, ``retention``.

    ## Action Space
    ``MultiDiscrete([C] * K)``: indices into ``obs["candidates"]``. An item that is repeated in a
    slate is shown once, in its first slot. The later slots show nothing, get no clicks and take
    none from other items; they are -1 in ``info["items"]`` and in the history.

    With ``action="slot"`` the action is ``Discrete(C)``, one item at a time. The K-th item
    completes the slate and the user reacts; until then the reward is 0 and nothing happens. The
    observation has two more keys: ``partial_slate`` (K,) and ``action_mask`` (C,), 1 where the item
    is not in the slate yet; `action_masks` returns the same mask as booleans.

    ## Observation Space
    A flat ``Dict`` of what a real system would observe:

    | key | shape | content |
    |---|---|---|
    | ``user_features`` | (F,) | what the system knows of the user on arrival |
    | ``history_items`` | (H*K,) | the last H slates shown, oldest first, padded with -1 |
    | ``history_clicks`` | (H*K,) | 1 where the item was clicked |
    | ``history_length`` | (1,) | slates in the history, at most H |
    | ``feedback`` | (R,) | named rewards of the last step, in the order of ``problem.rewards`` |
    | ``candidates`` | (C,) | item ids that may be shown |
    | ``time`` | (3,) | day, session of the user, step of the session |

    Item features and groups are public too: ``env.unwrapped.problem``.

    With ``observation="features"`` the observation is one flat float32 vector in a ``Box`` with
    real bounds, for learners that read numbers rather than ids. ``env.unwrapped.feature_layout``
    gives the slice of each block, in this order (D item features):

    | block | length | content |
    |---|---|---|
    | ``user`` | F | ``user_features`` |
    | ``time`` | 3 | day, session, step: divided by the limit, or n / (n + 10) if there is none |
    | ``feedback`` | R | named rewards of the last step |
    | ``clicked`` | D | mean features of the items in the history that were clicked, or zeros |
    | ``not_clicked`` | D | of those that were shown and not clicked |
    | ``rates`` | 2 | clicks per item in the history; its length divided by H |
    | ``slate`` | D + 1 | with slots: mean features of the items in the slate; their number / K |
    | ``candidates`` | C * W | W numbers for each candidate in turn |

    The numbers of a candidate are its D features, how often it was shown and how often it was
    clicked in the history, both divided by H, and with slots 1 if it is in the slate already. The
    vector has at most 20,000 numbers: a larger catalogue is refused, and needs ``num_candidates``.

    ## Rewards
    The scalar is the weighted sum of the named rewards in ``info["rewards"]``: ``click`` (number
    of clicks), ``watch`` (minutes) and, with retention, ``return`` (1 / days until the return, at
    the last step of a session; 0 if the user never returns).

    ``info`` also holds ``items`` and ``clicks`` (K,), ``session_end``, ``gap_days`` (0 if no
    session ended or the user never returns) and ``churned``. Before the first slate, and while a
    slate is incomplete, items are -1 and all else is 0. With ``reveal_state=True`` it also
    holds what a real system cannot know: ``state`` (latent variables), ``oracle_slate`` (the
    candidate indices with the largest expected immediate reward) and ``long_term_slate`` (see
    `World.long_term_slate`), all three for the returned observation; and ``expected_reward`` of the
    slate just shown with the largest possible one, ``oracle_reward``. Their difference is the
    regret. In a world with parts of your own whose best slate is not known, a warning names them,
    and these two are not there.

    ## Starting State
    A new user with interests drawn from `Population`, at the first step of the first session on
    day 0. All random numbers are a function of the seed, the number of resets without a seed since,
    and the step. ``reset(seed=s, options={"first_user": n})`` plays user n of the vector
    environment with seed s.

    ## Episode End
    Terminated when the user leaves for good: by churn or, in worlds without retention, at the end
    of the session. Truncated after ``max_steps`` slates, or from day ``max_days`` on.

    ## Arguments
    * ``preset``: world to start from: a name, a YAML file, or an `envs.world.presets.Preset`.
    * ``world``: changes to it, nested as in `WorldConfig`, e.g. ``{"drift": {"rate": 0.3}}``; parts
      of your own are objects, or the ``kind`` under which a package registers them.
    * ``rewards``: weights of named rewards, e.g. ``{"return": 5}``; the others keep the preset's.
      Further names are ``skip`` (1 for a slate without a click), columns of numbers of your own
      items (the sum over clicks), and functions: ``{"bonus": (0.5, function)}``.
    * ``slate_size``: K. ``num_candidates``: C, drawn at each step; None for the whole
      catalogue, in the order of the ids. ``history``: H.
    * ``max_steps``, ``max_days``: limits; 0 for no limit, None for the preset's. Days pass only in
      worlds with retention.
    * ``action``: ``"slate"`` or ``"slot"``. ``observation``: ``"ids"`` or ``"features"``.
      ``reveal_state``: see above.
    * ``render_mode``: ``"ansi"`` renders the last step as text; ``"rgb_array"`` as a picture of the
      slate, clicks and satisfaction over time, uint8 (400, 640, 3); ``"human"`` shows the picture
      in a window at every reset and step.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:SlateRec-v0", num_envs=8192)`` steps all users at once in
    `SlateRecVectorEnv`. A batch of one user behaves step by step as this environment does.

    ## Version History
    * v0: Initial version. Release 0.2.0 changed all random numbers once: a user's draws are now a
      function of (seed, user, episode, step), not of the rest of the batch. From 0.2.0 on, a change
      of numbers is a new version.
    """

    Settings = SlateRecSettings

    def __init__(self, *, render_mode: str | None = None, **settings: Any) -> None:
        super().__init__(_build(1, self.Settings.of(settings), Backend.make()), render_mode)

    @property
    def world(self) -> WorldConfig:
        """The configuration of the world."""
        return _config(self.simulation)


class SlateRecVectorEnv(SlateBatchEnv):
    """Many users of `SlateRecEnv` at once, on the CPU (numpy) or on any device (torch).

    Spaces, rewards, episodes and arguments are those of `SlateRecEnv`, with a leading user axis;
    a named reward is an array ``(B,)``. By default an episode that ends is followed by a new one in
    the same step (``AutoresetMode.SAME_STEP``): the returned observation is the new user's, the
    last observation of the old user is in ``info["final_obs"]`` and their info in
    ``info["final_info"]``, with the masks ``info["_final_obs"]`` and ``info["_final_info"]``. All
    other entries of info describe the step just taken, except those of ``reveal_state`` that
    describe the returned observation. Every entry is an array over all users, ``final_obs`` and
    ``final_info`` are dicts of arrays: one dict for the batch, where Gymnasium's ``SyncVectorEnv``
    has an array of one dict per user.

    With ``autoreset_mode="NEXT_STEP"`` the new episode begins in the next step, which ignores the
    action of that row and whose reward is 0. With ``"DISABLED"`` the caller resets rows:
    ``reset(options={"reset_mask": terminated | truncated})``.

    What happens to a user is a function of the seed, the user's number, the number of episodes in
    their row before, the step and what they are shown; never of the other rows. With
    ``reset(seed=s)`` row i is user i under seed s, and row 0 is `SlateRecEnv` with the same seed.
    ``reset(seed=s, options={"first_user": n})`` plays users n, n + 1 ...: blocks of users are the
    same as one large batch. With ``reset(seed=[s0, s1, ...])`` row i is `SlateRecEnv` with seed si,
    the users who replace the first one included. Users under consecutive seeds are independent;
    `gymnasium.vector.SyncVectorEnv` would give the rows the seeds s, s + 1, ... instead.

    Args:
        num_envs: Users, B.
        max_episode_steps: Steps of the environment after which an episode is truncated, if
            ``max_steps`` does not truncate it earlier. With ``action="slot"``, a multiple of K.
        autoreset_mode: ``"SAME_STEP"``, ``"NEXT_STEP"`` or ``"DISABLED"``, or a
            `gymnasium.vector.AutoresetMode`.
        render_mode: None: a batch is not rendered.
        **settings: Arguments of `SlateRecEnv`, and two more. ``backend``: ``"numpy"`` or
            ``"torch"``. ``device``: torch device, e.g. ``"cuda"``. With torch, observations,
            rewards and info are tensors on that device, and actions are expected there.
    """

    Settings = SlateRecVectorSettings

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        checked = self.Settings.of(settings)
        backend = Backend.make(checked.backend, checked.device)
        simulation = _build(num_envs, checked, backend)
        super().__init__(simulation, max_episode_steps, autoreset_mode, render_mode)

    @property
    def world(self) -> WorldConfig:
        """The configuration of the world."""
        return _config(self.simulation)

    @property
    def changes_users(self) -> bool:
        """Whether what is shown changes users; see `WorldConfig.changes_users`."""
        return self.world.changes_users

    @property
    def user_groups(self) -> Array:
        """Group of items whose centre is nearest to each user's interest now, ``(B,)``."""
        simulation: Any = self.simulation
        interest = simulation.state.weights[:, : simulation.world.dim]
        return simulation.xp.argmax(interest @ simulation.world.centres.T, axis=1)


def _build(num_users: int, settings: SlateRecSettings, backend: Backend) -> SlateSimulation:
    """Build the simulation.

    Raises:
        UserError: If the world or a setting is wrong.
    """
    start = preset_of(settings.preset)
    config = override(start.world, settings.world or {})
    if settings.max_days and not config.retention:
        raise EnvError(
            f"max_days is {settings.max_days}, but no days pass in a world without retention."
        )
    if config.candidates and settings.num_candidates is None:
        raise EnvError("world.candidates draws candidates: set num_candidates, how many.")
    users = World(config, backend)
    weights, sources = named_rewards({**start.rewards, **(settings.rewards or {})}, users.items)
    users.add_rewards(weights, sources)
    # Those of a preset's part that was taken out count nothing.
    changed = {name: weights[name] for name in settings.rewards or {}}
    problem = Problem(
        num_items=len(users.items),
        slate_size=start.slate_size,
        user_feature_dim=users.feature_bounds.shape[1],
        item_features=users.items.features,
        item_groups=users.items.group,
        item_names=users.items.names,
        rewards={name: weights.get(name, 0.0) for name in users.reward_names},
    )
    limits: dict[str, Any] = {
        "rewards": changed,
        "max_steps": start.max_steps if settings.max_steps is None else settings.max_steps,
        "max_days": start.max_days if settings.max_days is None else settings.max_days,
    }
    if not config.retention:
        limits["max_days"] = None
    return simulation_of(users, problem, num_users, settings.model_copy(update=limits), backend)


def _config(simulation: SlateSimulation) -> WorldConfig:
    assert isinstance(simulation.world, World)
    return simulation.world.config
