"""Read scenarios from YAML files and ``key=value`` overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from recsim.errors import ScenarioError, did_you_mean, located
from recsim.files import found_beside
from recsim.scenario.kinds import explain_fault, kind_and_keys, parse_scenario, relevant_faults
from recsim.scenario.schema import Scenario, flatten

Path_ = tuple[str | int, ...]


def packaged_scenarios() -> dict[str, Path]:
    """Return the scenarios that come with the package, by name."""
    folder = Path(str(resources.files("scenarios")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_scenario(name: str) -> Path:
    """Return the file of a scenario.

    Args:
        name: A path, or the name of a packaged scenario.

    Raises:
        ScenarioError: If there is no such file and no such packaged scenario.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = packaged_scenarios()
    if name in known:
        return known[name]
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ScenarioError(f"scenario file {name} {what}.{did_you_mean(path.stem, known)}")
    raise ScenarioError(f"unknown scenario {name!r}.{did_you_mean(name, known)}")


def load_scenario(name: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario.

    Args:
        name: A path, the name of a packaged scenario, or the scenario itself as a mapping.
        overrides: ``key=value`` each, where the key is a dotted path (``agents.0.config.alpha``)
            and the value is YAML.

    Raises:
        ScenarioError: If anything in the file or the overrides is wrong; every mistake is listed
            with its file, line and key path.
    """
    if isinstance(name, Mapping):
        if overrides:
            raise ScenarioError("overrides change a file; change the mapping itself.")
        return parse_scenario(name)
    return checked_scenario(read_content(find_scenario(str(name)), overrides))


@dataclass(frozen=True, eq=False)
class Content:
    """A scenario as plain data, and where it comes from.

    Attributes:
        path: Its file.
        text: The text of the file.
        changed: Paths of the keys that overrides set.
        content: All keys, with references resolved.
    """

    path: Path
    text: str
    changed: Sequence[Path_]
    content: dict[str, Any]


def read_content(path: Path, overrides: Sequence[str] = ()) -> Content:
    """Read a file as plain data; arguments and errors as in `load_scenario`."""
    text = _read_text(path)
    config = _parse(path, text)
    changed = _apply_all(config, overrides)
    try:
        content = OmegaConf.to_container(config, resolve=True)
    except InterpolationResolutionError as error:
        key = error.full_key or "some key"
        # OmegaConf wraps the reason: KeyError raised while resolving interpolation: "reason".
        reason = _first_line(error).partition(': "')[2].rstrip('"') or _first_line(error)
        raise ScenarioError(
            f"{path}: {key}: {reason}. Set it, or give {key}=... on the command line."
        ) from None
    except OmegaConfBaseException as error:
        raise ScenarioError(f"{path}: {_first_line(error)}") from None
    _find_files(content, path.parent)
    return Content(path, text, changed, cast(dict[str, Any], content))


def checked_scenario(read: Content) -> Scenario:
    """Return the scenario of a file.

    Raises:
        ScenarioError: Lists every mistake with file, line and key path.
    """
    path, text, changed = read.path, read.text, read.changed
    if "sweep" in read.content:
        raise ScenarioError(
            f"{path}: sweep: this file is a sweep over several scenarios: run it by python -m "
            "recsim.run, or by recsim.run_sweep in Python."
        )
    with located(str(path)):
        kind, keys = kind_and_keys(read.content)
    try:
        return kind.model_validate(keys)
    except ValidationError as error:
        faults = [_explain(fault, kind, path, text, changed) for fault in relevant_faults(error)]
        raise ScenarioError("\n".join(dict.fromkeys(faults))) from None


def _find_files(content: Any, folder: Path) -> None:
    """Look beside the scenario for files of its world that the working directory does not have."""
    env = content.get("env") if isinstance(content, dict) else None
    if not isinstance(env, dict):
        return
    if str(env.get("preset")).endswith((".yaml", ".yml")):
        env["preset"] = found_beside(str(env["preset"]), folder)
    world = env["world"] if isinstance(env.get("world"), dict) else {}
    for part in (world.get(key) for key in ("catalogue", "population")):
        if isinstance(part, dict) and isinstance(part.get("path"), str):
            part["path"] = found_beside(part["path"], folder)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not a text file in UTF-8, so not a scenario.") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}.") from None


def _parse(path: Path, text: str) -> DictConfig:
    """Return the file as a configuration whose agents can be addressed by position."""
    try:
        config = OmegaConf.create(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
        context = f"{error.context}: " if error.context else ""
        raise ScenarioError(f"{where}: not valid YAML: {context}{error.problem}.") from None
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ScenarioError(f"{path}: not valid YAML: {_first_line(error)}.") from None
    root = yaml.compose(text)
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        raise ScenarioError(
            f"{path}: the file is empty; a scenario is a list of 'key: value' lines, with a 'name'."
        )
    if not isinstance(config, DictConfig) or not config or _is_bare_text(config, text):
        raise ScenarioError(f"{path}: a scenario is a list of 'key: value' lines, with a 'name'.")
    agents = config.get("agents") if not OmegaConf.is_missing(config, "agents") else None
    if isinstance(agents, ListConfig):
        config.agents = [{"name": agent} if isinstance(agent, str) else agent for agent in agents]
    return config


def _is_bare_text(config: DictConfig, text: str) -> bool:
    # OmegaConf reads a document that is one word as {word: None}.
    return len(config) == 1 and not isinstance(yaml.compose(text), yaml.MappingNode)


def _apply_all(config: DictConfig, overrides: Sequence[str]) -> list[Path_]:
    """Set every ``key=value`` and return the paths of the keys."""
    paths: list[Path_] = []
    given: dict[str, str] = {}  # each key that was set, and by which override
    for override in overrides:
        path, value = _apply(config, override)
        for key in flatten(value, ".".join(map(str, path))):
            for other in (by for known, by in given.items() if f"{known}.".startswith(f"{key}.")):
                raise ScenarioError(
                    f"override {override!r} replaces the override {other!r} before it: give only "
                    "one of them."
                )
            given[key] = override
        paths.append(path)
    return paths


def _apply(config: DictConfig, override: str) -> tuple[Path_, Any]:
    """Set one ``key=value``; return the key's path and the value as plain data."""
    key, equals, raw = override.partition("=")
    key = key.strip()
    parts = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    if not equals or not key or "" in parts:
        raise ScenarioError(f"override {override!r} is not of the form key=value, e.g. users=100.")
    try:
        value = OmegaConf.from_dotlist([f"value={raw}"])["value"]
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        problem = getattr(error, "problem", None) or _first_line(error)
        raise ScenarioError(
            f"override {override!r}: the value is not valid YAML: {problem}."
        ) from None
    if key == "agents" and isinstance(value, ListConfig):
        value = [{"name": agent} if isinstance(agent, str) else agent for agent in value]
    for depth in range(1, len(parts)):
        parent = ".".join(map(str, parts[:depth]))
        entries = OmegaConf.select(config, parent, throw_on_resolution_failure=False)
        if isinstance(entries, ListConfig) and parts[depth] not in range(len(entries)):
            raise ScenarioError(
                f"override {override!r}: {parent!r} has no entry {parts[depth]!r}: its entries are "
                f"numbered from 0 to {len(entries) - 1}."
            )
    try:
        OmegaConf.update(config, key, value, force_add=True)
    except (OmegaConfBaseException, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ScenarioError(
            f"override {override!r}: {key!r} cannot be set: {_first_line(error)}."
        ) from None
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return parts, plain


def _explain(
    fault: ErrorDetails,
    kind: type[Scenario],
    path: Path,
    text: str,
    changed: Sequence[Path_],
) -> str:
    """Return one line: where, which key, what is wrong, what would be right."""
    location: Path_ = fault["loc"]
    key = ".".join(map(str, location))
    line, whole = _line_of(text, location)
    overridden = any(
        location == c or c[: len(location)] == location or (location[: len(c)] == c and not whole)
        for c in changed
    )
    where = f"{path}:{line}" if line else f"{path}"
    where = "command line" if overridden and location else where
    where = f"{where}: {key}" if key else where
    return f"{where}: {explain_fault(fault, kind)}"


def _line_of(text: str, location: Path_) -> tuple[int | None, bool]:
    """Return the line, from 1, of the deepest known part of a key path, and if all is known."""
    node = yaml.compose(text)
    line = None
    for step in location:
        if isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if entry is None:
                return line, False
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                return line, False
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line, False
    return line, True


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
