"""The recorded results as tables, the same on the terminal and in docs/measurements.md."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from rich.console import Console

from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Column, Table, to_rich

Document = dict[str, Any]  # the content of a result file; `rows` and the facts beside them
_PIPE_WIDTH = 140


def show(name: str, document: Document) -> None:
    """Print the tables of one benchmark."""
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    for table in TABLES[name](document):
        console.print(to_rich(table))


def cpu_ratios(document: Document) -> list[Table]:
    """A table per model; the first row of each is the baseline."""
    by_model = defaultdict(list)
    for row in document["rows"]:
        cells = (
            row["variant"],
            f"{row['best_ms']:.0f}",
            f"{row['median_ms']:.0f}",
            f"{row['ratio_best']:.2f}",
            f"{row['ratio_median']:.2f}",
            "" if row["bar"] is None else f"{row['bar']:.2f}",
        )
        by_model[row["model"]].append(cells)
    columns = _columns("variant", "best ms", "median ms", "times as fast (best)", "(median)", "at least")
    return [Table(model, columns, tuple(rows)) for model, rows in by_model.items()]


def parity(document: Document) -> list[Table]:
    """A row per model and mode, over the sizes and batches measured."""
    groups = defaultdict(list)
    for row in document["rows"]:
        groups[row["title"], row["mode"]].append(row)
    rows = [
        (
            *names,
            f"{sum(row['passed'] for row in group)} of {len(group)}",
            f"{max(row['max_abs_error'] for row in group):.1e}",
            f"{max(attempt['logit_range'] for row in group for attempt in row['tries']):.0f}",
            str(sum(len(row["tries"]) > 1 for row in group)),
            f"{max(attempt['max_abs_error'] for row in group for attempt in row['tries']):.1e}",
        )
        for names, group in groups.items()
    ]
    headings = ("passed", "largest error", "range of logits", "met a tie", "largest error, ties included")
    return [Table("", (Column("model", False), *_columns("mode", *headings)), tuple(rows))]


def portability(document: Document) -> list[Table]:
    """A row per graph."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["size"],
            *_rtx_cells(row),
            "refused" if row["openvino_agreement"] is None else format_agreement(row["openvino_agreement"]),
        )
        for row in document["rows"]
    ]
    columns = (Column("model", False), Column("mode", False), Column("size", False))
    numbers = ("TensorRT-RTX layers", "engine MB", "build s", "OpenVINO agrees with ONNX Runtime")
    return [Table("", (*columns, *map(Column, numbers)), tuple(rows))]


def _rtx_cells(row: Document) -> tuple[str, str, str]:
    if row["rtx_error"] is not None:
        return "refused", "", ""
    return str(row["rtx_layers"]), f"{row['rtx_engine_bytes'] / 1e6:.1f}", f"{row['rtx_build_seconds']:.1f}"


def rtx_engines(document: Document) -> list[Table]:
    """A row per engine."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["size"],
            *_engine_cells(row),
            row["error"] or "right",
        )
        for row in document["rows"]
    ]
    columns = (Column("model", False), Column("mode", False), Column("size", False))
    numbers = ("build s", "graph MB", "engine MB", "convolutions", "matrix products")
    return [Table("", (*columns, *map(Column, numbers), Column("manifest", False)), tuple(rows))]


def _engine_cells(row: Document) -> tuple[str, ...]:
    if row["build_seconds"] is None:
        return "refused", "", "", "", ""
    sizes = (f"{row[kind] / 1e6:.1f}" for kind in ("graph_bytes", "engine_bytes"))
    counts = (str(sum(row["layer_types"][kind].values())) for kind in ("convolution", "matrix_multiply"))
    return f"{row['build_seconds']:.1f}", *sizes, *counts


def camvid(document: Document) -> list[Table]:
    """A row per mode."""
    rows = [
        (
            row["mode"],
            format_percent(row["miou"]),
            format_percent(row["torch_miou"]),
            format_percent(row["pixel_accuracy"]),
            format_agreement(row["agreement_with_torch"]),
            format_agreement(row["least_agreement_with_torch"]),
            format_agreement(row["agreement_with_original"]),
        )
        for row in document["rows"]
    ]
    headings = ("mIoU", "PyTorch's mIoU", "pixel accuracy", "pixels as PyTorch", "at least", "pixels as `original`")
    return [Table("", _columns("mode", *headings), tuple(rows))]


def precision_portability(document: Document) -> list[Table]:
    """A row per graph."""
    rows = [(row["arch"].upper(), row["mode"], row["precision"], *_precision_cells(row)) for row in document["rows"]]
    columns = (Column("model", False), Column("mode", False), Column("precision", False))
    numbers = ("TensorRT-RTX layers", "engine MB", "build s", "in int8", "in fp16", "in fp32", "tensors in int8")
    return [Table("", (*columns, *map(Column, numbers)), tuple(rows))]


def _precision_cells(row: Document) -> tuple[str, ...]:
    counted = ("int8_layers", "fp16_layers", "fp32_layers", "quantised_tensors")
    counts = ("",) * len(counted) if row["rtx_error"] else tuple(str(row[name]) for name in counted)
    return *_rtx_cells(row), *counts


def calibration_methods(document: Document) -> list[Table]:
    """A row per mode, method and number of images."""
    rows = [
        (
            row["mode"],
            row["method"],
            str(row["calibration_images"]),
            format_percent(row["miou_fp32"]),
            format_percent(row["miou_int8"]),
            f"{100 * (row['miou_int8'] - row['miou_fp32']):+.2f}",
            format_agreement(row["agreement"]),
        )
        for row in document["rows"]
    ]
    numbers = ("calibration images", "mIoU fp32", "mIoU int8", "points", "pixels as fp32")
    columns = (Column("mode", False), Column("method", False), *map(Column, numbers))
    return [Table("", columns, tuple(rows))]


def precision_accuracy(document: Document) -> list[Table]:
    """A row per engine; then, for each data set, the IoU of every class in int8 on the target cpu, side by side."""
    named = ("data", "mode", "target", "precision")
    rows = [(*(row[name] for name in named), *_accuracy_cells(row)) for row in document["rows"]]
    numbers = ("images", "mIoU fp32", "mIoU", "points", "pixels as fp32", "layers reduced")
    engines = Table("", (*(Column(name, False) for name in named), *map(Column, numbers)), tuple(rows))
    by_data = defaultdict(list)
    for row in document["rows"]:
        if (row["target"], row["precision"]) == ("cpu", "int8") and "per_class_iou" in row:
            by_data[row["data"]].append(row)
    return [engines, *(_class_table(data, rows) for data, rows in by_data.items())]


def _accuracy_cells(row: Document) -> tuple[str, ...]:
    if "error" in row:
        return "failed", "", "", "", "", ""
    return (
        str(row["images"]),
        format_percent(row["miou_fp32"]),
        format_percent(row["miou"]),
        f"{100 * (row['miou'] - row['miou_fp32']):+.2f}",
        format_agreement(row["agreement"]),
        str(row["layers"]) if row["layers"] else "all",
    )


def _class_table(data: str, rows: list[Document]) -> Table:
    headings = [f"{row['mode']} {precision}" for row in rows for precision in ("fp32", "int8")]
    cells = [
        (name, *(format_percent(iou) for row in rows for iou in row["per_class_iou"][name]))
        for name in rows[0]["per_class_iou"]
    ]
    return Table(f"IoU of each class, {data}, target cpu", _columns("class", *headings), tuple(cells))


def int8_speed(document: Document) -> list[Table]:
    """A row per engine."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["target"],
            row["precision"],
            f"{row['best_ms']:.0f}",
            f"{row['ratio_best']:.2f}",
            f"{row['ratio_median']:.2f}",
            f"{row['over_own_fp32']:.2f}",
        )
        for row in document["rows"]
    ]
    labels = ("model", "mode", "target", "precision")
    numbers = (
        "best ms",
        "times as fast as ONNX Runtime fp32 (best)",
        "(median)",
        "as fp32 on the same target (median)",
    )
    return [Table("", (*(Column(label, False) for label in labels), *map(Column, numbers)), tuple(rows))]


def memory(document: Document) -> list[Table]:
    """A row per engine."""
    rows = [
        (
            f"{row['arch'].upper()}, {row['head_channels']}-channel head",
            row["mode"],
            f"{row['peak_bytes'] / 2**30:.2f}",
            "" if row["most_bytes"] is None else f"{row['most_bytes'] / 2**30:.0f}",
        )
        for row in document["rows"]
    ]
    return [Table("", (Column("model", False), *_columns("mode", "peak GiB", "at most")), tuple(rows))]


def mutations(document: Document) -> list[Table]:
    """A row per planted bug."""
    rows = [
        (row["name"], row["plants"], f"`{row['changes']}`", f"`{row['caught_by']}`" if row["passed"] else "**nothing**")
        for row in document["rows"]
    ]
    headings = ("bug", "what it does", "in", "caught by")
    return [Table("", tuple(Column(heading, False) for heading in headings), tuple(rows))]


def _columns(label: str, *numbers: str) -> tuple[Column, ...]:
    return (Column(label, is_number=False), *map(Column, numbers))


TABLES: dict[str, Callable[[Document], list[Table]]] = {
    "cpu_ratios": cpu_ratios,
    "camvid": camvid,
    "calibration_methods": calibration_methods,
    "precision_accuracy": precision_accuracy,
    "int8_speed": int8_speed,
    "parity": parity,
    "portability": portability,
    "precision_portability": precision_portability,
    "rtx_engines": rtx_engines,
    "memory": memory,
    "mutations": mutations,
}
