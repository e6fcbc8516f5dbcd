"""The chart of the bench: how long a person waits, beside the floor and beside TimeTagger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure

from tools.bench.report.result import Bar


_COLOURS: Final = {"floor": "#b8bec6", "ours": "#0b6bcb", "TimeTagger": "#d9822b"}
_STYLE: Final[dict[Any, Any]] = {"svg.hashsalt": "bench", "font.size": 10, "svg.fonttype": "none"}


def draw(bars: Sequence[Bar], file: Path) -> None:
    """Writes an SVG: bars on a logarithmic scale, each with its milliseconds."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 1.2 + 0.8 * len(bars)), layout="constrained")
        axes = figure.subplots()
        height = 0.8 / len(_COLOURS)
        for place, (name, colour) in enumerate(_COLOURS.items()):
            at = [number + (place - 1) * height for number in range(len(bars))]
            values = [bar.millis[name] for bar in bars]
            drawn = axes.barh(at, values, height=height * 0.92, color=colour, label=name)
            axes.bar_label(drawn, labels=[_told(value) for value in values], padding=3, fontsize=9)
        axes.set_yticks(range(len(bars)), [bar.what for bar in bars])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.margins(x=0.15)
        axes.set_xlabel("milliseconds, median over HTTP; each grid line is ten times the one before")
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper right", frameon=False)
        figure.savefig(file, format="svg", metadata={"Date": None})


def _told(millis: float) -> str:
    return f"{millis:,.0f} ms" if millis >= 100 else f"{millis:.2g} ms"  # noqa: PLR2004 - three digits are enough
