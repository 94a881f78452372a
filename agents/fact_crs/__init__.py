"""FacT-CRS: a forest of decision trees holds the conversation.

A tree asks for one attribute after the other. It is grown on interactions, each with the answers
that its user would give: a no then means what it means in a conversation, that the target lacks the
attribute or that the user does not care for it. Every node knows how often each item was taken
among the interactions that lead to it. A forest holds many such trees.

At each turn every tree proposes the question at the node that the answers so far lead to; answers
given for one tree count in all. A question is asked if its expected gain is more than that of
showing slates from now on, by the posterior of the items; see `agents.fact_crs.lookahead`. After a
rejection the shown items are ruled out, and the conversation goes on from there.

Reference: "Rethinking Conversational Recommendations: Is Decision Tree All You Need?", CIKM 2022,
arXiv:2208.14614.

Differences from the paper and its code; each can be switched off, `FactCRSConfig.paper` does so for
all of them:

- Every slate costs a turn. In the published code one that is shown early is free
  (``turn_accounting``); the environment then has to allow free slates, and figures of it are never
  comparable with others.
- Items are ranked by their posterior given the answers, from counts at the root (``ranker``). The
  paper ranks by products of item and node vectors.
- A question is asked while it is worth its turn (``stop``), and any tree may propose it (``walk``).
  The published code walks one tree until few items are left at a node, a number set by hand for
  each data set.
- Splits serve what is to be reached: interactions whose items stand among those that can still be
  shown (``split_score``). The paper's are after the likelihood of node vectors; its code, after a
  surrogate of that.
- Node vectors are fitted with negatives, without which any long vector fits (``node_negatives``),
  and by their expectation, in closed form.
- Rejected items lose their probability. The published shift of the context averages the numbers of
  items in place of their vectors, and never reaches the ranking (``feedback``).
- A question that all interactions at a node answer alike is never asked, and when no tree is left
  the conversation goes on with the ranking.
- Where users answer for the item alone, answers are certain given the item, and items that nobody
  took have a small prior (``unseen``).
- Item vectors come from a singular value decomposition of answers, not from alternating with
  regression trees over item attributes.
"""

from agents.fact_crs.agent import FactCRSAgent
from agents.fact_crs.config import FactCRSConfig

__all__ = ["FactCRSAgent", "FactCRSConfig"]
