"""Names and layouts of outputs: what is refused, and what does not depend on the network."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir
import pytest

from segpp_deploy.config import LabelsLayout, OutputForm, OutputKind
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import output_specs
from segpp_deploy.graph.exporting.output_form import check_form, give_form
from segpp_deploy.graph.metadata import ExportMetadata
from tests.support.tiny_graphs import LABELS_BODY, tiny_metadata, tiny_model


@pytest.mark.parametrize("name", ["", "two words", "1st", "a-b", "a/b", "größe", "labels\n"])
def test_names_that_onnx_does_not_allow(name: str) -> None:
    with pytest.raises(SegppError, match="cannot be the name of a tensor") as caught:
        check_form(OutputKind.LABELS, OutputForm(name))
    assert "--output-name labels" in caught.value.fix


def test_names_of_the_other_ends() -> None:
    check_form(OutputKind.LABELS, OutputForm("confidence"))
    for form in (OutputForm("image"), OutputForm("confidence", confidence=True)):
        with pytest.raises(SegppError, match="is the name of another tensor"):
            check_form(OutputKind.LABELS, form)


@pytest.mark.parametrize("name", ["output_0", "argmax", "_"])
def test_names_that_it_allows(name: str) -> None:
    check_form(OutputKind.LOGITS, OutputForm(name))


@pytest.mark.parametrize("form", [OutputForm(layout=LabelsLayout.NHWC), OutputForm(confidence=True)])
def test_only_labels_have_a_layout_and_a_confidence(form: OutputForm) -> None:
    check_form(OutputKind.LABELS_INT32, form)
    with pytest.raises(SegppError, match="is for labels, but the file puts out logits"):
        check_form(OutputKind.LOGITS, form)


def test_a_name_that_the_graph_uses_inside() -> None:
    model = ir.from_proto(tiny_model(tiny_metadata(), LABELS_BODY))
    with pytest.raises(SegppError, match="A tensor inside the graph is called 'brightest'"):
        give_form(model.graph, replace(tiny_metadata(), output_form=OutputForm("brightest")))


@pytest.mark.parametrize("kind", [OutputKind.LOGITS, OutputKind.HEATMAPS])
def test_any_output_takes_a_name(kind: OutputKind) -> None:
    metadata = tiny_metadata(kind)
    model = ir.from_proto(tiny_model(metadata))
    named = replace(metadata, output_form=OutputForm("scores"))
    give_form(model.graph, named)
    (output,) = model.graph.outputs
    assert (output.name, output.dtype, output.shape) == ("scores", ir.DataType.FLOAT, [1, 3, 16, 24])
    assert output_specs(named)[0].name == "scores"


def test_the_form_is_recorded_where_it_is_not_the_usual_one() -> None:
    usual = tiny_metadata()
    assert not {"output_name", "output_layout", "confidence"} & usual.to_dict().keys()
    other = replace(usual, output_form=OutputForm("mask", LabelsLayout.NHWC, confidence=True))
    written = {"output_name": "mask", "output_layout": "nhwc", "confidence": True}
    assert other.to_dict() | written == other.to_dict()
    assert ExportMetadata.from_properties(other.to_properties(), "m.onnx") == other


@pytest.mark.parametrize(("key", "value"), [("output_name", "3"), ("output_layout", '"nchw"'), ("confidence", "2")])
def test_edited_forms(key: str, value: str) -> None:
    with pytest.raises(SegppError, match="cannot be read: ValueError"):
        ExportMetadata.from_properties(tiny_metadata().to_properties() | {f"segpp.{key}": value}, "m.onnx")
