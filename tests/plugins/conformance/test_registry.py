"""The plugins through the registry of TensorRT-RTX 1.4 (TensorRT 10's ABI): everything a builder and a runtime call."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.ops.declaration import DOMAIN, FLOATS, PLUGIN_VERSION
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.plugin_library.kernels import MATCH_SLOTS
from tests.plugins.conformance.driver import KINT32, KINT64, KLINEAR, TYPES, Driver, create_command, field_tokens
from tests.plugins.conformance.examples import TENSORRT_DTYPES, Example, assert_outputs, make_example

NAMESPACES = ("", DOMAIN)
OPS = pytest.mark.parametrize("op", list(DECLARATIONS))
DTYPES = pytest.mark.parametrize("dtype", FLOATS)


def create(example: Example, plugin: str = "p") -> str:
    return create_command(plugin, example.op.name, example.fields)


def test_library_brings_every_op_in_both_namespaces(driver: Driver) -> None:
    (text,) = driver.results("list")
    expected = {
        "|".join([op.name, PLUGIN_VERSION, namespace, " ".join(f"{name}:{KINT32}:~" for name in op.attributes)])
        for op in DECLARATIONS.values()
        for namespace in NAMESPACES
    }
    assert set(text.split(";")) == expected
    assert len(text.split(";")) == len(expected)


def test_library_registers_itself_where_a_program_only_opens_it(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (loaded,) = driver.results("list")
    monkeypatch.setenv("SEGPP_REGISTER_PLUGINS", "libtensorrt_rtx.so")
    opened, made = driver.results("list", create_command("p", "TokenMerge", make_example("TokenMerge").fields))
    assert set(opened.split(";")) == set(loaded.split(";"))
    assert made == ""


def test_library_says_why_it_could_not_register_itself(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGPP_REGISTER_PLUGINS", "libabsent.so")
    (answer,) = driver.run("list")
    assert answer.text == ""


@OPS
@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("field_type", [KINT32, KINT64])
def test_plugin_knows_what_it_is(driver: Driver, op: str, namespace: str, field_type: int) -> None:
    example = make_example(op)
    fields = field_tokens(example.attributes, field_type)
    _, identity = driver.results(create_command("p", op, fields, namespace), "identity p")
    values = " ".join(f"{name}={value}" for name, value in example.attributes.items())
    assert identity == "|".join([op, PLUGIN_VERSION, namespace, values, values, str(len(example.outputs))])


@OPS
@DTYPES
def test_output_types(driver: Driver, op: str, dtype: str) -> None:
    example = make_example(op, dtype)
    types = " ".join(str(TYPES[str(array.dtype)]) for array in example.inputs)
    _, outputs = driver.results(create(example), f"types p {types}")
    assert outputs.split() == [str(TYPES[str(array.dtype)]) for array in example.outputs]


@OPS
def test_output_shapes_are_the_declared_rule(driver: Driver, op: str) -> None:
    """With every extent of the inputs dynamic."""
    example = make_example(op)
    shapes = [[f"{index}.{axis}" for axis in range(array.ndim)] for index, array in enumerate(example.inputs)]
    ranks = " ".join(str(array.ndim) for array in example.inputs)
    _, outputs = driver.results(create(example), f"shapes p {ranks}")
    for output, expected in zip(outputs.split(";"), example.op.infer_shapes(shapes, example.attributes), strict=True):
        found = [_first_name(example, name) for name in output.split()]
        assert found == [_first_name(example, str(dim)) for dim in expected]


def _first_name(example: Example, extent: str) -> str:
    """One extent has a name in each tensor that shares it: return the first."""
    if "." not in extent:
        return extent
    index, axis = map(int, extent.split("."))
    names = [tensor.shape[1:].split("]")[0].split(", ") for tensor in example.op.inputs]
    wanted = names[index][axis]
    return next(f"{i}.{row.index(wanted)}" for i, row in enumerate(names) if wanted in row)


@OPS
@pytest.mark.parametrize("with_optional", [True, False])
def test_format_combinations(driver: Driver, op: str, with_optional: bool) -> None:
    """Of all types and formats, exactly the declared ones, linear; floats are alike."""
    example = make_example(op, with_optional=with_optional)
    tensors = [*example.op.inputs[: len(example.inputs)], *example.op.outputs]

    def combination(dtype: str) -> str:
        names = [dtype if tensor.dtypes == FLOATS else tensor.dtypes[0] for tensor in tensors]
        return ",".join(f"{TYPES[TENSORRT_DTYPES.get(name, name)]}.{KLINEAR}" for name in names)

    _, supported = driver.results(create(example), f"formats p {len(example.inputs)}")
    assert set(supported.split()) == {combination(dtype) for dtype in FLOATS}


@OPS
@DTYPES
def test_workspace_covers_the_largest_batch(driver: Driver, op: str, dtype: str) -> None:
    small, large = make_example(op, dtype, batch=1), make_example(op, dtype, batch=3)
    commands = [
        f"{command} p {example.tensors()}" for example in (small, large) for command in ("configure", "workspace")
    ]
    _, _, for_one, _, for_three = driver.results(create(small), *commands)
    assert int(for_one) <= int(for_three)
    assert (int(for_three) > 0) == op.startswith("TokenMatch")


@OPS
@DTYPES
@pytest.mark.parametrize("with_optional", [True, False])
def test_enqueue_computes_the_reference(driver: Driver, op: str, dtype: str, with_optional: bool) -> None:
    """By the plugin, a clone, one attached to a context, and one created from what the first would serialise."""
    example = make_example(op, dtype, with_optional=with_optional)
    tokens = [driver.save(f"input{index}", array) for index, array in enumerate(example.inputs)]
    copies = {"p": create(example), "c": "clone c p", "a": "attach a c", "r": "reload r p"}
    commands = [*copies.values(), "destroy p"]
    for plugin in ("c", "a", "r"):
        commands.append(f"reshape {plugin} {example.tensors()}")
        commands.append(" ".join([f"enqueue {plugin} {len(tokens)}", *tokens, *example.output_files(plugin)]))
    driver.results(*commands)
    for plugin in ("c", "a", "r"):
        assert_outputs(driver, example, plugin)


def test_a_merge_of_many_tokens_has_a_workspace(driver: Driver) -> None:
    tokens = np.random.default_rng(0).standard_normal((1, 8200, 4)).astype(np.float32)
    rows = np.arange(8200, dtype=np.int32)[None] % 7
    merged = np.stack([tokens[0, rows[0] == row].mean(axis=0) for row in range(7)])[None]
    example = Example(DECLARATIONS["TokenMerge"], {"num_rows": 7}, (tokens, rows), (merged,))
    inputs = [driver.save(f"input{index}", array) for index, array in enumerate(example.inputs)]
    enqueue = " ".join(["enqueue p 2", *inputs, *example.output_files("p")])
    shapes = example.tensors()
    _, size, *_ = driver.results(create(example), f"workspace p {shapes}", f"reshape p {shapes}", enqueue)
    assert int(size) > 0
    assert_outputs(driver, example, "p")


def test_more_matches_than_there_are_slots(driver: Driver) -> None:
    """Those of contexts that are gone are free again; who finds none takes more launches."""
    example = make_example("TokenMatch")
    token = driver.save("input0", example.inputs[0])
    names = [f"a{number}" for number in range(MATCH_SLOTS + 1)]
    commands = [create(example), *(f"attach {name} p" for name in names), "destroy a0", "attach b p"]
    for plugin in ("a1", names[-1], "b"):
        commands.append(f"reshape {plugin} {example.tensors()}")
        commands.append(" ".join([f"enqueue {plugin} 1", token, *example.output_files(plugin)]))
    driver.results(*commands)
    for plugin in ("a1", names[-1], "b"):
        assert_outputs(driver, example, plugin)


@OPS
def test_batch_changes_between_calls(driver: Driver, op: str) -> None:
    examples = [make_example(op, batch=batch) for batch in (1, 3, 2)]
    commands = [create(examples[0])]
    for example in examples:
        batch = str(len(example.outputs[0]))
        tokens = [driver.save(f"input{index}-{batch}", array) for index, array in enumerate(example.inputs)]
        enqueue = " ".join([f"enqueue p {len(tokens)}", *tokens, *example.output_files(batch)])
        commands += [f"reshape p {example.tensors()}", enqueue]
    driver.results(*commands)
    for example in examples:
        assert_outputs(driver, example, str(len(example.outputs[0])))


@OPS
def test_serialised_fields_are_the_attributes(driver: Driver, op: str) -> None:
    example = make_example(op)
    _, fields, _, again, identity, reloaded = driver.results(
        create(example), "fields p", "reload r p", "fields r", "identity p", "identity r"
    )
    assert fields.split() == example.fields
    assert again == fields
    assert reloaded == identity
