"""What can be asked of `compare`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from segpp_deploy import commands
from segpp_deploy.config import Choice, Precision, Preset, Size, parse_choice, require_pictures
from segpp_deploy.errors import CommandText, SegppError, quote
from segpp_deploy.model.weights.source import CheckpointSource, ModelSource, SeedSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationSource

if TYPE_CHECKING:
    from segpp_deploy.data.datasets import AnyDataset

OUT = Path("compare-report")
ITERATIONS = 20
MODES = (
    Preset.ORIGINAL,
    Preset.HQ,
    Preset.FAST,
    Preset.POOL_2X2,
    Preset.HQ_PLUS,
    Preset.FAST_PLUS,
    Preset.DOWNSAMPLE,
)
PLAIN_BASELINE = "plain"


class Axis(Choice):
    """What tells the rows of a comparison apart."""

    MODEL = "model"
    MODE = "mode"
    SIZE = "size"
    TARGET = "target"
    PRECISION = "precision"


@dataclass(frozen=True)
class Filter:
    """Rows that have one of the values on each axis that is named.

    Example:
        >>> parse_filter("mode=fast,mode=hq,target=cpu").matches({Axis.MODE: "hq", Axis.TARGET: "cpu"})
        True
    """

    values: Mapping[Axis, frozenset[str]]

    def matches(self, row: Mapping[Axis, str]) -> bool:
        """Whether a row is meant."""
        return all(row[axis] in values for axis, values in self.values.items())

    def __str__(self) -> str:
        """The filter as it is typed."""
        return ",".join(f"{axis}={value}" for axis, values in self.values.items() for value in sorted(values))


def parse_filter(text: str) -> Filter:
    """Parse AXIS=VALUE[,AXIS=VALUE...].

    Raises:
        SegppError: a part is no condition, or names no axis.
    """
    values: dict[Axis, frozenset[str]] = {}
    for part in text.split(","):
        name, found, value = part.partition("=")
        if not (found and value):
            raise SegppError(
                f"{quote(part)} is no condition on rows.",
                f"AXIS=VALUE, AXIS one of: {', '.join(Axis)}.",
                commands.option("only", "mode=fast,target=cpu"),
            )
        axis = parse_choice(Axis, name.strip(), "axis")
        values[axis] = values.get(axis, frozenset()) | {value.strip()}
    return Filter(values)


@dataclass(frozen=True)
class CompareOptions:
    """What is compared, and how.

    Args:
        sources: the models, all of one task and of as many classes.
        data: pictures to judge on: KIND:PATH, a directory, or a data set.
        out: the report's directory, which holds the journal too.
        modes: presets and plan files.
        sizes: input sizes in pixels; () for the source's own, or the task's.
        targets: runtimes; () for all that work here.
        precisions: number formats; () for all that the targets compute in here, int8 only with a calibration.
        baseline: the mode that speed-ups are over, in float32; PLAIN_BASELINE for an ordinary export.
        only: rows that match one of these; () for all.
        skip: rows that match one of these are left out.
        limit: use the first so many samples.
        iterations: timed calls of each engine.
        calibration: where int8 takes its ranges from.
        threads: CPU threads of the engines; None = one per physical core.
        fresh: measure everything anew, whatever the journal holds.
        built: engine files that are there already, by mode: of one target and precision each.

    Raises:
        SegppError: nothing to compare, or numbers that cannot be.
    """

    sources: tuple[ModelSource, ...]
    data: str | AnyDataset
    out: Path = OUT
    modes: tuple[str, ...] = tuple(map(str, MODES))
    sizes: tuple[Size, ...] = ()
    targets: tuple[TargetName, ...] = ()
    precisions: tuple[Precision, ...] = ()
    baseline: str = str(Preset.ORIGINAL)
    only: tuple[Filter, ...] = ()
    skip: tuple[Filter, ...] = ()
    limit: int | None = None
    iterations: int = ITERATIONS
    calibration: CalibrationSource | None = None
    threads: int | None = None
    fresh: bool = False
    built: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sources:
            raise SegppError("No model was named.", "one or more models.", commands.compare())
        if not self.modes:
            what = "No mode was named."
            raise SegppError(what, "presets or plan files.", commands.option("modes", "original,fast"))
        require_pictures("limit", 1 if self.limit is None else self.limit)
        if self.iterations < 1:
            raise SegppError(
                f"{commands.option('iterations', self.iterations)} times nothing.",
                "a number of at least 1.",
                commands.option("iterations", ITERATIONS),
            )

    @property
    def command(self) -> CommandText:
        """The command that asks for the same, as far as words can."""
        defaults = {one.name: one.default for one in fields(self)}

        def changed(name: str, text: object) -> object:
            return None if getattr(self, name) == defaults[name] else text

        def listed(name: str) -> object:
            return changed(name, ",".join(map(str, getattr(self, name))))

        return commands.compare(
            *map(describe_source, self.sources),
            data=self.data if isinstance(self.data, str) else self.data.name,
            modes=listed("modes"),
            sizes=listed("sizes"),
            targets=listed("targets"),
            precisions=listed("precisions"),
            baseline=changed("baseline", self.baseline),
            only=self.only,
            skip=self.skip,
            limit=self.limit,
            iterations=changed("iterations", self.iterations),
            calibration=None if self.calibration is None else self.calibration.source,
            threads=self.threads,
            out=changed("out", self.out),
        )

    def wants(self, row: Mapping[Axis, str]) -> bool:
        """Whether the filters leave a row."""
        is_chosen = not self.only or any(one.matches(row) for one in self.only)
        return is_chosen and not any(one.matches(row) for one in self.skip)


def describe_source(source: ModelSource) -> str:
    """Return what a source is called on the command line.

    Example:
        >>> describe_source(CheckpointSource(Path("runs/best.pth")))
        'runs/best.pth'
    """
    if isinstance(source, SeedSource):
        return f"seed-{source.seed}"
    return str(source.path) if isinstance(source, CheckpointSource) else source.name


def name_models(sources: Sequence[ModelSource]) -> tuple[str, ...]:
    """Return a name for each model: short ones, where those tell the models apart.

    Example:
        >>> name_models([CheckpointSource(Path("a/best.pth")), CheckpointSource(Path("b/best.pth"))])
        ('a/best.pth', 'b/best.pth')
    """
    whole = tuple(map(describe_source, sources))
    short = tuple(Path(name).stem for name in whole)
    names = short if len(set(short)) == len(short) else whole
    if len(set(names)) < len(names):
        raise SegppError("The same model was named twice.", "each model once.", commands.compare())
    return names


def parse_list(text: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas.

    Example:
        >>> parse_list("original, fast"), parse_list(None)
        (('original', 'fast'), ())
    """
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))


def parse_filters(texts: Sequence[str] | None) -> tuple[Filter, ...]:
    """Return the filter of each text."""
    return tuple(map(parse_filter, texts or ()))
