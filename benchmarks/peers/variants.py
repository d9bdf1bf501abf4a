"""Who is measured: other tools in the precisions they offer, and this one in every mode, target and precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segpp_deploy.config import Arch, Choice, Precision, Preset, Size


class Maker(Choice):
    """What runs the model, and how it came there."""

    EXPORT = "export-ort"
    OPTIMUM = "optimum-ort"
    EAGER = "eager"
    COMPILED = "compiled"
    TOMESD = "tomesd"
    OPENVINO = "export-openvino"
    OURS_ONNXRUNTIME = "ours-ort"
    OURS_OPENVINO = "ours-openvino"


TITLES = {
    Maker.EXPORT: "`torch.onnx.export`, ONNX Runtime",
    Maker.OPTIMUM: "optimum, ONNX Runtime",
    Maker.EAGER: "transformers",
    Maker.COMPILED: "transformers, `torch.compile`",
    Maker.TOMESD: "transformers with tomesd",
    Maker.OPENVINO: "`torch.onnx.export`, OpenVINO",
    Maker.OURS_ONNXRUNTIME: "segpp-deploy, `cpu`",
    Maker.OURS_OPENVINO: "segpp-deploy, `openvino`",
}
PRECISIONS = {
    Maker.EXPORT: (Precision.FP32,),
    Maker.OPTIMUM: (Precision.FP32,),
    Maker.EAGER: (Precision.FP32, Precision.BF16),
    Maker.COMPILED: (Precision.FP32, Precision.BF16),
    Maker.TOMESD: (Precision.FP32, Precision.BF16),
    Maker.OPENVINO: (Precision.FP32, Precision.BF16, Precision.INT8),
    Maker.OURS_ONNXRUNTIME: (Precision.FP32, Precision.INT8),
    Maker.OURS_OPENVINO: (Precision.FP32, Precision.BF16, Precision.INT8),
}
LEAST_AGREEMENT = {Precision.FP32: 0.99, Precision.BF16: 0.98, Precision.INT8: 0.9}
"""The share of labels that are PyTorch's in float32. Random weights leave near ties, which int8 decides its own way,
and bf16 too: of a B5 transformers itself keeps 98.8 % of the labels in bf16."""

OURS = (Maker.OURS_ONNXRUNTIME, Maker.OURS_OPENVINO)


@dataclass(frozen=True)
class Variant:
    """One way to run the model."""

    maker: Maker
    precision: Precision
    mode: Preset

    @property
    def name(self) -> str:
        """What identifies it on the terminal and in file names."""
        return f"{self.maker}-{self.precision}-{self.mode}"


@dataclass(frozen=True)
class Case:
    """A variant of a model at an image size."""

    arch: Arch
    size: Size
    variant: Variant


def all_variants() -> Iterator[Variant]:
    """Yield them in the order in which rows are listed; the first is what the others are compared with."""
    for maker, precisions in PRECISIONS.items():
        for mode in _modes(maker):
            for precision in precisions:
                yield Variant(maker, precision, mode)


def _modes(maker: Maker) -> tuple[Preset, ...]:
    if maker in OURS:
        return tuple(Preset)
    return (Preset.FAST if maker is Maker.TOMESD else Preset.ORIGINAL,)


VARIANTS = tuple(all_variants())
BASELINE = VARIANTS[0]
