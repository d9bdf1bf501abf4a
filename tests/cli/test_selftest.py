"""`segpp-deploy selftest`: exit codes and output."""

from __future__ import annotations

import json

import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.errors import SegppError
from segpp_deploy.workflows.selftest import run as selftest
from segpp_deploy.workflows.selftest.result import CheckResult, SelftestResult


def answer(monkeypatch: pytest.MonkeyPatch, passed: bool) -> None:
    check = CheckResult("TokenMatch", "8x8", "float32", passed, "0 of 64 values differ")
    monkeypatch.setattr(selftest, "run_selftest", lambda options, progress: SelftestResult("here", (check,)))


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_exit_code_and_json(
    passed: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, passed)
    assert run_command(["selftest", "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is passed
    assert document["checks"][0]["subject"] == "TokenMatch"


def test_table_for_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer(monkeypatch, passed=False)
    run_command(["selftest", "--quiet"])
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "1 of 1 checks failed." in out


def test_what_is_missing_exits_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object) -> None:
        raise SegppError("No NVIDIA GPU was found.", "a GPU.", "Go where one is.")

    monkeypatch.setattr(selftest, "require_gpu", refuse)
    assert run_command(["selftest"]) == 2
    error = capsys.readouterr().err
    assert error.count("No NVIDIA GPU was found.") == 1
    assert "Expected: an NVIDIA GPU, TensorRT, and the plugin library" in error
    assert "Fix: " in error
