"""Weights from elsewhere: a file's or an earlier run's tensors, matched with a project's networks.

Tensors are matched by name, or else by order and shape: a published network's state dict stands in the order in which
its layers are used, and so do the parameters of a compiled one. A safetensors file keeps names, but not that order;
there, layers of the same last name and shapes are matched in the order of their names, layer2 before layer10.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import builder.project
from blocks.base import Shape
from builder.compile import instantiate, write
from builder.project import Project
from builder.source import Source, generate
from builder.training import fitting
from builder.training.checkpoint import save_weights
from builder.training.fitting import COUNTER, Shapes, natural
from builder.training.match import Match
from builder.training.run import PROJECT_FILE, Run
from builder.validate import machine_memory

INITIAL_FILE = "initial.safetensors"
"""In a run's folder: the weights it begins with, where they are not drawn."""

Tensors = dict[str, Tensor]
_WRAPPERS = ("state_dict", "model_state_dict", "model", "weights")
_PREFIXES = ("module.", "_orig_mod.")


class WeightsError(ValueError):
    """Weights cannot be read or do not fit; the message is a sentence."""


@dataclass(frozen=True)
class Beginning:
    """What a training begins with: a file or an earlier run, what it is called, and whether a part of it will do."""

    source: Path | Run
    name: str = ""
    partial: bool = False


# --- reading -------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str], name: str = "") -> Tensors:
    """The tensors of a safetensors file, or of a ``.pt`` file that holds nothing but tensors, in their order.

    No code of the file is run. Raises WeightsError when it cannot be read so.
    """
    path = Path(path)
    name = name or path.name
    try:
        length, plain = path.stat().st_size, _is_safetensors(path)
    except OSError as error:
        raise WeightsError(f"{name} cannot be read ({error.strerror or error}).") from error
    if length > machine_memory() // 2:
        raise WeightsError(
            f"{name} has {length / 2**30:.1f} GB, and this machine {machine_memory() / 2**30:.1f} GB of memory; "
            "it cannot be loaded here."
        )
    if plain:
        try:
            tensors = load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise WeightsError(f"{name} is damaged and cannot be read ({error}).") from error
        return {key: tensors[key] for key in sorted(tensors, key=natural)}
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile or damaged file ends in whatever the reader stumbles over
        raise WeightsError(
            f"{name} cannot be read without running code of it, or is damaged. Take a safetensors file, or a .pt "
            "file that holds only a state_dict (torch.save(model.state_dict(), ...))."
        ) from error
    found = _tensors(held)
    if not found:
        raise WeightsError(f"{name} holds no tensors by name; it should be a network's state_dict.")
    return found


def _is_safetensors(path: Path) -> bool:
    """Whether it is a safetensors file by its first bytes: these keep names, but not the order of layers."""
    with open(path, "rb") as file:
        return file.read(9)[8:] == b"{"


def _tensors(held: Any) -> Tensors:
    """The tensors of a state dict, taken out of what it may be wrapped in."""
    for key in _WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
    if not isinstance(held, Mapping):
        return {}
    found = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        if found and all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


# --- matching ------------------------------------------------------------------------------------


def match(tensors: Tensors, project: Project, source: str, ordered: bool = True) -> Match:
    """What of these tensors fits the project's networks: by name, or by order and shape where that fits more, or both.

    `ordered` says that the tensors stand in the order in which their network uses them.
    """
    generated = generate(project)
    here = _shapes(generated)
    there = {name: _shape(tensor) for name, tensor in tensors.items()}
    if len(project.networks) == 1:
        (slot,) = project.networks
        own = all(name.startswith(f"{slot}.") for name in tensors)
        named = {name if own else f"{slot}.{name}": name for name in tensors}
    else:
        named = {name: name for name in tensors}
    known = fitting.by_name(there, here, named)
    ways = {"name": known}
    if len(known) < len(here) and len(project.networks) == 1:
        other, kind = (fitting.in_sequence, "order and shape") if ordered else (fitting.by_kind, "the kind of layer")
        ways[kind] = other(there, here)
        ways[f"name, the rest by {kind}"] = {**known, **other(*_left(there, here, known))}
    by = max(ways, key=lambda way: len(ways[way]))  # the first of those that fit the most
    left, waiting = (fitting.layers(shapes) for shapes in _left(there, here, ways[by]))
    if by != "name" and len(left) == len(waiting):
        # What is left over on both sides is meant for each other, but of another size.
        for one, two in zip(left.values(), waiting.values()):
            named |= fitting.pair(one, two)
    return _result(source, by, ways[by], there, named, here, generated)


def _left(there: Shapes, here: Shapes, taken: dict[str, str]) -> tuple[Shapes, Shapes]:
    """What is not yet taken, on both sides."""
    used = set(taken.values())
    return {n: s for n, s in there.items() if n not in used}, {n: s for n, s in here.items() if n not in taken}


def match_run(run: Run, project: Project) -> tuple[Tensors, Match]:
    """The tensors of an earlier run's best weights, and what of them fits the project's networks.

    Blocks are matched by their names on the canvas, so that unchanged blocks of an edited network keep what they
    have learned. Raises WeightsError when the run has no weights.
    """
    path = run.weights()
    if path is None:
        raise WeightsError(f"{run.name} has no weights yet; they are saved after its first epoch, or on pause.")
    tensors = read(path)
    before, now = generate(builder.project.load(run.folder / PROJECT_FILE)), generate(project)
    here = _shapes(now)
    there = {name: _shape(tensor) for name, tensor in tensors.items()}
    places = {_on_canvas(name, now): name for name in here}
    named = {_counterpart(_on_canvas(name, before), places) or name: name for name in tensors}
    taken = fitting.by_name(there, here, named)
    return tensors, _result(run.name, "name", taken, there, named, here, now, where="that run")


def _counterpart(place: str, places: Mapping[str, str]) -> str | None:
    """The tensor at a place on the canvas; a block and the first of the row it has become are the same place."""
    parts = place.split(".")
    ways = [place]
    for at in range(2, len(parts)):
        ways.append(".".join([*parts[:at], "0", *parts[at:]]))
        if parts[at] == "0":
            ways.append(".".join(parts[:at] + parts[at + 1 :]))
    return next((places[way] for way in ways if way in places), None)


def _result(
    source: str,
    by: str,
    taken: dict[str, str],
    there: Shapes,
    named: dict[str, str],
    here: Shapes,
    generated: Source,
    where: str = "the file",
) -> Match:
    used = set(taken.values())
    fresh = [n for n in here if n not in taken and not n.endswith(COUNTER)]
    same = {n: there[named[n]] for n in fresh if n in named and named[n] not in used}
    misshapen = [(n, shape, here[n]) for n, shape in same.items() if shape != here[n]]
    missing = [n for n in fresh if n not in same]
    met = used | {named[n] for n in same}
    extra = [n for n in there if n not in met and not n.endswith(COUNTER)]
    nodes = {n: ".".join(_on_canvas(n, generated).split(".")[:2]) for n in here}
    some, lacking = {nodes[n] for n in taken}, {nodes[n] for n in fresh}

    def those(group: set[str]) -> tuple[str, ...]:
        return tuple(id for id in dict.fromkeys(nodes.values()) if id in group)

    return Match(
        source,
        by,
        pairs=tuple((taken[n], n) for n in here if n in taken),
        fresh=tuple(fresh),
        missing=tuple(missing),
        extra=tuple(extra),
        misshapen=tuple(misshapen),
        kept=those(some - lacking),
        partly=those(some & lacking),
        drawn=those(lacking - some),
        where=where,
    )


def _shapes(generated: Source) -> dict[str, Shape]:
    """The shapes of the networks' tensors by ``slot.key``, in their order; nothing is drawn or kept."""
    with torch.device("meta"):
        networks = instantiate(write(generated), generated.classes)
    return {f"{slot}.{key}": _shape(t) for slot, network in networks.items() for key, t in network.state_dict().items()}


def _on_canvas(name: str, generated: Source) -> str:
    """``slot.node.key`` for a tensor's ``slot.module.key``: modules of a stage are called otherwise than its blocks."""
    slot, _, key = name.partition(".")
    nodes = {path: node for node, path in generated.modules.get(slot, {}).items()}
    parts = key.split(".")
    for count in range(len(parts) - 1, 0, -1):
        node = nodes.get(".".join(parts[:count]))
        if node is not None:
            return ".".join([slot, node, *parts[count:]])
    return name


def _shape(tensor: Tensor) -> Shape:
    return tuple(tensor.shape)


# --- for a run -----------------------------------------------------------------------------------


def find(source: str | os.PathLike[str] | Run, project: Project, name: str = "") -> tuple[Tensors, Match]:
    """The tensors of a file or of an earlier run, and what of them fits the project. Raises WeightsError.

    `name` is what a file is called in sentences, its own name unless told.
    """
    if isinstance(source, Run):
        return match_run(source, project)
    tensors = read(source, name)
    return tensors, match(tensors, project, name or Path(source).name, not _is_safetensors(Path(source)))


def fits(found: Match, partial: bool) -> None:
    """Raise WeightsError when not everything fits and `partial` is not wished, or when nothing fits."""
    if not found.pairs:
        raise WeightsError(f"Nothing in {found.source} fits the network: {found.refusal().partition('. ')[2]}")
    if not found.whole and not partial:
        raise WeightsError(found.refusal())


def keep(folder: Path, tensors: Tensors, found: Match, partial: bool = False) -> None:
    """Write what fits to the run folder, for the run to begin with; `told` says afterwards what it was.

    Raises WeightsError when not everything fits and `partial` is not wished, when nothing fits, or when a tensor
    holds numbers that are not finite; OSError.
    """
    fits(found, partial)
    states: dict[str, dict[str, Tensor]] = {}
    for there, here in found.pairs:
        tensor = tensors[there]
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{there} in {found.source} holds numbers that are not finite (NaN or infinite).")
        slot, _, key = here.partition(".")
        states.setdefault(slot, {})[key] = tensor
    save_weights(folder / INITIAL_FILE, states, {"told": found.sentence()})


def told(folder: Path) -> str:
    """What a run began with, as a sentence; empty for drawn weights."""
    try:
        with safetensors.safe_open(folder / INITIAL_FILE, framework="pt") as file:
            return str((file.metadata() or {}).get("told", ""))
    except (OSError, safetensors.SafetensorError):
        return ""


def begin(folder: Path, networks: dict[str, nn.Module]) -> bool:
    """Put the weights kept in a run folder into its networks; whether there are any. Raises WeightsError."""
    path = folder / INITIAL_FILE
    if not path.exists():
        return False
    tensors = read(path)
    for slot, network in networks.items():
        state = network.state_dict()
        given = {n.removeprefix(f"{slot}."): t for n, t in tensors.items() if n.startswith(f"{slot}.")}
        try:
            network.load_state_dict({**state, **given})
        except RuntimeError as error:
            raise WeightsError(f"The weights kept for this run do not fit its network {slot!r} ({error}).") from error
    return True
