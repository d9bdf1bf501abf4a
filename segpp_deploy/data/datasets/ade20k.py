"""`ade20k:PATH[#SPLIT]`: ADE20K's scene-parsing form, images/SPLIT and annotations/SPLIT, 150 classes."""

from __future__ import annotations

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec
from segpp_deploy.data.datasets.labels import IGNORE_INDEX, label_table
from segpp_deploy.data.datasets.pairing import FilesBelow, pair_files
from segpp_deploy.data.label_maps import LabelMap

_NAMES = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, door,
table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, field, armchair,
seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard, chest of drawers,
counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table, pillow,
screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop,
stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, truck,
tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land,
bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer,
plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank,
trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase,
traffic light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock,
flag
"""

ADE20K_CLASSES = ClassTable(tuple(" ".join(name.split()) for name in _NAMES.split(",")))


def open_ade20k(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Open the validation split, or the one named; stored 0 ("other") is ignored, stored k is class k - 1.

    Raises:
        SegppError: a directory is missing, empty, or pictures and labels do not match.
    """
    spec = spec.with_default_split("validation")
    root, split = spec.root(), spec.split or ""
    stored = {index + 1: index for index in range(len(ADE20K_CLASSES))} | {0: IGNORE_INDEX}
    samples = pair_files(
        spec,
        FilesBelow(root / "images" / split),
        FilesBelow(root / "annotations" / split),
        label_table(stored),
        f"the scene-parsing form (ADEChallengeData2016): images/{split}/NAME.jpg and annotations/{split}/NAME.png.",
    )
    return Dataset(spec.name, samples, classes=ADE20K_CLASSES, spec=spec)
