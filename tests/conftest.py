import os
from pathlib import Path

import hypothesis
import pytest

# One thread each, set before numpy or torch is imported: arrays are small, processes are several.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

# No deadline for an example: how long it takes says more about the machine's load than about the
# code. Everything else stays as Hypothesis chose it, which differs under continuous integration.
hypothesis.settings.register_profile("recsim", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("recsim")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; tests that need it are skipped if it does not exist."""
    place = Path(os.environ.get("RECSIM_DATA") or ROOT.parent / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"no data sets at {place}: set RECSIM_DATA to the folder that holds them")
    return place
