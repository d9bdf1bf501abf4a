from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from segpp_deploy.config import Fit, InputKind, Lowering, OutputKind
from segpp_deploy.engine.export_again import export_again
from segpp_deploy.graph.metadata import ExportMetadata
from tests.support.command_lines import parse
from tests.support.tiny_graphs import tiny_metadata

USUAL = "segpp-deploy export --checkpoint b0.pth --mode original --size 64x96"


@pytest.mark.parametrize(
    ("metadata", "options"),
    [
        (tiny_metadata(), ""),
        (tiny_metadata(batch=None), " --batch dynamic"),
        (tiny_metadata(batch=4), " --batch 4"),
        (replace(tiny_metadata(), fit=Fit.PAD), " --fit pad"),
        (tiny_metadata(OutputKind.LOGITS, InputKind.FLOAT), " --input float --output logits"),
        (tiny_metadata(lowering=Lowering.PLUGIN), " --lowering plugin"),
    ],
)
def test_says_what_is_unusual(metadata: ExportMetadata, options: str) -> None:
    line = export_again(metadata, Path("a.onnx"))
    assert line == f"{USUAL}{options} -o a.onnx"
    parse(shlex.split(line)[1:])


def test_changes_replace_what_was_said() -> None:
    metadata = tiny_metadata(batch=4, lowering=Lowering.PLUGIN)
    line = export_again(metadata, Path("a.onnx"), batch=1, lowering=None, output=OutputKind.LABELS_INT32)
    assert line == f"{USUAL} --batch 1 --output labels-int32 -o a.onnx"
