"""Families of checkpoints that look like ours and are not: named for what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from segpp_deploy.errors import SegppError

_EXPECTED = "a SegFormer or SegFormer++ checkpoint of NVlabs, mmsegmentation, mmpose or Hugging Face."
_LORA = re.compile(r"\.lora_(A|B|embedding_A|embedding_B)\.|\.base_layer\.|\.modules_to_save\.")


@dataclass(frozen=True)
class _Family:
    """Names that only this family uses, and what to do."""

    title: str
    signature: str
    fix: str


_FAMILIES = (
    _Family(
        "a model of segmentation_models_pytorch",
        r"decoder\.mlp_stage\.|segmentation_head\.0\.",
        "Train with Hugging Face or mmsegmentation, or export this one with torch.onnx.export.",
    ),
    _Family(
        "a model of timm",
        r"stages\.\d\.blocks\.\d+\.(attn\.qkv|conv_dw)\.|blocks\.\d+\.attn\.qkv\.|head\.fc\.",
        "timm has no SegFormer: train one with Hugging Face or mmsegmentation.",
    ),
    _Family(
        "a Mask2Former or MaskFormer",
        r"pixel_level_module\.|sem_seg_head\.predictor\.|transformer_module\.",
        "Export it with Optimum or torch.onnx.export.",
    ),
    _Family(
        "a YOLO of Ultralytics",
        r"model\.\d+\.(conv|cv1\.conv)\.weight",
        "Export it with Ultralytics: yolo export model=FILE format=engine",
    ),
    _Family(
        "a model of torchvision",
        r"backbone\.(layer1\.0\.conv1|features\.0)\.|classifier\.4\.weight",
        "Export it with torch.onnx.export.",
    ),
)


def require_no_adapters(names: Iterable[str], where: str) -> None:
    """Refuse the low-rank pairs of PEFT: without being added to the weights they would be lost.

    Raises:
        SegppError: there are some.
    """
    if any(_LORA.search(name) for name in names):
        raise peft_error(where)


def peft_error(where: str) -> SegppError:
    """Build the refusal of LoRA adapters."""
    return SegppError(
        f"{where} holds LoRA adapters (PEFT) beside or without the weights they change.",
        "weights into which the adapters are merged.",
        "Merge them where the model was trained, and give the new folder: "
        'model = model.merge_and_unload(); model.save_pretrained("merged")',
    )


def foreign_family_error(names: Iterable[str], where: str) -> SegppError | None:
    """Return the refusal of a known family, or None."""
    listed = list(names)
    for family in _FAMILIES:
        signature = re.compile(rf"(^|\.)({family.signature})")
        if any(signature.search(name) for name in listed):
            return SegppError(f"{where} is {family.title}, no SegFormer as published.", _EXPECTED, family.fix)
    return None
