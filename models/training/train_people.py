"""Train the demo's pose model: SegFormer-B0 on generated people, on a CPU in about an hour.

    python models/training/train_people.py --out runs/people-b0 --minutes 50

Training starts from the shipped model of scenes, all but its last layer. A run of any length ends annealed
(`timed_run.py`); one that is to be better goes on from its weights:

    python models/training/train_people.py --out runs/people-b0-more --start runs/people-b0/weights.safetensors \\
        --full-size --rate 4e-4 --minutes 50

`publish_people.py` turns what a run left into the files that `models/` ships.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from network import heatmap_loss, normalise, random_model, take_weights
from people_cache import PeopleCache
from person_crops import STRIDE, make_batch
from timed_run import Average, Descent, Run, train_until_time_is_up
from trained_weights import compact_tensors, describe, save

from segpp_deploy.config import Arch, Size, TaskName
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.geometry.crop import Box, Crop
from segpp_deploy.data.images import ByteImage
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from segpp_deploy.tasks.pose.decoding import decode_heatmaps
from segpp_deploy.tasks.pose.metric import PckMetric
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.evaluation import Evaluation

INPUT_SIZE = Size(256, 192)
SCENES_MODEL = Path(__file__).parent.parent / "segformer_b0_scenes.safetensors"
WEIGHTS = "weights.safetensors"
AVERAGE_DECAY = 0.995  # a CPU takes few steps, and those at the full size last
EVALUATION_BATCH = 8


@dataclass(frozen=True)
class Stage:
    """A part of the time, with crops of one size."""

    until: float
    size: Size
    batch: int


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, together with the code and the machine's pace.

    Small crops learn most for their time; the last ones are what the model is used with.
    """

    pictures: int = 1500
    stages: tuple[Stage, ...] = (
        Stage(0.4, Size(128, 96), 16),
        Stage(0.65, Size(192, 144), 8),
        Stage(1.0, INPUT_SIZE, 5),
    )
    peak_rate: float = 8e-4
    weight_decay: float = 0.01
    minutes: float = 50.0
    seed: int = 0
    start: Path = SCENES_MODEL

    @property
    def full_size(self) -> Recipe:
        """The recipe with crops of the full size from the beginning, for weights that know people already."""
        return replace(self, stages=self.stages[-1:])

    def stage_at(self, progress: float) -> Stage:
        """Return the stage after a share of the time."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])

    def first_weights(self) -> SegFormer:
        """The model that training starts from."""
        model = random_model(Arch.B0, len(COCO_KEYPOINTS), self.seed, TaskName.POSE)
        take_weights(model, load_checkpoint(self.start).model)
        return model


@dataclass(frozen=True)
class Person:
    """Somebody held out: the crop as the model sees it, where it lies, and what is true."""

    image: ByteImage
    crop: Crop
    keypoints: Keypoints


def load_held_out(count: int) -> list[Person]:
    """Draw people that no training sees."""
    people = []
    for sample in parse_dataset(f"people:{count}"):
        example = sample.load(len(COCO_KEYPOINTS))
        assert example.target is not None
        crop = Crop.around(example.box or Box.of_picture(example.image), INPUT_SIZE)
        people.append(Person(crop.cut(example.image), crop, example.target))
    return people


@torch.inference_mode()
def judge(model: SegFormer, people: list[Person], device: torch.device) -> Evaluation:
    """Return the PCK of a model, without flip test."""
    metric = PckMetric(COCO_KEYPOINTS)
    for first in range(0, len(people), EVALUATION_BATCH):
        chunk = people[first : first + EVALUATION_BATCH]
        images = torch.from_numpy(np.stack([person.image for person in chunk])).to(device)
        for person, heatmaps in zip(chunk, model(normalise(images.permute(0, 3, 1, 2))).cpu().numpy(), strict=True):
            cells, scores = decode_heatmaps(heatmaps)
            metric.update(Pose(person.crop.to_picture(cells * np.float32(STRIDE)), scores), person.keypoints)
    return metric.evaluate()


def train(recipe: Recipe, cache: PeopleCache, held_out: list[Person], out: Path, device: torch.device) -> None:
    """Run the recipe on a device; write weights and log to `out` now and then and at the end."""
    model = recipe.first_weights().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Average.of(model, AVERAGE_DECAY)
    model.train()
    rng = np.random.default_rng(recipe.seed)

    def loss_at(progress: float) -> torch.Tensor:
        stage = recipe.stage_at(progress)
        batch = make_batch(cache, stage.size, stage.batch, rng, device)
        return heatmap_loss(model, batch.images, batch.heatmaps, batch.is_judged)

    def keep(average: Average) -> None:
        found = judge(average.model, held_out, device)
        scores = " ".join(f"{score.name} {100 * score.value:.2f}" for score in (found.headline, *found.further))
        run.say(f"step {average.steps}: held-out {scores}")
        note = f"trained from {recipe.start.name} on generated people, {average.steps} steps"
        tensors = compact_tensors(copy.deepcopy(average.model))
        save(tensors, out / WEIGHTS, describe(average.model, COCO_KEYPOINTS, note))

    run = Run(out, recipe.minutes)
    run.say(f"{recipe} on {len(cache)} people, torch {torch.__version__}, {device}")
    train_until_time_is_up(run, model, average, Descent(recipe.peak_rate, recipe.weight_decay), loss_at, keep)


def main() -> None:
    """Parse the command line, render, train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/people"), help="folder of the rendered pictures")
    parser.add_argument("--out", type=Path, default=Path("runs/people-b0"), help="folder of the log and the weights")
    parser.add_argument("--pictures", type=int, default=Recipe.pictures)
    parser.add_argument("--start", type=Path, default=SCENES_MODEL, help="a B0 checkpoint to start from")
    parser.add_argument("--full-size", action="store_true", help="no smaller crops in the beginning")
    parser.add_argument("--minutes", type=float, default=Recipe.minutes, help="of training, without the rendering")
    parser.add_argument("--held-out", type=int, default=150, help="people to judge on while training")
    parser.add_argument("--rate", type=float, default=Recipe.peak_rate, help="the highest learning rate")
    parser.add_argument("--threads", type=int, default=1, help="of training, and processes that render")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(options.pictures, peak_rate=options.rate, minutes=options.minutes, start=options.start)
    recipe = recipe.full_size if options.full_size else recipe
    cache = PeopleCache(options.cache, recipe.pictures, workers=options.threads)
    train(recipe, cache, load_held_out(options.held_out), options.out, options.device)


if __name__ == "__main__":
    main()
