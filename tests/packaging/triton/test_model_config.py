"""Configurations are read with Triton's own messages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.config import InputKind, LabelsLayout, OutputForm, OutputKind, Precision, TaskName
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.cpu import require_threads
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.packaging.triton.model_config import format_config
from segpp_deploy.packaging.triton.models import find_models
from segpp_deploy.runtimes.builder_options import DEFAULT_MAX_BATCH
from segpp_deploy.runtimes.names import TargetName
from tests.packaging.triton.conftest import BuildStub, FakeEngine, dynamic
from tests.support.tiny_graphs import tiny_metadata
from tests.support.triton_messages import triton_messages

H, W = 64, 96
NHWC = OutputForm("mask", LabelsLayout.NHWC, confidence=True)
CONTRACTS = {
    "bytes": tiny_metadata(),
    "batch of 4": tiny_metadata(batch=4),
    "open batch": dynamic(),
    "float": tiny_metadata(OutputKind.LABELS_INT64, InputKind.FLOAT),
    "float255": tiny_metadata(OutputKind.LABELS_INT32, InputKind.FLOAT255),
    "trailing channel": replace(dynamic(), output_form=NHWC),
    "logits": dynamic(tiny_metadata(OutputKind.LOGITS)),
    "heatmaps": tiny_metadata(OutputKind.HEATMAPS),
    "keypoints": replace(tiny_metadata(OutputKind.KEYPOINTS), task=TaskName.POSE),
}
IMAGES = {
    InputKind.UINT8: ("TYPE_UINT8", (H, W, 3)),
    InputKind.FLOAT: ("TYPE_FP32", (3, H, W)),
    InputKind.FLOAT255: ("TYPE_FP32", (3, H, W)),
}
OUTPUTS = {
    OutputKind.LABELS: ("TYPE_UINT8", (H, W)),
    OutputKind.LABELS_INT32: ("TYPE_INT32", (H, W)),
    OutputKind.LABELS_INT64: ("TYPE_INT64", (H, W)),
    OutputKind.LOGITS: ("TYPE_FP32", (3, 16, 24)),
    OutputKind.HEATMAPS: ("TYPE_FP32", (3, 16, 24)),
    OutputKind.KEYPOINTS: ("TYPE_FP32", (3, 3)),
}
KINDS = {"KIND_GPU": 1, "KIND_CPU": 2}


def parse_config(text: str) -> Any:
    messages = triton_messages()
    from google.protobuf import text_format

    return text_format.Parse(text, messages.ModelConfig())


def config_of(*paths: Path) -> Any:
    (model,) = find_models([PackagedEngine(path, read_manifest(path)) for path in paths], None)
    return parse_config(format_config(model))


def tensors_of(config: Any) -> list[tuple[str, str, tuple[int, ...]]]:
    messages = triton_messages()
    return [
        (tensor.name, messages.DataType.Name(tensor.data_type), tuple(tensor.dims))
        for tensor in (*config.input, *config.output)
    ]


def expected_tensors(metadata: ExportMetadata, batch: tuple[int, ...]) -> list[tuple[str, str, tuple[int, ...]]]:
    (in_type, in_dims), (out_type, out_dims) = IMAGES[metadata.input_kind], OUTPUTS[metadata.output_kind]
    form = metadata.output_form
    channel = (1,) if form.layout is LabelsLayout.NHWC else ()
    kind = metadata.output_kind
    name = form.name or ("labels" if kind.is_labels else str(kind))
    tensors = [("image", in_type, (*batch, *in_dims)), (name, out_type, (*batch, *out_dims, *channel))]
    if form.confidence:
        tensors.append(("confidence", "TYPE_UINT8", (*batch, *out_dims, *channel)))
    return tensors


def parameters_of(config: Any) -> dict[str, str]:
    return {name: value.string_value for name, value in config.parameters.items()}


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO, TargetName.CUDA, TargetName.TENSORRT])
@pytest.mark.parametrize("metadata", CONTRACTS.values(), ids=CONTRACTS)
def test_every_contract_on_every_backend(
    metadata: ExportMetadata, target: TargetName, build_stub: BuildStub, fake_engine: FakeEngine
) -> None:
    here = target in (TargetName.CPU, TargetName.OPENVINO)
    engine = build_stub(target, metadata) if here else fake_engine("a.engine", metadata=metadata, target=target)
    config = config_of(engine)
    joins = metadata.batch is None and target is not TargetName.OPENVINO
    assert config.max_batch_size == (DEFAULT_MAX_BATCH if joins else 0)
    assert config.HasField("dynamic_batching") is joins
    batch = () if joins else (metadata.batch or -1,)
    assert tensors_of(config) == expected_tensors(metadata, batch)
    (group,) = config.instance_group
    assert group.count == 1
    assert group.kind == KINDS["KIND_GPU" if target in (TargetName.CUDA, TargetName.TENSORRT) else "KIND_CPU"]
    (warmup,) = config.model_warmup
    image = warmup.inputs["image"]
    assert image.zero_data
    assert (warmup.batch_size, warmup.count) == (1, 3)
    assert tuple(image.dims) == (() if joins else (metadata.batch or 1,)) + IMAGES[metadata.input_kind][1]
    assert image.data_type == config.input[0].data_type


@pytest.mark.parametrize(
    ("target", "backend", "file"),
    [
        (TargetName.CPU, "onnxruntime", "model.onnx"),
        (TargetName.CUDA, "onnxruntime", "model.onnx"),
        (TargetName.OPENVINO, "openvino", "model.onnx"),
        (TargetName.TENSORRT, "tensorrt", "model.plan"),
    ],
)
def test_backends_and_their_files(target: TargetName, backend: str, file: str, fake_engine: FakeEngine) -> None:
    config = config_of(fake_engine("street.engine", target=target))
    assert (config.name, config.backend, config.default_model_filename) == ("street", backend, file)


def test_tensorrt_joins_requests_up_to_its_profile(fake_engine: FakeEngine) -> None:
    config = config_of(fake_engine("a.engine", metadata=dynamic(), max_batch=3))
    assert config.max_batch_size == 3
    assert config.dynamic_batching.max_queue_delay_microseconds == 100


def test_engines_for_several_gpus_are_one_model(fake_engine: FakeEngine) -> None:
    ada = fake_engine("ada.engine", "8.9", metadata=dynamic(), max_batch=16)
    blackwell = fake_engine("blackwell.engine", "12.0", metadata=dynamic(), max_batch=4)
    config = config_of(ada, blackwell)
    assert config.name == "ada"
    assert dict(config.cc_model_filenames) == {"8.9": "model-8.9.plan", "12.0": "model-12.0.plan"}
    assert config.default_model_filename == ""
    assert config.max_batch_size == 4  # what every one of them takes


def test_backends_compute_as_our_sessions_do(build_stub: BuildStub) -> None:
    threads = require_threads(1)
    cpu = build_stub(TargetName.CPU, tiny_metadata(), threads=threads)
    assert parameters_of(config_of(cpu)) == {"intra_op_thread_count": "1", "enable_mem_pattern": "0"}
    cpu = build_stub(TargetName.CPU, tiny_metadata())
    assert parameters_of(config_of(cpu)) == {"enable_mem_pattern": "0"}
    openvino = build_stub(TargetName.OPENVINO, tiny_metadata(), threads=threads)
    assert parameters_of(config_of(openvino)) == {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": "1"}


def test_openvino_is_told_of_bf16(fake_engine: FakeEngine) -> None:
    engine = fake_engine("a.engine", target=TargetName.OPENVINO)
    packaged = PackagedEngine(engine, read_manifest(engine).model_copy(update={"precision": Precision.BF16}))
    (model,) = find_models([packaged], None)
    assert parameters_of(parse_config(format_config(model)))["HINT_BF16"] == "YES"
