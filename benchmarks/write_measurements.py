"""Write docs/measurements.md from the recorded results; a result that was not recorded has no section.

python benchmarks/write_measurements.py
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from result_tables import TABLES, Document

from segpp_deploy.files import write_text
from segpp_deploy.report.tables import to_markdown

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results"
PAGE = ROOT / "docs/measurements.md"
INTRODUCTION = """\
# Measurements

<!-- written by benchmarks/write_measurements.py; edits here are lost -->

Recorded by the scripts in [benchmarks](../benchmarks), which also hold the bars and fail where one is missed. They are
for the machine and the versions named; measure on yours."""


@dataclass(frozen=True)
class Section:
    """How one result file is presented; `packages` are those whose version matters."""

    heading: str
    text: str
    packages: tuple[str, ...]
    names_cpu_features: bool = False


SECTIONS = {
    "cpu_ratios": Section(
        "Speed against a plain export",
        "How many times as fast as a plain `torch.onnx.export` of the unfolded model in mode `original`: ONNX Runtime, "
        "float32, {size}, batch 1; normalised float pictures in, logits out; {rounds} rounds in which all variants "
        "take turns. Ratios of the best times, and the median of each round's ratio; the bar is for the latter.",
        ("torch", "onnx", "onnxruntime"),
    ),
    "camvid": Section(
        "Accuracy on CamVid",
        "SegFormer-B0 trained on CamVid, its whole validation split at {size}. Engines for the target `{target}`, "
        "beside the unfolded float32 PyTorch model in the same mode, and beside the engine `original`.",
        ("torch", "onnx", "onnxruntime"),
    ),
    "parity": Section(
        "Exported graphs against PyTorch",
        "The largest error of any logit: exported graphs on ONNX Runtime against the unfolded PyTorch model, both "
        "float32; the bar is {bar:.0e}. Four sizes (512x512, 480x640, 384x288, 512x1024) in batches of 1 and 3 make "
        "eight combinations. Where two similarities are nearly equal, rounding decides which tokens merge: a "
        "combination that met such a tie was tried with other pictures, {max_tries} times at most. What is not listed "
        "was not measured.",
        ("torch", "onnx", "onnxruntime"),
    ),
    "portability": Section(
        "One graph, three runtimes",
        "Portable graphs (uint8 pictures in, labels out, random weights) that TensorRT-RTX parses and builds for "
        "compute capability {compute_capability} without a GPU, and on which OpenVINO and ONNX Runtime agree, both in "
        "float32, for at least {least_agreement:.1%} of the pixels. What is not listed was not measured.",
        ("onnx", "onnxruntime", "openvino", "tensorrt_rtx"),
    ),
    "rtx_engines": Section(
        "Engines for TensorRT-RTX",
        "Built by `build-engine --target tensorrt-rtx` on a machine without a GPU, for compute capabilities "
        "{compute_capabilities}: uint8 pictures in, labels out, {precision}, random weights. `right` means that the "
        "manifest names the runtime, the GPUs, the number formats read back from the network, and the hashes and "
        "shapes of what was built. No GPU has run these engines yet. The machine did other work at the same "
        "time, so the build times are upper bounds.",
        ("onnx", "tensorrt_rtx"),
    ),
    "calibration_methods": Section(
        "Calibration methods",
        "SegFormer-B0 trained on CamVid at {size}, every convolution and linear layer but the depthwise ones in INT8, "
        "on ONNX Runtime. Ranges from images of the training split, spread evenly; mIoU of the validation split, "
        "beside the float32 graph in the same mode.",
        ("onnx", "onnxruntime"),
    ),
    "precision_accuracy": Section(
        "fp16, bf16 and int8 beside fp32",
        "SegFormer-B0: trained on CamVid, at 360x480, and the demo's model on procedural scenes, at 512x1024. "
        "Calibrated on {calibration_images} training pictures and judged on held-out ones by `build-engine`: every "
        "layer that the target's recipe covers is reduced, none was returned. fp32 is the same mode. Engines of "
        "TensorRT-RTX were built but not run: the same graph was judged on the CPU, where every result that it makes "
        "in fp16 was rounded to fp16, and sums are float32, as on a GPU. Bars: a loss of {most_points} points of mIoU; "
        "for fp16 {most_points_fp16} points and {least_agreement_fp16:.1%} of the pixels.",
        ("onnx", "onnxruntime", "openvino", "tensorrt_rtx"),
        names_cpu_features=True,
    ),
    "int8_speed": Section(
        "Speed of int8 and bf16 on a CPU",
        "{size}, batch 1, uint8 pictures in, labels out, random weights; {rounds} rounds in which all engines of a "
        "model and mode take turns. Every layer that the target's recipe covers is in int8 (`--placement all`). What "
        "is not listed was not measured, or this CPU cannot compute it.",
        ("onnx", "onnxruntime", "openvino"),
        names_cpu_features=True,
    ),
    "precision_portability": Section(
        "fp16 and int8 in TensorRT",
        "Portable graphs (uint8 pictures in, labels out, random weights) at {size} that TensorRT-RTX parses and builds "
        "for compute capability {compute_capability} without a GPU, strongly typed: `int8` over float32, `int8-fp16` "
        "over fp16. Convolutions and linear layers are counted by the type that was read back from TensorRT's network. "
        "What is not listed was not measured.",
        ("onnx", "tensorrt_rtx"),
    ),
    "memory": Section(
        "Peak memory",
        "The most resident memory of a process that loads an engine for the target `{target}` and runs it {runs} times "
        "at {size}, batch 1: interpreter, libraries, weights and activations.",
        ("onnxruntime",),
    ),
    "mutations": Section(
        "Bugs planted in the CUDA kernels",
        "Each bug was planted in a copy of the kernels, compiled for the CPU and run by the tests of its op, which "
        "pass without it. Named is the first test that failed.",
        ("torch",),
    ),
}


def render_page(documents: dict[str, Document]) -> str:
    """Return the page for the contents of result files by name."""
    parts = [INTRODUCTION]
    for name, section in SECTIONS.items():
        if name in documents:
            parts += render_section(name, section, documents[name])
    return "\n\n".join(parts) + "\n"


def render_section(name: str, section: Section, document: Document) -> list[str]:
    """Return heading, text, tables and conditions."""
    parts = [f"## {section.heading}", section.text.format(**document)]
    for table in TABLES[name](document):
        parts += [f"### {table.title}"] if table.title else []
        parts.append(to_markdown(table))
    return [*parts, describe_conditions(name, section, document)]


def describe_conditions(name: str, section: Section, document: Document) -> str:
    """Return when, where and with what the figures were taken."""
    machine, packages = document["environment"], document["environment"]["packages"]
    commits = dict.fromkeys(row.get("commit", document["commit"]) for row in document["rows"])
    versions = ", ".join(f"{package} {packages[package]}" for package in section.packages if package in packages)
    memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else "unknown memory"
    script = f"`python benchmarks/{name}.py`, [{name}.json](../benchmarks/results/{name}.json)"
    cpu = f"{machine['cpu']}, {machine['cpu_cores']} cores"
    if section.names_cpu_features:
        cpu += f" with {' '.join(machine['cpu_features'])}"
    system = f"{cpu}, {memory}, {machine['os']}, {machine['python']}"
    return f"{script}, {document['measured']}, commit {', '.join(commits)}: {system}, {versions}."


def read_results() -> dict[str, Document]:
    """Return the result files that exist, by name."""
    paths = {name: RESULTS / f"{name}.json" for name in SECTIONS}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


if __name__ == "__main__":
    write_text(PAGE, render_page(read_results()))
