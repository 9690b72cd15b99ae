"""Pictures with masks: ``probability`` (N, K, h, w) of each class but the background, and ``truth`` (N, h, w).

Pictures may be larger than their masks, which then are of the middle.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.data.base import DataError
from builder.training.snapshot import Array
from builder.ui.views import pictures
from builder.ui.views.scene import Scene

SHOWN = 6
MISSED, TOO_MUCH, RIGHT = (230, 60, 60), (240, 190, 40), (70, 190, 110)

_STYLE = """
.masks { display: grid; grid-template-columns: repeat(auto-fill, minmax(264px, 1fr)); gap: 8px 14px; }
@media (min-height: 900px) { .masks { grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); } }
.masks figure { margin: 0; display: grid; grid-template-columns: repeat(4, 1fr); gap: 3px; position: relative; }
.masks img { width: 100%; image-rendering: pixelated; border-radius: 3px; display: block; }
.masks figcaption { position: absolute; right: 2px; bottom: 2px; padding: 0 4px; border-radius: 3px; color: #fff; background: rgb(10 14 22 / .72);
  font-size: 11px; line-height: 15px; font-variant-numeric: tabular-nums; }
.maskkey { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 12px; padding-top: 5px; }
.maskkey i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px; }
"""


def draw(scene: Scene) -> None:
    """Draw each picture, its true mask, the network's, and both over the picture."""
    probability = scene.array("probability")
    if probability is None:
        scene.title()
        st.info("Masks appear as soon as something trains.")
        return
    heading, field = st.columns([1.2, 1], vertical_alignment="top")
    with heading:
        scene.title(scene.when)
    threshold = field.slider(
        "Threshold: how sure the network must be that a pixel is no background",
        0.05,
        0.95,
        0.5,
        0.05,
        key=scene.key("threshold"),
        format="threshold %.2f",
        label_visibility="collapsed",
    )
    truth = scene.array("truth")
    count = min(SHOWN, len(probability))
    try:
        images = scene.samples()[next(iter(scene.dataset.fields()))]
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    cells = []
    for i in range(min(count, len(images))):
        image = middle(pictures.sample_picture(np.asarray(images[i], np.float32)), probability.shape[2:])
        said = classes(probability[i], threshold)
        shown = [pictures.url(image), "", pictures.url(pictures.painted(said)), ""]
        caption = ""
        if truth is not None and i < len(truth):
            true = truth[i].astype(int)
            shown[1], shown[3] = pictures.url(pictures.painted(true)), pictures.url(compared(image, said, true))
            caption = f"<figcaption>IoU {100 * iou(said, true):.0f} %</figcaption>"
        drawn = "".join(f"<img src='{url}' alt=''/>" for url in shown if url)
        cells.append(f"<figure>{drawn}{caption}</figure>")
    st.html(f"<style>{_STYLE}</style><div class='masks'>{''.join(cells)}</div>{_key(scene, probability.shape[1])}")


def _key(scene: Scene, count: int) -> str:
    told = [(tuple(pictures.class_colour(k).tolist()), scene.class_name(k)) for k in range(1, count + 1)]
    told += [(RIGHT, "right"), (MISSED, "missed"), (TOO_MUCH, "too much, or another class")]
    spans = "".join(f"<span><i style='background: rgb{c}'></i>{name}</span>" for c, name in told)
    return f"<div class='maskkey'><span>Picture, truth, network, overlay:</span>{spans}</div>"


def classes(probability: Array, threshold: float) -> Array:
    """The class of each pixel (h, w) from probabilities (K, h, w): the likeliest, if it is likelier than the threshold."""
    best = probability.argmax(0)
    return np.where(probability.max(0) > threshold, best + 1, 0)


def compared(image: Array, said: Array, true: Array) -> Array:
    """The picture, tinted where a pixel is right (but for the background), missed, or too much."""
    shown = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image[..., :3].copy()
    for where, tint in (
        ((said == true) & (true > 0), RIGHT),
        ((said == 0) & (true > 0), MISSED),
        ((said != true) & (said > 0), TOO_MUCH),
    ):
        shown[where] = (0.45 * shown[where] + 0.55 * np.array(tint)).astype(np.uint8)
    return shown


def iou(said: Array, true: Array) -> float:
    """The mean intersection over union of the classes there are but the background; 1 where there are none."""
    there = [k for k in np.union1d(said, true) if k > 0]
    if not there:
        return 1.0
    return float(np.mean([((said == k) & (true == k)).sum() / ((said == k) | (true == k)).sum() for k in there]))


def middle(picture: Array, size: tuple[int, ...]) -> Array:
    """The middle of a picture (H, W, ...)."""
    top, left = (picture.shape[0] - size[0]) // 2, (picture.shape[1] - size[1]) // 2
    return picture[top : top + size[0], left : left + size[1]]
