"""Every kernel for every architecture: without warning, spill or stack, with the instructions it was written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.toolchain import compile_matrix
from benchmarks.toolchain.kernel_compilation import (
    compile_kernel,
    count,
    count_unordered,
    kernel_sources,
    read_resources,
)
from segpp_deploy.plugin_library.architectures import ARCHITECTURES, OLDEST
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit

RECORD_AGAIN = "python -m benchmarks.toolchain.compile_matrix"
COMPILED_HERE = (OLDEST, "87", ARCHITECTURES[-1])  # of all, the record is read
LOG = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN5segpp6detail4kernI6__halfEEvPT_' for 'sm_87'
ptxas info    : Function properties for _ZN5segpp6detail4kernI6__halfEEvPT_
    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 400 bytes smem, 360 bytes cmem[0]
ptxas info    : Compiling entry function 'plain' for 'sm_87'
ptxas info    : Function properties for plain
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers
"""


def test_reading_the_compiler_s_report() -> None:
    first, second = read_resources(LOG)
    assert (first.kernel, first.registers, first.shared_bytes) == ("kern<__half>", 32, 400)
    assert (first.stack_bytes, first.spill_store_bytes, first.spill_load_bytes) == (8, 4, 12)
    assert (second.kernel, second.registers, second.shared_bytes, second.stack_bytes) == ("plain", 8, 0, 0)


GOOD = {
    **dict.fromkeys(("stack_bytes", "spill_store_bytes", "spill_load_bytes", "local_memory", "unordered_accesses"), 0),
    **dict.fromkeys(("tensor_core", "loads_128", "stores_128"), 1),
}


@pytest.mark.parametrize(
    ("source", "kernel", "wrong"),
    [
        ("upsample_argmax.cu", "k", {"stack_bytes": 8}),
        ("upsample_argmax.cu", "k", {"spill_load_bytes": 4}),
        ("token_match.cu", "k", {"local_memory": 2}),
        ("token_unmerge.cu", "k", {"unordered_accesses": 1}),
        ("token_match.cu", "match_kernel<HalfProducts, true>", {"tensor_core": 0}),
        ("token_merge.cu", "mean_kernel<__half, true>", {"loads_128": 0}),
        ("token_unmerge.cu", "unmerge_kernel<float, true, false>", {"stores_128": 0}),
    ],
)
def test_faults_are_found(source: str, kernel: str, wrong: dict[str, int]) -> None:
    row = {"source": source, "kernel": kernel, **GOOD}
    assert not compile_matrix.find_faults(row)
    assert compile_matrix.find_faults({**row, **wrong})


def test_other_variants_need_no_wide_access() -> None:
    row = {"source": "token_unmerge.cu", "kernel": "unmerge_kernel<float, false, true>", **GOOD, "loads_128": 0}
    assert not compile_matrix.find_faults(row)


def test_instructions_are_counted_by_whole_words() -> None:
    assert count(["LDG.E.128.CONSTANT", "LDG.E.U16", "LDGSTS.E.128"], "LDG", "128") == 1


@pytest.mark.parametrize(
    ("instructions", "unordered"),
    [
        ("S2R LDC ACQBULK LDG.E STG.E EXIT", 0),
        ("LDS LDG.E ACQBULK STG.E", 1),
        ("ATOMG.E.ADD RED.E ACQBULK", 2),
        ("ACQBULK LDG.E.128.CONSTANT", 1),
        ("LDG.E.CONSTANT STG.E", 2),  # never waits
    ],
)
def test_accesses_that_the_wait_does_not_order_are_counted(instructions: str, unordered: int) -> None:
    assert count_unordered(instructions.split()) == unordered


def test_the_record_is_of_these_sources_and_without_fault() -> None:
    record = compile_matrix.read_record()
    assert record["sources"] == compile_matrix.content_keys(record["nvcc"]), RECORD_AGAIN
    assert not [row for row in record["rows"] if compile_matrix.find_faults(row)]


@pytest.mark.parametrize(
    ("change", "is_same"), [({"registers": 3}, True), ({"registers": 5}, False), ({"loads_128": 1}, False)]
)
def test_a_few_registers_are_no_other_kernel(change: dict[str, int], is_same: bool) -> None:
    rows = compile_matrix.read_record()["rows"]
    changed = [{**row, **{name: row[name] + more for name, more in change.items()}} for row in rows]
    assert compile_matrix.is_as_recorded(changed, rows) is is_same
    assert not compile_matrix.is_as_recorded(rows[1:], rows)


@pytest.mark.parametrize("architecture", COMPILED_HERE)
@pytest.mark.parametrize("source", kernel_sources(), ids=lambda source: source.stem)
def test_kernels(source: Path, architecture: str, toolkit: CudaToolkit) -> None:
    rows = compile_matrix.describe(toolkit, compile_kernel(toolkit, source, architecture))
    assert rows
    faults = {row["kernel"]: found for row in rows if (found := compile_matrix.find_faults(row))}
    assert not faults
    record = compile_matrix.read_record()
    if record["nvcc"] == toolkit.version:
        where = (source.name, architecture)
        recorded = [row for row in record["rows"] if (row["source"], row["architecture"]) == where]
        assert compile_matrix.is_as_recorded(rows, recorded), RECORD_AGAIN


def test_the_checks_apply_to_kernels_that_exist() -> None:
    """A renamed kernel must not slip through the checks of its instructions."""
    rows = compile_matrix.read_record()["rows"]
    assert {(row["source"], row["architecture"]) for row in rows} == {
        (source.name, architecture) for source in kernel_sources() for architecture in ARCHITECTURES
    }, RECORD_AGAIN
    blind = {**GOOD, **dict.fromkeys(("tensor_core", "loads_128", "stores_128"), 0)}
    checked = {row["source"] for row in rows if compile_matrix.find_faults({**row, **blind})}
    assert checked == {"token_match.cu", "token_merge.cu", "token_unmerge.cu"}


def test_page_is_what_the_record_says() -> None:
    assert compile_matrix.PAGE.read_text() == compile_matrix.render_page(compile_matrix.read_record()), RECORD_AGAIN
