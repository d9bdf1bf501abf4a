"""What follows from the cost model's numbers, in sentences that change with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.cost_model.bodies import Body
from benchmarks.cost_model.stages import StageCase, encoder_seconds, stage_cases
from benchmarks.cost_model.tables import ARCHS, MERGED_MODES, SIZES
from benchmarks.modes import COMPARED_MODES
from segpp_deploy.config import Arch, Preset
from segpp_deploy.model.work import MERGING_PARTS, Part
from segpp_deploy.ops.launches import (
    MOST_TOKENS_OF_ONE_MATCH,
    MOST_TOKENS_OF_ONE_MERGE,
    MOST_TOKENS_OF_SELECT_AND_MERGE,
)
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.tuning.search.peaks import GPUS, LAUNCH_OVERHEAD_S, Peaks


def pays_table() -> Table:
    """For each mode and stage, the backbones and sizes for which merging pays, launch overhead included."""
    columns = [Column("mode", is_number=False), Column("stage", is_number=False)]
    columns += [Column(gpu.name, is_number=False) for gpu in GPUS]
    rows = [
        (preset.value, str(stage + 1), *(_where_it_pays(preset, stage, gpu) for gpu in GPUS))
        for preset in MERGED_MODES
        for stage in range(4)
    ]
    return Table("", tuple(columns), tuple(rows))


def conclude(bodies: Sequence[Body]) -> list[str]:
    """Return the conclusions, one sentence or two each."""
    return [
        _bandwidth_alone(),
        *(_with_launches(gpu) for gpu in GPUS),
        _saved_launches(),
        _stage_limits(),
        _reuse(),
        _fusion(),
        _portable(bodies),
        _whole_encoder(),
    ]


def all_cases(*, fused: bool = True, presets: Iterable[Preset] = MERGED_MODES) -> list[StageCase]:
    """Every merged stage in the tables."""
    return [
        case
        for arch in ARCHS
        for size in SIZES
        for preset in presets
        for case in stage_cases(arch, size, preset, fused=fused)
    ]


def _where_it_pays(preset: Preset, stage: int, gpu: Peaks) -> str:
    combinations = [(arch, size) for arch in ARCHS for size in SIZES]
    gains = {pair: StageCase(*pair, preset, stage).gain(gpu, launches=True) for pair in combinations}
    winners = [f"{arch.value.upper()} {size}" for (arch, size), gain in gains.items() if gain > 1]
    span = _span(gains.values())
    if len(winners) == len(combinations):
        return f"everywhere ({span})"
    return f"{', '.join(winners) or 'nowhere'} ({span})"


def _bandwidth_alone() -> str:
    gains = [case.gain(gpu) for case in all_cases() for gpu in GPUS]
    paying = sum(gain > 1 for gain in gains)
    return (
        f"By bandwidth and arithmetic alone merging pays in {paying} of {len(gains)} cases: the attention blocks of a "
        f"stage become {_span(gains)} as fast. What it adds is read and written a few times; what it saves is "
        "quadratic in the tokens."
    )


def _with_launches(gpu: Peaks) -> str:
    cases = all_cases()
    losing = [case for case in cases if case.gain(gpu, launches=True) <= 1]
    even = [case.break_even_launch(gpu) * 1e6 for case in cases]
    text = (
        f"{gpu.name}: an added launch may cost {min(even):.1f} to {max(even):.0f} µs before a stage loses what merging "
        f"gained. At {LAUNCH_OVERHEAD_S * 1e6:.0f} µs it pays in {len(cases) - len(losing)} of {len(cases)} cases"
    )
    if not losing:
        return text + "."
    counts = {size: sum(case.size == size for case in losing) for size in SIZES}
    sizes = ", ".join(f"{count} at {size}" for size, count in counts.items())
    return f"{text}; where it does not: {sizes}, {_by_stage(losing)}."


def _saved_launches() -> str:
    cases = [case for case in all_cases() if case.saved_launches]
    verdicts = []
    for gpu in GPUS:
        merged = [case.seconds(gpu, launches=True) for case in cases]
        more = [case.saved_launches * LAUNCH_OVERHEAD_S for case in cases]
        original = [case.original.seconds(gpu, launches=True) for case in cases]
        paying = sum(one < other for one, other in zip(merged, original, strict=True))
        paid = sum(one + two < other for one, two, other in zip(merged, more, original, strict=True))
        verdicts.append(f"{gpu.name} {paying} instead of {paid}")
    return (
        f"Up to {MOST_TOKENS_OF_ONE_MATCH} tokens are matched and merged in one launch instead of four, up to "
        f"{MOST_TOKENS_OF_SELECT_AND_MERGE} in two, and up to {MOST_TOKENS_OF_ONE_MERGE} merged in one instead of two. "
        f"For it merging pays in so many of {len(cases)} cases: {', '.join(verdicts)}."
    )


def _by_stage(cases: Sequence[StageCase]) -> str:
    counts = [sum(case.stage == stage for case in cases) for stage in range(4)]
    return ", ".join(f"stage {stage + 1} {count}" for stage, count in enumerate(counts) if count)


def _stage_limits() -> str:
    gpu, size = GPUS[0], SIZES[-1]
    sentences = []
    for preset in (Preset.HQ, Preset.FAST):
        shares = [_share(case, gpu) for case in stage_cases(Arch.B5, size, preset)]
        listed = ", ".join(f"{share:.0%}" for share in shares)
        sentences.append(f"`{preset.value}` {listed}")
    return (
        f"What merging itself takes of the merged attention blocks, stages 1 to 4 (B5, {size}, {gpu.name}): "
        f"{'; '.join(sentences)}. Merging keys and values works on the spatially reduced tokens and costs next to "
        "nothing; merging queries works on all of them."
    )


def _reuse() -> str:
    gpu, size = GPUS[0], SIZES[-1]
    sentences = []
    for plain, reused in ((Preset.HQ, Preset.HQ_REUSE), (Preset.FAST, Preset.FAST_REUSE)):
        before, after = (StageCase(Arch.B5, size, preset, 2) for preset in (plain, reused))
        match = before.seconds(gpu, [Part.MATCH]) / before.seconds(gpu)
        sentences.append(
            f"with `{plain.value}` matching is {match:.0%} of the block, and `{reused.value}` goes from "
            f"{before.gain(gpu):.2f}x to {after.gain(gpu):.2f}x"
        )
    small = [StageCase(Arch.B0, SIZES[0], preset, 2).gain(gpu) for preset in (Preset.HQ, Preset.HQ_REUSE)]
    return (
        f"Matching once per stage pays where a stage is deep. Stage 3 of B5, {size}, {gpu.name}: "
        f"{'; '.join(sentences)}. "
        f"With the two layers of B0 it brings little (`hq`, {SIZES[0]}: {small[0]:.2f}x to {small[1]:.2f}x)."
    )


def _fusion() -> str:
    fused = [case.gain(gpu) for case in all_cases() for gpu in GPUS]
    plain = [case.gain(gpu) for case in all_cases(fused=False) for gpu in GPUS]
    return (
        f"Against attention that writes its score matrix merging gains {_span(plain)}, against fused attention "
        f"{_span(fused)}: check in the engine's profile which one a runtime chose before crediting merging."
    )


def _portable(bodies: Sequence[Body]) -> str:
    cases = all_cases(presets=(Preset.HQ, Preset.FAST))
    ratios = [_portable_bytes(case, bodies) / _merging_bytes(case) for case in cases]
    verdicts = []
    for gpu in GPUS:
        gains = [case.original.seconds(gpu) / _portable_seconds(case, bodies, gpu) for case in cases]
        verdicts.append(f"{gpu.name} {sum(gain > 1 for gain in gains)} ({_span(gains)})")
    return (
        f"If a runtime fuses none of its nodes, the portable form moves {min(ratios):.0f} to {max(ratios):.0f} times "
        "the bytes of the plugins (similarities and one-hot matrices are written in float32). By bytes and arithmetic "
        f"alone `hq` and `fast` then pay in so many of {len(cases)} cases: {', '.join(verdicts)}."
    )


def _portable_seconds(case: StageCase, bodies: Sequence[Body], gpu: Peaks) -> float:
    """The stage's attention blocks with every merge as standard nodes in float32, launches free."""
    operations = sum(body.matmul_operations for body in _bodies_of(case, bodies))
    merging = max(_portable_bytes(case, bodies) / gpu.bandwidth, operations / gpu.vector_rate)
    return case.seconds(gpu, [Part.ATTENTION]) + case.depth * merging


def _portable_bytes(case: StageCase, bodies: Sequence[Body]) -> int:
    return sum(body.bytes_moved for body in _bodies_of(case, bodies))


def _merging_bytes(case: StageCase) -> int:
    return sum(kernel.bytes_moved for kernel in case.layers[0] if kernel.part in MERGING_PARTS)


def _bodies_of(case: StageCase, bodies: Sequence[Body]) -> list[Body]:
    key = (case.arch, str(case.size), case.preset, case.stage + 1)
    return [body for body in bodies if (body.arch, body.size, body.preset, body.stage) == key]


def _whole_encoder() -> str:
    best = []
    for gpu in GPUS:
        speedups = {
            (arch, size, preset): encoder_seconds(arch, size, Preset.ORIGINAL, gpu)
            / encoder_seconds(arch, size, preset, gpu)
            for arch in ARCHS
            for size in SIZES
            for preset in COMPARED_MODES
        }
        (arch, size, preset), value = max(speedups.items(), key=lambda item: item[1])
        best.append(f"{value:.2f}x on {gpu.name} ({arch.value.upper()}, {size}, `{preset.value}`)")
    case = StageCase(Arch.B5, SIZES[-1], Preset.FAST_REUSE, 2)
    rest = case.seconds(GPUS[0], [Part.REST]) / case.seconds(GPUS[0], Part)
    return (
        f"Over all encoder layers the most is {', '.join(best)}: norms, spatial reduction and feed-forward stay as "
        f"they are ({rest:.0%} of stage 3 of B5 with `fast-reuse`, {SIZES[-1]}, {GPUS[0].name})."
    )


def _share(case: StageCase, gpu: Peaks) -> float:
    return case.seconds(gpu, MERGING_PARTS) / case.seconds(gpu)


def _span(values: Iterable[float]) -> str:
    numbers = list(values)
    return f"{min(numbers):.2f}x to {max(numbers):.2f}x"
