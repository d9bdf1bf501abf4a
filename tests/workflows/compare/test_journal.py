from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.workflows.compare import journal as journal_module
from segpp_deploy.workflows.compare.journal import Journal

WRITER = """
import sys
from pathlib import Path
from segpp_deploy.files import write_text
from segpp_deploy.workflows.compare.journal import Journal

folder = Path(sys.argv[1])
journal = Journal(folder / "journal.jsonl")
number = 0
while journal.find(str(number), "key"):
    number += 1
print("ready", flush=True)
while True:
    journal.add(str(number), "key", {"number": number, "padding": "x" * 5000})
    print(number, flush=True)
    write_text(folder / "report.json", '{"rows": "' + "9" * 20000 + '"}')
    number += 1
"""
KILLS = 20


def test_findings_are_kept_by_subject_and_key(tmp_path: Path) -> None:
    path = tmp_path / "a/journal.jsonl"
    journal = Journal(path)
    journal.add("row 1", "key", {"value": 1.5})
    journal.add("row 2", "key", {"value": float("nan")})
    journal.add("row 1", "key", {"value": 2.5})
    again = Journal(path)
    assert again.find("row 1", "key") == {"value": 2.5}
    assert again.find("row 1", "other") is None
    assert again.is_stale("row 1", "other")
    assert not again.is_stale("row 1", "key")
    assert not again.is_stale("row 3", "key")
    assert Journal(path, fresh=True).find("row 1", "key") is None


@pytest.mark.parametrize("torn", [b'{"subject": "row 2", "ke', b"\xff\xfe", b'["a list"]\n', b"[" * 9000])
def test_what_is_torn_is_left_out_and_the_next_line_stands_alone(torn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).add("row 1", "key", {})
    with path.open("ab") as stream:
        stream.write(torn)
    journal = Journal(path)
    assert journal.find("row 1", "key") == {}
    journal.add("row 3", "key", {"value": 3})
    assert Journal(path).find("row 3", "key") == {"value": 3}


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.add("row 1", "key", {})

    def write_half(descriptor: int, data: bytes) -> int:
        os.pwrite(descriptor, bytes(data[: len(data) // 2]), path.stat().st_size)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", write_half)
        with pytest.raises(SegppError, match="disk filled up"):
            journal.add("row 2", "key", {})
    journal.add("row 3", "key", {})
    again = Journal(path)
    assert [again.find(f"row {number}", "key") for number in (1, 2, 3)] == [{}, None, {}]


def test_a_kill_loses_no_finding_and_leaves_no_broken_file(tmp_path: Path) -> None:
    """The writer goes on where it was, so a finding that was lost or repeated would show."""
    waits, told = random.Random(1), -1
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(waits.uniform(0, 0.03))
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        numbers = [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        journal = Journal(tmp_path / "journal.jsonl")
        told = max([told, *numbers])
        assert all(journal.find(str(number), "key") for number in range(told + 1))
        if (tmp_path / "report.json").exists():
            assert json.loads((tmp_path / "report.json").read_text())["rows"]
    assert told > KILLS
