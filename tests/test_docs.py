"""Links in the documentation lead somewhere, and the README lists what there is and runs."""

import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import agents
import recsim  # noqa: F401  registers the environments

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (".", "docs", "examples", "benchmarks", "reproductions/*", ".github")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md"))
README = (ROOT / "README.md").read_text()


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_the_changelog_names_modules_that_exist():
    rows = re.findall(
        r"^\| `([\w.]+)` \| (`.+`) \|$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert rows
    assert [
        new for _, text in rows for new in re.findall(r"`([\w.]+)`", text) if not is_module(new)
    ] == []
    # The names that are used again for something else.
    again = [
        "recsim.critiquing",
        "recsim.estimators.impressions",
        "recsim.report",
        "recsim.scenario",
    ]
    assert sorted(old for old, _ in rows if is_module(old)) == again


def test_the_readme_lists_every_agent_and_environment():
    listed = set(re.findall(r"^\| `([\w-]+)` \|", README, re.MULTILINE))
    own = {name for name in gymnasium.registry if re.match(r"\w+Re(c|play)-v0$", name)}
    assert {"SlateRec-v0", "ConvRec-v0"} <= own
    assert listed == own | set(agents.available())


def test_the_python_of_the_readme_runs(tmp_path):
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippets
    for snippet in snippets:
        command = [sys.executable, "-W", "error", "-c", snippet]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
