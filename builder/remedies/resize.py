"""Remedies that bring the data to the network: another size, grey or coloured."""

from __future__ import annotations

from collections.abc import Iterator

from blocks.base import SettingError, Shape
from builder import data, edits
from builder.remedies.scene import Candidate, Scene
from builder.shapes import size


def data_of(scene: Scene, now: Shape, wanted: Shape) -> Iterator[Candidate]:
    """Set the data's size and colour so that the field of shape `now` has the shape `wanted`, where they can be set."""
    if len(wanted) != 3 or len(now) != 3 or now == wanted:
        return
    choice = scene.project.data
    channels, height, width = wanted
    values = {"height": height, "width": width, "channels": channels, "colour": "grey" if channels == 1 else "colour"}
    if height == width:
        values["size"] = height
    try:
        cls = data.find(choice.name)
        before = cls.from_settings(choice.settings)
        names = [name for name, field in before.fields().items() if field.shape == now]
        known = {s.name for s in cls.settings()}
        changed = {name: value for name, value in values.items() if name in known}
        after = cls.from_settings({**before.to_settings(), **changed})
    except (KeyError, SettingError):
        return
    if names and after.fields()[names[0]].shape == wanted:
        value = {"name": cls.name, "settings": after.to_settings()}
        yield f"Bring the data to {size(wanted)}", [edits.set_part("data", value)]
