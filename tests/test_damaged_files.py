"""Whatever happened to a file, reading it succeeds or is an error of ours: no other exception, no hang.

A few seeded mutations of every kind of file run with the suite; many more with, for example,

    SEGPP_MUTATIONS=5000 python -m pytest -n 2 tests/test_damaged_files.py
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx_ir as ir
import pytest
import torch
import yaml
from safetensors.torch import save_file

from segpp_deploy.config import Arch, CalibrationMethod, Size
from segpp_deploy.data.image_header import PNG_SIGNATURE
from segpp_deploy.data.images import read_image, read_labels
from segpp_deploy.data.video import probe_video, read_frames
from segpp_deploy.data.video_writer import open_video_writer
from segpp_deploy.engine import manifest as manifests
from segpp_deploy.engine.manifest import manifest_path, read_manifest
from segpp_deploy.errors import SegppError, command_line
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.precision import ranges as range_files
from segpp_deploy.graph.precision.layers import find_layers
from segpp_deploy.graph.precision.ranges import CalibrationImages, CalibrationRanges, TensorRange, read_ranges
from segpp_deploy.model.plan_file import load_plan
from segpp_deploy.model.weights.cards import load_card
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from segpp_deploy.plugin_library.record import PluginRecord, dump_record, read_record
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.plugin_library.tensorrt_headers import find_tensorrt_headers
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.inspect.run import run_inspect
from tests.data.conftest import png_bytes
from tests.support.damage import damaged
from tests.support.tiny_graphs import write_tiny

COUNT = int(os.environ.get("SEGPP_MUTATIONS", "40"))
MOST_SECONDS = 3.0  # of CPU time for one file
MOST_CHARACTERS = 9000  # of one message
RGB = np.random.default_rng(0).integers(0, 256, (13, 17, 3)).astype(np.uint8)
LABELS = (np.arange(13 * 17) % 5).astype(np.uint8).reshape(13, 17)
TENSORS = {
    "backbone.layers.0.0.projection.weight": torch.ones(32, 3, 7, 7),
    "decode_head.conv_seg.weight": torch.ones(3, 256, 1, 1),
    "decode_head.conv_seg.bias": torch.zeros(3),
}
PLAN = "stages: [{kv: {mode: bsm, ratio: 0.6, stride: [2, 2]}}, {}, {q: {mode: n2d, stride: [2, 2]}}, {}]\n"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        write: makes a whole one, and what belongs beside it, in a folder; returns the one to damage.
        read: reads it the way a command does.
        repair: makes checksums right again, so that damage gets past them.
    """

    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    repair: Callable[[bytes], bytes] = bytes


def writer(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# --- graphs and engines


def write_onnx(folder: Path) -> Path:
    return write_tiny(folder / "m.onnx")


def read_onnx(path: Path) -> None:
    show(path)
    graph = read_graph(path)
    find_layers(ir.from_proto(graph.model))


def show(path: Path) -> None:
    """Put together all that `inspect` prints."""
    result = run_inspect(str(path))
    for table in result.tables():
        to_markdown(table)
    to_json(result.to_dict())


def build_onnx(path: Path) -> None:
    run_build(path, path.with_suffix(".engine"), BuildOptions(TargetName.CPU))


def write_engine(folder: Path) -> Path:
    return run_build(write_tiny(folder / "m.onnx"), folder / "m.engine", BuildOptions(TargetName.CPU)).path


def write_manifest(folder: Path) -> Path:
    return manifest_path(write_engine(folder))


def inspect_engine_of(manifest: Path) -> None:
    show(manifest.with_suffix(""))
    read_manifest(manifest.with_suffix(""))


def with_checksum(content: bytes, checksum: Callable[[dict[str, Any]], str], dump: Callable[[Any], str]) -> bytes:
    try:
        values = yaml.safe_load(content) if dump is yaml.safe_dump else json.loads(content)
        values.pop("checksum", None)
        return dump({**values, "checksum": checksum(values)}).encode()
    except Exception:
        return content


# --- weights


def write_safetensors(folder: Path) -> Path:
    save_file(TENSORS, str(folder / "w.safetensors"), metadata={"classes": '["a", "b", "c"]', "mean": "1, 2, 3"})
    return folder / "w.safetensors"


def write_torch(folder: Path, *, is_zip: bool) -> Path:
    palette = np.array([[1, 2, 3]] * 3, np.uint8)
    small = {name: tensor.flatten()[:40].clone() for name, tensor in TENSORS.items()}
    content = {"meta": {"dataset_meta": {"classes": ("a", "b", "c"), "palette": palette}}, "state_dict": small}
    torch.save(content, folder / "w.pth", _use_new_zipfile_serialization=is_zip)
    return folder / "w.pth"


def write_hugging_face(folder: Path, damaged_file: str) -> Path:
    names = {"0": "a", "1": "b", "2": "c"}
    config = {"model_type": "segformer", "num_encoder_blocks": 4, "strides": [4, 2, 2, 2], "id2label": names}
    processor = {"do_rescale": True, "rescale_factor": 0.0039, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2] * 3}
    index = {"weight_map": dict.fromkeys(TENSORS, "model-00001-of-00001.safetensors")}
    for name, content in (("config", config), ("preprocessor_config", processor)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    write_safetensors(folder).rename(folder / "model-00001-of-00001.safetensors")
    return folder / damaged_file


def hugging_face(damaged_file: str) -> Kind:
    return Kind(lambda folder: write_hugging_face(folder, damaged_file), lambda path: load_checkpoint(path.parent))


# --- text files of our own

CARD = """\
name: card
title: A card
arch: b0
task: seg
classes: [{name: road, color: [128, 64, 128]}, {name: sky}]
input_size: 64x96
normalization: {mean: [123.7, 116.3, 103.5], std: [58.4, 57.1, 57.4]}
checkpoint: {file: w.safetensors, sha256: %s}
metrics: [{name: mIoU, value: 59.3, data: "CamVid, val", protocol: whole pictures}]
licence: CC-BY-4.0
provenance: trained here
notes: [first, second]
""" % ("ab" * 32)
RANGES = CalibrationRanges(
    schema_version=1,
    model="ab" * 32,
    arch=Arch.B0,
    mode="fast",
    size=(64, 96),
    method=CalibrationMethod.MSE,
    images=CalibrationImages(count=2, sha256="cd" * 32),
    data="scenes#train",
    tool_version="0.0.0",
    tensors={f"layer.{index}.out": TensorRange(amax=1.5, max_abs=2.0 + index) for index in range(8)},
)
RECORD = PluginRecord(
    kind=LibraryKind.HOST,
    architectures=(),
    ptx=None,
    sha256="ab" * 32,
    source_sha256="cd" * 32,
    cuda_version="13.0",
    tensorrt_version="10.14.1",
    compiler="g++ 12",
    machine="x86_64",
    tool_version="0.0.0",
    build_seconds=1.5,
    created="2026-01-02T03:04:05+00:00",
)
HEADER = "".join(
    f"#define NV_TENSORRT_{part} {value}\n" for part, value in (("MAJOR", 10), ("MINOR", 14), ("PATCH", 1))
)


def write_record(folder: Path) -> Path:
    return writer("lib.so.json", dump_record(RECORD))(folder)


def write_header(folder: Path) -> Path:
    (folder / "NvInfer.h").write_text("")
    return writer("NvInferVersion.h", HEADER)(folder)


# --- pictures and video


def with_png_checksums(content: bytes) -> bytes:
    """Return a PNG with the CRC of every chunk made right."""
    fixed, position = bytearray(content), len(PNG_SIGNATURE)
    while position + 12 <= len(content):
        end = position + 8 + int(struct.unpack_from(">I", content, position)[0])
        if end + 4 > len(content):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(content[position + 4 : end]))
        position = end + 4
    return bytes(fixed)


def picture(suffix: str) -> Kind:
    pixels = cv2.resize(RGB, (48, 40))
    return Kind(writer(f"p{suffix}", cv2.imencode(suffix, pixels)[1].tobytes()), read_image)


def write_video(folder: Path, suffix: str) -> Path:
    with open_video_writer(folder / f"v{suffix}", 5.0, Size(32, 48)) as video:
        for shade in (10, 120, 250):
            video.write(np.full((32, 48, 3), shade, np.uint8))
    return folder / f"v{suffix}"


def read_video(path: Path) -> None:
    probe_video(path)
    for _ in zip(read_frames(path), range(20), strict=False):
        pass


def video(suffix: str) -> Kind:
    return Kind(lambda folder: write_video(folder, suffix), read_video)


EXIF = (b"eXIf", b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0))
PALETTE = (b"PLTE", bytes(range(30)))
PNGS = {
    "png": png_bytes(RGB, 2, extra=(EXIF,)),
    "png16": png_bytes(RGB.astype(np.uint16) * 257, 2, bit_depth=16),
}
LABEL_PNGS = {
    "grey": png_bytes(LABELS, 0),
    "palette": png_bytes(LABELS, 3, extra=(PALETTE,)),
    "4bit": png_bytes(LABELS, 0, 4),
}
KINDS = {
    "onnx": Kind(write_onnx, read_onnx),
    "onnx-build": Kind(write_onnx, build_onnx),
    "engine": Kind(write_engine, lambda path: load_onnxruntime(path.read_bytes(), LoadOptions())),
    "manifest": Kind(write_manifest, inspect_engine_of),
    "manifest-edited": Kind(
        write_manifest,
        inspect_engine_of,
        lambda content: with_checksum(content, manifests._checksum, json.dumps),
    ),
    "safetensors": Kind(write_safetensors, load_checkpoint),
    "torch-zip": Kind(lambda folder: write_torch(folder, is_zip=True), load_checkpoint),
    "torch-pickle": Kind(lambda folder: write_torch(folder, is_zip=False), load_checkpoint),
    "hf-config": hugging_face("config.json"),
    "hf-processor": hugging_face("preprocessor_config.json"),
    "hf-index": hugging_face("model.safetensors.index.json"),
    "card": Kind(writer("card.yaml", CARD), lambda path: load_card(str(path)).class_table()),
    "plan": Kind(writer("plan.yaml", PLAN), lambda path: (show(path), load_plan(str(path)))),
    "ranges": Kind(writer("r.yaml", range_files.format_ranges(RANGES)), lambda path: read_ranges(path).thresholds()),
    "ranges-edited": Kind(
        writer("r.yaml", range_files.format_ranges(RANGES)),
        lambda path: read_ranges(path).thresholds(),
        lambda content: with_checksum(content, range_files._checksum, yaml.safe_dump),
    ),
    "plugin-record": Kind(write_record, lambda path: read_record(path.with_suffix("")).describe()),
    "tensorrt-header": Kind(write_header, lambda path: find_tensorrt_headers(path.parent)),
    **{
        f"labels-{name}": Kind(writer("l.png", png), read_labels, with_png_checksums)
        for name, png in LABEL_PNGS.items()
    },
    **{name: Kind(writer("p.png", png), read_image, with_png_checksums) for name, png in PNGS.items()},
    "png-checksums": Kind(writer("p.png", PNGS["png"]), read_image),
    **{suffix[1:]: picture(suffix) for suffix in (".jpg", ".webp", ".tif", ".bmp")},
    **{suffix[1:]: video(suffix) for suffix in (".avi", ".mp4")},
}


@pytest.mark.parametrize("name", KINDS)
def test_damage_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path)
    whole = path.read_bytes()
    assert find_fault(kind, path) is None
    faults = {}
    for seed in (f"{name} {number}" for number in range(COUNT)):
        path.write_bytes(kind.repair(damaged(whole, seed)))
        if fault := find_fault(kind, path):
            faults[seed] = fault
    assert not faults


def find_fault(kind: Kind, path: Path) -> str | None:
    """Read a file; return what is wrong with the outcome."""
    start, message = time.process_time(), ""
    try:
        kind.read(path)
    except SegppError as error:
        with command_line():
            message = str(error)
    except Exception as error:
        return f"escaped as {type(error).__name__}: {str(error)[:200]}"
    if time.process_time() - start > MOST_SECONDS:
        return f"took {time.process_time() - start:.1f} s"
    if len(message) > MOST_CHARACTERS:
        return f"is told in {len(message)} characters"
    return None if all(letter.isprintable() or letter in "\n\t" for letter in message) else f"is told as {message!r}"
