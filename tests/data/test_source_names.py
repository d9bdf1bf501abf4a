"""Sources that other tools take are refused for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.data.source_names import require_file_source
from segpp_deploy.errors import SegppError


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("sftp://10.0.0.1/cam 1", "sftp://10.0.0.1/cam 1 is an address", "ffmpeg -i 'sftp://10.0.0.1/cam 1' -t 60"),
        ("0", "a camera is named by its device", "/dev/video0"),
        ("some dir/*.png", "is a pattern", "Name the directory: 'some dir'"),
        ("list.txt", "is a list", "into one directory"),
    ],
)
def test_sources_that_are_no_files(
    name: str, what: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_bytes(b"0.png\r\n")
    with pytest.raises(SegppError) as caught:
        require_file_source(Path(name))
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize("name", ["0", "a[1].png", "what?.mp4", "missing.png"])
def test_files_of_such_names_are_files(name: str, tmp_path: Path) -> None:
    if name != "missing.png":  # which whoever reads it will miss
        (tmp_path / name).touch()
    require_file_source(tmp_path / name)
