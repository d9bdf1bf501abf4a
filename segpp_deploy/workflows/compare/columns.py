"""The figures of a row, in the order and the words in which every table shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from segpp_deploy.report.numbers import format_agreement, format_score
from segpp_deploy.tasks.protocol.evaluation import Score, Unit

Values = Mapping[str, Any]
"""A row as plain values, see `CompareResult.row_to_dict`."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Args:
        key: its field in a row's values.
        heading: of its column; what the field `named_by` says, where there is one.
        explanation: what it is, in a sentence.
        show: writes it.
        named_by: the field that names it.
    """

    key: str
    heading: str
    explanation: str
    show: Callable[[Any], str]
    named_by: str = ""

    def text(self, values: Values) -> str:
        """Return the figure of a row as text; "" where it is not known."""
        if values[self.key] is None:
            return ""
        if self.key == "value":
            return format_score(Score(values["metric"], values["value"], Unit(values["unit"])))
        return self.show(values[self.key])


def _written(form: str, unit: float = 1) -> Callable[[float], str]:
    return lambda value: form.format(value / unit)


_MIB = 1 << 20

# What is measured later stands further right: where a row came no further, its reason takes the place of the rest.
FIGURES = (
    Figure("value", "score", "The headline score on all pictures.", str, "metric"),
    Figure("delta_fp32", "Δ fp32", "Points over the same mode in float32; below 0 it is worse.", _written("{:+.2f}")),
    Figure("delta", "Δ original", "Points over the unmerged model in float32.", _written("{:+.2f}")),
    Figure("agreement", "agreement", "With the float32 PyTorch model in that mode.", format_agreement, "agreement_of"),
    Figure("engine_bytes", "engine MiB", "Size of the engine file.", _written("{:.1f}", _MIB)),
    Figure("latency_ms", "ms", "Median of one call: a picture in bytes in, the prediction out.", _written("{:.1f}")),
    Figure("latency_p95_ms", "p95", "Of one call: 95 % take no longer.", _written("{:.1f}")),
    Figure("end_to_end_ms", "end to end", "Median ms from a file: decoded, resized, copied.", _written("{:.1f}")),
    Figure("speedup", "speed-up", "Over the baseline, of calls in the same round.", _written("{:.2f}x")),
    Figure("peak_memory_bytes", "peak MiB", "Of a process that has run the engine.", _written("{:.0f}", _MIB)),
)


def heading_of(figure: Figure, rows: list[dict[str, Any]]) -> str:
    """Return what stands above a figure's column."""
    return next((row[figure.named_by] for row in rows if figure.named_by and row[figure.named_by]), figure.heading)
