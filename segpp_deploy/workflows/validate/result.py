"""What `validate` found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.layer_errors import LayerError
from segpp_deploy.report.numbers import format_agreement, format_percent, format_score
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.tasks.protocol.evaluation import Evaluation, Score

SHOWN_LAYERS = 20
"""Tensors in the table; the JSON has all of them."""


@dataclass(frozen=True)
class WorstSample:
    """A sample with a low score.

    Args:
        name: of the sample.
        score: the headline, of this sample alone.
        picture: where it is drawn.
    """

    name: str
    score: float
    picture: Path


@dataclass(frozen=True)
class ReferenceComparison:
    """The engine beside its reference on the same pictures.

    Args:
        name: "torch", or the other engine's path.
        headline: the reference's own score.
        agreement: what both say alike, such as the fraction of pixels with the same class, then further measures.
    """

    name: str
    headline: Score
    agreement: tuple[Score, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: each score by its key."""
        scores = (self.headline, *self.agreement)
        return {"name": self.name, **{score.key: score.value for score in scores}}

    def rows(self) -> list[tuple[str, str]]:
        """Return lines for the table of figures."""
        share, *further = self.agreement
        return [
            (f"{self.headline.name} of {self.name}", format_score(self.headline)),
            (f"{share.name} with {self.name}", format_agreement(share.value)),
            *((score.name, format_score(score)) for score in further),
        ]


@dataclass(frozen=True)
class ValidateResult:
    """What `run_validate` found."""

    engine: Path
    mode: str
    data: str
    evaluation: Evaluation
    reference: ReferenceComparison | None
    findings: tuple[str, ...] = ()
    failures: Failures = field(default_factory=Failures)
    worst: tuple[WorstSample, ...] = ()
    files: tuple[Path, ...] = ()
    layers: tuple[LayerError, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the scores leave out, what was found on the way, and what speaks against believing the scores."""
        warnings = (f"Warning: {warning}" for warning in self.evaluation.warnings)
        return (*self.evaluation.notes, *self.findings, *warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `validate --json`."""
        return {
            "engine": str(self.engine),
            "mode": self.mode,
            "data": self.data,
            **self.evaluation.to_dict(),
            "reference": self.reference.to_dict() if self.reference else None,
            "failures": self.failures.to_list(),
            "worst": [vars(sample) for sample in self.worst],
            "files": list(self.files),
            "layers": [vars(layer) for layer in self.layers],
            "notes": [*self.evaluation.notes, *self.findings],
            "warnings": list(self.evaluation.warnings),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the figures as tables: a summary, and the headline's parts by class."""
        found, asked = self.evaluation, self.evaluation.samples + len(self.failures)
        images = f"{found.samples} of {asked}" if self.failures else str(found.samples)
        summary = [("images", images), *((score.name, format_score(score)) for score in found.scores)]
        if self.reference:
            summary += self.reference.rows()
        per_class = tuple((name, format_percent(value)) for name, value in found.per_class.values.items())
        title = f"{self.engine} ({self.mode}) on {self.data}"
        worst = tuple((sample.name, format_percent(sample.score)) for sample in self.worst)
        ranked = Table("Worst samples", (Column("sample", False), Column(found.headline.name)), worst)
        return (
            Table(title, (Column("measure", False), Column("value")), tuple(summary)),
            Table("", (Column("class", False), Column(found.per_class.name)), per_class),
            *((ranked,) if worst else ()),
            *((layers_table(self.layers),) if self.layers else ()),
        )

    def summary(self) -> str:
        """Return the files that were written."""
        return "\n".join(map(str, self.files))

    def require_complete(self) -> None:
        """Check that the scores are of all the pictures.

        Raises:
            SegppError: some could not be read.
        """
        self.failures.raise_any(self.evaluation.samples + len(self.failures))


def layers_table(layers: Sequence[LayerError]) -> Table:
    """Return the matches and the tensors with the largest errors, in the order of the graph."""
    floats = [layer for layer in layers if layer.matched is None]
    largest = sorted(floats, key=lambda layer: -_or_zero(layer.error))[:SHOWN_LAYERS]
    shown = {layer.name for layer in largest}
    rows = tuple(
        (
            layer.name,
            *(("", "", format_agreement(layer.matched)) if layer.matched is not None else _errors(layer)),
        )
        for layer in layers
        if layer.matched is not None or layer.name in shown
    )
    columns = (
        Column("tensor", False),
        Column("relative error"),
        Column("with the engine's matches"),
        Column("tokens merged alike"),
    )
    return Table(f"Beside PyTorch: {len(floats)} tensors, the largest errors", columns, rows)


def _errors(layer: LayerError) -> tuple[str, str, str]:
    return f"{layer.error:.1e}", f"{layer.rounding:.1e}", ""


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
