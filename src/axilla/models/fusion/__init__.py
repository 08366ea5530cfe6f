"""Fusion strategies by name: several modalities of one patient become one logit."""

from axilla.models.fusion.cross_attention import CrossAttention
from axilla.models.fusion.gated import Gated
from axilla.models.fusion.linear_fusion import Attention, Concatenation, Voting, Weighting
from axilla.models.fusion.multilayer import HIDDEN, Multilayer
from axilla.models.fusion.strategy import Fusion, blank_missing, fusions, shares_of, tokens_of

__all__ = [
    "HIDDEN",
    "Attention",
    "Concatenation",
    "CrossAttention",
    "Fusion",
    "Gated",
    "Multilayer",
    "Voting",
    "Weighting",
    "blank_missing",
    "fusions",
    "shares_of",
    "tokens_of",
]
