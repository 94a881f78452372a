import os
from pathlib import Path

import pytest

# One thread each, before numpy or torch is imported: small arrays, and workers of their own.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; what needs it is skipped where it is absent."""
    place = Path(os.environ.get("RECSIM_DATA") or ROOT.parent / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"no data sets at {place}: set RECSIM_DATA to the folder that holds them")
    return place
