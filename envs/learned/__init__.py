"""``LearnedRec-v0``: a user model fitted to a log, with its errors on held-out users."""
