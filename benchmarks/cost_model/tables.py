"""The cost model's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.cost_model.bodies import Body
from benchmarks.cost_model.stages import BLOCK, StageCase, encoder_seconds, stage_cases
from benchmarks.modes import COMPARED_MODES
from segpp_deploy.config import Arch, Preset, Size
from segpp_deploy.model.work import FLOAT, MERGING_PARTS, Kernel, Part, count_launches
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.tuning.search.peaks import GPUS, LAUNCH_OVERHEAD_S

ARCHS = (Arch.B0, Arch.B5)
SIZES = (Size(1024, 1024), Size(1024, 2048))
MERGED_MODES = COMPARED_MODES[1:]
OVERHEAD_US = f"{LAUNCH_OVERHEAD_S * 1e6:.0f} µs"


def gpu_table() -> Table:
    """The published figures."""
    rows = tuple(
        (
            gpu.name,
            f"{gpu.bandwidth / 1e9:.0f}",
            f"{gpu.tensor_rate / 1e12:.1f}",
            f"{gpu.vector_rate / 1e12:.1f}",
            gpu.source,
        )
        for gpu in GPUS
    )
    headings = ("GB/s", "float16 tensor TFLOPS, dense", "float32 TFLOPS")
    return Table("", (_label("GPU"), *map(Column, headings), _label("published in")), rows)


def work_table(arch: Arch, size: Size) -> Table:
    """Bytes and operations of one layer that matches, per mode and stage."""
    columns = (
        *(_label(name) for name in ("mode", "stage", "queries", "keys")),
        *(Column(f"{part.value} MB") for part in (Part.MATCH, Part.MERGE, Part.UNMERGE)),
        Column("attention MB, before"),
        Column("after"),
        Column("score matrix MB, before"),
        Column("after"),
        Column("match GFLOP"),
        Column("attention GFLOP, before"),
        Column("after"),
    )
    rows = [_work_row(case) for preset in COMPARED_MODES for case in stage_cases(arch, size, preset)]
    return Table("", columns, tuple(rows))


def time_table(arch: Arch, size: Size) -> Table:
    """Roofline times of the attention blocks of each stage, and how many times as fast merging makes them."""
    columns = [_label("mode"), _label("stage")]
    for gpu in GPUS:
        columns += [
            Column(f"{gpu.name}: µs"),
            Column("gain"),
            Column(f"with {OVERHEAD_US} a launch"),
            Column("breaks even"),
        ]
    columns += [Column(f"{GPUS[0].name}: gain unfused")]
    rows = [_time_row(case) for preset in COMPARED_MODES for case in stage_cases(arch, size, preset)]
    return Table("", tuple(columns), tuple(rows))


def launch_table(bodies: Iterable[Body]) -> Table:
    """Kernels that merging adds to a layer, with plugins and as standard nodes."""
    wanted = [body for body in bodies if body.arch is Arch.B0 and body.size == str(SIZES[0])]
    rows = []
    for preset, reusing in ((Preset.HQ, Preset.HQ_REUSE), (Preset.FAST, Preset.FAST_REUSE)):
        cases = (stage_cases(Arch.B0, SIZES[0], one) for one in (preset, reusing))
        for case, again in zip(*cases, strict=True):
            nodes = {body.stem: body.nodes for body in wanted if (body.preset, body.stage) == (preset, case.stage + 1)}
            match, reuse = _merging_launches(case.layers[0]), _merging_launches(again.layers[1])
            listed = " + ".join(str(nodes[stem]) for stem in sorted(nodes))
            rows.append(
                (
                    preset.value,
                    str(case.stage + 1),
                    str(match),
                    str(reuse),
                    f"{sum(nodes.values())} ({listed})",
                    str(sum(nodes.values()) - nodes["token_match"]),
                )
            )
    names = ("plugins: layer that matches", "that reuses", "portable nodes: layer that matches", "that reuses")
    return Table("", (_label("mode"), _label("stage"), *map(Column, names)), tuple(rows))


def _merging_launches(layer: Iterable[Kernel]) -> int:
    return count_launches(kernel for kernel in layer if kernel.part in MERGING_PARTS)


def portable_table(bodies: Sequence[Body]) -> Table:
    """Bytes of merging in one layer: the kernels against the portable bodies."""
    rows = []
    for arch in ARCHS:
        for size in SIZES:
            for preset in (Preset.HQ, Preset.FAST):
                for case in stage_cases(arch, size, preset):
                    key = (arch, str(size), preset, case.stage + 1)
                    moved = sum(b.bytes_moved for b in bodies if (b.arch, b.size, b.preset, b.stage) == key)
                    plugin = _bytes(case.layers[0], Part.MATCH, Part.MERGE, Part.UNMERGE)
                    rows.append(
                        (
                            arch.value.upper(),
                            str(size),
                            preset.value,
                            str(case.stage + 1),
                            _megabytes(plugin),
                            _megabytes(moved),
                            f"{moved / plugin:.0f}x",
                        )
                    )
    labels = ("backbone", "size", "mode", "stage")
    return Table("", (*map(_label, labels), *map(Column, ("plugins MB", "portable MB", "ratio"))), tuple(rows))


def encoder_table() -> Table:
    """Roofline times of all encoder layers."""
    columns = [_label("backbone"), _label("size"), _label("mode")]
    for gpu in GPUS:
        columns += [Column(f"{gpu.name}: ms"), Column("speed-up"), Column(f"with {OVERHEAD_US} a launch")]
    rows = []
    for arch in ARCHS:
        for size in SIZES:
            for preset in COMPARED_MODES:
                cells = [arch.value.upper(), str(size), preset.value]
                for gpu in GPUS:
                    plain, counted = (
                        [
                            encoder_seconds(arch, size, mode, gpu, launches=launches)
                            for mode in (Preset.ORIGINAL, preset)
                        ]
                        for launches in (False, True)
                    )
                    cells += [f"{plain[1] * 1e3:.2f}", _ratio(plain[0] / plain[1]), _ratio(counted[0] / counted[1])]
                rows.append(tuple(cells))
    return Table("", tuple(columns), tuple(rows))


def _work_row(case: StageCase) -> tuple[str, ...]:
    before, after, tokens = case.original.layers[0], case.layers[0], case.tokens
    pairs = (tokens.q_before * tokens.kv_before, tokens.q_after * tokens.kv_after)
    scores = [FLOAT * case.shape.heads * count for count in pairs]
    is_merged = case.preset is not Preset.ORIGINAL
    return (
        case.preset.value,
        str(case.stage + 1),
        _change(tokens.q_before, tokens.q_after),
        _change(tokens.kv_before, tokens.kv_after),
        *(_megabytes(_bytes(after, part)) for part in (Part.MATCH, Part.MERGE, Part.UNMERGE)),
        _megabytes(_bytes(before, Part.ATTENTION)),
        _megabytes(_bytes(after, Part.ATTENTION)) if is_merged else "",
        _megabytes(scores[0]),
        _megabytes(scores[1]) if is_merged else "",
        _giga(_operations(after, Part.MATCH)),
        _giga(_operations(before, Part.ATTENTION)),
        _giga(_operations(after, Part.ATTENTION)) if is_merged else "",
    )


def _time_row(case: StageCase) -> tuple[str, ...]:
    cells = [case.preset.value, str(case.stage + 1)]
    is_merged = case.preset is not Preset.ORIGINAL
    for gpu in GPUS:
        cells.append(f"{case.seconds(gpu, BLOCK) * 1e6:.0f}")
        if is_merged:
            even = case.break_even_launch(gpu)
            cells += [_ratio(case.gain(gpu)), _ratio(case.gain(gpu, launches=True)), f"{even * 1e6:.1f} µs"]
        else:
            cells += ["", "", ""]
    unfused = StageCase(case.arch, case.size, case.preset, case.stage, fused=False)
    return (*cells, _ratio(unfused.gain(GPUS[0])) if is_merged else "")


def _bytes(kernels: Iterable[Kernel], *parts: Part) -> int:
    return sum(kernel.bytes_moved for kernel in kernels if kernel.part in parts)


def _operations(kernels: Iterable[Kernel], *parts: Part) -> int:
    return sum(kernel.tensor_operations + kernel.vector_operations for kernel in kernels if kernel.part in parts)


def _label(heading: str) -> Column:
    return Column(heading, is_number=False)


def _change(before: int, after: int) -> str:
    return str(before) if before == after else f"{before} → {after}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f}" if count else ""


def _giga(count: int) -> str:
    return f"{count / 1e9:.2f}" if count else ""


def _ratio(value: float) -> str:
    return f"{value:.2f}x"
