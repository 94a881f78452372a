"""``ConvRec-v0``: ask for an attribute, or recommend; one conversation, or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from envs.conversation.setting import RankFunction, Setting
from envs.sessions import ManySessionsEnv, OneSessionEnv
from recsim.conversation import AttributeData


class ConvRecEnv(OneSessionEnv):
    """A conversation: the recommender asks for attributes or shows items, until one is accepted.

    ## Description
    A user looks for an item, the target. At each turn the recommender either asks for an attribute
    or shows a slate of K items. A question is answered truthfully (unless there is noise); a slate
    is accepted if it holds the target, which ends the conversation. Every question and every slate
    costs one turn, whoever the recommender is: the environment counts. After T turns the user
    gives up. An episode is about one interaction of the data: that user, that item.

    By default the answer is yes if the target has the attribute and the user cares for it. So a yes
    tells that the target has it, but a no does not tell that the target lacks it.

    ## Action Space
    With ``action="slate"`` (the default), a ``Dict``:

    | key | space | content |
    |---|---|---|
    | ``type`` | ``Discrete(2)`` | 0 to ask, 1 to show the slate; with ``free_recommendations`` 2, to show it without a turn passing |
    | ``attribute`` | ``Discrete(F)`` | what to ask for; a class if ``question="enumerated"``, up to m attributes padded with -1 if ``"multi_choice"`` |
    | ``slate`` | ``MultiDiscrete`` (K,) | item ids, -1 for an empty slot |

    With ``action="discrete"``, ``Discrete(F + 1)``: k < F asks for attribute k (or class k), F shows
    what ``rank_fn(obs)`` ranks first; by default the most popular items that have all attributes
    to which the answer was yes. Observations are given to ``rank_fn`` with a leading axis of
    conversations; it returns item ids ``(B, K)``. With ``"multi_choice"`` the other attributes of the
    question are those nearest to halving the remaining candidates.

    To ask again for what was answered, to ask on the last turn, where only a slate can succeed, and
    to show an item again is illegal: an error, or with ``illegal="penalise"`` a turn that passes.
    ``info["action_mask"]`` and `action_masks` tell which questions are legal, and in the last place
    that showing is.

    ## Observation Space
    | key | shape | content |
    |---|---|---|
    | ``answers`` | (F,) | 0 not asked, 1 yes, 2 no, 3 does not care (``answer_model="unknown"``) |
    | ``shown`` | (T*K,) | item ids shown so far, padded with -1; ``free_recommendations`` add room |
    | ``history`` | (T,) | what each turn was: 1 asked, yes; -1 asked, no; 3 asked, does not care; 2 accepted; -2 rejected; -3 illegal; 0 yet to come |
    | ``turn`` | (1,) | turns taken |
    | ``candidate_bin`` | (1,) | floor(log2(n + 1)) of the n items not shown that have all attributes to which the answer was yes |

    The catalogue is public: ``env.unwrapped.problem``, a `recsim.conversation.ConversationProblem`.
    ``env.unwrapped.training_data`` is what a recommender may learn from.

    ## Rewards
    By default 1 if the slate is accepted, -0.1 if not, 0.01 for a yes, -0.1 for another answer, and
    -0.3 in place of the last turn's if it does not succeed.

    ``info`` holds how the conversation stands: ``success``, ``rank`` (of the accepted item in its slate,
    from 1; else 0), ``turn``, ``n_questions``, ``n_recs``, ``items_shown``, ``hdcg`` (see
    `recsim.metrics.conversation_gain`), ``index`` (its number) and ``action_mask``; with
    ``debug=True`` also ``user``, ``target``, ``truth`` (F,) and ``candidates`` (I,).

    ## Starting State
    Nothing asked or shown; with an ``opening`` one attribute, to which the answer is yes, is known.
    ``reset(options={"index": n})`` chooses the n-th interaction of the split.

    ## Episode End
    Terminated when a slate is accepted. Truncated after T turns; the T-th action is evaluated.

    ## Arguments
    * ``path``: folder in the layout of LastFM or LastFM*, see `recsim.conversation.read_attributes`, or
      ``data``: an `AttributeData`, or ``planted``: ``{"kind": "tastes" | "codes", ...}``, see
      `recsim.conversation.planted`. Planted tastes by default.
    * ``targets``: ``"all"`` or ``"positives"``. ``split``: ``"train"``, ``"valid"`` or ``"test"``.
    * ``sampler``: ``"uniform_user"``: a uniform user, then one of their interactions; or ``"each"``:
      every interaction once, in the order of the data.
    * ``action``, ``rank_fn``: see above. ``debug``: see above.
    * ``render_mode``: ``"ansi"`` gives the last turn as text.
    * The rules, fields of `envs.conversation.Rules`: ``answer_model``, ``noise``, ``question``,
      ``choices``, ``opening``, ``max_turns`` (T), ``slate_size`` (K), ``acceptable``, ``illegal``,
      ``free_recommendations``, ``mask_certain``, ``rewards``.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:ConvRec-v0", num_envs=1024)`` holds all conversations at once in
    `ConvRecVectorEnv`.

    ## Version History
    * v0: Initial version.
    """  # noqa: E501 (tables)

    def __init__(
        self,
        path: str | None = None,
        *,
        data: AttributeData | None = None,
        targets: str = "all",
        planted: Mapping[str, Any] | None = None,
        split: str = "test",
        sampler: str = "uniform_user",
        action: str = "slate",
        rank_fn: RankFunction | None = None,
        debug: bool = False,
        render_mode: str | None = None,
        **rules: Any,
    ) -> None:
        super().__init__(
            Setting(
                1,
                data=data,
                path=path,
                targets=targets,
                planted=planted,
                split=split,
                sampler=sampler,
                action=action,
                rank_fn=rank_fn,
                debug=debug,
                rules=rules,
            ),
            render_mode,
        )


class ConvRecVectorEnv(ManySessionsEnv):
    """Many conversations of `ConvRecEnv` at once.

    Spaces, rewards and arguments are those of `ConvRecEnv`, with a leading axis of conversations.
    Episodes restart in the step in which they end (``AutoresetMode.SAME_STEP``); the last
    observation of a conversation stands in ``info["final_obs"]``, its info in
    ``info["final_info"]``, with the masks ``_final_obs`` and ``_final_info``.
    ``info["action_mask"]`` is that of the returned observation; everything else in info tells of
    the turn just taken.

    With ``reset(options={"index": [...]})`` the conversations are about these interactions. What
    happens in them depends on the seed and the number of the interaction only, not on the batch.

    Args:
        num_envs: Conversations, B.
        max_episode_steps: Turns; in place of ``max_turns``, if that is not given.
        **settings: Arguments of `ConvRecEnv`.
    """

    conversations: ClassVar[bool] = True

    def __init__(
        self,
        num_envs: int = 1,
        path: str | None = None,
        *,
        data: AttributeData | None = None,
        targets: str = "all",
        planted: Mapping[str, Any] | None = None,
        split: str = "test",
        sampler: str = "uniform_user",
        action: str = "slate",
        rank_fn: RankFunction | None = None,
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
                targets=targets,
                planted=planted,
                split=split,
                sampler=sampler,
                action=action,
                rank_fn=rank_fn,
                debug=debug,
                rules=rules,
            )
        )
