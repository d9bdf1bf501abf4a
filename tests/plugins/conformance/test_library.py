"""The library as a file, and the plugins' own memory under the sanitizers."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from segpp_deploy.ops.registry import DECLARATIONS
from tests.plugins.conformance.driver import KINT32, Driver, create_command
from tests.plugins.conformance.examples import assert_outputs, make_example
from tests.plugins.native import SANITIZED, build_host

EXPORTS = {"getCreators", "setLoggerFinder"}


def test_library_shows_nothing_but_its_entry_points(plugins_library: Path) -> None:
    command = ["nm", "--dynamic", "--defined-only", "--format=just-symbols", plugins_library]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(symbols) == EXPORTS


def test_library_stands_alone(plugins_library: Path) -> None:
    """It loads without TensorRT and knows its creators: every op in two namespaces."""
    library = ctypes.CDLL(str(plugins_library))
    count = ctypes.c_int32(-1)
    library.getCreators.restype = ctypes.c_void_p
    assert library.getCreators(ctypes.byref(count))
    assert count.value == 2 * len(DECLARATIONS)


@pytest.fixture(scope="module")
def sanitized(nvidia_library: Path) -> tuple[Path, Path]:
    """The driver and the plugins with AddressSanitizer and UndefinedBehaviorSanitizer."""
    return build_host("conformance_driver", SANITIZED), build_host("segpp_plugins_host", SANITIZED)


@pytest.mark.parametrize("op", list(DECLARATIONS))
def test_sanitizers_find_nothing(
    sanitized: tuple[Path, Path], nvidia_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    """In a plugin's whole life, and in what it refuses; a finding ends the process."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # NVIDIA's library keeps what it allocates
    program, plugins = sanitized
    driver = Driver(program, nvidia_library, plugins, tmp_path)
    example = make_example(op)
    tokens = [driver.save(f"input{index}", array) for index, array in enumerate(example.inputs)]
    life = [
        create_command("p", op, example.fields),
        "fields p",
        "reload r p",
        "clone c r",
        "destroy p",
        "attach a c",
        "destroy c",
        f"formats a {len(tokens)}",
        f"configure a {example.tensors()}",
        f"reshape a {example.tensors()}",
        " ".join([f"enqueue a {len(tokens)}", *tokens, *example.output_files("a")]),
        "destroy a",
    ]
    driver.results(*life)
    assert_outputs(driver, example, "a")
    driver.run(
        create_command("p", op, ["null"]),
        create_command("p", op, ["broken"]),
        create_command("p", op, [*example.fields, f"~:{KINT32}:1"]),
        create_command("p", op, [f"{name}:{KINT32}:~" for name in example.attributes] or ["x:5:1"]),
        create_command("p", op, example.fields),
        f"nulls p {len(tokens)}",
        "reshape p 1 0.0:1 0.0:1",
        "configure p 9 0.0:1 0.0:1 0.0:1 0.0:1 0.0:1 0.0:1 0.0:1 0.0:1 0.0:1 0.0:1",
    )
