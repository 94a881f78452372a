"""The examples of both pages on estimators run and print what the pages show."""

import re

import numpy as np
import pandas as pd
import pytest

from recsim.scenario.files import load_scenario


@pytest.fixture
def guide(root, tmp_path, monkeypatch):
    """Write a ``clicks.csv`` into an empty folder and return the page's blocks of code."""
    rng = np.random.default_rng(0)
    rows, visitors = 5000, 800
    visitor, group = rng.integers(0, visitors, rows), np.arange(visitors) % 2
    appeal = np.exp([1.5, 1.0, 0.5, 0.0, -0.5])
    shown = appeal / appeal.sum()
    item = rng.choice(5, size=rows, p=shown)
    rate = np.array([[0.05, 0.06, 0.04, 0.12, 0.03], [0.04, 0.03, 0.1, 0.05, 0.15]])
    table = pd.DataFrame(
        {
            "visitor": visitor,
            "at": 1_700_000_000 + np.arange(rows) * 60,
            "age": np.where(group[visitor] == 1, "under 30", "over 30"),
            "sku": [f"A{i}" for i in item],
            "clicked": (rng.random(rows) < rate[group[visitor], item]).astype(int),
            "p": shown[item].round(6),
        }
    )
    table.to_csv(tmp_path / "clicks.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return blocks(root / "docs" / "estimators.md")


def blocks(page):
    """Return the language and the text of every block of code."""
    return re.findall(r"```(\w*)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def block(guide, language, number=0):
    return [text for kind, text in guide if kind == language][number]


def test_the_table_looks_as_shown(guide):
    with open("clicks.csv", encoding="utf-8") as file:
        assert [next(file) for _ in range(3)] == block(guide, "").splitlines(keepends=True)


@pytest.mark.parametrize(("code", "output"), [(0, 1), (2, 2), (3, 3)])
def test_the_code_prints_what_is_shown(guide, capsys, code, output):
    exec(compile(block(guide, "python", code), "guide", "exec"), {})
    printed, shown = capsys.readouterr().out, block(guide, "", output)
    assert printed.count("\n") == shown.count("\n")
    numbers = r"-?\d+\.\d+"
    computed = [float(number) for number in re.findall(numbers, printed)]
    assert computed == pytest.approx(
        [float(number) for number in re.findall(numbers, shown)], rel=1e-3
    )
    assert re.sub(numbers, "", printed) == re.sub(numbers, "", shown)


def test_a_policy_can_be_written_by_name(guide):
    space = {}
    for number in (0, 1):
        exec(compile(block(guide, "python", number), "guide", "exec"), space)
    function, mapping = (
        space["evaluate"](space["log"], space["by_name"](policy, space["log"]))[0].value
        for policy in (space["two_favourites"], {"A2": 0.5, "A4": 0.5})
    )
    assert function == mapping


def test_the_scenarios_of_the_guide_are_valid(guide, tmp_path):
    (tmp_path / "my_shop.yaml").write_text(block(guide, "yaml"), encoding="utf-8")
    scenario = load_scenario("my_shop.yaml")
    scenario.check()
    assert scenario.clip == "slope"
    table = pd.read_csv("clicks.csv")
    table.assign(p_new=table["p"], p_old=0.2).to_csv("clicks.csv", index=False)
    (tmp_path / "new_policy.yaml").write_text(block(guide, "yaml", 1), encoding="utf-8")
    load_scenario("new_policy.yaml").check()


def test_the_code_of_the_page_on_slates_runs(root, capsys):
    page = blocks(root / "docs" / "estimators_slate.md")
    printed = []
    for number in range(3):
        exec(compile(block(page, "python", number), "page", "exec"), {})
        printed.append(capsys.readouterr().out)
    # Simulated clicks may differ between processors, so only the estimators are compared.
    names = r"^\w+(?=:)"
    assert re.findall(names, printed[0], re.M) == re.findall(names, block(page, "", 0), re.M)
    assert printed[1:] == [block(page, "", number) for number in (1, 2)]
