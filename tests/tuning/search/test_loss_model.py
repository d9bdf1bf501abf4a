"""The loss model: little bad is expected of what no trial showed; what trials showed adds up."""

from __future__ import annotations

import pytest

from segpp_deploy.config import Preset, Size
from segpp_deploy.model.plan import PRESETS, Bsm, MergePlan, N2d, StageSpec
from segpp_deploy.tuning.search.candidate import Candidate
from segpp_deploy.tuning.search.loss_model import LossModel
from tests.tuning.search.fakes import EXACT, HALF, ORIGINAL, SIZE

NONE = StageSpec()
EARLY = MergePlan("early", (StageSpec(kv=Bsm(0.9, (4, 4))), NONE, NONE, NONE))
LATE = MergePlan("late", (NONE, NONE, NONE, StageSpec(q=N2d((2, 2)))))
BOTH = MergePlan("both", (EARLY.stages[0], NONE, NONE, LATE.stages[3]))


def of(plan: MergePlan) -> Candidate:
    return Candidate(plan, SIZE, EXACT)


@pytest.fixture
def model() -> LossModel:
    return LossModel(SIZE.height * SIZE.width, (HALF, EXACT))


def test_what_was_lost_adds_up(model: LossModel) -> None:
    assert 0 < model.predict(of(BOTH)) < 0.3
    model.learn(ORIGINAL, 0.0, is_complete=True)
    model.learn(of(EARLY), 0.1, is_complete=True)
    model.learn(of(LATE), 0.6, is_complete=True)
    assert model.predict(of(BOTH)) == pytest.approx(0.7, abs=0.03)
    assert model.predict(of(PRESETS[Preset.N1D])) < 0.7, "other stages have shown nothing bad"


def test_losses_on_a_part_of_the_pictures_count_less(model: LossModel) -> None:
    model.learn(of(LATE), 0.2, is_complete=True)
    model.learn(of(LATE), 2.0, is_complete=False)
    assert model.predict(of(LATE)) < 0.4


def test_a_smaller_input_and_another_precision_have_costs_of_their_own(model: LossModel) -> None:
    model.learn(ORIGINAL, 0.0, is_complete=True)
    model.learn(Candidate(ORIGINAL.plan, SIZE, HALF), 0.3, is_complete=True)
    model.learn(Candidate(ORIGINAL.plan, Size(256, 256), EXACT), 5.0, is_complete=True)
    assert model.predict(Candidate(ORIGINAL.plan, Size(256, 256), HALF)) == pytest.approx(5.3, abs=0.2)
    assert 0 < model.predict(Candidate(ORIGINAL.plan, Size(448, 448), EXACT)) < 5
