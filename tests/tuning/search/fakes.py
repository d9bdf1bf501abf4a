"""A search whose candidates take what a hidden cost model says and lose what a sum over their merged sides says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.config import Arch, Precision, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import ModelSpec
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.tuning.search.cost_model import CostModel
from segpp_deploy.tuning.search.limits import Limits
from segpp_deploy.tuning.search.options import Goal
from segpp_deploy.tuning.search.peaks import Peaks
from segpp_deploy.tuning.search.search import Search, Tools
from segpp_deploy.tuning.search.space import SearchSpace
from segpp_deploy.tuning.search.store import TrialStore

SPEC = ModelSpec(Arch.B0, 11)
SIZE = Size(512, 512)
EXACT, HALF = EngineKind(TargetName.OPENVINO), EngineKind(TargetName.OPENVINO, Precision.BF16)
HIDDEN = Peaks("hidden", bandwidth=9e9, tensor_rate=120e9, vector_rate=16e9, source="")
ORIGINAL = Candidate(PRESETS[Preset.ORIGINAL], SIZE, EXACT)
POINTS_OF_STAGE = (0.02, 0.02, 0.1, 0.3)


def true_ms(candidate: Candidate) -> float:
    faster = 0.5 if candidate.engine == HALF else 1.0
    return faster * CostModel(SPEC, HIDDEN).roofline_ms(candidate)


def true_loss(candidate: Candidate) -> float:
    stages, seen_hw, _, engine = candidate.key
    lost = 0.05 if engine == HALF else 0.0
    lost += 8 * (1 - (seen_hw[0] * seen_hw[1]) / (SIZE.height * SIZE.width))
    for stage, points in zip(stages, POINTS_OF_STAGE, strict=True):
        for side in (stage.q, stage.kv):
            if side is not None:
                tokens = side.grid_hw[0] * side.grid_hw[1]
                lost += points * (1 - side.num_rows / tokens)
    return lost


@dataclass
class FakeTime:
    """A clock that moves when work is done."""

    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds

    def work(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class FakeBench:
    """Opens candidates as themselves, which takes a while; counts how many are open."""

    broken: Callable[[Candidate], bool] = lambda _candidate: False
    opened: list[Candidate] = field(default_factory=list)
    now_open: int = 0
    time: FakeTime = field(default_factory=FakeTime)
    opening_seconds: float = 3.0
    first_opening_seconds: float = 3.0

    @contextmanager
    def open(self, candidate: Candidate, _recipe: object = None) -> Iterator[Candidate]:
        if self.broken(candidate):
            raise SegppError(f"{candidate} cannot be compiled.")
        self.time.work(self.opening_seconds if candidate in self.opened else self.first_opening_seconds)
        self.opened.append(candidate)
        self.now_open += 1
        try:
            yield candidate
        finally:
            self.now_open -= 1


@dataclass
class FakeClock:
    baseline_ms: float = true_ms(ORIGINAL)
    time: FakeTime = field(default_factory=FakeTime)

    def speedups(self, opened: Mapping[Candidate, Candidate], seconds: float) -> dict[Candidate, float]:
        self.time.work(seconds)
        return {candidate: self.baseline_ms / true_ms(candidate) for candidate in opened}


@dataclass
class FakeJudge:
    """Sees half of the loss on the first rung; after `interrupt_after` candidates somebody presses Ctrl-C."""

    interrupt_after: int | None = None
    judged: list[Candidate] = field(default_factory=list)
    rungs: tuple[int, ...] = (4, 16)
    margin: float = 0.0
    time: FakeTime = field(default_factory=FakeTime)
    seconds_per_picture: float = 0.2

    def judge(self, candidate: Candidate, may_win: Callable[[float], bool]) -> tuple[tuple[float, ...], float]:
        if len(self.judged) == self.interrupt_after:
            raise KeyboardInterrupt
        self.judged.append(candidate)
        loss = true_loss(candidate)
        first = loss / 2
        self.time.work(self.rungs[0] * self.seconds_per_picture)
        if not may_win(first):
            return (first,), 1 - first / 100
        self.time.work((self.rungs[1] - self.rungs[0]) * self.seconds_per_picture)
        return (first, loss), 1 - loss / 100

    def note(self, losses: tuple[float, ...]) -> None:
        """Learn nothing."""

    def is_complete(self, losses: tuple[float, ...]) -> bool:
        return len(losses) == 2


@dataclass
class FakeSearch:
    """The parts of one run."""

    goal: Goal
    path: Path
    seed: int = 0
    engines: tuple[EngineKind, ...] = (HALF, EXACT)
    bench: FakeBench = field(default_factory=FakeBench)
    judge: FakeJudge = field(default_factory=FakeJudge)
    resume: bool = False
    time: FakeTime = field(default_factory=FakeTime)

    def __post_init__(self) -> None:
        self.store = TrialStore(self.path, self.resume)
        space = SearchSpace(SIZE, self.engines)
        model = CostModel(SPEC)
        self.bench.time = self.judge.time = self.time
        clock = FakeClock(time=self.time)
        tools = Tools(space, ORIGINAL, self.bench, clock, self.judge, model, self.store)  # type: ignore[arg-type]
        self.tools = tools
        self.search = Search(tools, self.goal, self.seed, no_progress)

    def run(self, trials: int) -> FakeSearch:
        """Search, for so many trials or for a long time."""
        self.search.run(Limits.begin(100_000, trials, self.time))
        return self

    def tried(self) -> list[str]:
        """What was tried, in words and in order."""
        return [f"{one.candidate} {sorted(one.params.items())}" for one in self.store.trials]
