"""``CritiqueRec-v0``: show an item and say why, and hear what is wrong; one session, or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from envs.critiquing.setting import Setting
from envs.sessions import ManySessionsEnv, OneSessionEnv
from recsim.critiquing import AspectReviews


class CritiqueRecEnv(OneSessionEnv):
    """A session: one item at a time, justified by aspects, which the user criticises.

    ## Description
    A user looks for an item, the goal, that they review in the held-out part of the data. At each
    turn the recommender shows an item and says for which aspects. If it is the goal the session
    ends. Else the item is not shown again, and the user criticises: "not this aspect". That changes
    what is believed of their preferences; whether that changes the ranking is up to the
    recommender. After T items the session ends without success.

    An aspect may be criticised if it is in the justification, the goal lacks it, and it was not
    criticised before. What the goal has is what train reviews of it mention; an item without any
    has no aspects, so that all that is shown may be criticised. Nothing is criticised after the
    last item.

    Rejected items alone go from the ranking even if no critique is heard, so that the goal comes
    nearer by one at every turn: ``base_gold_rank`` and ``base_turns`` tell what that alone would
    have led to. Report them beside every result.

    ## Action Space
    With ``action="scores"`` (the default), a ``Dict``:

    | key | space | content |
    |---|---|---|
    | ``scores`` | ``Box`` (I,) | of all items; the best that may be shown is, of equal ones that with the lower id |
    | ``justification`` | ``MultiBinary(K)`` | aspects that it is shown for |

    With ``action="item"``, ``item``, ``Discrete(I)``, stands in place of ``scores``; the rank of the
    goal is not known then. With ``justification="item"`` the item's own aspects, those that train
    reviews of it mention, are its justification: the action is ``scores`` or ``item`` alone.

    Items shown before, and those that the user reviewed in training (``mask_train``), may not be
    shown; ``info["action_mask"]`` and `action_masks` tell which may. With ``action="item"`` to show
    one all the same is an error, or with ``illegal="penalise"`` a turn that passes.

    ## Observation Space
    | key | shape | content |
    |---|---|---|
    | ``user`` | (1,) | who it is; -1 for somebody who is not known |
    | ``preferences`` | (K,) | c: train reviews of the user that mention an aspect, less ``max(that, 1)`` where it was criticised, and more where it was praised |
    | ``critiqued`` | (K,) | -1 criticised, 1 praised, 0 neither |
    | ``shown`` | (T,) | item ids shown so far, oldest first, padded with -1; -1 for what was not allowed, too |
    | ``turn`` | (1,) | turns taken |

    The catalogue is public: ``env.unwrapped.problem``, a `recsim.critiquing.CritiquingProblem`.
    ``env.unwrapped.training_data`` is what a recommender may learn from.

    ## Rewards
    1 for the goal, else ``-step_cost``.

    ``info`` holds, of the turn just taken: ``session`` (its number), ``success``, ``turn``, ``item``,
    ``justification`` (K,), ``critiques`` (K,; -1 criticised, 1 praised), ``gold_rank`` (of the goal
    among the items that could be shown, from 0; -1 if not known), ``base_gold_rank`` (the same had
    nothing been criticised: ``max(0, rank at the first turn - turns before)``), ``base_turns``
    (turns that the session would then take), and ``action_mask`` (I,); with ``debug=True`` also
    ``goal`` and ``goal_aspects`` (K,).

    ## Starting State
    Nothing shown; c is counted in the user's train reviews. ``reset(options={"index": n})`` chooses
    the n-th pair of user and goal, ``options={"user": u, "goal": i}`` any pair; else one is drawn.

    ## Episode End
    Terminated when the goal is shown, or the user leaves (``patience``). Truncated after T items.

    ## Arguments
    * ``path``: what `recsim.critiquing.read_reviews` reads, with ``reader``, its other arguments; or
      ``data``: an `AspectReviews`, or ``planted``: arguments of `recsim.critiquing.planted_reviews`.
      Planted by default.
    * ``split``: ``"test"`` or ``"valid"``: whose pairs. A pair is left out if the user reviewed the
      goal in training too.
    * ``action``, ``justification``, ``debug``: see above.
    * ``render_mode``: ``"ansi"`` gives the last turn as text.
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
    * v0: Initial version.
    """  # noqa: E501 (tables)

    def __init__(
        self,
        path: str | None = None,
        *,
        data: AspectReviews | None = None,
        reader: Mapping[str, Any] | None = None,
        planted: Mapping[str, Any] | None = None,
        split: str = "test",
        action: str = "scores",
        justification: str = "agent",
        debug: bool = False,
        render_mode: str | None = None,
        **rules: Any,
    ) -> None:
        super().__init__(
            Setting(
                1,
                data=data,
                path=path,
                reader=reader,
                planted=planted,
                split=split,
                action=action,
                justification=justification,
                debug=debug,
                rules=rules,
            ),
            render_mode,
        )


class CritiqueRecVectorEnv(ManySessionsEnv):
    """Many sessions of `CritiqueRecEnv` at once.

    Spaces, rewards and arguments are those of `CritiqueRecEnv`, with a leading axis of sessions.
    Episodes restart in the step in which they end (``AutoresetMode.SAME_STEP``); the last
    observation of a session stands in ``info["final_obs"]``, its info in ``info["final_info"]``,
    with the masks ``_final_obs`` and ``_final_info``. ``info["action_mask"]`` is that of the
    returned observation; everything else in info tells of the turn just taken.

    With ``reset(options={"index": [...]})`` the sessions are about these pairs, with ``{"user":
    [...], "goal": [...]}`` about those. What happens in them depends on the seed and the pair only,
    not on the batch.

    Args:
        num_envs: Sessions, B.
        max_episode_steps: Turns; in place of ``max_turns``, if that is not given.
        **settings: Arguments of `CritiqueRecEnv`.
    """

    critiquing: ClassVar[bool] = True

    def __init__(
        self,
        num_envs: int = 1,
        path: str | None = None,
        *,
        data: AspectReviews | None = None,
        reader: Mapping[str, Any] | None = None,
        planted: Mapping[str, Any] | None = None,
        split: str = "test",
        action: str = "scores",
        justification: str = "agent",
        debug: bool = False,
        max_episode_steps: int | None = None,
        render_mode: None = None,
        **rules: Any,
    ) -> None:
        if max_episode_steps is not None:
            rules.setdefault("max_turns", max_episode_steps)
        super().__init__(
            Setting(
                num_envs,
                data=data,
                path=path,
                reader=reader,
                planted=planted,
                split=split,
                action=action,
                justification=justification,
                debug=debug,
                rules=rules,
            )
        )

    @property
    def episode_goals(self) -> NDArray[np.int64]:
        """Goal of each pair that a session can be about, ``(N,)``."""
        goals: NDArray[np.int64] = self.setting.goals
        return goals
