import pytest
import torch

from benchmarks import gru_thompson as benchmark


@pytest.fixture(autouse=True)
def threads():
    """The benchmark sets the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("users", [0, 3])
def test_a_cell(users):
    cell = benchmark.Cell(items=400, users=users, prune=50, threads=1, device="cpu", limit=60)
    measured = benchmark.measure(cell)
    assert measured.seconds > 0
    assert measured.memory > 0.1  # GB; torch alone takes more
    # Mean and deviation of 400 items, of the means and scales of 290 groups, and of seven matrices
    # in 25 dimensions; of the bias for 12 lengths, and gamma; and the spread of the initial states.
    assert measured.parameters == 2 * (25 * (400 + 2 * 290 + 7 * 25) + 12 + 1) + 1


def test_the_time_of_large_cells_is_predicted_from_smaller_ones():
    seconds = {(1000, 0): 0.1, (1000, 4096): 1.0, (10**5, 0): 2.0, (10**5, 256): 3.0}
    assert benchmark.expected(seconds, 10**6, 256) == 30.0
    assert benchmark.expected(seconds, 10**5, 512) == 6.0
    assert benchmark.expected(seconds, 1000, 256) == 0.0  # no smaller cell was measured


def test_an_error_is_returned_as_the_reason():
    cell = benchmark.Cell(items=400, users=1, prune=50, threads=1, device="meta", limit=60)
    assert "meta" in benchmark.measure_in_process(cell)
