"""The pictures of a comparison, as files and what each of them shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Choice


class Look(Choice):
    """What a picture shows of a sample."""

    PICTURE = "picture"
    TRUTH = "truth"
    PREDICTION = "prediction"
    DIFFERENCE = "difference"
    ERRORS = "errors"


@dataclass(frozen=True)
class View:
    """One picture of a sample.

    Args:
        look: what it shows.
        mode: of which mode; "" for the sample itself.
        file: its name in the folder of pictures.
        score: of the mode on this sample, as text; "" where there is none.
    """

    look: Look
    mode: str
    file: str
    score: str = ""


@dataclass(frozen=True)
class ShownSample:
    """A sample and its pictures."""

    name: str
    views: tuple[View, ...]

    @property
    def names(self) -> dict[str, str]:
        """The pictures' files by what they are called where one is chosen."""
        plain = (Look.PICTURE, Look.TRUTH, Look.PREDICTION)
        return {
            (view.mode or str(view.look)) if view.look in plain else f"{view.look}: {view.mode}": view.file
            for view in sorted(self.views, key=lambda view: list(Look).index(view.look))
        }

    def of(self, look: Look) -> tuple[View, ...]:
        """Return the pictures that show one thing."""
        return tuple(view for view in self.views if view.look is look)


@dataclass(frozen=True)
class TokenPicture:
    """Which tokens one side of one stage merged where.

    Args:
        mode: of the model.
        stage: from 1.
        side: "q" or "kv".
        before: tokens before merging.
        after: tokens after it.
        file: its name in the folder of pictures.
    """

    mode: str
    stage: int
    side: str
    before: int
    after: int
    file: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of one model at one size.

    Args:
        model: its name.
        size: of its input.
        reference: the mode that differences are to.
        samples: what is shown; the worst first where there are labels.
        tokens: what modes merged of the first sample.
        legend: the classes that are shown, and their colours, "#rrggbb".
    """

    model: str
    size: str
    reference: str
    samples: tuple[ShownSample, ...]
    tokens: tuple[TokenPicture, ...]
    legend: tuple[tuple[str, str], ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all pictures."""
        views = [view.file for sample in self.samples for view in sample.views]
        return (*views, *(one.file for one in self.tokens))

    def is_complete(self, folder: Path) -> bool:
        """Whether all pictures lie in a folder."""
        return all((folder / name).is_file() for name in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Gallery:
        """Read what `to_dict` wrote."""
        samples = tuple(
            ShownSample(one["name"], tuple(View(**{**view, "look": Look(view["look"])}) for view in one["views"]))
            for one in values["samples"]
        )
        tokens = tuple(TokenPicture(**one) for one in values["tokens"])
        legend = tuple((name, colour) for name, colour in values["legend"])
        return cls(**{**values, "samples": samples, "tokens": tokens, "legend": legend})
