"""Bot play: a linear recommender that justifies its recommendations and learns to use critiques.

The recommender adds a vector of the user and an encoding of the user's preferences: the aspects
that they mentioned, minus those that they critiqued. A base is trained on reviews alone. It then
plays sessions with a rule-based seeker and is trained through all turns to rank the target of the
seeker, and to justify its recommendations with the target's aspects.

Reference: Li, Majumder and McAuley, "Self-Supervised Bot Play for Transcript-Free Conversational
Critiquing with Rationales", arXiv:2112.05197 (and ACM TORS 3(1), 2025).

Differences from the paper and its code:

- One aspect is critiqued per turn, in training as in evaluation. In the published training of the
  BPR base, all aspects that can be critiqued are; in that of PLRec and in evaluation, one:
  ``play.critiques: all``.
- There are more steps, because one pass over a small data set hardly changes the model.
- As published, the last turn has no loss, the loss continues after the target was shown, and items
  shown remain candidates in training, though not in evaluation; ``last_turn_loss``, ``early_stop``
  and ``remove_shown`` change this one by one. The target is never removed, and items that the user
  reviewed remain candidates in training, because the targets are among them.
- The published configuration of bot play has a justification weight of 0.5, but its code only tests
  whether it is positive, so that the weight is 1 there and here. For the base, it is 0.5.
- PLRec: the published model averages the user's vector and the encoded preferences, but its PyTorch
  version adds them, so that the head, which is fitted on the user's vector alone, is off by a
  factor of two. Here, both are halved, which gives the same ranking, and the head is fitted on the
  sum. For an aspect that all items have, or none, the head is a constant, as if there were one
  exception.
- Counts are raw, as published, so that a critique of an aspect is weighted by the number of the
  user's reviews that mention it: ``normalise_counts``.
- A positive critique adds what a negative one subtracts; training uses negative critiques only.
- The geometric mean of the rankings with and without critiques is off (``critique_weight: 1``).
- Random numbers of a session depend on its number and turn, not on the batch.

Any training beyond that of the base improves the ranking even without critiques, because the
targets of training are train items whose reviews are counted in the preferences. ``fine_tuning:
control`` has the same training without critiques; only the additional gain of bot play is an effect
of critiques. Also, an agent is evaluated with the kind of seeker that it was trained with, unless
the environment has another one: evaluate it with other seekers too.
"""

from agents.bot_play.agent import BotPlayAgent, BotPlayConfig

__all__ = ["BotPlayAgent", "BotPlayConfig"]
