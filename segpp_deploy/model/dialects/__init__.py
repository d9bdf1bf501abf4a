"""The parameter names of other people's SegFormers: one table per dialect, translated to ours and back."""

from segpp_deploy.model.dialects.rules import Dialect, DialectTable
from segpp_deploy.model.dialects.translate import (
    TABLES,
    Translation,
    detect_table,
    to_canonical,
    to_dialect,
    with_encoder_prefix,
)

__all__ = [
    "TABLES",
    "Dialect",
    "DialectTable",
    "Translation",
    "detect_table",
    "to_canonical",
    "to_dialect",
    "with_encoder_prefix",
]
