"""Bot play: a linear recommender that justifies what it shows, and learns to take criticism.

The recommender adds up a vector of the user and an encoding of what they wrote of, less what they
criticised. A base is trained on reviews alone; then it plays sessions with a seeker that follows a
rule, and is trained through all their turns to rank the item that the seeker looks for, and to
justify what it shows by that item's aspects.

Reference: Li, Majumder and McAuley, "Self-Supervised Bot Play for Transcript-Free Conversational
Critiquing with Rationales", arXiv:2112.05197 (and ACM TORS 3(1), 2025).

Differences from the paper and its code:

- Of what may be criticised one aspect is, in training as in evaluation. In the published training
  of the BPR base it is all of them, in that of PLRec and in evaluation one:
  ``play.critiques: all``.
- More steps: one pass over a small data set is too few to change anything.
- As published, the last turn has no loss, the loss goes on after the goal was shown, and items
  shown remain candidates in training, though never in evaluation; ``last_turn_loss``,
  ``early_stop`` and ``remove_shown`` change that one by one. The shown goal is never removed, and
  items that the user reviewed remain candidates in training, as the goals are among them.
- The published configuration of bot play has a justification weight of 0.5 that only switches the
  loss on; it counts 1 there and here. Of the base it is 0.5.
- PLRec: the published model averages the vector of the user and the encoded preferences, and its
  port adds them up, which leaves the head, fitted on the user alone, off by a factor of two. Here
  both are halved, which ranks alike, and the head is fitted on what it is then given. An aspect
  that all items have, or none, gets a constant, as if there were one exception.
- Counts are raw, as published, so that a critique of a frequent aspect weighs as often as the user
  wrote of it: ``normalise_counts``.
- Praise adds what criticism takes away; training hears criticism only.
- The geometric mean of the rankings with and without critiques is off (``critique_weight: 1``).
- Randomness of a session depends on its number and turn, not on the batch.

Whatever is trained here more than the base was becomes a better ranking even without a critique:
the goals of training are train items, and their own reviews are counted in the preferences.
``fine_tuning: control`` is trained alike but hears nothing; only what bot play gains from critiques
beyond it is an effect of bot play. And an agent is evaluated with the seeker it was trained with
unless asked otherwise: look at the others, too.
"""

from agents.bot_play.agent import BotPlayAgent, BotPlayConfig

__all__ = ["BotPlayAgent", "BotPlayConfig"]
