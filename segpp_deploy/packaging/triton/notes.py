"""What users should know of models that are served in another way than they were built and tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from segpp_deploy.config import Precision
from segpp_deploy.packaging.triton.containers import ONNXRUNTIME_VERSIONS, TENSORRT_VERSIONS
from segpp_deploy.packaging.triton.served_model import BackendName, ServedModel


def notes_of(models: Sequence[ServedModel], release: str | None) -> tuple[str, ...]:
    """Return the notes, each once.

    Args:
        models: what is served.
        release: of Triton, whose container serves them; None where none is known to fit.
    """
    return tuple(dict.fromkeys(_notes(models, release)))


def _notes(models: Iterable[ServedModel], release: str | None) -> Iterator[str]:
    for model in models:
        for engine in model.engines:
            yield from engine.manifest.notes
        match model.backend.name:
            case BackendName.TENSORRT:
                yield from _tensorrt_notes(model, release)
            case BackendName.ONNXRUNTIME:
                yield from _onnxruntime_notes(model, release)
            case BackendName.OPENVINO:
                yield from _openvino_notes(model)


def _tensorrt_notes(model: ServedModel, release: str | None) -> Iterator[str]:
    if release is None:
        known = ", ".join(dict.fromkeys(TENSORRT_VERSIONS.values()))
        yield (
            f"No container of Triton is known here whose TensorRT is {model.manifest.runtime.version}, and engines run "
            f"with no other version: set TRITON_IMAGE. Known are {known}."
        )


def _onnxruntime_notes(model: ServedModel, release: str | None) -> Iterator[str]:
    built, there = model.manifest.runtime.version, ONNXRUNTIME_VERSIONS.get(release or "")
    if built != there:
        yield f"{model.name} was built with ONNX Runtime {built}; the container has {there or 'another version'}."
    if model.manifest.precision is Precision.INT8:
        yield (
            f"{model.name}: on x86 CPUs without VNNI sums of int8 products may saturate: Triton's ONNX Runtime backend "
            f"lacks the option against it."
        )


def _openvino_notes(model: ServedModel) -> Iterator[str]:
    built = model.manifest.runtime.version
    yield f"{model.name} was built with OpenVINO {built}; which version the container has is not known here."
    if model.manifest.precision is Precision.FP32:
        yield (
            f"{model.name}: Triton's OpenVINO backend cannot be told to compute in float32, and on CPUs with bfloat16 "
            f"computes in that."
        )
    if model.manifest.metadata.batch is None:
        yield f"{model.name}: Triton's OpenVINO backend joins no requests; one request may hold a batch."
