"""Checkpoints: the state of a training loop in safetensors, without pickle, whole or not at all.

A file holds the state's tensors under their paths and, in its metadata, the rest as JSON with
references to them, so one rename makes the whole state current. The one before is kept until the
new one is complete, and a checksum tells a damaged file, which then gives way to the previous one.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

PATTERN = "checkpoint-*.safetensors"
KEEP = 2


class CheckpointError(ValueError):
    """A checkpoint cannot be read; the message is one sentence."""


# --- a nested state as tensors and JSON ---------------------------------------------------------


def pack(state: Any) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a nested state by path, and the rest as JSON.

    Takes dicts (with text or number keys), lists, tuples, numbers, texts and None; raises TypeError
    for anything else, since it could not be restored.
    """
    tensors: dict[str, Tensor] = {}
    known: dict[tuple[Any, ...], str] = {}

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            identity = (value.data_ptr(), value.shape, value.stride(), value.dtype, value.device)
            name = known.setdefault(identity, path) if value.numel() else path
            last = value.dim() == 4 and not value.is_contiguous() and _channels_last(value)
            if name == path:
                tensors[name] = value.detach()
            return {"$tensor": name, "channels_last": True} if last else {"$tensor": name}
        if isinstance(value, dict):
            if all(isinstance(k, str) and not k.startswith("$") for k in value):
                return {k: walk(v, f"{path}/{k}") for k, v in value.items()}
            return {"$items": [[k, walk(v, f"{path}/{k}")] for k, v in value.items()]}
        if isinstance(value, tuple):
            return {"$tuple": [walk(v, f"{path}/{i}") for i, v in enumerate(value)]}
        if isinstance(value, list):
            return [walk(v, f"{path}/{i}") for i, v in enumerate(value)]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"a checkpoint cannot hold {type(value).__name__} (at {path})")

    return tensors, walk(state, "state")


def unpack(tensors: dict[str, Tensor], skeleton: Any) -> Any:
    """The nested state that `pack` took apart."""
    if isinstance(skeleton, list):
        return [unpack(tensors, item) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if "$tensor" in skeleton:
        tensor = tensors[skeleton["$tensor"]]
        return tensor.contiguous(memory_format=torch.channels_last) if skeleton.get("channels_last") else tensor
    if "$items" in skeleton:
        return {key: unpack(tensors, item) for key, item in skeleton["$items"]}
    if "$tuple" in skeleton:
        return tuple(unpack(tensors, item) for item in skeleton["$tuple"])
    return {key: unpack(tensors, item) for key, item in skeleton.items()}


def _channels_last(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last)


def _checksum(tensors: dict[str, Tensor], text: str) -> str:
    total = zlib.crc32(text.encode())
    for name in sorted(tensors):
        flat = tensors[name].reshape(-1)
        if flat.numel():
            raw: Any = flat.view(torch.uint8).numpy()
            total = zlib.crc32(raw, total)
    return f"{total:08x}"


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, each contiguous in its own memory, as safetensors wants it."""
    plain = {}
    for name, tensor in tensors.items():
        own = tensor.detach().to("cpu").contiguous()
        shares = own.untyped_storage().nbytes() != own.numel() * own.element_size()
        plain[name] = own.clone() if shares else own
    return plain


# --- files -----------------------------------------------------------------------------------


def write_file(path: Path, content: bytes, sync: bool = True) -> None:
    """Replace a file whole: write beside it, sync, rename. Raises OSError and leaves the old one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after `step` steps and drop all but the newest two. Raises OSError."""
    tensors, skeleton = pack(state)
    tensors = _plain(tensors)
    text = json.dumps(skeleton)
    metadata = {"state": text, "step": str(step), "checksum": _checksum(tensors, text)}
    path = folder / f"checkpoint-{step:09d}.safetensors"
    write_file(path, save(tensors, metadata))
    for old in found(folder)[KEEP:]:
        old.unlink(missing_ok=True)
    return path


def found(folder: Path) -> list[Path]:
    """The folder's checkpoints, the newest first."""
    return sorted(folder.glob(PATTERN), reverse=True)


def load_checkpoint(path: Path) -> tuple[int, dict[str, Any]]:
    """The step and the state of one checkpoint; raises CheckpointError when the file is damaged."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
        text = metadata["state"]
        if _checksum(tensors, text) != metadata["checksum"]:
            raise CheckpointError(f"{path.name} is damaged (its checksum does not fit).")
        return int(metadata["step"]), unpack(tensors, json.loads(text))
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path.name} is damaged and cannot be read ({error}).") from error


def load_latest(folder: Path) -> tuple[int, dict[str, Any] | None, str]:
    """(step, state, message) of the newest whole checkpoint; (0, None, ...) when there is none.

    The message is empty, or says which file was damaged and what was taken instead.
    """
    damaged = []
    for path in found(folder):
        try:
            step, state = load_checkpoint(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        return step, state, f"{' '.join(damaged)} Continued from the one before, at step {step}." if damaged else ""
    return 0, None, f"{' '.join(damaged)} Training starts from the beginning." if damaged else ""


# --- weights alone ----------------------------------------------------------------------------


def save_weights(path: Path, networks: dict[str, dict[str, Tensor]], information: dict[str, str]) -> None:
    """Write ``{slot: state_dict}`` under the names ``slot.key``. Raises OSError."""
    tensors = {f"{slot}.{key}": value for slot, state in networks.items() for key, value in state.items()}
    # Tied weights share memory, which safetensors refuses; each name gets its own copy.
    write_file(path, save({k: v.detach().to("cpu").contiguous().clone() for k, v in tensors.items()}, information))


def load_weights(path: Path) -> dict[str, dict[str, Tensor]]:
    """``{slot: state_dict}`` from such a file; raises CheckpointError when it cannot be read."""
    try:
        tensors = load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"The weights {path} cannot be read ({error}).") from error
    networks: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        slot, _, key = name.partition(".")
        networks.setdefault(slot, {})[key] = tensor
    return networks
