import os
import sys
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


@pytest.fixture(autouse=True)
def forget_temporary_modules(tmp_path_factory):
    """Forget modules that a test imported from a temporary folder.

    Two tests may write modules of one name; the second would be given the module of the first.
    """
    before = set(sys.modules)
    yield
    temporary = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - before:
        if str(vars(sys.modules[name]).get("__file__")).startswith(temporary):
            del sys.modules[name]
