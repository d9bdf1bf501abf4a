"""What a plugin cannot do is an error that is returned and logged, never a crash."""

from __future__ import annotations

import pytest

from segpp_deploy.ops.registry import DECLARATIONS
from tests.plugins.conformance.driver import KFLOAT32, KINT32, Answer, Driver, create_command
from tests.plugins.conformance.examples import Example, make_example

OPS = pytest.mark.parametrize("op", list(DECLARATIONS))
WITH_ATTRIBUTES = pytest.mark.parametrize("op", [name for name, op in DECLARATIONS.items() if op.attributes])


def assert_refused(answer: Answer, op: str, *parts: str) -> None:
    assert not answer.is_ok
    assert len(answer.errors) == 1, answer
    for part in (f"segpp::{op}: ", *parts):
        assert part in answer.errors[0]


@WITH_ATTRIBUTES
@pytest.mark.parametrize(
    ("token", "message"),
    [
        (f"{{name}}:{KFLOAT32}:4", "has type 1, expected kINT32 or kINT64"),
        (f"{{name}}:{KINT32}:4,4", "has 2 values, expected 1"),
        (f"{{name}}:{KINT32}:", "has 0 values, expected 1"),
        (f"{{name}}:{KINT32}:~", "has 0 values, expected 1"),
        (f"{{name}}:{KINT32}:0", "is 0, expected a positive 32-bit integer"),
        (f"{{name}}:{KINT32}:-3", "is -3, expected a positive 32-bit integer"),
        ("{name}:10:4294967296", "is 4294967296, expected a positive 32-bit integer"),
        (None, "is missing"),
    ],
)
def test_bad_field(driver: Driver, op: str, token: str | None, message: str) -> None:
    """Each attribute in turn."""
    example = make_example(op)
    names = list(example.attributes)
    commands = []
    for index, name in enumerate(names):
        fields = list(example.fields)
        fields[index : index + 1] = [token.format(name=name)] if token else []
        commands.append(create_command("p", op, fields))
    for name, answer in zip(names, driver.run(*commands), strict=True):
        assert_refused(answer, op, f"createPlugin: field {name} {message}")


@OPS
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (f"grid_d:{KINT32}:1", "there is no field grid_d"),
        (f"~:{KINT32}:1", "a field has no name"),
    ],
)
def test_unknown_field(driver: Driver, op: str, extra: str, message: str) -> None:
    (answer,) = driver.run(create_command("p", op, [*make_example(op).fields, extra]))
    assert_refused(answer, op, message)


@WITH_ATTRIBUTES
def test_field_given_twice(driver: Driver, op: str) -> None:
    fields = make_example(op).fields
    (answer,) = driver.run(create_command("p", op, [*fields, fields[0]]))
    assert_refused(answer, op, "is given twice")


@WITH_ATTRIBUTES
def test_no_fields(driver: Driver, op: str) -> None:
    null, broken = driver.run(create_command("p", op, ["null"]), create_command("p", op, ["broken"]))
    assert_refused(null, op, "is missing")
    assert_refused(broken, op, "the collection of fields is broken")


@pytest.mark.parametrize(
    ("op", "changes", "message"),
    [
        ("TokenMatch", {"stride_y": 8}, "the grid is smaller than a cell"),
        ("TokenMatch", {"num_removed": 62}, "num_removed is 62, expected at most 61, the number of sources"),
        ("TokenMatchMerge", {"stride_x": 11}, "the grid is smaller than a cell"),
        ("TokenMatchMerge", {"stride_y": 1, "stride_x": 1}, "the grid has no sources"),
        ("TokenMatchMerge", {"num_rows": 8}, "num_rows is 8, expected 9, the number of destinations, to 69"),
        ("TokenMatchMerge", {"num_rows": 70}, "num_rows is 70, expected 9, the number of destinations, to 69"),
    ],
)
def test_match_that_fits_no_grid(driver: Driver, op: str, changes: dict[str, int], message: str) -> None:
    attributes = {**make_example(op).attributes, **changes}
    (answer,) = driver.run(create_command("p", op, [f"{name}:{KINT32}:{value}" for name, value in attributes.items()]))
    assert_refused(answer, op, message)


def with_token(example: Example, index: int, token: str) -> str:
    tokens = list(example.tokens)
    tokens[index] = token
    return " ".join([str(len(example.inputs)), *tokens])


@pytest.mark.parametrize(
    ("op", "index", "token", "message"),
    [
        ("TokenMatch", 0, "0.0:2x69x24", "N = 69, expected grid_h * grid_w = 70"),
        ("TokenMatchMerge", 0, "0.0:2x69x24", "N = 69, expected grid_h * grid_w = 70"),
        ("TokenMatch", 0, "0.0:2x70", "tokens has the shape [2, 70], expected [B, N, C]"),
        ("TokenMatch", 0, "0.0:2x70x0", "tokens has the shape [2, 70, 0]"),
        ("TokenMatch", 0, "0.0:2x70x5000000000", "tokens has the shape [2, 70, 5000000000]"),
        ("TokenMerge", 1, "3.0:3x70", "row_of_token has the shape [3, 70], expected [B, N] with B = 2"),
        ("TokenMerge", 1, "3.0:2x71", "row_of_token has the shape [2, 71], expected [B, N] with N = 70"),
        ("TokenUnmerge", 2, "0.0:2x70x23", "residual has the shape [2, 70, 23], expected [B, N, C] with C = 24"),
        ("UpsampleArgmax", 0, "0.0:2x256x8x10", "K = 256 classes, expected at most 255"),
    ],
)
def test_inputs_of_wrong_shape(driver: Driver, op: str, index: int, token: str, message: str) -> None:
    """When the engine is built, when shapes change, and when the layer runs."""
    example = make_example(op)
    tensors = with_token(example, index, token)
    answers = driver.run(
        create_command("p", op, example.fields),
        f"configure p {tensors}",
        f"reshape p {tensors}",
        f"reshape p {example.tensors()}",
        f"nulls p {len(example.inputs)}",
    )
    for answer, method in zip(answers[1:3], ("configurePlugin", "onShapeChange"), strict=True):
        assert_refused(answer, op, method, message)
    assert answers[3].is_ok  # it is still of use


@pytest.mark.parametrize(
    ("op", "token"),
    [
        ("TokenMatch", "3.0:2x71"),
        ("TokenMerge", "0.0:2x30x24"),
        ("TokenMergeWithSize", "0.0:2x30x24"),
        ("TokenUnmerge", "0.0:2x69x24"),
        ("UpsampleArgmax", "1.0:2x30x40"),
    ],
)
def test_output_of_wrong_shape(driver: Driver, op: str, token: str) -> None:
    example = make_example(op)
    _, answer = driver.run(
        create_command("p", op, example.fields), f"reshape p {with_token(example, len(example.inputs), token)}"
    )
    assert_refused(answer, op, f"{example.op.outputs[0].name} has the shape")


def test_sizes_of_wrong_shape_or_type(driver: Driver) -> None:
    """The second output: one row too few, and float16 as the tokens are."""
    example = make_example("TokenMergeWithSize", "float16")
    last = len(example.tokens) - 1
    commands = (f"reshape p {with_token(example, last, token)}" for token in ("0.0:2x28", "1.0:2x29"))
    _, shape, dtype = driver.run(create_command("p", example.op.name, example.fields), *commands)
    assert_refused(shape, example.op.name, "log_size has the shape [2, 28], expected [B, num_rows] with num_rows = 29")
    assert_refused(dtype, example.op.name, "log_size is kHALF in format 0, expected kFLOAT")


def test_merge_into_more_rows_than_tokens(driver: Driver) -> None:
    _, answer = driver.run(
        create_command("p", "TokenMerge", [f"num_rows:{KINT32}:71"]), "reshape p 2 0.0:2x70x24 3.0:2x70 0.0:2x71x24"
    )
    assert_refused(answer, "TokenMerge", "num_rows is 71, expected at most N = 70")


@OPS
def test_wrong_types(driver: Driver, op: str) -> None:
    """A first input of int8, and an output of the other float type or of floats instead of integers."""
    example = make_example(op)
    shape = example.tokens[0].partition(":")[2]
    output_shape = example.tokens[len(example.inputs)].partition(":")[2]
    wrong_output = "0" if op == "UpsampleArgmax" else "1"
    _, first, output, types = driver.run(
        create_command("p", op, example.fields),
        f"reshape p {with_token(example, 0, f'2.0:{shape}')}",
        f"reshape p {with_token(example, len(example.inputs), f'{wrong_output}.0:{output_shape}')}",
        f"types p {' '.join(['3'] * len(example.inputs))}",
    )
    assert_refused(first, op, f"{example.op.inputs[0].name} is kINT8, expected kFLOAT or kHALF")
    assert_refused(output, op, f"{example.op.outputs[0].name} is k")
    assert_refused(types, op, "is kINT32, expected kFLOAT or kHALF")


@OPS
def test_format_that_is_not_linear(driver: Driver, op: str) -> None:
    example = make_example(op)
    token = example.tokens[0].replace(".0:", ".2:")
    _, answer = driver.run(create_command("p", op, example.fields), f"reshape p {with_token(example, 0, token)}")
    assert_refused(answer, op, "in format 2, expected kFLOAT in format kLINEAR")


@OPS
def test_wrong_number_of_inputs(driver: Driver, op: str) -> None:
    example = make_example(op)
    too_many = " ".join(
        [str(len(example.op.inputs) + 1), *["0.0:1"] * (len(example.op.inputs) + 1 + len(example.outputs))]
    )
    answers = driver.run(
        create_command("p", op, example.fields),
        f"configure p {too_many}",
        f"reshape p {too_many}",
        "types p",
        "shapes p",
        " ".join(["configure p 0", *["0.0:1"] * len(example.outputs)]),
    )
    for answer in answers[1:]:
        assert_refused(answer, op, "inputs, expected")


@OPS
def test_wrong_rank_in_getoutputshapes(driver: Driver, op: str) -> None:
    example = make_example(op)
    _, answer = driver.run(create_command("p", op, example.fields), f"shapes p {' '.join(['1'] * len(example.inputs))}")
    assert_refused(answer, op, "getOutputShapes", "has 1 dimensions, expected")


@OPS
def test_null_arrays(driver: Driver, op: str) -> None:
    """Every method; only attachToContext needs no context."""
    example = make_example(op)
    _, _, answer = driver.run(
        create_command("p", op, example.fields), f"reshape p {example.tensors()}", f"nulls p {len(example.inputs)}"
    )
    assert answer.text == "1 1 1 1 1 1 1 0"
    assert len(answer.errors) == 7
    assert all("null pointer" in error or "before a successful onShapeChange" in error for error in answer.errors)


@OPS
def test_null_buffers(driver: Driver, op: str) -> None:
    example = make_example(op)
    names = [driver.save(f"input{index}", array) for index, array in enumerate(example.inputs)]
    names += example.output_files("p")
    commands = [create_command("p", op, example.fields), f"reshape p {example.tensors()}"]
    for index in range(len(names)):
        tokens = list(names)
        tokens[index] = f"{example.tokens[index]}:~"
        commands.append(" ".join([f"enqueue p {len(example.inputs)}", *tokens]))
    for answer in driver.run(*commands)[2:]:
        assert_refused(answer, op, "enqueue", "is a null pointer")


@OPS
def test_enqueue_before_its_shapes_are_known(driver: Driver, op: str) -> None:
    example = make_example(op)
    tokens = [driver.save(f"input{index}", array) for index, array in enumerate(example.inputs)]
    enqueue = " ".join([f"enqueue p {len(tokens)}", *tokens, *example.output_files("p")])
    _, answer = driver.run(create_command("p", op, example.fields), enqueue)
    assert_refused(answer, op, "enqueue: called before a successful onShapeChange")
