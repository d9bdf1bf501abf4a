"""The planted bugs still apply, and what was recorded of them holds. benchmarks/toolchain/mutations.py runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.recording import RESULTS
from benchmarks.toolchain import mutations
from benchmarks.toolchain.mutations import MutatedTree, Mutation

RECORDED = RESULTS / "mutations.json"
LEAST_MUTATIONS = 12


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> MutatedTree:
    return MutatedTree(tmp_path_factory.mktemp("mutations"))


def test_there_are_enough() -> None:
    assert len(mutations.list_mutations()) >= LEAST_MUTATIONS


@pytest.mark.parametrize("mutation", mutations.list_mutations(), ids=lambda mutation: mutation.name)
def test_patch_applies(tree: MutatedTree, mutation: Mutation) -> None:
    tree.apply(mutation)
    changed = tree.folder / mutation.changed
    original = (mutations.ROOT / mutation.changed).read_text(encoding="utf-8")
    assert changed.read_text(encoding="utf-8") != original
    tree.restore(mutation)
    assert changed.read_text(encoding="utf-8") == original
    assert mutation.plants.endswith(".")
    assert (mutations.ROOT / mutations.TESTS / mutation.test_module).is_file()


def test_a_patch_that_does_not_apply_is_an_error(tree: MutatedTree, tmp_path: Path) -> None:
    mutation = mutations.list_mutations()[0]
    stale = tmp_path / "stale.patch"
    lines = mutation.patch.read_text(encoding="utf-8").splitlines(keepends=True)
    stale.write_text("".join(line if line[:1] != "-" or line[:3] == "---" else "-gone\n" for line in lines))
    with pytest.raises(mutations.StalePatchError):
        tree.apply(Mutation("stale", mutation.plants, stale, mutation.changed))


def test_every_bug_was_caught() -> None:
    rows = {row["name"]: row for row in json.loads(RECORDED.read_text(encoding="utf-8"))["rows"]}
    assert rows.keys() == {mutation.name for mutation in mutations.list_mutations()}
    assert all(row["passed"] for row in rows.values())
