"""Word vectors: a network that tells a word's surroundings from the word, and so learns what it means."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import builder.data
from blocks.base import Shape, setting
from builder.data.base import Dataset, Field, Splits
from builder.tasks.base import Look, Loss, Metric, Task

# --- plain functions, copied into exported scripts -----------------------------------------------


def huffman(counts: list[int]) -> list[list[tuple[int, int]]]:
    """For every word its path from the root of the Huffman tree: pairs (inner node, turn).

    A turn is 1 to the left and −1 to the right. The two rarest are joined first, the earlier of equals
    before, so that frequent words have short paths (Huffman 1952). There are len(counts) − 1 inner
    nodes, the root is 0.
    """
    import heapq

    heap = [(count, number) for number, count in enumerate(counts)]
    heapq.heapify(heap)
    parent: dict[int, tuple[int, int]] = {}
    made = len(counts)
    while len(heap) > 1:
        (left, a), (right, b) = heapq.heappop(heap), heapq.heappop(heap)
        parent[a], parent[b] = (made, 1), (made, -1)
        heapq.heappush(heap, (left + right, made))
        made += 1
    paths = []
    for word in range(len(counts)):
        path: list[tuple[int, int]] = []
        at = word
        while at in parent:
            node, turn = parent[at]
            path.append((made - 1 - node, turn))  # the root was made last
            at = node
        paths.append(path[::-1])
    return paths


def alias_table(chances: list[float]) -> tuple[list[float], list[int]]:
    """Walker's table for drawing from so many things with these chances, which sum to 1 (Walker 1977, Vose 1991).

    One of them is taken, all alike; with the first number at its place it stays, else the second one takes its place.
    """
    scaled = [chance * len(chances) for chance in chances]
    stays, other = [1.0] * len(chances), list(range(len(chances)))
    small = [i for i, value in enumerate(scaled) if value < 1]
    large = [i for i, value in enumerate(scaled) if value >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        stays[low], other[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return stays, other


def draw_noise(shape: tuple[int, int], loss: dict[str, Any], generator: Any = None) -> Tensor:
    """Noise words from the table ``stays`` and ``other`` (V,): in time that does not grow with the vocabulary."""
    stays, other = loss["stays"], loss["other"]
    place = torch.rand(shape, dtype=torch.float64, generator=generator) * len(stays)
    word = place.long()
    return torch.where(place - word < stays[word], word, other[word])


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Add what the loss needs of the corpus, and the questions by which vectors are judged.

    Negative sampling: ``stays`` and ``other`` (V,), see `alias_table`. Hierarchical softmax:
    ``nodes`` and ``turns`` (V, L), every word's path, with turns of 0 beyond its end.
    """
    loss, task = dict(settings["loss"]), dict(settings["task"])
    # Of the text as it is: thinning frequent words changes neither the noise nor the tree (as in word2vec).
    words = splits["text"]["token"] if "text" in splits else splits["train"]["word"].flatten()
    words = words.long().cpu()
    counts = torch.bincount(words, minlength=task["words"])
    if loss["name"] == "negative_sampling":
        noise = counts.double() ** loss["power"]
        noise[counts == 0] = 0
        stays, other = alias_table((noise / noise.sum()).tolist())
        loss["stays"], loss["other"] = torch.tensor(stays, dtype=torch.float64), torch.tensor(other)
    if loss["name"] == "hierarchical_softmax":
        paths = huffman(counts.tolist())
        longest = max(1, max(len(path) for path in paths))
        padded = torch.tensor([path + [(0, 0)] * (longest - len(path)) for path in paths])
        loss["nodes"], loss["turns"] = padded[..., 0].contiguous(), padded[..., 1].float()
    for table in ("analogies", "similarity"):
        if table in splits:
            task[table] = splits[table]
    return {**settings, "loss": loss, "task": task}


def without_last(network: nn.Module, words: Tensor) -> tuple[Tensor, nn.Module]:
    """What reaches the last layer for these words (N, 1), as (N, D): their vectors. And that layer."""
    *_, (name, last) = network.named_children()
    setattr(network, name, nn.Identity())
    try:
        found: Tensor = network(words)
    finally:
        setattr(network, name, last)
    return found.flatten(1), last


def chosen_scores(network: nn.Module, words: Tensor, row: Tensor, chosen: Tensor) -> Tensor:
    """Scores (P, C) of the chosen outputs alone, each row of them for the word of `words` (N, 1) at `row` (P,).

    Where the network ends in a Linear layer with many outputs, only these rows of its weights are multiplied. With
    few, the product of whole matrices takes less time: about 24 of its scores cost as much as one chosen row.
    """
    vectors, last = without_last(network, words)
    cost = 24 * chosen.numel()
    if isinstance(last, nn.Linear) and vectors.shape[1] == last.in_features and len(words) * last.out_features >= cost:
        weights = F.embedding(chosen, last.weight)
        products = (weights * vectors.index_select(0, row).unsqueeze(1)).sum(2)
        return products if last.bias is None else products + last.bias[chosen]
    scores: Tensor = last(vectors)
    return scores.take(row.unsqueeze(1) * scores.shape[1] + chosen)


def pair_losses(network: nn.Module, batch: dict[str, Tensor], loss: dict[str, Any], generator: Any = None) -> Tensor:
    """The loss of every pair of a word and one around it (P,).

    Noise words are drawn from `generator`, torch's own random numbers unless told.
    """
    words, around = batch["word"], batch["around"]
    row, column = torch.nonzero(around >= 0, as_tuple=True)
    target = around[row, column]
    match loss["name"]:
        case "negative_sampling":
            negatives = draw_noise((len(target), loss["negatives"]), loss, generator).to(words.device)
            scores = chosen_scores(network, words, row, torch.cat([target.unsqueeze(1), negatives], 1)).float()
            return F.softplus(-scores[:, 0]) + F.softplus(scores[:, 1:]).sum(1)
        case "hierarchical_softmax":
            nodes, turns = loss["nodes"].to(words.device)[target], loss["turns"].to(words.device)[target]
            scores = chosen_scores(network, words, row, nodes).float()
            each: Tensor = (F.softplus(-turns * scores) * (turns != 0)).sum(1)
            return each
        case _:
            return -F.log_softmax(network(words).float(), 1)[row, target]


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on the words of a batch; returns the mean loss of its pairs."""
    loss = pair_losses(networks["network"], batch, settings["loss"]).mean()
    optimize(loss, "network")
    return {"loss": loss.item()}, {}


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """The loss summed over the pairs of a batch, always with the same noise, and their number."""
    generator = torch.Generator().manual_seed(0)
    losses = pair_losses(networks["network"], batch, settings["loss"], generator)
    return {"loss": losses.sum()}, {}, len(losses)


def word_vectors(network: nn.Module, words: Tensor) -> Tensor:
    """The vectors (N, D) of these words (N,)."""
    return torch.cat([without_last(network, part.unsqueeze(1))[0] for part in torch.split(words, 4096)]).float()


def analogy(vectors: Tensor, questions: Tensor) -> Tensor:
    """The word d that fits "a is to b as c is to d" best, for questions (Q, 4) or (Q, 3): (Q,).

    The word whose direction is nearest to b − a + c, these three left out (Mikolov et al. 2013, 3CosAdd).
    """
    unit = F.normalize(vectors, dim=1)
    found = []
    for a, b, c in (part[:, :3].unbind(1) for part in torch.split(questions, 256)):
        near = (unit[b] - unit[a] + unit[c]) @ unit.T
        found.append(near.scatter(1, torch.stack([a, b, c], 1), -math.inf).argmax(1))
    return torch.cat(found)


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's: the correlation of the ranks of two lists, equal values sharing their mean rank."""

    def ranks(values: Tensor) -> Tensor:
        _, place, count = torch.unique(values, return_inverse=True, return_counts=True)
        middle: Tensor = count.cumsum(0).double() - (count.double() - 1) / 2
        return middle[place]

    a, b = ranks(first) - ranks(first).mean(), ranks(second) - ranks(second).mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-12))


def measure(networks: dict[str, nn.Module], settings: dict[str, Any]) -> dict[str, float]:
    """Accuracy on the corpus's analogies, and agreement with people on how similar words are, where it has them."""
    task = settings["task"]
    found: dict[str, float] = {}
    if "analogies" not in task and "similarity" not in task:
        return found
    network = networks["network"]
    device = next(network.parameters()).device
    vectors = word_vectors(network, torch.arange(task["words"], device=device))
    if "analogies" in task:
        questions = task["analogies"]["question"].to(device)
        found["analogies"] = float((analogy(vectors, questions) == questions[:, 3]).float().mean())
    if "similarity" in task:
        pairs = task["similarity"]["pair"].to(device)
        near = F.cosine_similarity(vectors[pairs[:, 0]], vectors[pairs[:, 1]])
        found["similarity"] = rank_correlation(near.cpu(), task["similarity"]["score"].cpu())
    return found


# --- the declarations ----------------------------------------------------------------------------

SHOWN = 300
"""The most words whose vectors are followed live."""


class Softmax(Loss):
    """Softmax over all words of the vocabulary."""

    name = "softmax"
    label = "Full softmax"
    help = "The chance of each word of the vocabulary to stand nearby; exact, and slow for large vocabularies."
    formula = "−log( exp⟨s, v_c⟩ / Σ_w exp⟨s, v_w⟩ )"
    expects_logits = True


class NegativeSampling(Loss):
    """Negative sampling (Mikolov et al. 2013, Distributed representations of words and phrases)."""

    name = "negative_sampling"
    label = "Negative sampling"
    help = "Tells a word that stands nearby from a few drawn at random; only these outputs are computed."
    formula = "−log σ⟨s, v_c⟩ − Σ_k log σ(−⟨s, v_k⟩)"
    expects_logits = True

    negatives: int = setting(5, min=1, max=100, help="how many random words for each pair")
    power: float = setting(
        0.75, min=0, max=2, help="random words are drawn as often as they occur, to this power; 0 draws all alike"
    )


class HierarchicalSoftmax(Loss):
    """Hierarchical softmax over a Huffman tree (Morin and Bengio 2005; Mikolov et al. 2013)."""

    name = "hierarchical_softmax"
    label = "Hierarchical softmax"
    help = "A word is a leaf of a Huffman tree; its chance is the product of the turns on the way to it."
    formula = "p(c) = Π σ(±⟨s, v_node⟩) over the nodes from the root to c"
    expects_logits = True


class WordVectors(Task):
    """Skip-gram: from a word, the words around it."""

    name = "word_vectors"
    label = "Word vectors"
    help = "Learn a vector for every word by telling which words stand around it (skip-gram)."
    losses = (Softmax, NegativeSampling, HierarchicalSoftmax)
    metrics = (
        Metric("analogies", "analogies right", unit="%"),
        Metric("similarity", "agreement with people on similarity", short="Spearman ρ"),
    )
    best_by_loss = True
    live = 1
    looks = (
        Look(
            "word_map",
            "Map of the words",
            {"vectors": "sample/vectors", "shown": "sample/shown"},
            help="The vectors of the words in the plane of their largest variance.",
            width=1.5,
        ),
        Look(
            "word_arithmetic",
            "Calculate with words",
            help="One word gives its nearest neighbours. The words you write are left out of the answer.",
            width=1.1,
        ),
        Look(
            "word_tree",
            "Way to a word",
            losses=("hierarchical_softmax",),
            help="The chance of a word is the product of the turns on the way from the root of the Huffman tree.",
            width=1.2,
        ),
    )

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)
    measure = staticmethod(measure)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return (("word", dataset.fields()["word"]),)

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        words = _words(dataset)
        return ((words - 1,) if isinstance(loss, HierarchicalSoftmax) else (words,),)

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        return {"words": _words(dataset)}

    def initial_loss(self, dataset: Dataset, loss: Loss) -> float | None:
        """What scores of 0 cost: ln V, or (1 + k) ln 2; for the tree it depends on the corpus."""
        if isinstance(loss, NegativeSampling):
            return (1 + loss.negatives) * math.log(2)
        return math.log(_words(dataset)) if isinstance(loss, Softmax) else None

    @staticmethod
    def outputs(
        networks: dict[str, nn.Module],
        inputs: dict[str, tuple[str, ...]],
        batch: dict[str, Tensor],
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """Besides the scores, the vectors of the words that are shown: those of analogies, then the first ones."""
        network, task = networks["network"], settings["task"]
        first = torch.arange(min(SHOWN, task["words"]))
        asked = task["analogies"]["question"].flatten().cpu() if "analogies" in task else first
        shown = torch.tensor(list(dict.fromkeys([*asked.tolist(), *first.tolist()]))[:SHOWN])
        vectors = word_vectors(network, shown.to(batch["word"].device))
        return {"network": network(batch["word"]), "shown": shown, "vectors": vectors}

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """While something trains ``vectors`` (W, D) of the words ``shown`` (W,); nothing of a validation's samples."""
        return {name: value for name, value in outputs.items() if name != "network" and isinstance(value, Tensor)}

    def answer(
        self,
        networks: dict[str, nn.Module],
        dataset: Dataset,
        settings: dict[str, Any],
        question: dict[str, Any],
    ) -> dict[str, Tensor]:
        """Answers about words, given as text.

        ``{"plus": [...], "minus": [...], "count": n}``: the words nearest to that sum, as ``word`` (n,) and
        ``near`` (n,), the words asked with left out. ``{"path": word, "from": word}``: the way to a word in
        the Huffman tree, as ``node``, ``turn`` (1 left, −1 right) and ``chance`` of each turn where the second
        word stands nearby. ``{"vectors": true}``: those of all words (V, D). ``{"distances": true}``:
        ``before`` and ``after``, see `distances`.
        """
        network = networks["network"]
        names = dataset.token_names()
        numbers = {word: i for i, word in reversed(list(enumerate(names)))}
        everything = torch.arange(min(len(names), _words(dataset)))  # a short text may not fill its vocabulary
        if question.get("vectors"):
            return {"vectors": word_vectors(network, everything)}
        if question.get("distances"):
            return distances(network, everything[:SHOWN])
        if "path" in question:
            found = prepared(self, dataset, settings)["loss"]
            if "nodes" not in found:
                raise ValueError("Only the loss Hierarchical softmax has a tree of words.")
            target, word = (_number(numbers, question[key]) for key in ("path", "from"))
            turn = found["turns"][target]
            node, turn = found["nodes"][target][turn != 0], turn[turn != 0]
            scores = chosen_scores(network, torch.tensor([[word]]), torch.tensor([0]), node.unsqueeze(0)).squeeze(0)
            return {"node": node, "turn": turn, "chance": torch.sigmoid(turn * scores)}
        plus = [_number(numbers, word) for word in question.get("plus", [])]
        minus = [_number(numbers, word) for word in question.get("minus", [])]
        if not plus and not minus:
            raise ValueError("Write words with + and − between them, such as king − man + woman.")
        unit = F.normalize(word_vectors(network, everything), dim=1)
        near = unit @ F.normalize(unit[plus].sum(0) - unit[minus].sum(0), dim=0)
        near[plus + minus] = -math.inf
        best = near.topk(min(int(question.get("count", 8)), len(near) - len(set(plus + minus))))
        return {"word": best.indices, "near": best.values}


def distances(network: nn.Module, words: Tensor) -> dict[str, Tensor]:
    """How far words lie from each other before and after the first layer, where that layer is not trained.

    ``before`` (1,): the distance of any two words as one-hot vectors, √2. ``after`` (P,): that of every pair
    after the layer, scaled so that a word has length 1 on average. Empty for a layer that learns.
    """
    first = next(network.children())
    if any(True for _ in first.parameters()):
        return {"before": torch.empty(0), "after": torch.empty(0)}
    points = first(words.unsqueeze(1)).flatten(1).float()
    return {"before": torch.tensor([math.sqrt(2)]), "after": torch.pdist(points / points.norm(dim=1).mean())}


@functools.lru_cache(maxsize=2)
def _splits(dataset: Dataset) -> Splits:
    return builder.data.load(dataset)


def prepared(task: Task, dataset: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as training had them. Raises DataError when the data cannot be had."""
    return task.prepare(_splits(dataset), settings)


def _number(numbers: dict[str, int], word: str) -> int:
    found = numbers.get(word, numbers.get(word.lower(), numbers.get(word.capitalize())))
    if found is None:
        raise ValueError(f"The word {word[:60]!r} is not among the {len(numbers):,} words of this text.")
    return found


def _words(dataset: Dataset) -> int:
    size = dataset.fields()["word"].size
    if size is None:
        raise ValueError(f"The data set {dataset.name} does not say how many words it has.")
    return size
