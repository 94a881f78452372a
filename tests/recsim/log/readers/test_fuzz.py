"""Random odd files: each is read right, or refused with file, line and column.

What is right is decided here without the reader's code, cell by cell.
"""

import random
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from recsim.errors import LogError
from recsim.log import read_log

GOOD = {
    "item": ["a", "b", "c"],
    "click": ["0", "1", "1"],
    "p": ["0.5", "0.25", "1"],
    "r": ["1", "2.5", "0"],
    "u": ["ann", "bob", "ann"],
}
ODD = {
    "item": "7|007| 7|7 |7.0||nan|None|-1|1e3|1E+17|9007199254740993|[1]|(1)|x,y|x;y|q'q|é|a\nb"
    "|TRUE|☃|\u00a07|NULL|inf|1_0|٣|=1|#N/A",
    "click": "0|1|1.0|0.0|True|false|TRUE|yes|2|-1||nan|inf|0.5|1e0|1,0| 1|1 |01|+1|1_0|null|[1]|٣",
    "p": "0.5|1|1.0|0|-0.1|1.5|nan|inf||1e-320|0,5|5e-1|.5|50%| 0.5|1e-5|True|NaN|1_0.5|\u0660.5",
    "r": "0|1.5|-3|1e39|1e308|nan||inf|1,5|1.234,5|True|false|1e400|-inf|$5|٣|1 000",
    "u": "ann|bob|7|007|7.0|nan||None| ann|1E+17|null|ann |-1|NaT",
}
MISSING = {"", "nan", "None", "NULL", "null", "NaT", "#N/A"}
COLUMNS = {
    "item": "item",
    "click": "click",
    "propensity": "p",
    "feedback": {"r": "r"},
    "user": "u",
}


def number(cell: str) -> float:
    """Return the number that a cell means; NaN if it is none."""
    text = {"true": "1", "false": "0"}.get(cell.strip().lower(), cell.strip())
    plain = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII)
    return float(text) if plain else float("nan")


def probability(cell: str) -> bool:
    return 1e-150 <= number(cell) <= 1


def key(cell: str) -> bool:
    return cell.strip() not in MISSING and re.fullmatch(r"\d(\.\d+)?E\+\d+", cell.strip()) is None


READABLE: dict[str, Callable[[str], bool]] = {
    "item": lambda cell: key(cell) and cell.strip() not in ("-1", "[1]"),
    "click": lambda cell: number(cell) in (0.0, 1.0),
    "p": probability,
    "r": lambda cell: abs(number(cell)) <= 1e19,
    "u": key,
}


def quoted(cell: str, sep: str, rng: random.Random) -> str:
    odd = any(mark in cell for mark in (sep, '"', "\n"))
    return '"' + cell.replace('"', '""') + '"' if odd or rng.random() < 0.1 else cell


@pytest.mark.parametrize("block", range(6))
def test_odd_csv_files_are_read_right_or_refused(tmp_path, block):
    outcomes = set()
    for seed in range(30 * block, 30 * block + 30):
        rng = random.Random(seed)
        rows, sep, end = rng.randint(2, 6), rng.choice(",;\t"), rng.choice(["\n", "\r\n"])
        cells = {name: [rng.choice(some) for _ in range(rows)] for name, some in GOOD.items()}
        for _ in range(rng.choice([0, 1, 1, 2])):
            name = rng.choice(list(ODD))
            cells[name][rng.randrange(rows)] = rng.choice(ODD[name].split("|"))
        names = rng.sample(list(cells), len(cells))
        lines = [sep.join(names)]
        lines += [sep.join(quoted(cells[n][i], sep, rng) for n in names) for i in range(rows)]
        if rng.random() < 0.1:
            lines.insert(rng.randrange(1, len(lines)), "")
        text = end.join(lines) + rng.choice(["", end])
        path = tmp_path / "odd.csv"
        path.write_bytes(text.encode(rng.choice(["utf-8", "utf-8-sig"])))
        wrong = {
            name: [cell for cell in column if not READABLE[name](cell)]
            for name, column in cells.items()
        }
        wrong = {name: some for name, some in wrong.items() if some}
        try:
            log = read_log("table", path=path, columns=COLUMNS, separator=sep)
        except LogError as error:
            message = str(error)
            assert wrong, f"seed {seed}: refused without reason: {message}\n{text}"
            assert any(f"column {name!r}" in message for name in wrong), f"seed {seed}: {message}"
            assert f"{path}, line " in message
            outcomes.add("refused")
            continue
        assert not wrong, f"seed {seed}: read in spite of {wrong}"
        assert log.clicks[:, 0].tolist() == list(map(number, cells["click"])), f"seed {seed}"
        assert log.feedback["r"].tolist() == list(map(number, cells["r"])), f"seed {seed}"
        assert log.propensity[:, 0].tolist() == list(map(number, cells["p"])), f"seed {seed}"
        for ids, name in ((log.slate[:, 0], "item"), (log.user, "u")):
            texts = [cell.strip() for cell in cells[name]]
            pairs = len(set(zip(texts, ids.tolist(), strict=True)))
            assert pairs == len(set(texts)) == len(set(ids.tolist())), f"seed {seed}"
        outcomes.add("read")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("ending", ["csv", "parquet", "csv.gz", "csv.bz2", "csv.xz", "csv.zip"])
def test_damaged_files_are_refused_without_another_error(tmp_path, ending):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"item": rng.integers(0, 9, 100), "click": rng.integers(0, 2, 100)})
    path = tmp_path / f"log.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False)
    whole, refused = path.read_bytes(), 0
    for seed in range(40):
        damage = random.Random(seed)
        content = bytearray(whole)
        for _ in range(damage.choice([1, 5])):
            place = damage.randrange(len(content))
            content[place : place + damage.choice([0, 1, 10])] = damage.randbytes(1)
        path.write_bytes(content[: damage.randrange(len(content))] if seed % 5 == 0 else content)
        try:
            read_log("table", path=path, columns={"item": "item", "click": "click"})
        except LogError as error:
            refused += str(path) in str(error)
    assert refused > 20
