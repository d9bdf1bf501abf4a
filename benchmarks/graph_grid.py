"""Benchmarks of exported graphs with random weights: a row for each backbone, mode and size."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.arguments import parse_parts
from benchmarks.recording import Row
from segpp_deploy.config import Arch, Preset, Size, parse_size
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.segformer import SegFormer
from tests.support.random_models import random_model

CLASSES = 19

Measure = Callable[[SegFormer, Preset, Size, Path], Row]
"""Exports a model in a mode and at a size into the file that is named, and returns its row with `passed`."""


@dataclass(frozen=True)
class GraphGrid:
    """What is measured; each axis in the order in which rows are listed.

    Args:
        archs: backbones.
        modes: merge modes.
        sizes: HEIGHTxWIDTH in pixels.
    """

    archs: tuple[Arch, ...]
    modes: tuple[Preset, ...]
    sizes: tuple[str, ...]

    def measure(self, description: str | None, measure: Measure) -> Iterator[Row]:
        """Yield the rows of the parts that the command line names; `description` is the module's, for `--help`."""
        arguments = parse_parts(description, arch=self.archs, mode=self.modes, size=self.sizes)
        for arch in map(Arch, arguments.arch):
            model = random_model(Dialect.MMSEG, arch, outputs=CLASSES)
            for mode, size in product(map(Preset, arguments.mode), map(parse_size, arguments.size)):
                print(arch, mode, size, file=sys.stderr)
                with tempfile.TemporaryDirectory() as folder:
                    yield measure(model, mode, size, Path(folder) / "m.onnx")

    def row_key(self, row: Row) -> tuple[int, ...]:
        """Identify a row, in the order in which rows are listed."""
        return self.archs.index(row["arch"]), self.modes.index(row["mode"]), self.sizes.index(row["size"])
