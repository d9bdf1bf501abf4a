"""Where an engine departs from PyTorch: the error of every tensor that both have, in the order of the graph.

A token that is matched otherwise changes everything after it, although nothing was rounded badly. So PyTorch runs
twice: with its own matches, and with those of the engine. What differs in the second run is rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.engine.observed import ObservableEngine
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.tasks.protocol.outputs import OutputAgreement

if TYPE_CHECKING:
    from segpp_deploy.runtimes.torch.tensors import TorchTensors  # PyTorch is slow to load

Array = NDArray[Any]

_STEP = "Comparing tensors"

PART_BYTES = 512 << 20
"""So much of an engine's tensors is put out at once."""


@dataclass(frozen=True)
class LayerError:
    """A tensor of an engine beside PyTorch's.

    Args:
        name: as in the exported file.
        error: root mean square of the difference, as a share of PyTorch's; NaN of matches.
        rounding: the same where PyTorch goes on with the engine's matches.
        max_abs_rounding: the largest difference there.
        matched: of a match, the share of tokens that both merge with the same ones; None of other tensors.
    """

    name: str
    error: float
    rounding: float
    max_abs_rounding: float
    matched: float | None = None


def find_layer_errors(
    engine: ObservableEngine, torch: TorchTensors, batches: Sequence[Array], threads: int | None, progress: Progress
) -> tuple[LayerError, ...]:
    """Compare the tensors of an engine and PyTorch.

    Args:
        engine: what is looked into.
        torch: the model it was exported from.
        batches: inputs of both, each a full batch.
        threads: CPU threads of the engine; None = what it was built with.
        progress: told about each part.
    """
    names = [name for name in torch.names if name in engine.tensors]
    maps = [name for name in names if name in torch.matches]
    options = SessionOptions(threads)
    given = _run_matches(engine, maps, batches, options)
    found = {name: _Sums() for name in names}
    parts = _split(names, torch.float_bytes)
    for number, part in enumerate(parts):
        progress(_STEP, number, len(parts))
        with engine.open(part, (), options) as session:
            for batch, matched in zip(batches, given, strict=True):
                own = torch.run(batch, {*part, *maps})
                redone = torch.run(batch, set(part), matched) if matched else own
                for name, value in zip(part, session.run_all(batch), strict=True):
                    found[name].error.update(own[name], value.reshape(own[name].shape))
                    found[name].rounding.update(redone[name], value.reshape(own[name].shape))
                for name in maps if number == 0 else ():
                    found[name].matched.append(share_merged_alike(own[name], matched[name]))
    progress(_STEP, len(parts), len(parts))
    return tuple(found[name].result(name) for name in names)


@dataclass
class _Sums:
    error: OutputAgreement = field(default_factory=OutputAgreement)
    rounding: OutputAgreement = field(default_factory=OutputAgreement)
    matched: list[float] = field(default_factory=list)

    def result(self, name: str) -> LayerError:
        error, rounding = self.error.result(), self.rounding.result()
        matched = float(np.mean(self.matched)) if self.matched else None
        return LayerError(name, error.relative_error, rounding.relative_error, rounding.max_abs_error, matched)


def _run_matches(
    engine: ObservableEngine, maps: Sequence[str], batches: Sequence[Array], options: SessionOptions
) -> list[Mapping[str, Array]]:
    """Return the engine's matches for each batch."""
    if not maps:
        return [{} for _ in batches]
    with engine.open((), maps, options) as session:
        return [dict(zip(maps, session.run_all(batch), strict=True)) for batch in batches]


def _split(names: Sequence[str], sizes: Mapping[str, int]) -> list[list[str]]:
    """Return float tensors in their order, in parts of at most `PART_BYTES` (or of one tensor)."""
    parts: list[list[str]] = [[]]
    taken = 0
    for name in names:
        if name not in sizes:
            continue
        if parts[-1] and taken + sizes[name] > PART_BYTES:
            parts.append([])
            taken = 0
        parts[-1].append(name)
        taken += sizes[name]
    return parts


def share_merged_alike(one: Array, other: Array) -> float:
    """Return the share of tokens whose row begins with the same token in two maps [B, N] from tokens to rows.

    Rows themselves do not compare: where one more token is merged, all later rows have other numbers.

    Example:
        >>> share_merged_alike(np.array([[0, 0, 1, 2]]), np.array([[0, 1, 2, 3]]))
        0.75
    """
    return float(np.mean(_first_of_row(one) == _first_of_row(other)))


def _first_of_row(rows: Array) -> Array:
    tokens = np.arange(rows.shape[1])
    first = np.empty_like(rows, np.int64)
    for number, row_of_token in enumerate(rows):
        begins = np.full(int(row_of_token.max()) + 1, len(tokens), np.int64)
        np.minimum.at(begins, row_of_token, tokens)
        first[number] = begins[row_of_token]
    return first
