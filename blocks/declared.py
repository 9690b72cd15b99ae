"""Things declared by their settings: blocks, data sets, tasks, losses, optimizers; and what a setting may be."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

Json = Any
"""A value that JSON can hold: None, bool, int, float, str, list or dict."""


LARGEST = 1e300
"""No setting is larger: a file may hold whole numbers of any length, which no float can take."""


class SettingError(ValueError):
    """A value given for a setting has the wrong type or lies outside its bounds."""


def setting(
    default: Any,
    *,
    min: float | None = None,
    max: float | None = None,
    choices: Sequence[Any] | None = None,
    label: str | None = None,
    help: str = "",
    unit: str = "",
) -> Any:
    """Declare a field of a block (or data set, loss, optimizer ...) that a person can set.

    `min` and `max` are inclusive and hold for every element of a tuple. `choices` lists the only
    allowed values. `help` is one plain sentence.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "min": min,
            "max": max,
            "choices": tuple(choices) if choices is not None else None,
            "label": label,
            "help": help,
            "unit": unit,
        },
    )


@dataclass(frozen=True)
class Setting:
    """A declared setting as forms and checks see it.

    `kind` is one of ``int float bool text choice size ints floats texts``; a size is one integer or a
    pair (height, width), the last three are tuples of any length. `optional` settings may be None.
    """

    name: str
    kind: str
    default: Any
    optional: bool
    min: float | None
    max: float | None
    choices: tuple[Any, ...] | None
    label: str
    help: str
    unit: str

    def check(self, value: Any) -> Any:
        """Return `value` in its Python form (lists become tuples).

        Raises SettingError with a sentence when the type or a bound does not fit.
        """
        if value is None:
            if self.optional:
                return None
            raise SettingError(f"{self.name} must not be empty.")
        if self.choices is not None:
            for choice in self.choices:
                if choice == value and type(choice) is type(value):
                    return choice
            allowed = ", ".join(repr(c) for c in self.choices)
            raise SettingError(f"{self.name} is {_short(value)}; it must be one of {allowed}.")
        match self.kind:
            case "bool":
                if not isinstance(value, bool):
                    raise SettingError(f"{self.name} is {_short(value)}; it must be true or false.")
            case "text":
                if not isinstance(value, str):
                    raise SettingError(f"{self.name} is {_short(value)}; it must be text.")
            case "int":
                self._number(value, whole=True)
            case "float":
                self._number(value, whole=False)
                value = float(value)
            case "size" if not isinstance(value, (list, tuple)):
                self._number(value, whole=True)
            case "size" | "ints":
                if not isinstance(value, (list, tuple)):
                    raise SettingError(f"{self.name} is {_short(value)}; it must be a list of whole numbers.")
                if self.kind == "size" and len(value) != 2:
                    raise SettingError(
                        f"{self.name} has {len(value)} numbers; it takes one, or a pair (height, width)."
                    )
                for item in value:
                    self._number(item, whole=True)
                value = tuple(value)
            case "floats":
                if not isinstance(value, (list, tuple)):
                    raise SettingError(f"{self.name} is {_short(value)}; it must be a list of numbers.")
                for item in value:
                    self._number(item, whole=False)
                value = tuple(float(item) for item in value)
            case "texts":
                if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
                    raise SettingError(f"{self.name} is {_short(value)}; it must be a list of texts.")
                value = tuple(value)
        return value

    def _number(self, value: Any, whole: bool) -> None:
        good = isinstance(value, int) if whole else isinstance(value, (int, float))
        if isinstance(value, bool) or not good:
            kind = "a whole number" if whole else "a number"
            raise SettingError(f"{self.name} is {_short(value)}; it must be {kind}.")
        if value != value or value in (float("inf"), float("-inf")):
            raise SettingError(f"{self.name} is {value}; it must be a finite number.")
        if abs(value) > LARGEST:
            raise SettingError(f"{self.name} is {_short(value)}; that is too large for any machine.")
        if self.min is not None and value < self.min:
            raise SettingError(f"{self.name} is {value}; the smallest allowed is {self.min:g}.")
        if self.max is not None and value > self.max:
            raise SettingError(f"{self.name} is {value}; the largest allowed is {self.max:g}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _kind(annotation: Any, choices: Any) -> tuple[str, bool]:
    """The kind of a setting and whether it may be None, from its type annotation."""
    arguments = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    optional = type(None) in arguments
    rest = [a for a in arguments if a is not type(None)]
    if choices is not None:
        return "choice", optional
    if rest == [int, tuple[int, int]]:
        return "size", optional
    if len(rest) == 1:
        simple = {
            bool: "bool",
            int: "int",
            float: "float",
            str: "text",
            tuple[int, ...]: "ints",
            tuple[float, ...]: "floats",
            tuple[str, ...]: "texts",
        }
        if rest[0] in simple:
            return simple[rest[0]], optional
    raise TypeError(f"a setting cannot have the type {annotation}")


class Declared:
    """A thing declared by its settings: a block, a data set, a task, a loss, an optimizer.

    Subclasses become frozen dataclasses by themselves; instances carry checked values of the
    settings and can be compared and hashed.
    """

    label: ClassVar[str] = ""
    help: ClassVar[str] = ""

    if TYPE_CHECKING:  # at run time, dataclass writes it; `setting(16, ...)` is no form a checker would know

        def __init__(self, **settings: Any) -> None: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True)(cls)

    def __post_init__(self) -> None:
        for spec in self.settings():
            object.__setattr__(self, spec.name, spec.check(getattr(self, spec.name)))

    @classmethod
    @functools.cache
    def settings(cls) -> tuple[Setting, ...]:
        """The declared settings, in the order they are written."""
        found = []
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            meta = field.metadata
            kind, optional = _kind(hints[field.name], meta["choices"])
            found.append(
                Setting(
                    name=field.name,
                    kind=kind,
                    default=field.default,
                    optional=optional,
                    min=meta["min"],
                    max=meta["max"],
                    choices=meta["choices"],
                    label=meta["label"] or field.name,
                    help=meta["help"],
                    unit=meta["unit"],
                )
            )
        return tuple(found)

    @classmethod
    def from_settings(cls, values: dict[str, Json]) -> Self:
        """An instance from JSON values; missing settings take their defaults.

        Raises SettingError for an unknown name, a wrong type or a value out of bounds.
        """
        known = {s.name for s in cls.settings()}
        for name in values:
            if name not in known:
                raise SettingError(f"{cls.__name__} has no setting {_short(name)}.")
        return cls(**values)

    def to_settings(self) -> dict[str, Json]:
        """All settings as JSON values, defaults included (tuples become lists)."""
        return {s.name: _plain(getattr(self, s.name)) for s in self.settings()}

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed and checked."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]


def _plain(value: Any) -> Json:
    return list(value) if isinstance(value, tuple) else value
