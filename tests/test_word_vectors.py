"""Word vectors: losses and trees against values worked out by hand, corpora, and what the network is asked."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from exported import records_of
from torch import Tensor, nn

import builder
from blocks import modules
from builder import data, templates
from builder.data.small_world import ENGLISH, RUSSIAN, world_questions, world_sentences, world_words
from builder.data.words import keep_chances, thinned_windows, word_windows
from builder.export import vectors as export_vectors
from builder.project import Choice
from builder.tasks import word_vectors as task
from builder.tasks.word_vectors import HierarchicalSoftmax, NegativeSampling, Softmax, WordVectors
from builder.training import evaluate
from builder.ui.views.word_arithmetic import terms

torch.set_num_threads(1)

SKIPGRAMS = ("skipgram", "skipgram_hierarchical", "skipgram_hashed")


class SkipGram(nn.Module):
    def __init__(self, words: int, features: int, outputs: int, bias: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, features)
        self.flatten = nn.Flatten()
        self.scores = nn.Linear(features, outputs, bias=bias)

    def forward(self, word: Tensor) -> Tensor:
        found: Tensor = self.scores(self.flatten(self.embed(word)))
        return found


def prepared(loss: Any, counts: list[int]) -> dict[str, Any]:
    """Settings as training has them, of a corpus in which word i occurs counts[i] times."""
    words = torch.tensor([i for i, count in enumerate(counts) for _ in range(count)]).unsqueeze(1)
    settings = {"loss": {"name": loss.name, **loss.to_settings()}, "task": {"words": len(counts)}}
    return task.prepare({"train": {"word": words}}, settings)


BATCH = {"word": torch.tensor([[0], [3]]), "around": torch.tensor([[1, 2], [4, -1]])}


def loss_of(loss: Any, network: nn.Module, counts: list[int], batch: dict[str, Tensor] = BATCH) -> float:
    stepped = []
    losses, _ = task.train_step({"network": network}, batch, prepared(loss, counts), lambda *a: stepped.append(a))
    assert [slot for _, slot in stepped] == ["network"]
    return losses["loss"]


# --- losses --------------------------------------------------------------------------------------


def test_scores_of_zero_cost_what_theory_says() -> None:
    counts = [5, 4, 3, 2, 1]
    flat = SkipGram(5, 3, 5)
    nn.init.zeros_(flat.scores.weight)
    assert loss_of(Softmax(), flat, counts) == pytest.approx(math.log(5))
    assert loss_of(NegativeSampling(), flat, counts) == pytest.approx(4.158883, abs=1e-6)  # (1 + 5) ln 2
    tree = SkipGram(5, 3, 4)
    nn.init.zeros_(tree.scores.weight)
    # 5 4 3 2 1: 1 and 2 join to 3, with 3 to 6; 4 and 5 to 9; so two words have codes of 3 and three of 2.
    lengths = {0: 2, 1: 2, 2: 2, 3: 3, 4: 3}
    expected = sum(lengths[word] for word in (1, 2, 4)) / 3 * math.log(2)
    assert loss_of(HierarchicalSoftmax(), tree, counts) == pytest.approx(expected)


def test_hierarchical_softmax_at_zero_costs_the_mean_code_length() -> None:
    """Over a corpus in which every word follows as often as it occurs: CLRS's 2.24 bits."""
    counts = [45, 13, 12, 16, 9, 5]
    tree = SkipGram(6, 3, 5)
    nn.init.zeros_(tree.scores.weight)
    around = torch.tensor([i for i, count in enumerate(counts) for _ in range(count)]).unsqueeze(1)
    batch = {"word": torch.zeros_like(around), "around": around}
    assert loss_of(HierarchicalSoftmax(), tree, counts, batch) == pytest.approx(2.24 * math.log(2))
    sums, _, count = task.evaluate({"network": tree}, batch, prepared(HierarchicalSoftmax(), counts))
    assert (sums["loss"].item(), count) == (pytest.approx(224 * math.log(2), rel=1e-5), 100)


def test_probabilities_of_the_tree_sum_to_one() -> None:
    torch.manual_seed(0)
    counts = [3, 1, 4, 1, 5, 9, 2, 6]
    settings = prepared(HierarchicalSoftmax(), counts)["loss"]
    network = SkipGram(8, 4, 7, bias=True)
    batch = {"word": torch.full((8, 1), 2), "around": torch.arange(8).unsqueeze(1)}
    chances = torch.exp(-task.pair_losses(network, batch, settings))
    assert chances.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert chances.std().item() > 0.01


def test_negative_sampling_by_hand() -> None:
    """One noise word in a corpus where only word 1 occurs, so it is what is drawn."""
    network = SkipGram(2, 1, 2)
    network.embed.weight.data = torch.tensor([[2.0], [1.0]])
    network.scores.weight.data = torch.tensor([[0.5], [-1.0]])
    batch = {"word": torch.tensor([[0]]), "around": torch.tensor([[0]])}
    # ⟨s, v_0⟩ = 1 and ⟨s, v_1⟩ = −2: −log σ(1) − log σ(2)
    expected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))
    assert loss_of(NegativeSampling(negatives=1), network, [0, 7], batch) == pytest.approx(expected)


# --- the tree --------------------------------------------------------------------------------------


def test_huffman_codes_are_the_textbooks() -> None:
    """Cormen, Leiserson, Rivest and Stein, Introduction to algorithms, figure 16.3."""
    paths = task.huffman([45, 13, 12, 16, 9, 5])
    codes = ["".join("0" if turn == 1 else "1" for _, turn in path) for path in paths]
    assert codes == ["0", "101", "100", "111", "1101", "1100"]
    assert all(path[0][0] == 0 for path in paths)
    assert {node for path in paths for node, _ in path} == set(range(5))


# --- judging ---------------------------------------------------------------------------------------


def test_analogies_leave_out_the_words_of_the_question() -> None:
    # The plane: man (0, 0.1), king (1, 0.1), woman (0, 1), queen (1, 1), and prince beside king.
    vectors = torch.tensor([[0.1, 0.1, 1.0], [1.0, 0.1, 1.0], [0.1, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 0.2, 1.0]])
    # The last one's sum lies at king and prince, which are both in the question.
    assert task.analogy(vectors, torch.tensor([[0, 1, 2, 3], [2, 0, 3, 1], [0, 1, 4, 3]])).tolist() == [3, 1, 3]


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    first, second = torch.tensor([1.0, 2.0, 2.0, 5.0, 4.0]), torch.tensor([0.1, 0.4, 0.3, 0.3, 0.9])
    assert task.rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)


# --- data ------------------------------------------------------------------------------------------


def test_windows_stay_in_their_sentence_and_the_nearest_come_first() -> None:
    words, sentence = torch.tensor([7, 8, 9, 5, 6, 4], dtype=torch.int32), torch.tensor([0, 0, 0, 1, 1, 2])
    found = word_windows(words, sentence, 2)
    assert found["word"].flatten().tolist() == [7, 8, 9, 5, 6]  # 4 stands alone
    assert found["around"].tolist() == [
        [-1, 8, -1, 9],
        [7, 9, -1, -1],
        [8, -1, 7, -1],
        [-1, 6, -1, -1],
        [5, -1, -1, -1],
    ]


def test_frequent_words_are_thinned_as_in_the_paper() -> None:
    chances = keep_chances(torch.tensor([900, 99, 1]), 0.001)
    assert chances.tolist() == pytest.approx([math.sqrt(0.001 / 0.9), math.sqrt(0.001 / 0.099), 1.0])
    assert keep_chances(torch.tensor([900, 100]), 0.0).tolist() == [1.0, 1.0]
    cls = data.find("small_world")
    whole, thinned = (len(data.load(cls(subsample=t))["train"]["word"]) for t in (0.0, 0.01))
    assert 0.4 * whole < thinned < 0.8 * whole


def test_frequent_words_are_thinned_anew_for_every_epoch() -> None:
    cls = data.find("small_world")
    assert cls().renewal() is None
    dataset = cls(subsample=0.01)
    renew, splits, settings = dataset.renewal(), data.load(dataset), dataset.to_settings()
    assert renew is not None

    def drawn(seed: int) -> dict[str, Tensor]:
        return renew(splits, settings, torch.Generator().manual_seed(seed))

    assert all(torch.equal(drawn(1)[name], drawn(1)[name]) for name in ("word", "around"))
    assert not torch.equal(drawn(1)["word"][:1000], drawn(2)["word"][:1000])
    counts = torch.bincount(splits["text"]["token"])
    kept = torch.bincount(drawn(3)["word"].flatten(), minlength=len(counts))
    expected = counts * keep_chances(counts, 0.01)
    often = expected > 400
    assert often.sum() > 10
    # Binomial draws: within 5 deviations. Sentences of which one word is left are few.
    assert ((kept - expected).abs() < 5 * expected.sqrt() + 0.03 * expected)[often].all()
    assert (kept < 0.9 * counts).any()
    # Noise words and the tree know the text as it is.
    made = task.prepare(splits, {"loss": {"name": "negative_sampling", "power": 1.0}, "task": {"words": len(counts)}})
    assert chances_of(made["loss"]) == pytest.approx((counts / counts.sum()).numpy(), abs=1e-7)


def chances_of(loss: dict[str, Any]) -> Any:
    """The chance of each noise word, by the definition of the table."""
    stays, other = loss["stays"], loss["other"]
    return ((stays + torch.zeros_like(stays).index_add_(0, other, 1 - stays)) / len(stays)).numpy()


def test_noise_words_are_drawn_as_often_as_they_should_be() -> None:
    counts = [900, 0, 16, 81, 1, 0, 0, 16, 16]
    loss = prepared(NegativeSampling(power=0.75), counts)["loss"]
    powers = np.array(counts) ** 0.75
    expected = powers / powers.sum()
    assert chances_of(loss) == pytest.approx(expected, abs=1e-12)
    drawn = torch.bincount(task.draw_noise((20_000, 5), loss, torch.Generator().manual_seed(0)).flatten(), minlength=9)
    assert drawn.numpy() / 1e5 == pytest.approx(expected, abs=0.005)
    assert drawn[torch.tensor(counts) == 0].sum() == 0
    assert task.alias_table([1.0]) == ([1.0], [0])


@pytest.mark.parametrize("bias", [False, True])
def test_chosen_scores_are_those_of_the_whole_layer_and_so_are_their_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    network = SkipGram(40, 8, 4000, bias=bias)
    longer = nn.Sequential(SkipGram(40, 8, 4000), nn.Tanh())  # no Linear at the end
    words = torch.randint(40, (5, 1))
    whole: list[int] = []
    for made, count, all_at_once in ((network, 1, False), (network, 200, True), (longer, 1, True)):
        row, chosen = torch.randint(5, (7,)), torch.randint(4000, (7, count))
        expected = made(words)[row.unsqueeze(1), chosen]
        wanted = torch.autograd.grad(expected.square().sum(), list(made.parameters()))
        last = list(made.children())[-1]
        handle = last.register_forward_hook(lambda *_: whole.append(1))
        found = task.chosen_scores(made, words, row, chosen)
        handle.remove()
        assert bool(whole) == all_at_once, "of few outputs only the chosen rows are multiplied"
        whole.clear()
        assert torch.allclose(found, expected, atol=1e-6)
        given = torch.autograd.grad(found.square().sum(), list(made.parameters()))
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(given, wanted))


def test_a_window_reaches_over_words_that_are_left_out() -> None:
    """Of 0 1 0 2 with 0 left out, 1 and 2 are neighbours."""
    tokens = torch.tensor([0] * 96 + [1, 0, 2, 0], dtype=torch.int32)
    splits = {"text": {"token": tokens, "sentence": torch.zeros(100, dtype=torch.int32)}, "train": {"word": tokens[:1]}}
    found = thinned_windows(splits, {"subsample": 1e-9, "window": 1}, torch.Generator().manual_seed(0))
    assert torch.equal(found["word"], splits["train"]["word"][:1])  # all thinned: the first draw serves again
    splits["train"]["word"] = tokens[:0]
    found = thinned_windows(splits, {"subsample": 0.01, "window": 1}, torch.Generator().manual_seed(0))
    where = (found["word"].flatten() == 1).nonzero().flatten()
    assert len(where) == 1, "its frequency is the threshold, so it is kept"
    assert 2 in found["around"][where[0]].tolist()


def test_thinned_words_train_alike_in_the_exported_script(tmp_path: Path) -> None:
    project = templates.load("skipgram")
    choice = Choice("small_world", {**project.data.settings, "sentences": 400, "subsample": 0.01})
    project = project.replace(data=choice, training={**project.training, "epochs": 3, "batch_size": 256})
    run = builder.train(project, tmp_path / "run")
    assert records_of(builder.export(project, tmp_path / "export")) == run.history


def test_windows_shrink_in_training_only() -> None:
    dataset = data.find("small_world")(sentences=400)
    splits, settings = data.load(dataset), dataset.to_settings()
    index = torch.arange(1000)
    whole = dataset.make_batch(splits["train"], index, settings)
    drawn = dataset.make_batch(splits["train"], index, settings, torch.Generator().manual_seed(0))
    assert torch.equal(whole["around"], splits["train"]["around"][:1000])
    kept = drawn["around"] >= 0
    assert torch.equal(drawn["around"][kept], whole["around"][kept])
    assert 0.4 < kept.sum() / (whole["around"] >= 0).sum() < 0.9
    assert bool(kept.any(1).all())


@pytest.mark.parametrize("family", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_a_small_world_uses_every_word_and_gives_nothing_away(family: Any) -> None:
    sentences = world_sentences(family, 6000, 0)
    assert sentences == world_sentences(family, 6000, 0)
    assert {word for sentence in sentences for word in sentence} == set(world_words(family))
    asked = {word for question in world_questions(family) for word in question}
    for sentence in sentences:  # no sentence states a relation: a word of a question stands alone
        assert len(asked & set(sentence)) <= 1, sentence
    assert len(world_questions(family)) > 500


# --- templates -------------------------------------------------------------------------------------


def test_a_network_follows_its_loss_by_a_fix() -> None:
    project = templates.load("skipgram")
    tree = project.replace(loss=type(project.loss)("hierarchical_softmax", {}))
    (problem,) = builder.check(tree).problems
    assert "376" in problem.message
    assert problem.fix is not None
    assert builder.check(builder.edits.apply(tree, problem.fix.edits)).problems == ()


def test_a_network_follows_its_corpus_by_fixes() -> None:
    project = templates.load("skipgram_hierarchical")  # 371 words; the English world has 377
    choice = type(project.data)("small_world", data.find("small_world")().to_settings())
    changed = project.replace(data=choice)
    for _ in range(3):
        problems = builder.check(changed).problems
        if not problems:
            break
        fix = next(p.fix for p in problems if p.fix is not None)
        changed = builder.edits.apply(changed, fix.edits)
    assert builder.check(changed).problems == ()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The two worlds, each learnt from one template."""
    found = {}
    for name in ("skipgram", "skipgram_hierarchical"):
        folder = tmp_path_factory.mktemp(name) / "run"
        found[name] = builder.train(templates.load(name), folder)
    return found


def test_king_minus_man_plus_woman_is_queen(trained: dict[str, Any]) -> None:
    run = trained["skipgram"]
    assert run.metrics["analogies"] >= 0.9
    names = data.find("small_world")().token_names()
    found = evaluate.ask(run.folder, {"plus": ["king", "woman"], "minus": ["man"], "count": 3})
    assert names[int(found["word"][0])] == "queen"
    assert len(found["word"]) == 3


def test_moscow_minus_russia_plus_usa_is_washington(trained: dict[str, Any]) -> None:
    run = trained["skipgram_hierarchical"]
    assert run.metrics["analogies"] >= 0.9
    names = data.find("small_world_russian")().token_names()
    found = evaluate.ask(run.folder, {"plus": ["Москва", "США"], "minus": ["Россия"]})
    assert names[int(found["word"][0])] == "Вашингтон"


def test_the_way_in_the_tree_is_asked(trained: dict[str, Any]) -> None:
    run = trained["skipgram_hierarchical"]
    near, far = (
        evaluate.ask(run.folder, {"path": word, "from": "король"})["chance"].prod() for word in ("трон", "бейсбол")
    )
    assert near > 20 * far
    with pytest.raises(ValueError, match="'Атлантида' is not among the 371 words"):
        evaluate.ask(run.folder, {"path": "Атлантида", "from": "король"})
    with pytest.raises(ValueError, match="has a tree"):
        evaluate.ask(trained["skipgram"].folder, {"path": "king", "from": "man"})
    with pytest.raises(ValueError, match="king − man"):
        evaluate.ask(run.folder, {"plus": []})


def test_vectors_are_followed_while_training(trained: dict[str, Any]) -> None:
    probe = trained["skipgram"].probe()
    assert probe is not None
    live = probe.part("live")
    assert live["vectors"].shape == (300, 64)
    names = data.find("small_world")().token_names()
    assert [names[int(i)] for i in live["shown"][:2]] == ["man", "woman"]


# --- input blocks ----------------------------------------------------------------------------------


def test_hashing_sends_words_to_buckets_evenly_and_collides() -> None:
    hashed = modules.HashedEmbedding(64, 2)
    vectors = hashed(torch.arange(640).unsqueeze(1)).squeeze(1)
    same = (vectors.unsqueeze(0) == vectors.unsqueeze(1)).all(2)
    sizes = same.sum(1)
    assert len(torch.unique(vectors, dim=0)) == 64
    assert int(sizes.max()) <= 15  # ten words a bucket in the mean
    # Word 1 by hand: 2654435761 · 64 / 2³² = 39.55
    assert torch.equal(hashed(torch.tensor([[1]]))[0, 0], hashed.vectors.weight[39])


def test_random_projection_keeps_distances() -> None:
    layer = modules.RandomProjection(400, 256)
    values = layer.vectors.unique().tolist()
    assert values == pytest.approx([-math.sqrt(3 / 256), 0, math.sqrt(3 / 256)])
    assert (layer.vectors != 0).float().mean() == pytest.approx(1 / 3, abs=0.01)
    apart = torch.pdist(layer.vectors)
    assert float(apart.mean()) == pytest.approx(math.sqrt(2), abs=0.01)
    assert float(apart.std()) < 0.1
    network = nn.Sequential(layer, nn.Flatten(), nn.Linear(256, 400))
    found = task.distances(network, torch.arange(50))
    assert len(found["after"]) == 50 * 49 / 2
    assert task.distances(SkipGram(4, 2, 4), torch.arange(4))["after"].numel() == 0


def test_initial_losses_of_the_declarations() -> None:
    dataset = data.find("small_world")()
    assert WordVectors().initial_loss(dataset, Softmax()) == math.log(377)
    assert WordVectors().initial_loss(dataset, NegativeSampling(negatives=2)) == 3 * math.log(2)
    assert WordVectors().initial_loss(dataset, HierarchicalSoftmax()) is None


# --- formats and views -----------------------------------------------------------------------------


def test_vectors_are_written_as_word2vec_reads_them() -> None:
    words, vectors = ("New York", "король"), np.array([[0.1, -2.5e-9], [1 / 3, 4.0]], np.float32)
    text = export_vectors.word2vec_text(words, vectors)
    first, *lines = text.splitlines()
    assert first == "2 2"
    assert [line.split(" ")[0] for line in lines] == ["New_York", "король"]
    read = np.array([[float(x) for x in line.split(" ")[1:]] for line in lines], np.float32)
    assert np.array_equal(read, vectors)
    content = export_vectors.safetensors_bytes(words, vectors)
    assert np.array_equal(safetensors.numpy.load(content)["vectors"], vectors)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["words"]) == list(words)


@pytest.mark.parametrize(
    ("text", "plus", "minus"),
    [
        ("king − man + woman", ["king", "woman"], ["man"]),
        (" Москва - Россия+США ", ["Москва", "США"], ["Россия"]),
        ("well-known", ["well-known"], []),
        ("− man + king", ["king"], ["man"]),
        ("", [], []),
    ],
)
def test_a_line_of_words_is_read(text: str, plus: list[str], minus: list[str]) -> None:
    assert terms(text) == (plus, minus)
