"""JetPack 6 has CUDA 12.6: the kernels use nothing newer."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.toolchain import cuda12
from benchmarks.toolchain.kernel_compilation import kernel_sources, read_resources
from tests.support.requirements import skip_or_fail

JETSON_ORIN = "87"
each_source = pytest.mark.parametrize("source", kernel_sources(), ids=lambda source: source.stem)


@pytest.fixture(scope="session")
def wheels() -> Path:
    found = cuda12.find_wheels()
    if found is None:
        skip_or_fail("cuda_compilers", "no CUDA 12.6 of pip, which has it for Linux only: pip install -e '.[dev]'")
    return found


def test_the_compiler_is_of_jetpack_6(wheels: Path) -> None:
    assert cuda12.nvrtc_version(wheels) == "12.6"


@each_source
def test_device_code_compiles_with_nvrtc(source: Path, wheels: Path) -> None:
    assert cuda12.compile_with_nvrtc(wheels, source, JETSON_ORIN).startswith(b"\x7fELF")


@each_source
def test_both_halves_compile_with_clang(source: Path, wheels: Path) -> None:
    clang = cuda12.find_clang()
    if clang is None:
        skip_or_fail("clang", f"none of these is installed: {', '.join(cuda12.CLANGS)}")
    resources = read_resources(cuda12.compile_with_clang(clang, wheels, source, JETSON_ORIN))
    assert resources
    assert not [kernel for kernel in resources if kernel.spill_store_bytes]


def test_newer_features_are_refused(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "newer.cu"
    source.write_text("#include <cuda_fp4.h>\n__global__ void kernel(__nv_fp4_e2m1* p) { p[0] = p[1]; }\n")
    monkeypatch.setattr(cuda12, "PLUGINS", tmp_path)
    with pytest.raises(cuda12.Cuda12Error, match=r"cuda_fp4\.h"):
        cuda12.compile_with_nvrtc(wheels, source, JETSON_ORIN)
