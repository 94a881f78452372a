"""FacT-CRS: a forest of decision trees that holds conversations.

A tree asks about one attribute after another. It is grown on interactions, each with the answers
that its user would give, so that a no means what it means in a conversation: either the target
lacks the attribute or the user does not care about it. Every node knows how often each item was
taken among the interactions that lead to it. A forest consists of many such trees.

At each turn, every tree proposes the question at the node that the answers so far lead to; an
answer given to one tree's question counts for all trees. A question is asked if its expected gain
is larger than that of showing slates from now on, given the posterior of the items; see
`agents.shared.lookahead`. After a rejection, the shown items are ruled out and the conversation
continues.

Reference: "Rethinking Conversational Recommendations: Is Decision Tree All You Need?", CIKM 2022,
arXiv:2208.14614.

Differences from the paper and its code. Some have a setting that undoes them;
`reproductions.fact_crs.published` undoes those marked with * too:

- * Every slate takes a turn. In the published code, a slate that is shown early is free; the
  environment then has to allow free slates, and the results are not comparable with others.
- Items are ranked by their posterior given the answers, or by counts (``ranker``). The paper ranks
  by products of item and node vectors.
- A question is asked as long as it is worth its turn (``stop``), and any tree may propose it
  (``walk``). The published code follows one tree until few items are left at a node; this number
  was set by hand for each data set.
- * Splits maximise the number of interactions whose items are among those that can still be shown
  (``split_score``). The paper's splits use the likelihood of node vectors, its code a surrogate.
- Node vectors are fitted with negatives, because without them any long vector fits
  (``node_negatives``), and with their expectation in closed form.
- * Rejected items lose their probability (``feedback``). After a rejection, the published code
  shifts the context by the mean of item ids instead of item vectors, which does not affect the
  ranking.
- A question that all interactions at a node answer in the same way is never asked, and when no tree
  is left, the conversation continues with the ranking.
- If users answer for the item alone, answers are certain given the item, and items without
  interactions have a small prior (``unseen``).
- Item vectors come from a singular value decomposition of answers, not from alternating with
  regression trees over item attributes.
"""

from agents.fact_crs.agent import FactCRSAgent
from agents.fact_crs.config import FactCRSConfig

__all__ = ["FactCRSAgent", "FactCRSConfig"]
