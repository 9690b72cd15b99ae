"""Recurrent layers: a state that is carried from step to step of a sequence."""

from __future__ import annotations

from typing import Any

from blocks.base import Block, Call, Example, Port, Shape, setting


class _Recurrent(Block):
    """What RNN, LSTM and GRU share. Input and output are length × features."""

    category = "recurrent"
    inputs = (Port("in", rank=2),)
    probe_real = True
    stochastic = True  # with dropout between its layers
    gates = 1
    hidden_size: int = setting(64, min=1, max=100_000, help="numbers in the state")
    num_layers: int = setting(1, min=1, max=64, help="layers stacked on each other")
    bidirectional: bool = setting(False, help="also reads the sequence backwards")
    dropout: float = setting(0.0, min=0.0, max=1.0, help="share of numbers dropped between stacked layers")
    output: str = setting("last", choices=("last", "sequence"), help="the last step only, or every step")

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self.num_layers > 1:
            options["num_layers"] = self.num_layers
            if self.dropout:
                options["dropout"] = self.dropout  # torch has dropout between layers only
        if self.bidirectional:
            options["bidirectional"] = True
        return options

    def layer(self, *shapes: Shape) -> Call:
        inner = Call(f"nn.{type(self).__name__}", shapes[0][1], self.hidden_size, **self._options(), batch_first=True)
        return Call("Recurrent", inner, **({"last": True} if self.output == "last" else {}))

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        length, features = shapes[0]
        directions = 2 if self.bidirectional else 1
        work = 0
        for _ in range(self.num_layers):
            work += length * directions * self.gates * self.hidden_size * (features + self.hidden_size)
            features = directions * self.hidden_size
        return work

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        features, hidden = shapes[0][1], self.hidden_size
        directions = 2 if self.bidirectional else 1
        sides = "".join(f"{n}·" for n in (directions, self.gates) if n > 1)
        lines, total = [], 0
        for number in range(1, self.num_layers + 1):
            count = directions * self.gates * (hidden * features + hidden * hidden + 2 * hidden)
            name = f"layer {number}: " if self.num_layers > 1 else ""
            lines.append(f"{name}{sides}({hidden}·{features} + {hidden}·{hidden} + 2·{hidden}) = {count:,}")
            total += count
            features = directions * hidden
        if self.num_layers > 1:
            lines.append(f"in all: {total:,}")
        return "\n".join(lines)


class RNN(_Recurrent):
    """The plain recurrent network."""

    label, stem = "RNN", "rnn"
    help = "Carries a state through a sequence. Simple, but it forgets what happened many steps ago."
    formula = "h[t] = tanh(W·x[t] + U·h[t−1] + b)"
    source = "Elman 1990, Finding structure in time; torch.nn.RNN"
    nonlinearity: str = setting("tanh", choices=("tanh", "relu"), help="the activation of the state")
    examples = (
        Example({"hidden_size": 20}, ((5, 10),), (20,), 640),
        Example({"hidden_size": 20, "output": "sequence"}, ((5, 10),), (5, 20), 640),
    )

    def _options(self) -> dict[str, Any]:
        more = {} if self.nonlinearity == "tanh" else {"nonlinearity": self.nonlinearity}
        return super()._options() | more


class LSTM(_Recurrent):
    """Long short-term memory."""

    label, stem = "LSTM", "lstm"
    help = "Carries a state and a memory through a sequence; gates decide what is kept, written and shown."
    formula = "c[t] = f·c[t−1] + i·tanh(…),  h[t] = o·tanh c[t],  f, i, o = σ(W·x[t] + U·h[t−1] + b)"
    source = "Hochreiter and Schmidhuber 1997; Gers et al. 2000; torch.nn.LSTM"
    gates = 4
    examples = (
        Example({"hidden_size": 20}, ((5, 10),), (20,), 2560),
        Example({"hidden_size": 20, "output": "sequence", "bidirectional": True}, ((5, 10),), (5, 40), 5120),
        Example({"hidden_size": 8, "num_layers": 2, "dropout": 0.1}, ((5, 3),), (8,), 992),
    )


class GRU(_Recurrent):
    """The gated recurrent unit."""

    label, stem = "GRU", "gru"
    help = "Carries a state through a sequence; two gates decide what is renewed. Lighter than an LSTM."
    formula = "h[t] = (1 − z)·n + z·h[t−1],  n = tanh(W·x[t] + r·U·h[t−1]),  r, z = σ(…)"
    source = "Cho et al. 2014; torch.nn.GRU"
    gates = 3
    examples = (
        Example({"hidden_size": 20}, ((5, 10),), (20,), 1920),
        Example({"hidden_size": 20, "bidirectional": True}, ((5, 10),), (40,), 3840),
    )


class MeanOfSteps(Block):
    """The mean of a sequence over its steps."""

    label, category, stem = "MeanOfSteps", "recurrent", "mean"
    help = "Takes the mean over all time steps, so that one vector stands for the sequence."
    formula = "y = (x[1] + … + x[T]) / T"
    source = "torch.mean"
    inputs = (Port("in", rank=2),)
    examples = (Example({}, ((7, 12),), (12,), 0),)

    def layer(self, *shapes: Shape) -> Call:
        return Call("MeanOfSteps")
