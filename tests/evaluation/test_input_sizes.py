from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.evaluation.input_sizes import nearest_size

WIDE, TALL, SQUARE, SMALL_WIDE = Size(512, 1024), Size(1024, 512), Size(768, 768), Size(256, 512)


@pytest.mark.parametrize(
    ("picture", "chosen"),
    [
        (Size(720, 1280), WIDE),
        (Size(1280, 720), TALL),
        (Size(1000, 1000), SQUARE),
        (Size(300, 640), SMALL_WIDE),
        (Size(1024, 2048), WIDE),
        (Size(256, 510), SMALL_WIDE),  # nearly of that shape: the area decides
    ],
)
def test_shape_first_then_area(picture: Size, chosen: Size) -> None:
    sizes = [WIDE, TALL, SQUARE, SMALL_WIDE]
    assert sizes[nearest_size(sizes, picture)] == chosen


def test_the_shape_chosen_is_never_the_more_distorted_one() -> None:
    random = np.random.default_rng(0)
    for _ in range(500):
        sizes = [Size(*map(int, random.integers(32, 2000, 2))) for _ in range(4)]
        picture = Size(*map(int, random.integers(1, 4000, 2)))

        def stretch(size: Size, picture: Size = picture) -> float:
            ratio = size.width * picture.height / (size.height * picture.width)
            return max(ratio, 1 / ratio)

        assert stretch(sizes[nearest_size(sizes, picture)]) <= 1.02 * min(map(stretch, sizes)) + 1e-9
