"""Next-item recommenders that count: the baselines of every table of sequence models.

Scores of item j for a user with the events h_1, h_2 ... (h_1 is the latest):

====================  ==========================================================================
agent                 score
====================  ==========================================================================
`transitions`         ``N[h_1, j] + second * N[h_2, j]``; N_ij counts how often j came right after i
`sequential_rules`    ``sum_a decay^(a-1) W[h_a, j]``; W_ij sums the counts of j at gap g after i,
                      divided by g, up to ``max_gap``
`item_knn`            ``sum_a decay^(a-1) S[h_a, j]``; S is the cosine of the users of two items,
                      shrunk, for the nearest neighbours of each item
`ease`                ``sum_a decay^(a-1) B[h_a, j]``; B is a linear model of X by X with zero
                      diagonal, in closed form
====================  ==========================================================================

Each adds ``popularity`` times n_j, the number of events of j, which decides between equal scores.
The age a counts all events. In `item_knn` and `ease` X is 0 or 1, so an item that a user has
several times counts once, with its latest weight. A user without events that occur in the log gets
the items by n_j. Ties are broken by a permutation of the items drawn from the seed.

References: sequential rules, Kamehkhosh, Jannach and Ludewig, "A Comparison of Frequent Pattern
Techniques and a Deep Learning Method for Session-Based Recommendation", RecTemp 2017; item kNN,
Sarwar, Karypis, Konstan and Riedl, WWW 2001; EASE, Steck, WWW 2019, arXiv:1905.03375. The weights
by age are additions to item kNN and EASE.
"""

from agents.counting.agents import (
    CountingAgent,
    EASEAgent,
    ItemKNNAgent,
    SequentialRulesAgent,
    TransitionsAgent,
)
from agents.counting.config import (
    EASEConfig,
    ItemKNNConfig,
    SequentialRulesConfig,
    TransitionsConfig,
)

__all__ = [
    "CountingAgent",
    "EASEAgent",
    "EASEConfig",
    "ItemKNNAgent",
    "ItemKNNConfig",
    "SequentialRulesAgent",
    "SequentialRulesConfig",
    "TransitionsAgent",
    "TransitionsConfig",
]
