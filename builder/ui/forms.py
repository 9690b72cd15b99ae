"""Forms made from declared settings. Fields show the document's values and send changes as commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from blocks.base import Declared, Setting, SettingError
from builder.ui import fields

Changed = Callable[[str, Any], None]
"""Called with a setting's name and its new, checked value (JSON)."""


def form(
    cls: type[Declared],
    values: dict[str, Any],
    key: str,
    changed: Changed,
    columns: int = 2,
    hidden: tuple[str, ...] = (),
    disabled: bool = False,
) -> None:
    """One field for every setting of `cls`, laid out in columns."""
    shown = [s for s in cls.settings() if s.name not in hidden]
    for start in range(0, len(shown), columns):
        places = st.columns(columns, vertical_alignment="bottom")  # a label may take two lines
        for spec, place in zip(shown[start : start + columns], places, strict=False):
            with place:
                value = values.get(spec.name, spec.default)
                field(spec, value, f"{key}.{spec.name}", changed, disabled)


def field(spec: Setting, value: Any, key: str, changed: Changed, disabled: bool = False) -> None:
    """One setting's field. A value that does not fit is refused with a sentence and the old one stays."""
    try:
        value = spec.check(value)
    except SettingError:
        value = spec.default
    shown, label = _shown(spec, value), spec.label.replace("_", " ")
    widget = fields.shows(key, shown)

    def take() -> None:
        try:
            new = spec.check(_read(spec, st.session_state.get(widget, shown)))
        except (SettingError, ValueError) as error:
            told = str(error)
            told = label + told.removeprefix(spec.name) if told.startswith(f"{spec.name} ") else told
            st.toast(told, icon=":material/error:")
            return
        changed(spec.name, list(new) if isinstance(new, tuple) else new)

    unit = f" ({spec.unit})" if spec.unit else ""
    common: dict[str, Any] = {
        "key": widget,
        "on_change": fields.answers(widget, take),
        "help": spec.help or None,
        "disabled": disabled,
    }
    match spec.kind:
        case "bool":
            st.toggle(label + unit, shown, **common)
        case "choice":
            assert spec.choices is not None
            st.selectbox(label + unit, spec.choices, spec.choices.index(shown), **common)
        # No bounds for the browser: it would paint what is outside them red, keep it to itself and say nothing.
        case "int" if not spec.optional:
            # A field of whole numbers would cut 3.7 down to 3 without a word; here it is read, and refused.
            st.number_input(
                label + unit,
                value=float(shown),
                step=1.0,
                format="%.0f",
                **common,
            )
        case "float" if not spec.optional:
            st.number_input(
                label + unit,
                value=float(shown),
                step=_step(value),
                format="%g",
                **common,
            )
        case _:
            st.text_input(label + unit, shown, **common)


def _step(value: float) -> float:
    """A step as large as the value's own scale, so that 0.001 moves by 0.001 and 0.9 by 0.1."""
    if value == 0:
        return 0.01
    step = 1.0
    while step > abs(value):
        step /= 10
    return max(step, 1e-10)


def _shown(spec: Setting, value: Any) -> Any:
    if spec.kind in ("bool", "choice") or (spec.kind in ("int", "float") and not spec.optional):
        return value
    if value is None:
        return ""
    return (
        ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
        if isinstance(value, tuple)
        else str(value)
    )


def _read(spec: Setting, shown: Any) -> Any:
    if spec.kind == "int" and isinstance(shown, float) and shown.is_integer():
        return int(shown)
    if not isinstance(shown, str) or spec.kind in ("choice", "text"):
        return shown
    if spec.kind in ("int", "float") and shown.strip():
        return _number(spec, shown)
    parts = [p for p in shown.replace(";", ",").split(",") if p.strip()]
    if not parts:
        return None if spec.optional else []
    if spec.kind == "texts":
        return [part.strip() for part in parts]
    try:
        numbers = [float(p) if spec.kind in ("float", "floats") else int(p) for p in parts]
    except ValueError:
        raise ValueError(f"{spec.label} takes numbers, separated by commas, not {shown!r}.") from None
    return numbers[0] if spec.kind in ("int", "float") or (spec.kind == "size" and len(numbers) == 1) else numbers


def _number(spec: Setting, shown: str) -> int | float:
    """One number, with a decimal point or, where no point stands beside it, a decimal comma."""
    text = shown.strip()
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{spec.label} takes a number, not {shown!r}.") from None
    return int(number) if spec.kind == "int" and number.is_integer() else number
