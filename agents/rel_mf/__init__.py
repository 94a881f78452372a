"""Matrix factorisation from clicks that are missing not at random.

A user clicks an item if it is relevant and was seen: ``Y = O R`` with ``P(O = 1) = theta`` and
``P(R = 1) = gamma``. An item without a click may be irrelevant or unseen, and popular items are
seen more often. Relevance matrix factorisation (Rel-MF) weights clicks by ``1 / theta``, so that
its loss is an unbiased estimate of the loss on relevance itself. The other methods are baselines.

Reference: Saito, Yaginuma, Nishino, Sakata and Nakata, "Unbiased Recommender Learning from
Missing-Not-At-Random Implicit Feedback", WSDM 2020, arXiv:1909.03601. ExpoMF: Liang, Charlin,
McInerney and Blei, "Modeling User Exposure in Recommendation", WWW 2016, arXiv:1510.07025. WMF: Hu,
Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.

Differences from the paper and its code:

- Minibatches are drawn uniformly from all pairs of user and item, so that their loss is an unbiased
  estimate of the full loss. The published batches, half clicks and half pairs without a click, are
  not; they are in ``reproductions/unbiased``.
- The propensity of an item without clicks cannot be zero, and gradients do not flow through
  propensities.
- The paper's WMF weights pairs with a click, its code pairs without: both are available
  (``weight_on``).
- ExpoMF's penalty is applied, and its density is Gaussian; in the published code the penalty is
  passed under a name that is never read, and the density has a misplaced bracket.
- A user who was not in the training log is represented by the users who clicked the same items; the
  paper ranks for known users only.
"""

from agents.rel_mf.agent import RelMFAgent, RelMFConfig

__all__ = ["RelMFAgent", "RelMFConfig"]
