"""Next-item recommenders: what a user does next, told from the order of what was done before.

Three encoders of a sequence of items, each with the loss of its paper, behind one agent. They are
myopic: an item is scored by how likely it comes next, whatever it earns in the long run.

References:
- ``sasrec``: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018,
  arXiv:1808.09781.
- ``bert4rec``: Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder
  Representations from Transformer", CIKM 2019, arXiv:1904.06690.
- ``gru4rec``: Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR
  2016, arXiv:1511.06939; TOP1-max is that of Hidasi and Karatzoglou 2018, arXiv:1706.03847.

Differences from the papers:

- All: every sequence begins with a start token. Its state is what is known of somebody without
  events, so their ranking is learned popularity; the papers leave such users out.
- All: a long sequence is cut into windows, all of which are trained on; training stops when the
  reciprocal rank of the next events of held-out users no longer improves, and the best state is
  kept. Ranks are among the whole catalogue, not among sampled items.
- Both transformers: padding stands at the right; ``sasrec`` counts positions from the oldest event,
  ``bert4rec`` from the latest (the papers: from the latest). Blocks normalise first and have a GELU
  layer of width 4 D (SASRec: ReLU of width D; BERT4Rec normalises last). Vectors of positions start
  as large as those of items.
- ``sasrec``: negatives are all items but the next one, where the authors leave out everything that
  the user ever did; the softmax over all items is an option.
- ``bert4rec``: ``next_share`` of the windows are cut at a random place and only their last event is
  masked, as in acting; the paper masks the last of the whole sequence. The learning rate is
  constant.
- ``gru4rec``: negatives are drawn uniformly and for each event; in the paper they are the other
  events of the batch, hence drawn by popularity. Sequences of one batch are padded, not run in
  parallel sessions, and the optimiser is Adam. There is one layer by default.
"""

from agents.sequential.agent import BERT4RecAgent, GRU4RecAgent, SASRecAgent
from agents.sequential.config import BERT4RecConfig, GRU4RecConfig, SASRecConfig

__all__ = [
    "BERT4RecAgent",
    "BERT4RecConfig",
    "GRU4RecAgent",
    "GRU4RecConfig",
    "SASRecAgent",
    "SASRecConfig",
]
