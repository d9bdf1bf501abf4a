"""fp16 beside fp32 on CamVid, B0, with fp16's rounding emulated on a CPU: pixels that agree, and the mIoU of both.

Every result of an op that computes in fp16 is rounded to fp16 (`emulate_half`); products are summed in float32, as
GPUs sum them.

    python benchmarks/half_camvid.py                               all 101 frames (ten minutes)
    python benchmarks/half_camvid.py --modes original --limit 3    a quick look; nothing is recorded
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import camvid_data
import onnx
import onnx_ir as ir
from recording import Row, record_rows
from result_tables import show

from segpp_deploy.config import Preset, Size
from segpp_deploy.data.datasets import SegmentationDataset, parse_dataset
from segpp_deploy.data.processing import labels_from_output, prepare
from segpp_deploy.engine.onnxruntime_loader import LoadOptions, load_onnxruntime, run_onnxruntime
from segpp_deploy.evaluate.agreement import PixelAgreement
from segpp_deploy.evaluate.segmentation import ConfusionMatrix
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.precision.half_emulation import emulate_half
from segpp_deploy.workflows.export import run_export
from segpp_deploy.workflows.export_options import ExportOptions

SIZE = Size(360, 480)
MODES = (Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.POOL_2X2)
LEAST_AGREEMENT = 0.998
MOST_MIOU_DIFFERENCE = 0.001


def main() -> int:
    """Measure, print, record after every mode; 1 if a mode misses its bar, 2 without the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="+", choices=list(map(str, MODES)), default=list(map(str, MODES)))
    parser.add_argument("--limit", type=int, help="use the first so many frames, and do not record")
    arguments = parser.parse_args()
    if missing := camvid_data.explain_missing():
        parser.error(missing)
    dataset = parse_dataset(f"camvid:{camvid_data.FRAMES}", arguments.limit)
    facts = {
        "size": str(SIZE),
        "least_agreement": LEAST_AGREEMENT,
        "most_miou_difference": MOST_MIOU_DIFFERENCE,
    }
    rows: list[Row] = []
    for mode in map(Preset, arguments.modes):
        print(mode, file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(mode, dataset, Path(folder)))
        if arguments.limit is None:
            record_rows("half_camvid", rows[-1:], lambda row: MODES.index(row["mode"]), facts)
    show("half_camvid", {"rows": rows})
    return int(not all(row["passed"] for row in rows))


def measure(mode: Preset, dataset: SegmentationDataset, folder: Path) -> Row:
    """Compare one mode with itself."""
    single, rounded = folder / "fp32.onnx", folder / "fp16.onnx"
    metadata = run_export(ExportOptions(single, checkpoint=camvid_data.WEIGHTS, mode=str(mode), size=SIZE)).metadata
    half = emulate_half(to_fp16(ir.load(single)).model)
    onnx.save(ir.to_proto(half), str(rounded))
    sessions = [load_onnxruntime(path, LoadOptions()) for path in (single, rounded)]
    scores = [ConfusionMatrix(len(metadata.classes)) for _ in sessions]
    agreement = PixelAgreement()
    for sample in dataset:
        image, target = sample.load(len(metadata.classes))
        labels = [segment(session, image, metadata) for session in sessions]
        for found, matrix in zip(labels, scores, strict=True):
            matrix.update(found, target)
        agreement.update(*labels)
    miou_fp32, miou_fp16 = (matrix.miou() for matrix in scores)
    close = abs(miou_fp16 - miou_fp32) <= MOST_MIOU_DIFFERENCE
    return {
        "mode": str(mode),
        "images": len(dataset),
        "miou_fp32": miou_fp32,
        "miou_fp16": miou_fp16,
        "agreement": agreement.fraction(),
        "passed": agreement.fraction() >= LEAST_AGREEMENT and close,
    }


def segment(session: Any, image: Any, metadata: ExportMetadata) -> Any:
    """Return the labels [H, W] of one picture at its own size."""
    height, width = image.shape[:2]
    prepared = prepare(image, metadata.size, metadata.input_kind, metadata.normalization)[None]
    output = run_onnxruntime(session, prepared)
    return labels_from_output(output[0], metadata.output_kind, Size(height, width))


if __name__ == "__main__":
    raise SystemExit(main())
