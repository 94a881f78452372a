"""Tables of the values of policies on logs, and of their differences."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from recsim.estimators import PolicyDifference, PolicyValue
from recsim.report.words import interval_text, number
from recsim.scenario.schema import Scenario
from recsim.scenario.trial import Results

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

WORDS = {"logged": "(as logged)", "reference": "(reference)"}
"""Names of logs in tables."""


def values_table(scenario: Scenario, results: Results) -> pd.DataFrame:
    """Return one row per estimate of a log scenario, and per reference.

    The rows of an agent are one per estimator; ``logged`` is the mean reward of the evaluated
    log itself, ``reference`` that of the log of the evaluated policy, where one is given.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    finished = scenario.finished(results)
    for case, group in itertools.groupby(finished, key=lambda trial: trial.case):
        contents = [results.result(trial) for trial in group]
        rows += [{"case": case, **row} for content in contents for row in content["values"]]
        # Every trial reports the means of its case's logs; they are the same in all.
        rows += [{"case": case, **row} for row in contents[0]["log"]]
    return pd.DataFrame(rows, columns=None if rows else ["case", "agent", "seed", "warnings"])


def differences_table(scenario: Scenario, results: Results) -> pd.DataFrame:
    """Return one row per estimate and difference, those of no policy with itself."""
    import pandas as pd

    rows = [
        {"case": trial.case, **row}
        for trial in scenario.finished(results)
        for row in results.result(trial).get("differences", [])
    ]
    return pd.DataFrame(rows, columns=None if rows else ["case", "agent", "seed"])


def value_row(agent: str, seed: int | str, value: PolicyValue) -> Row:
    """Return an estimate as plain data."""
    content = value.to_dict()
    del content["level"]
    return {"agent": agent, "seed": seed, **content, "warnings": list(value.warnings)}


def difference_row(agent: str, seed: int, baseline: str, found: PolicyDifference) -> Row:
    """Return a difference as plain data."""
    return {
        "agent": agent,
        "seed": seed,
        "baseline": baseline,
        "estimator": found.estimator,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "rows_to_tell": found.rows_to_tell,
    }


def difference_cells(differences: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the table of differences, for people."""
    import pandas as pd

    several = several_logs(differences)
    rows = [
        [
            *([str(row["case"])] if several else []),
            f"{policy} - {WORDS.get(row['baseline'], row['baseline'])}",
            row["estimator"],
            interval_text(row["difference"], row["low"], row["high"]),
            _rows_text(row),
        ]
        for policy, (_, row) in zip(policy_texts(differences), differences.iterrows(), strict=True)
    ]
    heads = [*(["log"] if several else []), "difference", "estimator", "value"]
    return pd.DataFrame(rows, columns=[*heads, "impressions to tell it from 0"])


def _rows_text(row: Any) -> str:
    """Return the number of impressions that tell a difference from 0."""
    if not math.isfinite(row["rows_to_tell"]):
        return "-"
    told = row["low"] > 0 or row["high"] < 0
    return "enough" if told else f"about {round_to(row['rows_to_tell'], 2):,.0f}"


def round_to(value: float, digits: int) -> float:
    """Return a positive number with so many significant digits."""
    return round(value, digits - 1 - math.floor(math.log10(value)))


def value_cells(values: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the table of estimates, for people."""
    import pandas as pd

    several = several_logs(values)
    rows = [
        [
            *([str(row["case"])] if several else []),
            policy,
            _estimator_text(row) + (" !" if row["warnings"] else ""),
            interval_text(row["value"], row["low"], row["high"]),
            number(row["ess"]),
            number(row["effective_terms"]),
            number(row["n"]),
            number(row["max_weight"]),
            "" if pd.isna(row["clip"]) else f"{row['clipped_share']:.2%}",
            "" if pd.isna(row["unsupported"]) else number(row["unsupported"]),
        ]
        for policy, (_, row) in zip(policy_texts(values), values.iterrows(), strict=True)
    ]
    heads = ["policy", "estimator", "value", "effective sample", "effective terms", "impressions"]
    heads = [*(["log"] if several else []), *heads, "largest weight", "clipped", "unsupported"]
    return pd.DataFrame(rows, columns=heads)


def several_logs(values: pd.DataFrame) -> bool:
    """Return whether the scenario has several logs."""
    return set(values["case"]) != {"all"}


def _estimator_text(row: Any) -> str:
    """Return the name of an estimator with its parameter, and how that was chosen."""
    inside = [str(row[key]) for key in ("parameter", "rule") if row.get(key)]
    return f"{row['estimator']} ({', '.join(inside)})" if inside else str(row["estimator"])


def policy_texts(values: pd.DataFrame) -> list[str]:
    """Return whose value each estimate is, with the seed where there are several."""
    several = values.loc[values["seed"] != "", "seed"].nunique() > 1
    return [
        f"{WORDS.get(agent, agent)}{f', seed {seed}' if several and seed != '' else ''}"
        for agent, seed in zip(values["agent"].astype(str), values["seed"], strict=True)
    ]


def warnings_of(values: pd.DataFrame) -> list[str]:
    """Return the warnings of all estimates, each with its estimate, without repetition."""
    several = several_logs(values)
    texts = [
        ", ".join([*([row["case"]] if several else []), policy, f"{row['estimator']}: {text}"])
        for policy, (_, row) in zip(policy_texts(values), values.iterrows(), strict=True)
        for text in row["warnings"]
    ]
    return list(dict.fromkeys(texts))
