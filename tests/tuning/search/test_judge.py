"""The judge: a few pictures first, all of them for whom it is worth it, and how far the first mislead is learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segpp_deploy.data.datasets import Dataset, Sample
from segpp_deploy.data.datasets.labels import LabelFile
from segpp_deploy.progress import no_progress
from segpp_deploy.tuning.search.judge import FIRST_SLACK, LEAST_SLACK, Judge, split_pictures
from tests.workflows.fake_session import SMALL, BrightnessSession, make_metadata

HEIGHT, WIDTH = SMALL.hw
HALVES = (100, 200)  # BrightnessSession calls the second bright
ALL_DARK = -120.0


def picture() -> np.ndarray:
    row = np.repeat(np.array(HALVES, np.uint8), WIDTH // 2)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def data(count: int) -> Dataset[Any]:
    labels = LabelFile("labels", lambda: (picture()[..., 0] > 127).astype(np.uint8))
    return Dataset("data", tuple(Sample(f"{index}.png", picture, labels) for index in range(count)))


def make_judge(count: int = 32, **changes: Any) -> Judge:
    reference = BrightnessSession(make_metadata())
    return Judge(data(count), reference, seed=0, step="Reference", progress=no_progress, **changes)


def test_rungs_grow_to_all_pictures() -> None:
    assert make_judge(160).rungs == (20, 53, 160)
    assert make_judge(3).rungs == (3,)
    assert make_judge(32, shares=(1,)).rungs == (32,)
    assert make_judge().evaluation.headline.value == 1


def test_what_cannot_win_sees_a_few_pictures_only() -> None:
    judge = make_judge()
    session = BrightnessSession(make_metadata(), ALL_DARK)
    asked: list[float] = []
    losses, agreement = judge.judge(session, lambda loss: asked.append(loss) or False)
    assert losses == (pytest.approx(75),)  # half of the dark class, nothing of the bright
    assert agreement == pytest.approx(0.5)
    assert asked == [pytest.approx(75 - FIRST_SLACK)]
    assert len(session.shapes) == judge.rungs[0]
    assert not judge.is_complete(losses)


def test_what_may_win_sees_all() -> None:
    judge = make_judge()
    losses, agreement = judge.judge(BrightnessSession(make_metadata()), lambda _loss: True)
    assert losses == (0, 0, 0)
    assert agreement == 1
    assert judge.is_complete(losses)


def test_how_far_the_first_pictures_mislead_is_learnt() -> None:
    judge = make_judge()
    assert judge.slack(0) == FIRST_SLACK
    for distance in (0.1, 0.2, 0.3, 0.2):
        judge.note((1 + distance, 1.0, 1.0))
    judge.note((9.0,))  # cut short: nobody knows
    assert judge.slack(0) == pytest.approx(0.24)
    assert judge.slack(1) == LEAST_SLACK


def test_the_order_follows_from_the_seed() -> None:
    session = BrightnessSession(make_metadata())
    orders = [
        [sample.name for sample in Judge(data(20), session, seed, "", no_progress)._rungs[-1].dataset]
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_every_third_picture_is_held_out() -> None:
    judged, held_out = split_pictures(data(9))
    assert [sample.name for sample in held_out] == ["2.png", "5.png", "8.png"]
    assert not {sample.name for sample in judged} & {sample.name for sample in held_out}
    assert len(judged) == 6
