import numpy as np
import pytest

from recsim.estimators.rows import with_past


@pytest.mark.parametrize("history", [0, 1, 3])
def test_users_who_return_after_several_pieces_keep_their_history(random_log, history):
    log = random_log(120, users=30, slots=1)
    pieces = [log.select(slice(start, start + 7)) for start in range(0, 120, 7)]
    first = 0
    for chunk, joined, start in with_past(pieces, history):
        observed = joined.observations(np.arange(start, start + len(chunk)), history_slates=history)
        expected = log.observations(slice(first, first + len(chunk)), history_slates=history)
        assert set(observed) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(observed[name], expected[name], err_msg=name)
        first += len(chunk)
        # Only the past of users in the piece is kept.
        assert np.isin(joined.user, chunk.user).all()
    assert first == 120
