"""Memory-mapped arrays of an ``.npz`` file: only the parts that are used are read."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.errors import LogError

# Fixed part of the header of a zip member; its last two numbers are the lengths of the rest.
_LOCAL_HEADER = struct.Struct("<26xHH")


def mapped(file: Path, names: Sequence[str], cache: Path) -> NDArray[Any]:
    """Return an array of the file, mapped read-only.

    An uncompressed array is mapped in place. A compressed one is first unpacked to ``cache``, in
    constant memory, unless that was done before.

    Args:
        file: The ``.npz`` file.
        names: Names that the array may have, the usual one first.
        cache: Folder for unpacked arrays; created when it is needed.

    Raises:
        LogError: If the file is not an ``.npz`` file, or has no such array.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            arrays = {member.removesuffix(".npy") for member in archive.namelist()}
            name = next((name for name in names if name in arrays), None)
            if name is None:
                raise LogError(
                    f"{file} has no array {names[0]!r}. It holds: {', '.join(sorted(arrays))}."
                )
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type == zipfile.ZIP_STORED:
                return _map(file, member)
            array: NDArray[Any] = np.load(_unpack(archive, member, file, cache), mmap_mode="r")
            return array
    except zipfile.BadZipFile as error:
        raise LogError(f"{file} is not an .npz file: {error}.") from error


def _map(file: Path, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Map a member that is stored uncompressed."""
    with file.open("rb") as stream:
        stream.seek(member.header_offset)
        name, extra = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
        stream.seek(name + extra, os.SEEK_CUR)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        if not int(np.prod(shape)):
            return np.zeros(shape, dtype=dtype)
        order: Literal["F", "C"] = "F" if fortran else "C"
        array: NDArray[Any] = np.memmap(
            file, dtype, mode="r", offset=stream.tell(), shape=shape, order=order
        )
        return array


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, cache: Path) -> Path:
    """Copy a member to a file of its own, whose name has the checksum of the content."""
    target = cache / f"{file.stem}-{member.CRC:08x}-{member.filename}"
    if target.is_file() and target.stat().st_size == member.file_size:
        return target
    cache.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with archive.open(member) as packed, draft.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 2**20)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return target
