"""What would another policy have earned on a log of your own?

    python examples/own_log.py [CSV]

The log is a CSV file with one line per item shown; its column `p` is the probability with which the
item was chosen. The file beside this script is made up: five drinks are shown with fixed
probabilities, and younger and older visitors click different ones. The first half of the log trains
the policies, the second half evaluates them. Columns and other layouts: docs/logs.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import agents
from recsim.estimators import evaluate, log_value
from recsim.log import read_log

COLUMNS = {
    "item": "sku",
    "click": "clicked",
    "propensity": "p",
    "user": "visitor",
    "time": "at",
    "user_categories": ["age"],
}


def main(path: Path) -> None:
    """Print the value of the log and the estimated values of two policies."""
    log = read_log("table", path=str(path), columns=COLUMNS)
    half = len(log) // 2
    training, test = log.select(slice(0, half)), log.select(slice(half, None))
    print(f"{'log':12} {log_value(test)}")
    for name in ("popularity", "linucb"):
        policy = agents.make(name, log.problem)
        policy.fit(training)
        for value in evaluate(test, policy, ["snips", "dr"]):
            print(f"{name:12} {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "clicks.csv")
