"""Cross-modal attention: every modality asks the others before the answer is given."""

from collections.abc import Sequence

import torch
from torch import nn

from axilla.models.fusion.strategy import Fusion, fusions, tokens_of

SHARED = 32
HEADS = 4


@fusions.register("cross_attention")
class CrossAttention(Fusion):
    """Each modality's token attends to the others', and the mean of the results is judged.

    Multi-head attention (Vaswani et al., NeurIPS 2017, sec. 3.2.2) from one modality to the
    others (Tsai et al., ACL 2019, sec. 3.1), then a residual and layer norm. Beside the others
    stands a key of zeros with a value of zeros: with two modalities a softmax over the only other
    would always be 1, and so it is a learned share. A patient with one modality attends to that
    key alone: attention yields exactly nothing and the residual token remains.
    """

    input_dropout = 0.5

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        self.into_shared = nn.ModuleList(nn.Linear(width, SHARED) for width in self.widths)
        self.query = nn.Linear(SHARED, SHARED, bias=False)
        self.key = nn.Linear(SHARED, SHARED, bias=False)
        self.value = nn.Linear(SHARED, SHARED, bias=False)
        self.attended = nn.Linear(SHARED, SHARED, bias=False)
        self.norm = nn.LayerNorm(SHARED)
        self.output = nn.Linear(SHARED, 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        tokens = tokens_of(self.into_shared, embeddings, present)
        asked = self.norm(tokens + self.attended(self._attention(tokens, present)))
        has = present.unsqueeze(2)
        pooled = torch.where(has, asked, 0.0).sum(1) / has.sum(1).clamp(min=1)
        logit: torch.Tensor = self.output(pooled).squeeze(1)
        return logit

    def _attention(self, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Attend from each token (B, M, D) to the others that are present, heads side by side."""
        query, key, value = (
            layer(tokens).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / (SHARED // HEADS) ** 0.5
        itself = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
        usable = present[:, None, None, :] & ~itself
        masked = torch.where(usable, scores, torch.finfo(scores.dtype).min)
        zero_key = torch.zeros_like(masked[..., :1])
        shares = torch.softmax(torch.cat([masked, zero_key], dim=3), dim=3)[..., :-1]
        answers: torch.Tensor = (shares @ value).transpose(1, 2).flatten(2)
        return answers
