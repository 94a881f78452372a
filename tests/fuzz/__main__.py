"""Use many damaged inputs and count the faults: ``python -m tests.fuzz --inputs 10000``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.fuzz.harness import Kind, kinds, prepared, run_case


def main() -> int:
    """Run the command line; the exit code is 1 if there was a fault."""
    known = kinds()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--kind", action="append", choices=sorted(known), help="default: all")
    parser.add_argument("--inputs", type=int, default=300, help="over all kinds together")
    parser.add_argument("--seed", type=int, default=0, help="of the first input of each kind")
    given = parser.parse_args()
    chosen = {name: known[name] for name in given.kind or known}
    each = -(-given.inputs // len(chosen))
    counts = {name: run_kind(kind, given.seed, each) for name, kind in chosen.items()}
    print(
        "| kind of input | inputs | used | refused with a message | faults |\n|---|---|---|---|---|"
    )
    for name, count in counts.items():
        cells = (count[outcome] for outcome in ("success", "refused", "fault"))
        print(f"| {known[name].name} | {count.total()} | {' | '.join(map(str, cells))} |")
    return int(any(count["fault"] for count in counts.values()))


def run_kind(kind: Kind, first: int, inputs: int) -> Counter[str]:
    """Return the number of inputs of a kind with each outcome; print the faults."""
    count: Counter[str] = Counter()
    with prepared(kind) as valid:
        for seed in range(first, first + inputs):
            verdict = run_case(kind, valid, seed)
            count[verdict.outcome] += 1
            if verdict.outcome == "fault":
                print(f"FAULT {verdict}", flush=True)
    return count


if __name__ == "__main__":
    sys.exit(main())
