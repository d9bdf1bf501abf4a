"""The emulation of CUDA: each named case of plugins/testing/emulator_tests, plain, sanitized and in other builds."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.plugins.native import OTHER, PLUGINS, SANITIZED, build_host

TARGET = "emulator_tests"
TIMEOUT_S = 120


def _cases(files: str) -> list[str]:
    texts = [source.read_text(encoding="utf-8") for source in sorted((PLUGINS / "testing/emulator_tests").glob(files))]
    return [name for text in texts for name in re.findall(r"^SIMT_CASE\((\w+)\)", text, re.MULTILINE)]


CASES = _cases("*.cpp")
TEXTBOOK_CASES = _cases("textbook_kernels.cpp")


def _run(program: Path, *names: str, seed: int = 0, resident: int = 1) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SEGPP_SIMT_SEED": str(seed), "SEGPP_SIMT_RESIDENT": str(resident)}
    return subprocess.run(
        [program, *names], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment
    )


def _assert_passes(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def program() -> Path:
    return build_host(TARGET)


@pytest.fixture(scope="session")
def sanitized_program() -> Path:
    return build_host(TARGET, SANITIZED)


@pytest.mark.parametrize("case", CASES)
def test_case(program: Path, case: str) -> None:
    _assert_passes(_run(program, case))


@pytest.mark.parametrize("case", CASES)
def test_case_under_sanitizers(sanitized_program: Path, case: str) -> None:
    _assert_passes(_run(sanitized_program, case))


@pytest.mark.parametrize(("seed", "resident"), [(seed, 1 + seed % 4) for seed in range(1, 9)])
def test_correct_kernels_are_clean_in_every_order(program: Path, seed: int, resident: int) -> None:
    _assert_passes(_run(program, *TEXTBOOK_CASES, seed=seed, resident=resident))


@pytest.mark.parametrize(("seed", "resident"), [(1, 1), (2, 2), (3, 5)])
def test_planted_bugs_are_found_in_every_order(program: Path, seed: int, resident: int) -> None:
    _assert_passes(_run(program, *_cases("races.cpp"), *_cases("barriers.cpp"), seed=seed, resident=resident))


def test_cases_in_the_other_build() -> None:
    _assert_passes(_run(build_host(TARGET, OTHER)))


@pytest.mark.parametrize(
    ("case", "report"),
    [
        ("local_overflow_after_a_barrier", "AddressSanitizer: stack-buffer-overflow"),
        ("global_overflow_after_a_barrier", "AddressSanitizer: heap-buffer-overflow"),
        ("signed_overflow_after_a_barrier", "runtime error: signed integer overflow"),
    ],
)
def test_sanitizers_see_through_the_switched_stacks(sanitized_program: Path, case: str, report: str) -> None:
    done = _run(sanitized_program, case)
    assert done.returncode != 0
    assert report in done.stderr


def test_unknown_case_is_an_error(program: Path) -> None:
    done = _run(program, "no_such_case")
    assert done.returncode == 2
    assert "0 of 1 cases exist" in done.stderr


def test_failed_check_is_an_error(program: Path) -> None:
    done = _run(program, "mma_of_input")  # and no input
    assert done.returncode == 1
    assert "not so: std::scanf" in done.stderr


def test_finding_names_kernel_block_array_and_threads(program: Path) -> None:
    done = _run(program, "race_in_one_block_of_many")
    assert re.search(
        r"^simt: kernel race_in_one_block_kernel, block \(3,0,0\): race on shared array 'mailbox'\[0\] "
        r"\(races\.cpp:\d+\): written by thread 0 and written by thread 32 without a barrier between them$",
        done.stderr,
        re.MULTILINE,
    )
