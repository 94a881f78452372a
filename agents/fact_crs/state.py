"""Conversations in progress, and the decision whether to ask or to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from agents.fact_crs.context import Context
from agents.fact_crs.model import Model
from agents.fact_crs.reasons import Reason
from agents.shared.item_posterior import Belief, probabilities
from agents.shared.lookahead import Gains, look_ahead
from recsim.arrays import AnyFloats, Bools, Ints
from recsim.contracts.slates import Observation
from recsim.conversation import ConversationProblem
from recsim.conversation.ranking import best_allowed, filled, unshown
from recsim.errors import AgentError

# Added to the scores of items that must come first; larger than any score.
_FIRST = np.float32(1e6)
# Answer other than yes and no: the item has the attribute, but the user does not care.
_UNKNOWN = 3
_OVER = np.iinfo(np.int64).max


class Choice(NamedTuple):
    """Decisions in b conversations.

    Attributes:
        ask: Attribute to ask about, -1 to show a slate, ``(b,)``.
        nodes: Node that the answers lead to in each tree, ``(b, trees)``.
        tree: Tree of the question or of the slate, ``(b,)``.
        gains: Expected gains; None without ``lookahead``.
    """

    ask: Ints
    nodes: Ints
    tree: Ints
    gains: Gains | None


@dataclass(eq=False)
class _Last:
    """The last turn of b conversations."""

    rows: Ints
    choice: Choice
    slates: Ints


class Conversations:
    """B conversations in progress.

    Args:
        model: The fitted model.
        problem: The problem.
        size: B.
    """

    context_class: ClassVar[type[Context]] = Context

    def __init__(self, model: Model, problem: ConversationProblem, size: int) -> None:
        self._model, self._problem, self._config = model, problem, model.config
        self._belief = Belief(model.likelihood, size, problem.num_attributes)
        self._context = self.context_class(model, size, problem.num_items)
        self._progress = np.full(size, -1)
        self._free = np.ones((size, len(model.known)), dtype=np.bool_)  # known, not shown yet
        self._showed = np.zeros(size, dtype=np.bool_)
        self._unknown = np.setdiff1d(np.arange(problem.num_items), model.known)
        self._last: _Last | None = None

    def turn(self, obs: Observation) -> tuple[Ints, Ints]:
        """Process an observation, and ask or show.

        Returns:
            Attribute to ask about, -1 to show, ``(B,)``; slates ``(B, K)``.
        """
        rows = self._update(obs)
        choice = self._decide(rows, obs)
        count, size = len(self._progress), self._problem.slate_size
        ask, slates = np.full(count, -1), np.full((count, size), -1)
        ask[rows] = choice.ask
        showing = np.flatnonzero(choice.ask < 0)
        slates[rows[showing]] = self._show(rows[showing], choice.nodes[showing], obs)
        self._last = _Last(rows, choice, slates)
        return ask, slates

    def _update(self, obs: Observation) -> Ints:
        """Process answers and rejections; return the conversations that continue, ``(b,)``.

        A row without more answers or shown items than before holds another conversation, because
        its own has ended.
        """
        answers, shown = obs["answers"], obs["shown"]
        if obs["action_mask"].shape[1] != answers.shape[1] + 1:
            raise AgentError(
                "agent 'fact_crs' asks about single attributes, not about classes of them."
            )
        progress = obs["turn"][:, 0] + (answers > 0).sum(axis=1) + (shown >= 0).sum(axis=1)
        on = progress > self._progress
        self._progress[:] = np.where(on, progress, _OVER)
        rows = np.flatnonzero(on)
        self._belief.update(rows, np.where(answers[rows] == _UNKNOWN, 1, answers[rows]))
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
            gains = self._look_ahead(rows, questions, left)
            ask = np.where(gains.ask > gains.show, gains.question, -1)
            tree = np.take_along_axis(trees, gains.source[:, None], axis=1)[:, 0]
            return Choice(ask, nodes, tree, gains)
        sizes = np.take_along_axis(forest.unique_items(nodes), trees, axis=1)[:, 0]
        return Choice(
            np.where(sizes <= config.early_stop, -1, questions[:, 0]), nodes, trees[:, 0], None
        )

    def _look_ahead(self, rows: Ints, questions: Ints, left: Ints) -> Gains:
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
        """Return the slates to show, ``(b, K)``, and record them."""
        config, model, context = self._config, self._model, self._context
        self._showed[:] = False
        self._showed[rows] = True
        if not rows.size:
            return np.zeros((0, self._problem.slate_size), dtype=np.int64)
        mean = context.visit(rows, nodes) if model.tables is not None else None
        scores: AnyFloats = self._belief.scores[rows] if mean is None else mean
        if config.ranker == "embedding":
            assert mean is not None
            assert model.items is not None
            scores = (mean + context.shift[rows]) @ model.items.T
        if config.leaf_candidates:
            scores = scores + _FIRST * self._at_node(rows, nodes)
        slates = self._best(scores, self._free[rows], obs["shown"][rows])
        if config.ranker == "embedding" and config.feedback != "none" and config.walk == "tree":
            assert mean is not None
            position = self._positions(slates)
            later = self._free[rows]
            row, slot = np.nonzero(position >= 0)
            later[row, position[row, slot]] = False
            after = best_allowed(scores, later, self._problem.slate_size)
            following = np.where(after >= 0, model.known[after], -1)
            context.shown(rows, slates, following, mean)
        return slates

    def _best(self, scores: AnyFloats, free: Bools, shown: Ints) -> Ints:
        """Return the best items not shown yet, ``(b, K)``; unknown items come last."""
        position = best_allowed(scores, free, self._problem.slate_size)
        slates = np.where(position >= 0, self._model.known[position], -1)
        if not self._unknown.size:
            return slates
        return filled(slates, self._unknown, unshown(shown, self._problem.num_items))

    def _at_node(self, rows: Ints, nodes: Ints) -> Bools:
        """Return which known items occur in the interactions of the nodes reached, ``(b, S)``."""
        present = np.zeros((len(rows), len(self._model.known)), dtype=np.bool_)
        current = self._context.tree[rows]
        for number, tree in enumerate(self._model.forest.trees):
            here = np.flatnonzero(current == number)
            present[here] = tree.counts[nodes[here, number]].toarray() > 0
        return present

    def _positions(self, ids: Ints) -> Ints:
        position = np.full(self._problem.num_items + 1, -1)  # the last entry is for -1
        position[self._model.known] = np.arange(len(self._model.known))
        return position[ids]

    def reason(self, row: int) -> Reason | None:
        """Return the reason of the last turn of a conversation, or None if there was none."""
        last = self._last
        at = [] if last is None else np.flatnonzero(last.rows == row).tolist()
        if last is None or not at:
            return None
        choice, gains = last.choice, last.choice.gains
        asked, tree = int(choice.ask[at[0]]), int(choice.tree[at[0]])
        having = self._problem.item_attributes[self._model.known]  # (S, F)
        fit = self._free[row] & having[:, self._belief.known[row] == 1].all(axis=1)
        scores = np.where(self._free[row], self._belief.scores[row], -np.inf)
        belief = probabilities(scores[None])[0]
        position = self._positions(last.slates[row])
        if asked >= 0:
            chance = float(belief @ self._model.likelihood.chances(np.array([asked]))[0])
        else:
            chance = float(belief[position[position >= 0]].sum())
        return Reason(
            attribute=asked if asked >= 0 else None,
            tree=tree,
            members=int(self._model.forest.trees[tree].members[choice.nodes[at[0], tree]]),
            items=int(fit.sum()),
            items_after_yes=int((fit & having[:, asked]).sum()) if asked >= 0 else 0,
            chance=chance,
            gain_of_asking=None if gains is None else float(gains.ask[at[0]]),
            gain_of_showing=None if gains is None else float(gains.show[at[0]]),
        )
