"""A person plays the user: ``python -m recsim.chat SCENARIO [key=value ...]``.

An agent of a scenario with conversations or critiques is fitted on the data of the scenario and
then talks to the person at the terminal.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from recsim.chat import conversations, critiquing
from recsim.chat.session import Ask, InputEnded, Session, Terminal
from recsim.errors import UserError, did_you_mean
from recsim.scenario.agents import AgentSpec
from recsim.scenario.environments import make_env
from recsim.scenario.files import load_scenario
from recsim.scenario.schema import Scenario
from recsim.trials.conversations import Conversations
from recsim.trials.critiquing import Critiquing

_KINDS: dict[str, Any] = {"conversations": conversations, "critiquing": critiquing}


def prepare(
    scenario: Scenario, label: str | None, seed: int, user: str | None
) -> Callable[[], Session]:
    """Fit an agent of a scenario; return a function that starts a session with it.

    Args:
        scenario: A scenario with conversations or critiques.
        label: Label of the agent; None for the last one.
        seed: Seed of the agent.
        user: Name of a user of the data whose role the person plays; None for an unknown user.

    Raises:
        UserError: If the scenario has neither conversations nor critiques, or the agent, the seed,
            the user or the data are wrong.
    """
    if not isinstance(scenario, Conversations | Critiquing):
        raise UserError(
            "a chat needs a scenario with conversations, such as 'conversation', or with "
            "critiques, such as 'critiquing'."
        )
    if seed < 0:
        raise UserError(f"--seed is {seed}; it must be 0 or more.")
    spec = _chosen(scenario, label)
    kind = _KINDS[scenario.kind]
    with contextlib.closing(make_env(scenario.env, 1)) as env:
        start: Callable[[], Session] = kind.start(scenario, spec, seed, user, env.unwrapped)
    return start


def _chosen(scenario: Scenario, label: str | None) -> AgentSpec:
    """Return the agent with a label, or the last one without a label."""
    if label is None:
        return scenario.agents[-1]
    for spec in scenario.agents:
        if spec.label == label:
            return spec
    known = [spec.label for spec in scenario.agents]
    raise UserError(f"--agent: no agent is labelled {label!r}.{did_you_mean(label, known)}")


def main(arguments: Sequence[str] | None = None, ask: Ask | None = None) -> int:
    """Hold sessions until the person wants no more.

    Args:
        arguments: Arguments of the command line.
        ask: Used in place of the keyboard, for tests.

    Returns:
        0, or 2 after a mistake of the user.
    """
    parser = argparse.ArgumentParser(
        prog="python -m recsim.chat",
        description="Play the user of an agent that asks questions or takes critiques.",
    )
    parser.add_argument("scenario", help="a file, or the name of a packaged scenario")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="changes to the scenario")
    parser.add_argument(
        "--agent", metavar="LABEL", help="label of the agent; by default the last one"
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="with critiques: the user of the data whose role you play; by default an unknown user",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the agent")
    given = parser.parse_intermixed_args(arguments)
    terminal = Terminal(ask)
    try:
        scenario = load_scenario(given.scenario, given.changes)
        print(f"Fitting the agent {given.agent or scenario.agents[-1].label} ...", file=sys.stderr)
        start = prepare(scenario, given.agent, given.seed, given.user)
        with contextlib.suppress(InputEnded, KeyboardInterrupt):
            while True:
                start().hold(terminal)
                if terminal.ask("Another one? (y or n) ", str.lower) not in ("y", "yes"):
                    break
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
