from __future__ import annotations

import platform

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.missing import MissingToolError
from segpp_deploy.plugin_library.tensorrt_headers import find_tensorrt_headers, parse_version

from .conftest import Computer, write


def test_system_before_pip(computer: Computer) -> None:
    wheel = computer.add_tensorrt(computer.site_packages / "kernel_lens/include/tensorrt")
    assert (find_tensorrt_headers().include_dir, find_tensorrt_headers().origin) == (wheel, "pip")
    system = computer.add_tensorrt(version=(10, 3, 0))
    found = find_tensorrt_headers()
    assert (found.include_dir, found.version, found.origin) == (system, "10.3.0", "system")
    assert system.name == f"{platform.machine()}-linux-gnu"


@pytest.mark.parametrize("inside", ["include", "."])
def test_a_named_folder(inside: str, computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.add_tensorrt()
    root = computer.root / "TensorRT-11.4"
    folder = computer.add_tensorrt(root / inside, (11, 4, 1))
    found = find_tensorrt_headers(root)
    assert (found.include_dir, found.version, found.origin) == (folder, "11.4.1", "--tensorrt-root")
    monkeypatch.setenv("TENSORRT_ROOT", str(root))
    assert find_tensorrt_headers().origin == "TENSORRT_ROOT"


def test_a_named_folder_is_not_replaced_by_another(computer: Computer) -> None:
    computer.add_tensorrt()
    with pytest.raises(SegppError, match=r"No NvInfer\.h in .*--tensorrt-root"):
        find_tensorrt_headers(computer.root)


def test_none(computer: Computer) -> None:
    with pytest.raises(MissingToolError) as caught:
        find_tensorrt_headers()
    assert caught.value.what == "To compile the plugins, one thing is missing: the TensorRT headers."
    assert caught.value.fix.startswith("Name a TensorRT you have with --tensorrt-root DIR; else: ")
    assert "pip install --no-deps kernel-lens" in caught.value.fix


def test_too_old(computer: Computer) -> None:
    computer.add_tensorrt(version=(10, 2, 9))
    with pytest.raises(SegppError, match=r"are 10\.2\.9") as caught:
        find_tensorrt_headers()
    assert caught.value.expected == "TensorRT 10.3 or newer."


@pytest.mark.parametrize(
    "text", [None, "", "#define NV_TENSORRT_MAJOR unknown", f"#define NV_TENSORRT_MAJOR {'9' * 5000}"]
)
def test_no_version(text: str | None, computer: Computer) -> None:
    folder = computer.add_tensorrt()
    (folder / "NvInferVersion.h").unlink()
    if text is not None:
        write(folder / "NvInferVersion.h", text)
    with pytest.raises(SegppError, match="does not say which TensorRT"):
        find_tensorrt_headers()


def test_plain_numbers() -> None:
    lines = (f"#define NV_TENSORRT_{name} {value}" for name, value in (("MAJOR", 10), ("MINOR", 3), ("PATCH", 0)))
    assert parse_version("\n".join(lines)) == (10, 3, 0)
