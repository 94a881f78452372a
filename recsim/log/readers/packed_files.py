"""Files that are packed: which way, by their first bytes, and how they are opened."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from recsim.errors import LogError

PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""

DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What a damaged packed file raises while it is read."""

_MOST_NAMES = 5


def _by_arrow(name: str) -> Callable[[Path], Any]:
    def opened(path: Path) -> Any:
        return pa.CompressedInputStream(pa.OSFile(str(path)), name)

    return opened


def _zip(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [
        name
        for name in archive.namelist()
        if not (name.endswith(("/", ".DS_Store")) or name.startswith("__MACOSX/"))
    ]
    if "[Content_Types].xml" in names:
        raise LogError(f"{path} is a spreadsheet: save its sheet as CSV in UTF-8.")
    if len(names) != 1:
        found = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        raise LogError(
            f"{path} is a zip archive of {len(names)} files{': ' if names else ''}{found}. Give "
            "an archive of one CSV file, or unpack it."
        )
    if archive.getinfo(names[0]).flag_bits & 1:
        raise LogError(f"{path} is an encrypted zip archive: unpack it.")
    try:
        with archive.open(names[0]) as file:
            start = file.read(len(PARQUET))
        if start == PARQUET:
            raise LogError(f"{path} is a zip archive of a Parquet file: unpack it.")
        return archive.open(names[0])
    except NotImplementedError as error:  # a method of compression that Python lacks
        raise LogError(f"{path} cannot be unpacked: {error}. Unpack it, or use gzip.") from error


_PACKINGS: dict[str, tuple[bytes, str, Callable[[Path], Any]]] = {
    "gzip": (b"\x1f\x8b", ".gz", gzip.open),
    "bz2": (b"BZh", ".bz2", bz2.open),
    "xz": (b"\xfd7zXZ\x00", ".xz", lzma.open),
    "zstd": (b"\x28\xb5\x2f\xfd", ".zst", _by_arrow("zstd")),
    "lz4": (b"\x04\x22\x4d\x18", ".lz4", _by_arrow("lz4")),
    "zip": (b"PK\x03\x04", ".zip", _zip),
}


def packing_of(path: Path) -> str:
    """Return how a file is packed, by its first bytes: gzip, bz2 ..., or "" if it is not.

    Raises:
        LogError: If its name says that it is packed, and it is not that way.
    """
    with path.open("rb") as file:
        start = file.read(8)
    found = next((name for name, (magic, *_) in _PACKINGS.items() if start.startswith(magic)), "")
    for name, (_, ending, _) in _PACKINGS.items():
        if path.name.lower().endswith(ending) and name != found:
            raise LogError(f"{path} is not a valid {name} file: near line 1: unpack or rename it.")
    return found


def open_unpacked(path: Path) -> Any:
    """Open a file, packed or not, for reading bytes.

    Raises:
        LogError: If it is a zip archive of other than one file, or encrypted.
    """
    packing = packing_of(path)
    return _PACKINGS[packing][2](path) if packing else path.open("rb")
