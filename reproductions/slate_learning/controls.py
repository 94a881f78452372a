"""Cheap controls for agents that learn long-term reward from a log, beside reference figures.

Run it as ``python -m reproductions.slate_learning.controls``. Logs and users are those of the
scenarios ``dt4ier_retention`` and ``dt4ier_softmax``; every seed has a log, a fit and users of its
own. ``--tuning`` prints the trials by which the settings were chosen, on seeds from 100 on, and
``--dt4ier`` adds the agent that they are controls for, whose training takes minutes per seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

import agents
from recsim.log import SlateLog
from recsim.play.rollout import rollout
from recsim.runs.executor import one_thread
from recsim.scenario.environments import make_env
from recsim.scenario.files import load_scenario
from recsim.trials.seeds import TrialSeeds
from recsim.trials.simulation import Simulation, collect_log
from reproductions.intervals import half_width

BEST = {"keep": 0.25, "target": "return"}
AWR = {"weights": "awr", "target": "return"}
NETWORK = {"network": "mlp", "history": 20, "steps": 1000}
TO_GO = {"target": "to_go", "credit": "clicked", "smoothing": 20}
METRICS = ("return_per_user", "click_per_step", "click_per_user")


@dataclass(frozen=True)
class Control:
    """A row of the table.

    Attributes:
        label: Its name there.
        name: Registered name of the agent.
        reference: Return per user that was measured independently, with its interval.
        settings: Settings of the agent.
    """

    label: str
    name: str
    reference: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


CONTROLS = {
    "dt4ier_retention": [
        Control("clone of the best quarter", "clone", "7.81 +- .15 (10 seeds)", BEST),
        Control("clone of all", "clone", "5.91 +- .39 (10)"),
        Control("AWR", "clone", "7.92 +- .11 (10)", AWR | {"beta": 0.5}),
        Control("network: best quarter", "clone", "7.55 +- .31 (4)", BEST | NETWORK),
        Control("network: AWR", "clone", "7.55 +- .10 (4)", AWR | NETWORK | {"beta": 0.5}),
        Control("popularity, to go, clicked", "popularity", "", TO_GO),
    ],
    "dt4ier_softmax": [
        Control("popularity, to go, clicked", "popularity", "5.39 +- .10 (4)", TO_GO),
        Control("clone of the best quarter", "clone", "3.60 +- .31 (4)", BEST),
        Control("clone of all", "clone"),
        Control("AWR", "clone", "", AWR | {"beta": 0.5}),
    ],
}


def _trials() -> list[Control]:
    """Return the settings that were tried."""
    settings: list[dict[str, Any]] = [{}]
    settings += [BEST | {"keep": keep} for keep in (0.1, 0.25, 0.5)]
    settings += [AWR | {"beta": beta} for beta in (0.3, 0.5, 1.0)]
    settings += [AWR | {"beta": 0.5, "gamma": 0.9}, {**AWR, "weights": "crr"}]
    settings += [NETWORK, BEST | NETWORK, AWR | NETWORK | {"beta": 0.5}]
    return [
        *(Control(_text(chosen), "clone", settings=chosen) for chosen in settings),
        Control("popularity: " + _text(TO_GO), "popularity", settings=TO_GO),
        Control("popularity: target=return", "popularity", settings={"target": "return"}),
    ]


def _text(settings: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in settings.items()) or "all users"


def _dt4ier(name: str, *, tuning: bool) -> list[Control]:
    """Return DT4IER as in a scenario, or the prompts and temperatures that were tried."""
    own = load_scenario(name).agents[0].config
    if not tuning:
        return [Control("DT4IER", "dt4ier", settings=own)]
    return [
        Control(f"DT4IER: {_text(chosen)}", "dt4ier", settings=own | chosen)
        for prompt in (0.6, 0.8, 1.0, 1.2)
        for temperature in (0.0, 0.3, 1.0)
        for chosen in ({"prompt": prompt, "temperature": temperature},)
    ]


def measured(
    scenario: Simulation,
    control: Control,
    log: SlateLog,
    seed: int,
    users: int,
    states: dict[str, tuple[Any, float]],
) -> list[float]:
    """Return the metrics of one agent with one seed, and the CPU seconds of its fit.

    An agent that differs from an earlier one in prompt and temperature only is not trained again.
    """
    seeds = TrialSeeds.of(seed)
    agent = agents.make(control.name, log.problem, seed=seeds.agent, **control.settings)
    trained = {k: v for k, v in control.settings.items() if k not in ("prompt", "temperature")}
    key = control.name + _text(trained)
    if key not in states:
        start = time.process_time()
        agent.fit(log)
        states[key] = agent.state_dict(), time.process_time() - start
    state, seconds = states[key]
    agent.load_state_dict(state)
    with closing(make_env(scenario.env, users, reveal=False)) as env:
        played = rollout(env, agent, seed=seeds.users, max_steps=scenario.steps, learn=False)
    summary = played.summary()
    return [*(summary[name] for name in METRICS), seconds]


def report(
    name: str, controls: Sequence[Control], seeds: Sequence[int], users: int, *, paired: bool
) -> None:
    """Measure some agents in a scenario and print a table.

    Args:
        name: The scenario.
        controls: The agents.
        seeds: Seeds.
        users: Users with each seed.
        paired: Whether to print the differences from the first agent.
    """
    scenario = cast(Simulation, load_scenario(name))
    training = scenario.training_log
    assert training is not None
    results: dict[str, list[list[float]]] = {control.label: [] for control in controls}
    behaviour = []
    for seed in seeds:
        log = collect_log(scenario, training, TrialSeeds.of(seed))
        behaviour.append([float(log.feedback["return"].sum() / len(log.user_features))])
        states: dict[str, tuple[Any, float]] = {}
        for control in controls:
            with one_thread():
                row = measured(scenario, control, log, seed, users, states)
            results[control.label].append(row)
    print(f"\nLog of {name}, {len(seeds)} seeds, {users} users each: mean +- t interval (95 %)\n")
    print("| | return per user | reference | clicks per slate | clicks per user | CPU s |")
    print("|---|---|---|---|---|---|")
    own = np.array(behaviour)[:, 0]
    print(f"| the log | {own.mean():.2f} +- {half_width(own):.2f} | | | | |")
    for control in controls:
        values = np.array(results[control.label])  # (S, 4)
        returns = f"{values[:, 0].mean():.2f} +- {half_width(values[:, 0]):.2f}"
        others = (
            f"{values[:, 1].mean():.3f} | {values[:, 2].mean():.2f} | {values[:, 3].mean():.1f}"
        )
        print(f"| {control.label} | {returns} | {control.reference} | {others} |")
    if not paired:
        return
    first, *rest = controls
    base = np.array(results[first.label])[:, 0]
    for control in rest:
        gap = base - np.array(results[control.label])[:, 0]
        print(f"{first.label} minus {control.label}: {gap.mean():+.2f} +- {half_width(gap):.2f}")


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--users", type=int, default=1000, help="evaluated with each seed")
    parser.add_argument("--tuning", action="store_true", help="the trials, on seeds from 100 on")
    parser.add_argument("--dt4ier", action="store_true", help="add dt4ier as in the scenario")
    parser.add_argument("--log", choices=CONTROLS, help="only the log of this scenario")
    arguments = parser.parse_args()
    tuning: bool = arguments.tuning
    first = 100 if tuning else 0
    seeds = range(first, first + arguments.seeds)
    for name in [arguments.log] if arguments.log else CONTROLS:
        rows = _trials() if tuning else list(CONTROLS[name])
        rows += _dt4ier(name, tuning=tuning) if arguments.dt4ier else []
        report(name, rows, seeds, arguments.users, paired=not tuning)


if __name__ == "__main__":
    main()
