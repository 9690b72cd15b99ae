"""Boxes: overlap, non-maximum suppression, precision and recall. Plain torch, copied into exported scripts.

A box is left, top, right, bottom, as parts of the picture's width and height. Detections are (..., 6): class
(-1 for none), score, box; truths are (..., 5): class (-1 for none), box.
"""

from __future__ import annotations

import torch
from torch import Tensor


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of `a` (..., K, 4) with every one of `b` (..., M, 4): (..., K, M)."""
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = (high - low).clamp_min(0).prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).clamp_min(0).prod(-1) for x in (a, b)]
    return shared / (areas[0][..., :, None] + areas[1][..., None, :] - shared).clamp_min(1e-12)


def suppress(found: Tensor, limit: float, most: int) -> Tensor:
    """The best detections of every picture, (N, most, 6) in falling order of score, from candidates (N, K, 6).

    Greedy non-maximum suppression: of two boxes of one class that overlap by more than `limit`, the one with
    the smaller score goes. Rows that are left over have class -1 and score 0.
    """
    order = found[..., 1].argsort(dim=1, descending=True, stable=True)[:, : 4 * most]
    found = found.gather(1, order[..., None].expand(-1, -1, 6))
    near = (overlaps(found[..., 2:], found[..., 2:]) > limit) & (found[..., None, :, 0] == found[..., :, None, 0])
    near = near.triu(1)
    kept = found[..., 0] >= 0
    for i in range(found.shape[1]):
        kept = kept & ~(near[:, i] & kept[:, i, None])
    nothing = torch.zeros(6, dtype=found.dtype, device=found.device)
    nothing[0] = -1
    found = torch.where(kept[..., None], found, nothing)
    order = found[..., 1].argsort(dim=1, descending=True, stable=True)[:, :most]
    found = found.gather(1, order[..., None].expand(-1, -1, 6))
    return torch.cat([found, nothing.expand(len(found), max(0, most - found.shape[1]), 6)], dim=1)


def precision_recall(found: Tensor, truths: Tensor, label: int, limit: float) -> tuple[Tensor, Tensor, Tensor]:
    """Precision, recall and score of one class, detection after detection, the surest first.

    `found` (N, K, 6) and `truths` (N, M, 5). As in the PASCAL VOC challenge, a detection is right if the truth it
    overlaps most is of its class, overlaps by at least `limit`, and has not been found by a surer one.
    """
    there = truths[..., 0] == label
    count = int(there.sum())
    mine = found[..., 0] == label
    if not truths.shape[1] or not mine.any():
        none = torch.zeros(0)
        return none, none, none
    overlap = overlaps(found[..., 2:], truths[..., 1:]).masked_fill(~there[:, None, :], -1)
    best, which = overlap.max(dim=2)
    number = torch.arange(len(found), device=found.device)[:, None] * truths.shape[1] + which
    score, order = found[..., 1][mine].sort(descending=True, stable=True)
    best, number = best[mine][order], number[mine][order]
    fits = best >= limit
    place = torch.arange(len(score), device=found.device)
    first = torch.full((truths.shape[0] * truths.shape[1],), len(score), device=found.device)
    first.scatter_reduce_(0, number[fits], place[fits], "amin")
    right = (fits & (first[number] == place)).cumsum(0)
    return right / (place + 1), right / max(1, count), score


def average_precision(precision: Tensor, recall: Tensor) -> float:
    """The area under the falling envelope of precision over recall (PASCAL VOC since 2010)."""
    if not len(recall):
        return 0.0
    envelope = precision.double().flip(0).cummax(0).values.flip(0)
    steps = torch.diff(recall.double(), prepend=torch.zeros(1, dtype=torch.float64, device=recall.device))
    return float((envelope * steps).sum())


def mean_average_precision(found: Tensor, truths: Tensor, classes: int, limit: float) -> float:
    """The mean over the classes that occur in `truths`; 0 where none does."""
    there = [label for label in range(classes) if bool((truths[..., 0] == label).any())]
    values = [average_precision(*precision_recall(found, truths, label, limit)[:2]) for label in there]
    return sum(values) / max(1, len(values))


def coco_matches(found: Tensor, truths: Tensor, label: int, limits: Tensor) -> Tensor:
    """Which detections of one class are right by COCO's rule, for every overlap in `limits` (L,): bool (L, N, K).

    `found` (N, K, 6) in falling order of score. One after the other, each takes of the truths that are left the one
    it overlaps most, if by at least the limit (in PASCAL VOC's rule it may take no other than the one it overlaps most).
    """
    overlap = overlaps(found[..., 2:], truths[..., 1:])
    fits = (found[..., None, 0] == label) & (truths[..., None, :, 0] == label)
    overlap = overlap.masked_fill(~fits, -1)
    pictures, count, things = overlap.shape
    right = torch.zeros(len(limits), pictures, count, dtype=torch.bool, device=found.device)
    if not things:
        return right
    taken = torch.zeros(len(limits), pictures, things, dtype=torch.bool, device=found.device)
    number = torch.arange(things, device=found.device)
    for k in range(count):
        best, which = overlap[:, k].expand_as(taken).masked_fill(taken, -1).max(-1)
        right[:, :, k] = best >= limits[:, None]
        taken |= right[:, :, k, None] & (number == which[..., None])
    return right


def coco_average_precision(right: Tensor, score: Tensor, count: int) -> Tensor:
    """COCO's average precision (L,) of detections (L, D) that are right or not, with scores (D,), of `count` truths.

    The mean of the precision at the recalls 0, 0.01, ..., 1, where it is the best at that recall or a higher one.
    """
    order = score.argsort(descending=True, stable=True)
    hits = right[:, order].double().cumsum(1)
    precision = hits / torch.arange(1, len(order) + 1, dtype=torch.float64, device=hits.device)
    envelope = precision.flip(1).cummax(1).values.flip(1) if len(order) else precision
    envelope = torch.cat([envelope, envelope.new_zeros(len(right), 1)], 1)  # a recall that is not reached
    levels = (torch.arange(101, dtype=torch.float64, device=hits.device) * 0.01).expand(len(right), -1).contiguous()
    place = torch.searchsorted((hits / count).contiguous(), levels)
    return envelope.gather(1, place).mean(1)


def coco_mean_average_precision(found: Tensor, truths: Tensor, classes: int) -> float:
    """COCO's mean over the classes that occur in `truths` and the overlaps 0.5, 0.55, ..., 0.95; 0 where none does.

    Lin et al. 2014; of a picture the 100 surest detections count.
    """
    order = found[..., 1].argsort(dim=1, descending=True, stable=True)[:, :100]
    found = found.gather(1, order[..., None].expand(-1, -1, 6))
    limits = torch.linspace(0.5, 0.95, 10, dtype=torch.float64, device=found.device).to(found.dtype)
    values = []
    for label in range(classes):
        count = int((truths[..., 0] == label).sum())
        if count:
            right, mine = coco_matches(found, truths, label, limits), found[..., 0] == label
            values.append(coco_average_precision(right[:, mine], found[..., 1][mine], count).mean())
    return float(torch.stack(values).mean()) if values else 0.0
