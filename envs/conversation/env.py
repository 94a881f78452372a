"""``ConvRec-v0``: ask for an attribute, or recommend; one conversation, or a batch."""

from __future__ import annotations

from typing import Any, ClassVar

from gymnasium.vector import AutoresetMode

from envs.conversation.settings import ConvRecSettings
from envs.conversation.simulation import ConversationSimulation, RankFunction
from envs.sessions import SessionBatchEnv, SessionEnv
from recsim.conversation import AttributeData


class ConvRecEnv(SessionEnv[ConversationSimulation]):
    """A conversation: the recommender asks for attributes or shows items, until one is accepted.

    ## Description
    A user looks for an item, the target. At each turn the recommender either asks for an attribute
    or shows a slate of K items. Questions are answered truthfully (unless there is noise). A slate
    is accepted if it holds the target, which ends the conversation. Every question and every slate
    costs one turn; turns are counted by the environment, for all recommenders alike. After T turns
    the user gives up. An episode is about one interaction of the data: that user, that item.

    By default the answer is yes if the target has the attribute and the user cares about it. So a
    yes implies that the target has the attribute, but a no does not imply that it lacks it.

    ## Action Space
    With ``action="slate"`` (the default), a ``Dict``:

    | key | space | content |
    |---|---|---|
    | ``type`` | ``Discrete(2)`` | 0 to ask, 1 to show the slate; with ``free_recommendations`` 2, to show it without a turn passing |
    | ``attribute`` | ``Discrete(F)`` | attribute to ask for; a class if ``question="enumerated"``, up to m attributes padded with -1 if ``"multi_choice"`` |
    | ``slate`` | ``MultiDiscrete`` (K,) | item ids, -1 for an empty slot |

    With ``action="discrete"``, ``Discrete(F + 1)``: k < F asks for attribute k (or class k), F shows
    the items that ``rank_fn(obs)`` ranks first; by default the most popular items that have all
    attributes answered with yes. ``rank_fn`` gets observations with a leading axis of conversations
    and returns item ids ``(B, K)``. With ``"multi_choice"`` the other attributes of the question are
    those that come nearest to halving the remaining candidates.

    It is illegal to ask again for an answered attribute, to ask on the last turn (where only a
    slate can succeed), and to show an item again: an error is raised, or with
    ``illegal="penalise"`` the turn passes without effect. ``info["action_mask"]`` and `action_masks`
    hold which questions are legal; the last entry is for a slate, which is always legal.

    ## Observation Space
    | key | shape | content |
    |---|---|---|
    | ``answers`` | (F,) | 0 not asked, 1 yes, 2 no, 3 does not care (``answer_model="unknown"``) |
    | ``shown`` | (T*K,) | item ids shown so far, padded with -1; longer with ``free_recommendations`` |
    | ``history`` | (T,) | kind of each turn: 1 asked, yes; -1 asked, no; 3 asked, does not care; 2 accepted; -2 rejected; -3 illegal; 0 not taken yet |
    | ``turn`` | (1,) | turns taken |
    | ``candidate_bin`` | (1,) | floor(log2(n + 1)), where n items have not been shown and have all attributes answered with yes |

    The catalogue is public: ``env.unwrapped.problem``, a `recsim.conversation.ConversationProblem`.
    ``env.unwrapped.training_data`` is what a recommender may learn from.

    ## Rewards
    By default 1 for an accepted slate, -0.1 for a rejected one, 0.01 for a yes, -0.1 for any other
    answer; a last turn without success earns -0.3 instead.

    ``info`` holds the state of the conversation: ``success``, ``rank`` (of the accepted item in its
    slate, from 1; 0 without success), ``turn``, ``n_questions``, ``n_recs``, ``items_shown``,
    ``hdcg`` (see `recsim.metrics.conversation_gain`), ``index`` (number of the interaction) and
    ``action_mask``; with ``debug=True`` also ``user``, ``target``, ``truth`` (F,) and
    ``candidates`` (I,).

    ## Starting State
    Nothing is asked or shown. With an ``opening``, one attribute is known that the user answers
    with yes. ``reset(options={"index": n})`` chooses the n-th interaction of the split.

    ## Episode End
    Terminated when a slate is accepted. Truncated after T turns; the T-th action is evaluated.

    ## Arguments
    * ``path``: folder in the layout of LastFM or LastFM*, see `recsim.conversation.read_attributes`,
      or ``data``: an `AttributeData` (not for `gymnasium.make`), or ``planted``:
      ``{"kind": "tastes" | "codes", ...}``, see `recsim.conversation.planted`. Planted tastes by
      default.
    * ``targets``: ``"all"`` or ``"positives"``. ``split``: ``"train"``, ``"valid"`` or ``"test"``.
    * ``sampler``: ``"uniform_user"``: a uniformly drawn user, then one of their interactions; or
      ``"each"``: every interaction once, in the order of the data; row i of B holds conversations
      about i, i + B, i + 2B ... So the interaction of a row depends on the number of rows; what
      happens in a conversation about it does not.
    * ``action``, ``rank_fn`` (not for `gymnasium.make`), ``debug``: see above.
    * ``render_mode``: ``"ansi"`` renders the last turn as text.
    * The rules, fields of `envs.conversation.Rules`: ``answer_model``, ``noise``, ``question``,
      ``choices``, ``opening``, ``max_turns`` (T), ``slate_size`` (K), ``acceptable``, ``illegal``,
      ``free_recommendations``, ``mask_certain``, ``rewards``.

    ## Vectorized environment
    ``gymnasium.make_vec("recsim:ConvRec-v0", num_envs=1024)`` holds all conversations at once in
    `ConvRecVectorEnv`.

    ## Version History
    * v0: Initial version. Release 0.2.0 changed all random numbers once: those of a conversation are now a
      function of the seed and the interaction; where interactions are drawn, of the seed, the row
      and the number of its conversations before. From 0.2.0 on, a change of numbers is a new
      version.
    """  # noqa: E501 (tables)

    Settings = ConvRecSettings

    def __init__(
        self,
        *,
        data: AttributeData | None = None,
        rank_fn: RankFunction | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        checked = self.Settings.of(settings)
        super().__init__(ConversationSimulation(1, checked, data, rank_fn), render_mode)


class ConvRecVectorEnv(SessionBatchEnv[ConversationSimulation]):
    """Many conversations of `ConvRecEnv` at once.

    Spaces, rewards and arguments are those of `ConvRecEnv`, with a leading axis of conversations.
    By default an episode that ends is followed by a new one in the same step
    (``AutoresetMode.SAME_STEP``): the last observation of a conversation is in
    ``info["final_obs"]``, its info in ``info["final_info"]``, with the masks ``_final_obs`` and
    ``_final_info``.
    ``info["action_mask"]`` belongs to the returned observation; every other entry of info describes
    the turn just taken. The other modes are described in `envs.slates.env.SlateRecVectorEnv`.

    ``reset(options={"index": [...]})`` chooses the interactions. What happens in a conversation
    depends on the seed and the number of its interaction only, not on the batch.

    Args:
        num_envs: Conversations, B.
        data: As in `ConvRecEnv`.
        rank_fn: As in `ConvRecEnv`.
        max_episode_steps: Turns, T, if ``max_turns`` is not given.
        autoreset_mode: As in `envs.slates.env.SlateRecVectorEnv`.
        render_mode: None: a batch is not rendered.
        **settings: Arguments of `ConvRecEnv`.
    """

    Settings = ConvRecSettings
    conversations: ClassVar[bool] = True

    def __init__(
        self,
        num_envs: int = 1,
        *,
        data: AttributeData | None = None,
        rank_fn: RankFunction | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        if max_episode_steps is not None:
            settings.setdefault("max_turns", max_episode_steps)
        checked = self.Settings.of(settings)
        simulation = ConversationSimulation(num_envs, checked, data, rank_fn)
        super().__init__(simulation, autoreset_mode, render_mode)
