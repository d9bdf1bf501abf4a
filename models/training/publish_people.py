"""Turn a training run into what `models/` ships: the weights and the model card with measured accuracy.

    python models/training/publish_people.py --run runs/people-b0

The accuracy is that of the shipped file: held-out people, as `validate` judges them, in each merge mode.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from publish_scenes import MODES, write_card
from safetensors import safe_open
from train_people import INPUT_SIZE, WEIGHTS

from segpp_deploy.config import Arch, Preset, TaskName
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import atomic_path, sha256_of
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.card_schema import (
    CardCheckpoint,
    CardClass,
    CardKeypoints,
    CardMetric,
    CardNormalization,
    ModelCard,
)
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.runtimes.torch.reference import load_model_for
from segpp_deploy.runtimes.torch.session import TorchSession
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.evaluation import Evaluation
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

NAME = "segformer_b0_people"
Found = Mapping[Preset, Evaluation]


def measure(weights: Path, count: int) -> Found:
    """Judge the written file in each mode."""
    dataset = parse_dataset(f"people:{count}")
    # each picture is painted once for all modes
    samples = tuple(replace(sample, load_image=cache(sample.load_image)) for sample in dataset)
    evaluator: Evaluator[Pose, Keypoints] = Evaluator(replace(dataset, samples=samples))
    with tempfile.TemporaryDirectory() as folder:
        options = ExportOptions(Path(folder) / "model.onnx", CheckpointSource(weights), size=INPUT_SIZE)
        metadata = run_export(options).metadata
    model = load_model_for(metadata, weights, weights)
    found = {}
    for mode in MODES:
        model.plan = PRESETS[mode]
        found[mode] = evaluator.evaluate(Predictor(TorchSession(model, metadata)))
    return found


def make_card(weights: Path, found: Found, count: int) -> ModelCard:
    """Describe the written file."""
    with safe_open(weights, framework="pt") as stored:
        note = stored.metadata()["note"]
    by_keypoint = found[Preset.ORIGINAL].per_class
    assert by_keypoint is not None
    return ModelCard(
        name=NAME,
        title="SegFormer-B0 for generated people (17 keypoints), the demo's pose model",
        arch=Arch.B0,
        task=TaskName.POSE,
        classes=tuple(
            CardClass(name=name, color=color)
            for name, color in zip(COCO_KEYPOINTS.names, COCO_KEYPOINTS.palette, strict=True)
        ),
        keypoints=CardKeypoints(**vars(COCO_RELATIONS)),
        input_size=INPUT_SIZE,
        checkpoint=CardCheckpoint(file=weights.name, sha256=sha256_of(weights)),
        metrics=tuple(
            CardMetric(
                name=score.name,
                value=round(100 * score.value, 2),
                mode=str(mode),
                data=f"people:{count}, generated and held out",
                protocol="top-down crops of the people's boxes, no flip test, float32 PyTorch",
            )
            for mode, evaluation in found.items()
            for score in (evaluation.headline, *evaluation.further)
        ),
        normalization=CardNormalization(),
        licence="Apache-2.0",
        provenance=(
            f"Made by models/training/train_people.py: {note}; one set of weights, trained without merging, "
            "serves every mode."
        ),
        notes=(
            f"{by_keypoint.name} of each keypoint in mode original: "
            + ", ".join(f"{name} {100 * value:.1f}" for name, value in by_keypoint.values.items())
            + ".",
            "A demonstration: it knows the generator's people (segpp_deploy/data/scenes), not real ones.",
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line; write weights and card; print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/people-b0"), help="folder of the training run")
    parser.add_argument("--models", type=Path, default=Path(__file__).parent.parent, help="where to write")
    parser.add_argument("--people", type=int, default=200, help="how many held-out people to measure on")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    weights = options.models / f"{NAME}.safetensors"
    with atomic_path(weights) as temporary:
        shutil.copyfile(options.run / WEIGHTS, temporary)
    found = measure(weights, options.people)
    write_card(make_card(weights, found, options.people), options.models / f"{NAME}.yaml")
    for mode, evaluation in found.items():
        print(f"{mode!s:12} {evaluation.headline.name} {100 * evaluation.headline.value:.2f}")


if __name__ == "__main__":
    main()
