"""A picture of one user: the last slate, and clicks and satisfaction over time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from envs.slates.transcript import item_label
from recsim.arrays import Ints
from recsim.problem import Names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches and dots per inch; even numbers of pixels, as encoders of videos want them.
SIZE, DPI = (6.4, 4.0), 100
# Backends of matplotlib that draw to files only.
_FILES = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}


@dataclass(eq=False)
class Story:
    """What happened to a user in the present episode.

    Attributes:
        groups: Group of each item, ``(I,)``, for its colour.
        names: Names of the items; None to show their numbers.
        slates: Items and clicks of every slate, ``(K,)`` each.
        satisfaction: Before the first slate and after every slate; empty in a world without it.
        ends: Slates that were the last of a session, from 1.
        line: The last step as text.
    """

    groups: Ints
    names: Names | None = None
    slates: list[tuple[Ints, Ints]] = field(default_factory=list)
    satisfaction: list[float] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    line: str = ""

    def begin(self, line: str, satisfaction: float | None) -> None:
        """Forget the last episode.

        Args:
            line: The reset as text.
            satisfaction: Of the new user; None in a world without it.
        """
        self.slates, self.ends, self.line = [], [], line
        self.satisfaction = [] if satisfaction is None else [satisfaction]

    def add(self, info: Mapping[str, Any], line: str, satisfaction: float | None) -> None:
        """Add a step, unless its slate is not complete yet.

        Args:
            info: Info of the step.
            line: The step as text.
            satisfaction: After the step; None in a world without it.
        """
        if (info["items"] < 0).all():
            return
        self.slates.append((info["items"].copy(), info["clicks"].copy()))
        self.line = f"slate {len(self.slates)}: {line}"
        if satisfaction is not None:
            self.satisfaction.append(satisfaction)
        if info["session_end"]:
            self.ends.append(len(self.slates))

    def draw(self, figure: Figure) -> None:
        """Draw the last slate above, and clicks and satisfaction over all slates below."""
        figure.clear()
        above, below = figure.subplots(2, 1, height_ratios=(2, 3))
        self._draw_slate(above)
        self._draw_time(below)
        figure.text(0.02, 0.97, self.line, fontsize=7.5, va="top", wrap=True)
        figure.subplots_adjust(left=0.09, right=0.91, top=0.88, bottom=0.12, hspace=0.25)

    def _draw_slate(self, axes: Any) -> None:
        axes.set_axis_off()
        if not self.slates:
            return
        items, clicks = self.slates[-1]
        size = len(items)
        axes.set(xlim=(0, size), ylim=(-0.3, 1))
        text = max(4.0, min(11.0, 55 / size))
        for slot, (item, clicked) in enumerate(zip(items, clicks, strict=True)):
            empty = item < 0
            colour = "white" if empty else f"C{self.groups[item] % 10}"
            edge, width = ("black", 3.0) if clicked else ("0.6", 0.8)
            box = {"facecolor": colour, "edgecolor": edge, "linewidth": width, "alpha": 0.85}
            axes.add_patch(_rectangle((slot + 0.08, 0.08), 0.84, 0.84, **box))
            middle = {"ha": "center", "va": "center", "fontsize": text}
            axes.text(slot + 0.5, 0.5, item_label(item, self.names), **middle)
            if clicked:
                axes.text(slot + 0.5, -0.14, "clicked", **middle)

    def _draw_time(self, axes: Any) -> None:
        count = len(self.slates)
        clicks = [int(clicks.sum()) for _, clicks in self.slates]
        axes.bar(np.arange(1, count + 1), clicks, color="0.75", label="clicks")
        most = max(1, *clicks) if clicks else 1
        axes.set(xlim=(0.4, max(count, 10) + 0.6), ylim=(0, most * 1.05))
        axes.set_xlabel("slate", fontsize=8)
        axes.set_ylabel("clicks", fontsize=8)
        axes.locator_params(integer=True)
        axes.tick_params(labelsize=7)
        for number in self.ends:
            axes.axvline(number + 0.5, color="0.4", linestyle=":", linewidth=1)
        if self.satisfaction:
            right = axes.twinx()
            right.plot(np.arange(count + 1) + 0.5, self.satisfaction, color="C3")
            right.set(ylim=(0, 1.05))
            right.set_ylabel("satisfaction", fontsize=8, color="C3")
            right.tick_params(labelsize=7, colors="C3")


def image(story: Story) -> NDArray[np.uint8]:
    """Return the picture as pixels, ``(400, 640, 3)``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI)
    canvas: Any = FigureCanvasAgg(figure)
    story.draw(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


class Window:
    """A window with the picture, if there is a display.

    Args:
        seconds: How long each picture stays at least.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._figure: Any = None
        self._warned = False

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_figure": None}  # a copy has a window of its own

    def show(self, story: Story) -> None:
        """Show the picture; warn once if there is no display."""
        import matplotlib.pyplot as plt

        backend = plt.get_backend()
        if backend.lower() in _FILES:
            if not self._warned:
                warnings.warn(
                    "render_mode='human' shows a window, but there is no display here "
                    f"(matplotlib uses its backend {backend!r}), so nothing is shown. Use "
                    "render_mode='rgb_array' for pictures or 'ansi' for text.",
                    stacklevel=2,
                )
                self._warned = True
            return
        if self._figure is None:
            self._figure = plt.figure(figsize=SIZE, dpi=DPI)
        story.draw(self._figure)
        plt.pause(self.seconds)

    def close(self) -> None:
        """Close the window."""
        if self._figure is not None:
            import matplotlib.pyplot as plt

            plt.close(self._figure)
            self._figure = None


def _rectangle(corner: tuple[float, float], width: float, height: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **style)
