"""Compile every kernel for every architecture, and record registers, shared memory, spills and telling instructions.

    python -m benchmarks.toolchain.compile_matrix            compile and record, then write docs/kernel-resources.md
    python -m benchmarks.toolchain.compile_matrix --check    compare with the record; exit code 1 if it differs

The compiler is pip's nvcc, so that the record is the same on every machine, but for a few registers.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from benchmarks.arguments import make_parser
from benchmarks.recording import RESULTS, ROOT, record
from benchmarks.toolchain.kernel_compilation import (
    Compiled,
    compile_all,
    content_key,
    count,
    count_unordered,
    find_pip_toolkit,
    kernel_sources,
    read_instructions,
    read_resources,
)
from segpp_deploy.files import write_text
from segpp_deploy.plugin_library.architectures import ARCHITECTURES
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit

Row = dict[str, Any]
NAME = "compile_matrix"
PAGE = ROOT / "docs/kernel-resources.md"
REGISTERS_APART = 4
"""nvcc names a file's own variables by a hash of its path, and ptxas' choices follow the order of names."""
EARLY_STARTS_SINCE = 90
"""From this architecture on a kernel may start before earlier launches have ended, and waits for them."""
_ALWAYS_NONE = ("stack_bytes", "spill_store_bytes", "spill_load_bytes", "local_memory", "unordered_accesses")


def describe(toolkit: CudaToolkit, compiled: Compiled) -> list[Row]:
    """Return one row for each kernel of a compiled source."""
    instructions = read_instructions(toolkit, compiled.cubin)
    starts_early = int(compiled.architecture) >= EARLY_STARTS_SINCE
    return [
        {
            "source": compiled.source,
            "architecture": compiled.architecture,
            **dataclasses.asdict(resources),
            "tensor_core": count(instructions[resources.kernel], "HMMA"),
            "loads_128": count(instructions[resources.kernel], "LDG", "128"),
            "stores_128": count(instructions[resources.kernel], "STG", "128"),
            "local_memory": count(instructions[resources.kernel], "LDL") + count(instructions[resources.kernel], "STL"),
            "unordered_accesses": count_unordered(instructions[resources.kernel]) if starts_early else 0,
        }
        for resources in read_resources(compiled.log)
    ]


def find_faults(row: Row) -> list[str]:
    """Say what is wrong with a kernel whatever was recorded: what must not be in it, and what must and is not.

    Example:
        >>> row = {"source": "token_match.cu", "kernel": "match_kernel<HalfProducts, true>", "tensor_core": 0}
        >>> find_faults({**row, **dict.fromkeys(_ALWAYS_NONE, 0)})
        ['no tensor-core instruction']
    """
    faults = [f"{row[name]} in {name}" for name in _ALWAYS_NONE if row[name]]
    arguments = row["kernel"].partition("<")[2]
    if row["source"] == "token_match.cu" and "Half" in arguments and not row["tensor_core"]:
        faults.append("no tensor-core instruction")
    if row["source"] in ("token_merge.cu", "token_unmerge.cu") and _is_vectorised(arguments):
        faults += [f"no {name}" for name in ("loads_128", "stores_128") if not row[name]]
    return faults


def is_as_recorded(rows: list[Row], recorded: list[Row]) -> bool:
    """Whether kernels are those of the record: the same but for a few registers."""
    same = [{**row, "registers": 0} for row in rows] == [{**row, "registers": 0} for row in recorded]
    return same and all(
        abs(row["registers"] - known["registers"]) <= REGISTERS_APART for row, known in zip(rows, recorded, strict=True)
    )


def render_page(document: dict[str, Any]) -> str:
    """Return the page of the record."""
    rows: list[Row] = document["rows"]
    cells = {(row["source"], row["kernel"], row["architecture"]): row for row in rows}
    kernels = list(dict.fromkeys((row["source"], row["kernel"]) for row in rows))
    lines = [
        "# What the kernels take of a GPU",
        "",
        "Registers per thread, by architecture, and the most shared memory of a block. No kernel spills or uses local",
        "memory; the matching of float16 uses tensor cores, merging and restoring load and store 128 bits at a time.",
        f"From sm_{EARLY_STARTS_SINCE} on no access to global memory stands before the wait for earlier launches,",
        "and no load takes it for constant.",
        "`python -m benchmarks.toolchain.compile_matrix --check` holds this; it compiles with nvcc from pip.",
        "",
        f"| source | kernel | {' | '.join(f'sm_{name}' for name in ARCHITECTURES)} | shared memory |",
        f"| :--- | :--- |{' ---: |' * (len(ARCHITECTURES) + 1)}",
    ]
    for source, kernel in kernels:
        of_kernel = [cells[source, kernel, name] for name in ARCHITECTURES]
        registers = " | ".join(str(row["registers"]) for row in of_kernel)
        shared = max(row["shared_bytes"] for row in of_kernel)
        lines.append(f"| {source} | `{kernel}` | {registers} | {shared} B |")
    lines += ["", f"nvcc {document['nvcc']}, {document['measured']}, commit {document['commit']}.", ""]
    return "\n".join(lines)


def read_record() -> dict[str, Any]:
    """Return the recorded table."""
    document: dict[str, Any] = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    return document


def content_keys(nvcc: str) -> dict[str, str]:
    """Return for each source what the record was made of, compiled with that version of nvcc."""
    return {source.name: content_key(nvcc, source) for source in kernel_sources()}


def measure(toolkit: CudaToolkit) -> list[Row]:
    return [row for compiled in compile_all(toolkit) for row in describe(toolkit, compiled)]


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="compare, record nothing")
    check = parser.parse_args().check
    toolkit = find_pip_toolkit()
    if toolkit is None:
        print("pip's nvcc is not installed here: pip install '.[plugins,dev]'", file=sys.stderr)
        return 2
    rows = measure(toolkit)
    faults = [f"{row['kernel']} for sm_{row['architecture']}: {fault}" for row in rows for fault in find_faults(row)]
    print("\n".join(faults) or f"{len(rows)} kernels without fault", file=sys.stderr)
    if check:
        return int(bool(faults) or not is_as_recorded(rows, read_record()["rows"]))
    record(NAME, {"nvcc": toolkit.version, "sources": content_keys(toolkit.version), "rows": rows})
    write_text(PAGE, render_page(read_record()))
    return int(bool(faults))


def _is_vectorised(arguments: str) -> bool:
    """Whether a kernel is the variant for channels that are a multiple of 8: its first boolean argument says so."""
    booleans = [word for word in arguments.rstrip(">").split(", ") if word in ("true", "false")]
    return bool(booleans) and booleans[0] == "true"


if __name__ == "__main__":
    sys.exit(main())
