"""The names of the targets, and where each is declared; light enough for the command line to load."""

from __future__ import annotations

from segpp_deploy.config import Choice


class TargetName(Choice):
    """What `build-engine --target` takes.

    A line is the name and the place of the target's `TargetInfo`, "module:attribute" below `segpp_deploy.runtimes`.

    Example:
        >>> TargetName("cpu").declared_in
        'onnxruntime.info:CPU'
    """

    declared_in: str | None

    AUTO = "auto"
    CPU = "cpu", "onnxruntime.info:CPU"
    OPENVINO = "openvino", "openvino.info:OPENVINO"
    CUDA = "cuda", "onnxruntime.info:CUDA"
    TORCH = "torch", "torch.info:TORCH"
    TENSORRT = "tensorrt", "tensorrt.info:TENSORRT"
    TENSORRT_RTX = "tensorrt-rtx", "tensorrt.info:TENSORRT_RTX"

    def __new__(cls, value: str, declared_in: str | None = None) -> TargetName:
        """Make the member of this value; AUTO, which stands for another target, is declared nowhere."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.declared_in = declared_in
        return member
