"""The report of a run: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recsim.files import write_atomically
from recsim.report.summary import Note, Summary, Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
h1 { margin-bottom: 0; } .question { color: #555; font-size: 1.1rem; margin-top: .2rem; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; color: #555; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right;
         font-variant-numeric: tabular-nums; }
th.left, td.left { text-align: left; } small { color: #777; white-space: nowrap; }
img { max-width: 100%; } .warning { background: #fff4e0; padding: .5rem 1rem; margin: .5rem 0; }
pre { background: #f6f6f6; padding: 1rem; overflow: auto; font-size: 13px; }
"""


@dataclass(frozen=True)
class Page:
    """The content of a report besides tables and pictures.

    Attributes:
        title: Name of the scenario.
        question: The question that it answers.
        missing: Descriptions of unfinished trials.
        settings: The scenario as YAML.
        digest: Its digest.
        versions: Versions that numbers may depend on, by name.
    """

    title: str
    question: str
    missing: Sequence[str] = ()
    settings: str = ""
    digest: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def write_report(
    path: Path, page: Page, summary: Summary | None, *, pictures: bool = True
) -> list[Path]:
    """Write the report of a run with its pictures inside, and return the files.

    Args:
        path: The HTML file.
        page: Its content besides tables and pictures.
        summary: Tables and pictures; None if no trial has finished.
        pictures: Whether the pictures are also written as files beside the report.
    """
    from recsim.report.plots import png

    drawn: dict[str, bytes] = {}
    body = ["<p>No trial has finished.</p>"]
    if summary is not None:
        drawn = {name: png(draw()) for name, draw in summary.figures.items()}
        body = [_table(table) for table in summary.tables if table.report]
    files = [path.with_name(f"{name}.png") for name in drawn] if pictures else []
    for file in files:
        write_atomically(file, drawn[file.stem])
    write_atomically(path, _page(page, body, drawn))
    return [*files, path]


def _table(table: Table) -> str:
    classes = ['<{0} class="left">' if i < table.left else "<{0}>" for i in range(len(table.heads))]

    def row(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"{opening.format(tag)}{html.escape(cell)}</{tag}>"
            for opening, cell in zip(classes, cells, strict=True)
        )

    body = "".join(f"<tr>{row(cells, 'td')}</tr>\n" for cells in table.rows)
    return "\n".join(
        [
            f"<table><caption>{html.escape(table.title)}</caption>",
            f"<thead><tr>{row(table.heads, 'th')}</tr></thead>",
            f"<tbody>{body}</tbody></table>",
            *map(_note, table.notes),
        ]
    )


def _note(note: Note) -> str:
    opening = "<p>" if note.level == "info" else '<p class="warning">'
    return f"{opening}{html.escape(note.text)}</p>"


def _page(page: Page, body: Sequence[str], pictures: Mapping[str, bytes]) -> str:
    images = [
        f'<p><img alt="{name}" src="data:image/png;base64,{base64.b64encode(data).decode()}"></p>'
        for name, data in pictures.items()
    ]
    settings = [
        "<details><summary>Settings</summary>",
        f"<pre>{html.escape(page.settings)}</pre></details>",
    ]
    digest = f"digest {page.digest}; " if page.digest else ""
    versions = ", ".join(f"{name} {version}" for name, version in page.versions.items())
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{page.title}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{page.title}</h1>",
            f'<p class="question">{html.escape(page.question)}</p>',
            *(_note(Note(f"Not finished: {name}.", "warning")) for name in page.missing),
            *body,
            *images,
            *(settings if page.settings else []),
            f"<p><small>{digest}{html.escape(versions)}</small></p>",
            "</body></html>",
            "",
        ]
    )
