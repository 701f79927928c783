"""CAM head whose scores come from a small convolutional network for each class."""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmwsss.models.heads.cam_head import CAMHead
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


class ClassBranches(nn.Module):
    """Networks of K classes that share no layers but run as one.

    The branch of class c gives ``s_c = w_c . h_c + b_c``, where ``h_c`` is the input after three
    times [3x3 convolution, ReLU]. The first convolutions of all branches share their input, so they
    are one convolution with K C channels; the later ones are grouped by class. The result is that
    of K separate networks, without a loop over the classes. This saves calls, not arithmetic, so it
    is not faster on a CPU, which is bound by the arithmetic.

    Args:
        channels: Channels C of the input and of every branch.
        num_classes: K.

    Shape:
        x (B, C, h, w); returns (B, K, h, w). The weights of a layer are those of the classes in
        sequence: (K C, C, 3, 3) in every 3x3 layer, (K, C, 1, 1) in the last one.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        width = num_classes * channels
        grouped = (nn.Conv2d(width, width, 3, padding=1, groups=num_classes) for _ in range(2))
        self.convs = nn.ModuleList([nn.Conv2d(channels, width, 3, padding=1), *grouped])
        self.score = nn.Conv2d(width, num_classes, 1, groups=num_classes)

    def layers(self) -> Iterator[nn.Module]:
        """Convolutions of all branches, from the input to the scores."""
        yield from self.convs
        yield self.score

    def forward(self, x: Tensor) -> Tensor:
        """Score every position with the networks of all classes."""
        for conv in self.convs:
            x = F.relu(conv(x), inplace=True)  # (B, K C, h, w)
        return self.score(x)


@MODELS.register_module()
class ClassBranchesHead(CAMHead):
    """CAM head whose scores come from a small network per class, its class branch.

    Like :class:`CAMHead`, except for the scores, see :class:`ClassBranches`. These are not linear
    in the features: a pooling averages scores, which is not the score of averaged features, and
    there are no class weights.

    Args:
        in_channels: Channels C of the features that the branches see, after the context.
        num_classes: Number K of foreground classes; a background channel also has a branch.
        pooling: Config of the pooling.
        context: Config of a module that enriches the features before they are scored.
        in_index: Which of the feature maps to score.
        init_cfg: Weight initialisation; N(0, 0.01) by default.

    Shape:
        tuple of feature maps, the scored one (B, C, h, w); score_map (B, K or 1+K, h, w); logits
        (R, K or 1+K).

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
        Segmentation", CVPR 2022: the class-aware convolution of the published code. With 512
        channels and 20 classes it has 142 million weights and takes four fifths of all arithmetic.
        The paper uses a 1x1 convolution, :class:`CAMHead`.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        pooling: dict,
        context: dict | None = None,
        in_index: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            num_classes,
            pooling=pooling,
            context=context,
            in_index=in_index,
            init_cfg=init_cfg,
        )
        num_scores = self.classifier.out_channels
        self.classifier = ClassBranches(in_channels, num_scores)  # type: ignore[assignment]  # takes its place

    @property
    def class_weights(self) -> Tensor:
        """Raise an error, because branches have no class weights.

        Raises:
            UserInputError: Always. It says what to use instead.
        """
        raise UserInputError(
            'ClassBranchesHead: `class_weights` are required, but its scores are not linear in '
            'the features, so a class does not have a single weight vector. Use head type '
            'CAMHead, or leave out the part of the label generator that requires them, such as '
            'RetrievalRefiner.'
        )

    def score(self, feats: Tensor) -> Tensor:
        """Score features (B, C, h, w) with the branches: (B, K or 1+K, h, w), at least float32.

        Under autocast to float16, features that a context gives in single precision are scored in
        it: they may be beyond 65504. bfloat16 has the range of single precision.
        """
        device = feats.device.type
        too_narrow = (
            torch.is_autocast_enabled(device)
            and torch.get_autocast_dtype(device) == torch.float16
            and feats.dtype == torch.float32
        )
        with torch.autocast(device, enabled=False) if too_narrow else nullcontext():
            scores = self.classifier(feats)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))
