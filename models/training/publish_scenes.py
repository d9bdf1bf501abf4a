"""Turn a finished training run into what `models/` ships: float16 weights and the model card with measured accuracy.

    python models/training/publish_scenes.py --run runs/scenes-b0

The accuracy is that of the shipped file: it is written, loaded again, and run on held-out scenes in each merge mode.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from confusion import iou_percent
from numpy.typing import NDArray
from scene_crops import Recipe
from scene_evaluation import count_confusions
from train_scenes import PROCESSES, new_model
from trained_weights import compact_tensors, describe, save

from segpp_deploy.config import Arch, Preset, TaskName
from segpp_deploy.data.scenes import DEFAULT_SCENE_SIZE, HELD_OUT_SEED, SCENE_CLASSES
from segpp_deploy.files import sha256_of, write_text
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.weights.card_schema import CardCheckpoint, CardClass, CardMetric, CardNormalization, ModelCard
from segpp_deploy.model.weights.checkpoint import load_checkpoint

NAME = "segformer_b0_scenes"
MODES = (
    Preset.ORIGINAL,
    Preset.HQ,
    Preset.FAST,
    Preset.HQ_REUSE,
    Preset.FAST_REUSE,
    Preset.HQ_PLUS,
    Preset.FAST_PLUS,
    Preset.POOL_2X2,
)


def write_weights(run: Path, target: Path) -> int:
    """Write the run's last checkpoint; return its step."""
    state = torch.load(run / "last.pt", weights_only=True)
    model = new_model(Recipe.seed)
    model.load_state_dict(state["model"])
    note = f"trained from random weights on generated street scenes, {state['step']} steps"
    save(compact_tensors(model), target, describe(model, SCENE_CLASSES, note))
    return int(state["step"])


def measure(weights: Path, seeds: range) -> dict[Preset, NDArray[np.float64]]:
    """Return the IoU in percent of each class, per mode, of the written file."""
    model = fold_model(load_checkpoint(weights).model)
    confusions = count_confusions(model, seeds, MODES)
    return {mode: iou_percent(confusion) for mode, confusion in confusions.items()}


def make_card(weights: Path, scores: dict[Preset, NDArray[np.float64]], seeds: range) -> ModelCard:
    """Describe the written file."""
    recipe = Recipe()
    crops = ", then ".join(
        f"{stage.steps} steps of {PROCESSES} x {stage.batch_per_process} crops {stage.crop_height}x{stage.crop_width}"
        for stage in recipe.stages
    )
    data = f"generated scenes, seeds {seeds.start} .. {seeds.stop - 1}, {DEFAULT_SCENE_SIZE}"
    original = zip(SCENE_CLASSES.names, scores[Preset.ORIGINAL], strict=True)
    return ModelCard(
        name=NAME,
        title="SegFormer-B0 for generated street scenes (10 classes), the demo model",
        arch=Arch.B0,
        task=TaskName.SEG,
        classes=tuple(
            CardClass(name=name, color=color)
            for name, color in zip(SCENE_CLASSES.names, SCENE_CLASSES.palette, strict=True)
        ),
        input_size=DEFAULT_SCENE_SIZE,
        checkpoint=CardCheckpoint(file=weights.name, sha256=sha256_of(weights)),
        metrics=tuple(
            CardMetric(
                name="mIoU",
                value=round(float(iou.mean()), 2),
                mode=str(mode),
                data=data,
                protocol="whole image, float32 PyTorch, logits upsampled to the image",
            )
            for mode, iou in scores.items()
        ),
        normalization=CardNormalization(),
        licence="Apache-2.0",
        provenance=(
            "Trained from random weights by models/training/train_scenes.py: "
            f"{crops} (bfloat16 autocast on a CPU) from the scenes of the seeds "
            f"0 .. {recipe.scenes - 1}; one set of weights, trained without merging, serves every mode."
        ),
        notes=(
            "IoU of each class in mode original: " + ", ".join(f"{name} {value:.1f}" for name, value in original) + ".",
            "A demonstration: it knows the generator's streets (segpp_deploy/data/scenes), not real ones.",
        ),
    )


def write_card(card: ModelCard, target: Path) -> None:
    """Write the card as YAML, short lists on one line."""
    content = card.model_dump(mode="json", exclude_none=True)
    write_text(target, yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line; write weights and card; print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/scenes-b0"), help="folder of the training run")
    parser.add_argument("--models", type=Path, default=Path(__file__).parent.parent, help="where to write")
    parser.add_argument("--scenes", type=int, default=100, help="how many held-out scenes to measure on")
    options = parser.parse_args(arguments)
    weights = options.models / f"{NAME}.safetensors"
    step = write_weights(options.run, weights)
    if step != Recipe().steps:
        raise SystemExit(f"The run stopped at step {step} of {Recipe().steps}. Go on with train_scenes.py --resume.")
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + options.scenes)
    scores = measure(weights, seeds)
    write_card(make_card(weights, scores, seeds), options.models / f"{NAME}.yaml")
    for mode, iou in scores.items():
        print(f"{mode!s:12} mIoU {iou.mean():.2f}  " + " ".join(f"{value:.1f}" for value in iou))


if __name__ == "__main__":
    main()
