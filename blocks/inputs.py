"""Where data enters a network, and where its answer leaves it."""

from __future__ import annotations

from blocks.base import Block, Example, Port, Shape, setting


class Image(Block):
    """A picture of channels × height × width."""

    label, category, stem = "Image", "input", "image"
    help = "A picture enters here. Grey pictures have 1 channel, colour pictures 3."
    formula = "x of channels × height × width"
    source = "batch × channels × height × width, the order of torch.nn.Conv2d"
    inputs = ()
    channels: int = setting(1, min=1, max=65536, help="1 for grey, 3 for colour")
    height: int = setting(28, min=1, max=65536, unit="px", help="rows of pixels")
    width: int = setting(28, min=1, max=65536, unit="px", help="columns of pixels")
    examples = (Example({}, (), (1, 28, 28)), Example({"channels": 3, "height": 32, "width": 48}, (), (3, 32, 48)))

    def source_shape(self) -> Shape:
        return (self.channels, self.height, self.width)


class Vector(Block):
    """A flat list of numbers, such as one row of a table or a point."""

    label, category, stem = "Vector", "input", "vector"
    help = "A flat list of numbers enters here: a row of a table, or a point in the plane."
    formula = "x of features"
    source = "batch × features, the order of torch.nn.Linear"
    inputs = ()
    features: int = setting(2, min=1, help="how many numbers a sample has")
    examples = (Example({}, (), (2,)), Example({"features": 30}, (), (30,)))

    def source_shape(self) -> Shape:
        return (self.features,)


class Sequence(Block):
    """A sequence of vectors: length × features."""

    label, category, stem = "Sequence", "input", "sequence"
    help = "A sequence of vectors enters here, one per time step: a time series, or a picture row by row."
    formula = "x of length × features"
    source = "batch × length × features, the order of torch.nn.LSTM with batch_first"
    inputs = ()
    length: int = setting(8, min=1, help="number of time steps")
    features: int = setting(8, min=1, help="numbers per time step")
    examples = (Example({}, (), (8, 8)), Example({"length": 24, "features": 1}, (), (24, 1)))

    def source_shape(self) -> Shape:
        return (self.length, self.features)


class Tokens(Block):
    """A sequence of integers below the size of a vocabulary."""

    label, category, stem = "Tokens", "input", "tokens"
    help = "Integers enter here: numbers of words or characters in a vocabulary. An Embedding turns them into vectors."
    formula = "t of length, 0 ≤ t < vocabulary"
    source = "batch × length, the order of torch.nn.Embedding"
    inputs = ()
    holds = "tokens"
    length: int = setting(16, min=1, help="tokens per sample")
    vocabulary: int = setting(100, min=2, help="how many different tokens there are")
    examples = (Example({}, (), (16,)), Example({"length": 5, "vocabulary": 7}, (), (5,)))

    def source_shape(self) -> Shape:
        return (self.length,)


class Output(Block):
    """The answer of the network, handed to the loss."""

    label, category, stem, role = "Output", "input", "output", "output"
    help = "What arrives here is the network's answer. The loss compares it with the truth."
    formula = "y = x"
    source = "what the module's forward returns"
    inputs = (Port("in"),)
    examples = (Example({}, ((10,),), (10,)), Example({}, ((3, 8, 8),), (3, 8, 8)))
