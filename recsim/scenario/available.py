"""What a scenario can name, each with one line of description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recsim.errors import UserError, did_you_mean


def available(what: str = "") -> dict[str, dict[str, str]] | dict[str, str]:
    """Return the names that a scenario can use, with one line each.

    Args:
        what: ``environments``, ``presets``, ``parts``, ``agents``, ``readers``, ``estimators``,
            ``scenarios``, ``trials`` or ``metrics``; empty for all of them, by these words.

    Raises:
        UserError: If there is no such section.
    """
    if not what:
        return {name: section() for name, section in _SECTIONS.items()}
    if what not in _SECTIONS:
        raise UserError(f"nothing is listed as {what!r}.{did_you_mean(what, _SECTIONS)}")
    return _SECTIONS[what]()


def _environments() -> dict[str, str]:
    from recsim.scenario.environments import registered_environments

    return registered_environments()


def _presets() -> dict[str, str]:
    from recsim.scenario.environments import environment_presets

    return environment_presets()


def _parts() -> dict[str, str]:
    from envs.world.registry import describe_parts

    return describe_parts()


def _agents() -> dict[str, str]:
    import agents

    return agents.available()


def _readers() -> dict[str, str]:
    from recsim.log.readers import READERS

    return READERS.describe()


def _estimators() -> dict[str, str]:
    from recsim.estimators import ESTIMATORS

    return dict(ESTIMATORS)


def _scenarios() -> dict[str, str]:
    from recsim.scenario.files import packaged_scenarios

    return {name: _description(path) for name, path in packaged_scenarios().items()}


def _description(path: Path) -> str:
    from omegaconf import DictConfig, OmegaConf

    # Not validated: some need data that is not there.
    config = OmegaConf.load(path)
    return str(config.get("description", "")) if isinstance(config, DictConfig) else ""


def _trials() -> dict[str, str]:
    from recsim.scenario.kinds import KINDS

    return KINDS.describe()


def _metrics() -> dict[str, str]:
    from recsim.metrics.metric import METRICS

    described = {}
    for name in METRICS.names():
        try:
            described[name] = METRICS.load(name).unit
        except Exception as error:  # one broken package does not hide the others
            described[name] = str(error)
    return described


_SECTIONS: dict[str, Callable[[], dict[str, str]]] = {
    "environments": _environments,
    "presets": _presets,
    "agents": _agents,
    "readers": _readers,
    "estimators": _estimators,
    "scenarios": _scenarios,
    "parts": _parts,
    "trials": _trials,
    "metrics": _metrics,
}
