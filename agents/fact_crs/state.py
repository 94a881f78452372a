"""Where conversations stand, and what to do in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.fact_crs.belief import Belief, probabilities
from agents.fact_crs.context import Context
from agents.fact_crs.explaining import Reason
from agents.fact_crs.lookahead import Outlook, look_ahead
from agents.fact_crs.model import Model
from recsim.contracts.slates import Observation
from recsim.conversation import ConversationProblem
from recsim.conversation.ranking import best_allowed, first_allowed, unshown
from recsim.errors import UserError

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Added to the scores of what must come first; more than any score.
_FIRST = np.float32(1e6)
# Beyond yes and no: has the attribute, but does not care.
_UNKNOWN = 3
_OVER = np.iinfo(np.int64).max


class Choice(NamedTuple):
    """What to do.

    Attributes:
        ask: Attribute to ask for, -1 to show, ``(b,)``.
        free: Whether a slate is shown free of charge, ``(b,)``.
        nodes: Node that the answers lead to in each tree, ``(b, trees)``.
        tree: Tree that the question, or the slate, is of, ``(b,)``.
        outlook: What the gains are; None without ``lookahead``.
    """

    ask: Ints
    free: Bools
    nodes: Ints
    tree: Ints
    outlook: Outlook | None


@dataclass(eq=False)
class _Last:
    """The last turn, of b conversations."""

    rows: Ints
    choice: Choice
    slates: Ints


class Conversations:
    """B conversations under way.

    Args:
        model: What was learned.
        problem: The public facts.
        size: B.
    """

    def __init__(self, model: Model, problem: ConversationProblem, size: int) -> None:
        self._model, self._problem, self._config = model, problem, model.config
        self._belief = Belief(model.likelihood, size, problem.num_attributes)
        self._context = Context(model, size, problem.num_items)
        self._progress = np.full(size, -1)
        self._free = np.ones((size, len(model.known)), dtype=np.bool_)  # known, not shown yet
        self._showed = np.zeros(size, dtype=np.bool_)
        self._others = np.setdiff1d(np.arange(problem.num_items), model.known)
        self._last: _Last | None = None

    def turn(self, obs: Observation) -> tuple[Ints, Ints, Bools]:
        """Take in what was said, and ask or show.

        Returns:
            Attribute to ask for, -1 to show, ``(B,)``; slates ``(B, K)``; which are free, ``(B,)``.
        """
        rows = self._take_in(obs)
        choice = self._decide(rows, obs)
        count, size = len(self._progress), self._problem.slate_size
        ask, free = np.full(count, -1), np.zeros(count, dtype=np.bool_)
        slates = np.full((count, size), -1)
        ask[rows], free[rows] = choice.ask, choice.free
        showing = np.flatnonzero(choice.ask < 0)
        slates[rows[showing]] = self._show(rows[showing], choice.nodes[showing], obs)
        self._last = _Last(rows, choice, slates)
        return ask, slates, free

    def _take_in(self, obs: Observation) -> Ints:
        """Take in what was said; return the conversations that go on, ``(b,)``.

        A row in which no more was said or shown than before holds another conversation: its own
        ended.
        """
        told, shown = obs["answers"], obs["shown"]
        if obs["action_mask"].shape[1] != told.shape[1] + 1:
            raise UserError("agent 'fact_crs' asks for single attributes, not for classes of them.")
        progress = obs["turn"][:, 0] + (told > 0).sum(axis=1) + (shown >= 0).sum(axis=1)
        on = progress > self._progress
        self._progress[:] = np.where(on, progress, _OVER)
        rows = np.flatnonzero(on)
        self._belief.hear(rows, np.where(told[rows] == _UNKNOWN, 1, told[rows]))
        self._free[rows] = unshown(shown[rows], self._problem.num_items)[:, self._model.known]
        rejected = rows[self._showed[rows]]
        if self._config.walk == "tree" and rejected.size:
            nodes = self._model.forest.reach(self._belief.known[rejected])
            self._context.next_tree(rejected, nodes)
        return rows

    def _decide(self, rows: Ints, obs: Observation) -> Choice:
        """Decide whether to ask, and what."""
        config, forest = self._config, self._model.forest
        left = self._problem.max_turns - obs["turn"][rows, 0]
        nodes = forest.reach(self._belief.known[rows])  # (b, trees)
        questions = forest.questions(nodes)
        trees = np.broadcast_to(np.arange(len(forest)), nodes.shape)
        if config.walk == "tree":
            trees = self._context.tree[rows][:, None]  # (b, 1)
            questions = np.take_along_axis(questions, trees, axis=1)
        may = obs["action_mask"][rows[:, None], questions].astype(np.bool_)
        questions = np.where((questions >= 0) & may & (left > 1)[:, None], questions, -1)
        if config.stop == "lookahead":
            outlook = self._look_ahead(rows, questions, left)
            ask = np.where(outlook.ask > outlook.show, outlook.question, -1)
            tree = np.take_along_axis(trees, outlook.source[:, None], axis=1)[:, 0]
            return Choice(ask, np.zeros(len(rows), dtype=np.bool_), nodes, tree, outlook)
        sizes = np.take_along_axis(forest.unique_items(nodes), trees, axis=1)[:, 0]
        early = sizes <= config.early_stop
        free = early & (left > 1) & ~self._context.used[rows].all(axis=1)
        free &= config.turn_accounting == "paper"
        return Choice(np.where(early, -1, questions[:, 0]), free, nodes, trees[:, 0], None)

    def _look_ahead(self, rows: Ints, questions: Ints, left: Ints) -> Outlook:
        scores = self._belief.scores[rows]
        if self._config.feedback != "none":
            scores = np.where(self._free[rows], scores, -np.inf)
        return look_ahead(
            probabilities(scores),
            self._model.likelihood,
            questions,
            left,
            slate_size=self._problem.slate_size,
            turn_cost=self._config.turn_cost,
        )

    def _show(self, rows: Ints, nodes: Ints, obs: Observation) -> Ints:
        """Return the slates to show, ``(b, K)``, and note them."""
        config, model, context = self._config, self._model, self._context
        self._showed[:] = False
        self._showed[rows] = True
        if not rows.size:
            return np.zeros((0, self._problem.slate_size), dtype=np.int64)
        mean = context.visit(rows, nodes) if model.tables is not None else None
        scores: Floats = self._belief.scores[rows] if mean is None else mean
        if config.ranker == "embedding":
            assert mean is not None
            assert model.items is not None
            scores = (mean + context.shift[rows]) @ model.items.T
        if config.leaf_candidates:
            scores = scores + _FIRST * self._at_node(rows, nodes)
        slates = self._best(scores, self._free[rows], obs["shown"][rows])
        if config.ranker == "embedding" and config.feedback != "none" and config.walk == "tree":
            assert mean is not None
            place = self._places(slates)
            later = self._free[rows]
            row, slot = np.nonzero(place >= 0)
            later[row, place[row, slot]] = False
            after = best_allowed(scores, later, self._problem.slate_size)
            following = np.where(after >= 0, model.known[after], -1)
            context.shown(rows, slates, following, mean)
        return slates

    def _best(self, scores: Floats, free: Bools, shown: Ints) -> Ints:
        """Return the best items not shown yet, ``(b, K)``; items that nobody took come last."""
        size, known = self._problem.slate_size, self._model.known
        place = best_allowed(scores, free, size)
        slates = np.where(place >= 0, known[place], -1)
        short = np.flatnonzero(slates[:, -1] < 0)
        if short.size and self._others.size:
            allowed = unshown(shown[short], self._problem.num_items)
            both = np.concatenate(
                [slates[short], first_allowed(self._others, allowed, size)], axis=1
            )  # (n, 2K)
            real_first = np.argsort(both < 0, axis=1, kind="stable")[:, :size]
            slates[short] = np.take_along_axis(both, real_first, axis=1)
        return slates

    def _at_node(self, rows: Ints, nodes: Ints) -> Bools:
        """Return which known items the interactions at the reached nodes have, ``(b, S)``."""
        found = np.zeros((len(rows), len(self._model.known)), dtype=np.bool_)
        walked = self._context.tree[rows]
        for number, tree in enumerate(self._model.forest.trees):
            here = np.flatnonzero(walked == number)
            found[here] = tree.counts[nodes[here, number]].toarray() > 0
        return found

    def _places(self, ids: Ints) -> Ints:
        place = np.full(self._problem.num_items + 1, -1)  # the last for -1
        place[self._model.known] = np.arange(len(self._model.known))
        return place[ids]

    def reason(self, row: int) -> Reason | None:
        """Return what the last turn of a conversation was decided by; None where there was none."""
        last = self._last
        at = [] if last is None else np.flatnonzero(last.rows == row).tolist()
        if last is None or not at:
            return None
        choice, outlook = last.choice, last.choice.outlook
        asked, tree = int(choice.ask[at[0]]), int(choice.tree[at[0]])
        having = self._problem.item_attributes[self._model.known]  # (S, F)
        fit = self._free[row] & having[:, self._belief.known[row] == 1].all(axis=1)
        chance = probabilities(np.where(self._free[row], self._belief.scores[row], -np.inf)[None])[
            0
        ]
        place = self._places(last.slates[row])
        if asked >= 0:
            likely = float(chance @ self._model.likelihood.chances(np.array([asked]))[0])
        else:
            likely = float(chance[place[place >= 0]].sum())
        return Reason(
            attribute=asked if asked >= 0 else None,
            tree=tree,
            members=int(self._model.forest.trees[tree].members[choice.nodes[at[0], tree]]),
            items=int(fit.sum()),
            items_after_yes=int((fit & having[:, asked]).sum()) if asked >= 0 else 0,
            chance=likely,
            gain_of_asking=None if outlook is None else float(outlook.ask[at[0]]),
            gain_of_showing=None if outlook is None else float(outlook.show[at[0]]),
        )
