from __future__ import annotations

import functools
import os
import pickle
import shlex
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.state_dicts import all_names
from segpp_deploy.model.weights.weights_file import read_weights_file


class WritesAFile:
    """Pickles to a call that creates a file when it is loaded the careless way."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


def failure(path: Path) -> SegppError:
    with pytest.raises(SegppError) as caught:
        read_weights_file(path)
    assert caught.value.expected
    assert caught.value.fix
    return caught.value


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path, zipped: bool) -> None:
    mark = tmp_path / "executed"
    path = tmp_path / "hostile.pth"
    content = {"state_dict": {"w": torch.zeros(2)}, "meta": WritesAFile(mark)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    error = failure(path)
    assert not mark.exists()
    assert "refused" in error.what
    assert "system" in error.what
    assert "Nothing was executed" in error.what
    torch.load(path, weights_only=False)  # the file is hostile indeed
    assert mark.exists()


def test_a_plain_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    error = failure(write(tmp_path / "hostile.pth", pickle.dumps(WritesAFile(mark), protocol=2)))
    assert not mark.exists()
    assert "system" in error.what


def test_code_hidden_behind_an_allowed_package_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    class Sneaky:
        def __reduce__(self) -> Any:
            return np.fromfile, (str(mark),)  # of a package that is skipped: the call must not happen either

    torch.save({"w": torch.zeros(2), "x": Sneaky()}, tmp_path / "w.pth")
    assert all_names(read_weights_file(tmp_path / "w.pth").content) == ["w"]


class Settings(dict):  # type: ignore[type-arg]
    """Like Lightning's AttributeDict and mmengine's ConfigDict."""


class Names(list):  # type: ignore[type-arg]
    """Like a list of omegaconf."""


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_beside_the_weights_are_never_made(
    tmp_path: Path, zipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {
        "w": torch.ones(2),
        "settings": Settings(lr=1e-3, loss=functools.partial(torch.relu, 1)),
        "counts": defaultdict(int, {"a": 1}),
        "names": Names(["a", "b"]),
        "path": Path("a") / "b",
        "array": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "scalar": np.float64(0.5),
        "texts": np.array(["a", "b"]),
    }
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(Settings, "__setitem__", None, raising=False)  # a use of the class would fail
    found = read_weights_file(tmp_path / "w.pth").content
    assert found["settings"]["lr"] == 1e-3
    assert found["counts"] == {"a": 1}
    assert found["names"] == ["a", "b"]
    assert found["array"] == [[0, 1, 2], [3, 4, 5]]
    assert (found["scalar"], found["texts"]) == (0.5, None)
    assert type(found["settings"]) in (dict, OrderedDict)


def test_a_module_is_read_as_its_state_dict(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    module.register_buffer("scratch", torch.zeros(1), persistent=False)
    torch.save({"model": module, "hyper_parameters": {"loss": torch.nn.CrossEntropyLoss()}}, tmp_path / "w.pth")
    found = read_weights_file(tmp_path / "w.pth").content["model"]
    assert found.keys() == module.state_dict().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in module.state_dict().items())


def follow(fix: str, folder: Path) -> None:
    """Run a suggested command, with this Python."""
    program, *arguments = shlex.split(fix[fix.index("python -c") :])
    assert program == "python"
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_advice_for_torchscript_works(tmp_path: Path) -> None:
    path = tmp_path / "it's a script.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    error = failure(path)
    assert "is a TorchScript file" in error.what
    follow(error.fix, tmp_path)
    assert read_weights_file(tmp_path / "it's a script_weights.pth").content.keys() == {"weight", "bias"}


def test_the_advice_for_a_module_in_the_format_of_old_torch_works(tmp_path: Path) -> None:
    content = {"model": torch.nn.Linear(2, 2), "meta": {"classes": ("a", "b")}, "loss": torch.nn.MSELoss()}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    error = failure(tmp_path / "old.pth")
    assert "cannot be read without executing it" in error.what
    follow(error.fix, tmp_path)
    found = read_weights_file(tmp_path / "old_weights.pth").content
    assert found["model"].keys() == {"weight", "bias"}
    assert found["meta"]["classes"] == ["a", "b"]


class HistoryBuffer:
    """Stored as mmengine stores its own class of this name: arrays, and its methods by getattr."""

    def __init__(self) -> None:
        self._log_history = np.arange(3.0)
        self.statistics_methods = {"mean": HistoryBuffer.mean}

    def mean(self) -> float:
        return float(self._log_history.mean())


HistoryBuffer.__module__ = "mmengine.logging.history_buffer"


def test_what_mmengine_stores_beside_the_weights_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    vars(sys.modules["mmengine.logging.history_buffer"])["HistoryBuffer"] = HistoryBuffer
    content = {
        "meta": {"epoch": 1, "best": np.float64(0.5), "dataset_meta": {"classes": ("a", "b")}},
        "message_hub": {"log_scalars": OrderedDict(loss=HistoryBuffer())},
        "state_dict": {"w": torch.ones(2)},
    }
    torch.save(content, tmp_path / "mm.pth")
    monkeypatch.undo()  # mmengine isn't there when the file is read
    weights = read_weights_file(tmp_path / "mm.pth")
    assert all_names(weights.content) == ["w"]
    assert weights.record.classes == ("a", "b")


def test_stand_ins_are_gone_after_reading(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    torch.save({"w": torch.zeros(2), "x": np.float64(1)}, tmp_path / "w.pth")
    read_weights_file(tmp_path / "w.pth")
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("content", [{"epoch": 3}, {"state_dict": {}}, [1, 2], "text", None])
def test_a_file_without_tensors(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert "holds no tensors" in failure(tmp_path / "w.pth").what


def test_missing_empty_and_directory(tmp_path: Path) -> None:
    assert "No such file" in failure(tmp_path / "missing.pth").what
    assert "0 bytes" in failure(write(tmp_path / "empty.pth", b"")).what
    assert "is a directory" in failure(tmp_path).what


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_torch_file(tmp_path: Path, zipped: bool, share: float) -> None:
    torch.save({"w": torch.arange(5000.0)}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "w.pth").read_bytes()
    assert "truncated, damaged" in failure(write(tmp_path / "cut.pth", whole[: int(len(whole) * share)])).what


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_safetensors_file(tmp_path: Path, share: float) -> None:
    save_file({"w": torch.arange(5000.0)}, tmp_path / "w.safetensors")
    whole = (tmp_path / "w.safetensors").read_bytes()
    assert "damaged" in failure(write(tmp_path / "cut.safetensors", whole[: int(len(whole) * share)])).what


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("readme.txt", "no tensors here")
    assert "torch cannot read it" in failure(tmp_path / "w.pth").what


@pytest.mark.parametrize(
    ("content", "message", "fix"),
    [
        (b"\x13\x37" * 500, "is no checkpoint", "--checkpoint"),
        (b"<!DOCTYPE html><html>", "is a web page", "browser"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer", "git lfs pull"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, message: str, fix: str) -> None:
    error = failure(write(tmp_path / "w.pth", content))
    assert message in error.what
    assert fix in error.fix


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    save_file({"w": torch.ones(3)}, tmp_path / "a.pth")
    torch.save({"w": torch.ones(3)}, tmp_path / "b.safetensors")
    for name in ("a.pth", "b.safetensors"):
        assert torch.equal(read_weights_file(tmp_path / name).content["w"], torch.ones(3))
