"""The inside of recurrent layers, step by step: states, gates, and how far back a gradient reaches.

torch computes a whole sequence in one call and keeps none of this; here the equations of its
documentation are written out with a layer's own weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def steps(layer: nn.RNNBase, x: Tensor, follow: bool = False) -> dict[str, list[Tensor]]:
    """What the first layer of an RNN, LSTM or GRU holds at each step of one sequence x (T, features), forwards.

    Every entry has T vectors of `hidden_size` numbers: ``hidden``; of an LSTM ``input``, ``forget``,
    ``output`` (gates), ``candidate`` and ``memory``; of a GRU ``reset``, ``update`` (gates) and
    ``candidate``. With `follow` gradients can be asked for, whatever is frozen. (torch.nn.RNN, LSTM, GRU.)
    """
    weights = dict(layer.named_parameters())
    w_in, w_hidden = weights["weight_ih_l0"], weights["weight_hh_l0"]
    none = x.new_zeros(len(w_in))
    b_in, b_hidden = weights.get("bias_ih_l0", none), weights.get("bias_hh_l0", none)
    hidden = x.new_zeros(layer.hidden_size, requires_grad=follow)
    memory = x.new_zeros(layer.hidden_size)
    found: dict[str, list[Tensor]] = {}
    for now in x:
        from_input, from_hidden = w_in @ now + b_in, w_hidden @ hidden + b_hidden
        told: dict[str, Tensor] = {}
        if isinstance(layer, nn.LSTM):
            i, f, g, o = (from_input + from_hidden).chunk(4)
            told = {"input": i.sigmoid(), "forget": f.sigmoid(), "output": o.sigmoid(), "candidate": g.tanh()}
            memory = told["forget"] * memory + told["input"] * told["candidate"]
            told["memory"] = memory
            hidden = told["output"] * memory.tanh()
        elif isinstance(layer, nn.GRU):
            (r, z, n), (r2, z2, n2) = from_input.chunk(3), from_hidden.chunk(3)
            told = {"reset": (r + r2).sigmoid(), "update": (z + z2).sigmoid()}
            told["candidate"] = (n + told["reset"] * n2).tanh()
            hidden = (1 - told["update"]) * told["candidate"] + told["update"] * hidden
        else:
            total = from_input + from_hidden
            hidden = total.tanh() if getattr(layer, "nonlinearity", "tanh") == "tanh" else total.relu()
        told["hidden"] = hidden
        for name, value in told.items():
            found.setdefault(name, []).append(value)
    return found


def gates(layer: nn.RNNBase, x: Tensor) -> dict[str, Tensor]:
    """`steps` as arrays (T, hidden_size), without gradients."""
    with torch.no_grad():
        return {name: torch.stack(values) for name, values in steps(layer, x).items()}


def reach(layer: nn.RNNBase, x: Tensor) -> Tensor:
    """How much the state at each step still moves the last answer (T,): ‖∂(u·h[T])/∂s[t]‖, 1 at the last step.

    The state s is what is carried on: an LSTM's memory, else the hidden state; u is a fixed random direction.
    Where it falls to nothing, what happened then cannot be learned (Bengio, Simard and Frasconi 1994, Learning
    long-term dependencies with gradient descent is difficult).
    """
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(layer.hidden_size, generator=generator)
    with torch.enable_grad():
        found = steps(layer, x.detach(), follow=True)
        state = found.get("memory", found["hidden"])
        goal = (found["hidden"][-1] * (direction / direction.norm())).sum()
        slopes = torch.autograd.grad(goal, state)
    norms = torch.stack([slope.norm() for slope in slopes])
    return (norms / norms[-1].clamp(min=1e-30)).detach()
