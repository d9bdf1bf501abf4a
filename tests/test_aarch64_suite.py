"""The record of the suite on aarch64 is of the suite as it is chosen, and of passing tests."""

from __future__ import annotations

import json

import pytest
from packaging.version import Version

from benchmarks.recording import RESULTS, ROOT
from benchmarks.toolchain.aarch64_suite import CORE, SELFTEST, TIMED, describe_selftest, read_report, sum_up
from benchmarks.toolchain.lowest_versions import developed

RECORD = json.loads((RESULTS / "aarch64_suite.json").read_text())
AGAIN = "run python -m benchmarks.toolchain.aarch64_suite"
REPORT = """<testsuites><testsuite>
<testcase classname="tests.ops.test_a" name="a"/>
<testcase classname="tests.ops.test_a" name="b"><skipped message="no"/></testcase>
<testcase classname="tests.test_b" name="c"><failure message="no"/></testcase>
<testcase classname="tests.test_b" name="d"><error message="no"/></testcase>
</testsuite></testsuites>"""


def test_the_whole_core_was_run() -> None:
    assert RECORD["core"] == list(CORE), AGAIN
    assert [place for place in (*CORE, *TIMED) if not (ROOT / place.partition("::")[0]).exists()] == []
    run = {row["what"] for row in RECORD["rows"] if row["tests"]["passed"]}
    assert [place for place in CORE if not any(what.startswith(place.partition("::")[0]) for what in run)] == []
    assert " ".join(SELFTEST) in run
    assert RECORD["tests"] == sum_up(RECORD["rows"])
    assert RECORD["tests"]["failed"] == 0


def test_it_was_that_processor() -> None:
    assert RECORD["emulated"]["machine"] == "aarch64"
    assert RECORD["emulated"]["packages"]["torch"].partition("+")[0] == developed("torch", "aarch64"), AGAIN


def test_pytorch_is_the_last_for_the_cpu_of_that_processor() -> None:
    version = Version(developed("torch", "aarch64"))
    assert version < Version(developed("torch", "x86_64"))
    assert f"'torch<{version.major}.{version.minor + 1}'" in (ROOT / "docs/jetson.md").read_text()


def test_failures_and_errors_are_seen() -> None:
    passed, failed = read_report(REPORT)
    assert passed == {"what": "tests/ops/test_a.py", "tests": {"passed": 1, "skipped": 1, "failed": 0}, "passed": True}
    assert failed == {"what": "tests/test_b.py", "tests": {"passed": 0, "skipped": 0, "failed": 2}, "passed": False}


@pytest.mark.parametrize("passed", [True, False])
def test_checks_of_the_selftest_count(passed: bool) -> None:
    assert describe_selftest({"checks": [{"passed": True}, {"passed": passed}]})["passed"] is passed
