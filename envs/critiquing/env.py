"""``CritiqueRec-v0``: show an item with its reasons, get critiques; one session, or a batch."""

from __future__ import annotations

from typing import Any, ClassVar

from gymnasium.vector import AutoresetMode

from envs.critiquing.settings import CritiqueRecSettings
from envs.critiquing.simulation import CritiquingSimulation
from envs.sessions import SessionBatchEnv, SessionEnv
from recsim.arrays import Ints
from recsim.critiquing import AspectReviews


class CritiqueRecEnv(SessionEnv[CritiquingSimulation]):
    """A session: one item at a time, justified by aspects, which the user criticises.

    ## Description
    A user looks for an item, the goal, which they review in the held-out part of the data. At each
    turn the recommender shows an item and the aspects for which it recommends it. If the item is
    the goal the session ends. Otherwise the item is not shown again, and the user criticises: "not
    this aspect". A critique changes the estimated preferences of the user; whether that changes the
    ranking is up to the recommender. After T items the session ends without success.

    An aspect may be criticised if it is in the justification, the goal lacks it, and it has not
    been criticised before. The goal has the aspects that its train reviews mention; an item without
    train reviews has none, so that any aspect shown may be criticised. There are no critiques after
    the last item.

    Removing the rejected items from the ranking brings the goal nearer by one at every turn, even
    if all critiques are ignored: ``base_gold_rank`` and ``base_turns`` are what that alone would
    have led to. Report them beside every result.

    ## Action Space
    With ``action="scores"`` (the default), a ``Dict``:

    | key | space | content |
    |---|---|---|
    | ``scores`` | ``Box`` (I,) | scores of all items; the best item that may be shown is shown, of equal ones that with the lower id |
    | ``justification`` | ``MultiBinary(K)`` | aspects that it is shown for |

    With ``action="item"``, the key ``item``, ``Discrete(I)``, takes the place of ``scores``; the
    rank of the goal is not known then. With ``justification="item"`` an item is justified by its
    own aspects, those that its train reviews mention, and the action is ``scores`` or ``item``
    alone.

    Items shown before, and those that the user reviewed in training (``mask_train``), may not be
    shown; ``info["action_mask"]`` and `action_masks` hold which ones may. With ``action="item"``,
    showing another one is an error, or with ``illegal="penalise"`` a turn without effect.

    ## Observation Space
    | key | shape | content |
    |---|---|---|
    | ``user`` | (1,) | number of the user; -1 for an unknown user |
    | ``preferences`` | (K,) | c: number of the user's train reviews that mention an aspect, less ``max(that, 1)`` where it was criticised, plus as much where it was praised |
    | ``critiqued`` | (K,) | -1 criticised, 1 praised, 0 neither |
    | ``shown`` | (T,) | item ids shown so far, oldest first, padded with -1; also -1 for an item that was not allowed |
    | ``turn`` | (1,) | turns taken |

    The catalogue is public: ``env.unwrapped.problem``, a `recsim.critiquing.CritiquingProblem`.
    ``env.unwrapped.training_data`` is what a recommender may learn from.

    ## Rewards
    1 for the goal, else ``-step_cost``.

    ``info`` describes the turn just taken: ``session`` (its number), ``success``, ``turn``, ``item``,
    ``justification`` (K,), ``critiques`` (K,; -1 criticised, 1 praised), ``gold_rank`` (rank of the
    goal among the items that could be shown, from 0; -1 if unknown), ``base_gold_rank`` (the same
    rank without critiques: ``max(0, rank at the first turn - turns before)``), ``base_turns`` (turns
    that the session would then take), and ``action_mask`` (I,); with ``debug=True`` also ``goal`` and
    ``goal_aspects`` (K,).

    ## Starting State
    Nothing is shown; c is counted in the user's train reviews. ``reset(options={"index": n})``
    chooses the n-th pair of user and goal, ``options={"user": u, "goal": i}`` any pair; otherwise a
    pair is drawn.

    ## Episode End
    Terminated when the goal is shown, or the user leaves (``patience``). Truncated after T items.

    ## Arguments
    * ``path``: file or folder that `recsim.critiquing.read_reviews` reads, with ``reader``, its
      other arguments; or ``data``: an `AspectReviews` (not for `gymnasium.make`); or ``planted``:
      arguments of `recsim.critiquing.planted_reviews`. Planted by default.
    * ``split``: ``"test"`` or ``"valid"``: part of the data that the pairs are from. Pairs whose
      goal the user reviewed in training too are left out.
    * ``action``, ``justification``, ``debug``: see above.
    * ``render_mode``: ``"ansi"`` renders the last turn as text.
    * The rules, fields of `envs.critiquing.Rules`: ``seeker``, ``critiques``, ``feedback``, ``noise``,
      ``mistakes``, ``allow_arbitrary``, ``patience``, ``max_turns`` (T), ``mask_train``,
      ``cold_start``, ``step_cost``, ``illegal``.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:CritiqueRec-v0", num_envs=1024)`` holds all sessions at once in
    `CritiqueRecVectorEnv`.

    ## References
    Li et al., "Self-Supervised Bot Play for Transcript-Free Conversational Critiquing with
    Rationales", arXiv:2112.05197: the seekers, and how a critique changes c.

    ## Version History
    * v0: Initial version. Release 0.2.0 changed all random numbers once: those of a session are now a
      function of the seed and the pair; where pairs are drawn, of the seed, the row and the number
      of its sessions before. From 0.2.0 on, a change of numbers is a new version.
    """  # noqa: E501 (tables)

    Settings = CritiqueRecSettings

    def __init__(
        self,
        *,
        data: AspectReviews | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(CritiquingSimulation(1, self.Settings.of(settings), data), render_mode)


class CritiqueRecVectorEnv(SessionBatchEnv[CritiquingSimulation]):
    """Many sessions of `CritiqueRecEnv` at once.

    Spaces, rewards and arguments are those of `CritiqueRecEnv`, with a leading axis of sessions.
    By default an episode that ends is followed by a new one in the same step
    (``AutoresetMode.SAME_STEP``): the last observation of a session is in ``info["final_obs"]``,
    its info in ``info["final_info"]``, with the masks ``_final_obs`` and ``_final_info``.
    ``info["action_mask"]`` belongs to the returned observation; every other entry of info describes
    the turn just taken. The other modes are described in `envs.slates.env.SlateRecVectorEnv`.

    ``reset(options={"index": [...]})`` or ``{"user": [...], "goal": [...]}`` chooses the pairs.
    What happens in a session depends on the seed and its pair only, not on the batch.

    Args:
        num_envs: Sessions, B.
        data: As in `CritiqueRecEnv`.
        max_episode_steps: Turns, T, if ``max_turns`` is not given.
        autoreset_mode: As in `envs.slates.env.SlateRecVectorEnv`.
        render_mode: None: a batch is not rendered.
        **settings: Arguments of `CritiqueRecEnv`.
    """

    Settings = CritiqueRecSettings
    critiquing: ClassVar[bool] = True

    def __init__(
        self,
        num_envs: int = 1,
        *,
        data: AspectReviews | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        if max_episode_steps is not None:
            settings.setdefault("max_turns", max_episode_steps)
        simulation = CritiquingSimulation(num_envs, self.Settings.of(settings), data)
        super().__init__(simulation, autoreset_mode, render_mode)

    @property
    def episode_goals(self) -> Ints:
        """Goal of each pair that a session can be about, ``(N,)``."""
        return self.simulation.goals
