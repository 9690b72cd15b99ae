"""Every starter project as it opens above its lesson: nothing overlaps or crosses, and all of it can be read."""

from __future__ import annotations

import os
from typing import Any

import pytest

from builder import templates
from builder.canvas.annotations import annotate
from builder.canvas.catalogue import catalogue_json
from builder.canvas.component import gallery_item
from builder.project import to_json
from builder.validate import check
from tests.browser.canvas_harness import open_canvas
from tests.browser.looking import SCREENSHOTS

pytestmark = pytest.mark.browser

SIZE = (1366, 768)
EDITOR = 475
"""Pixels of a window of 768 that the editor takes (see `builder.canvas.component`)."""
SMALLEST = {"block-title": 8.7, "block-sub": 8.7, "tile-label": 9.0, "block-foot": 9.5, "pill": 9.5}
"""Pixels of letters on the screen, by class."""

# Faults of the drawing, as sentences; wires are taken as lines between their corners.
_FAULTS = """(smallest) => {
  const root = document.querySelectorAll("div");
  const shadow = [...root].map((e) => e.shadowRoot).find((r) => r?.querySelector(".react-flow"));
  const find = (selector) => [...shadow.querySelectorAll(selector)];
  const box = (e) => e.getBoundingClientRect();
  const zoom = new DOMMatrix(getComputedStyle(find(".react-flow__viewport")[0]).transform).a;
  const faults = [];
  const blocks = find(".react-flow__node").map((e) => ({ id: e.dataset.id, ...box(e).toJSON() }));
  const apart = (what, list, gap) =>
    list.forEach((a, i) => list.slice(i + 1).forEach((b) => {
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > -gap && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > -gap) faults.push(`${what} ${a.id} and ${b.id} touch`);
    }));
  apart("blocks", blocks, 4);
  const seen = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const pills = find(".pill.on-wire").filter(seen).map((e) => ({ id: e.dataset.testid, ...box(e).toJSON() }));
  apart("pills", pills, 0);
  for (const p of pills)
    for (const b of blocks)
      if (Math.min(p.right, b.right) - Math.max(p.left, b.left) > 1 && Math.min(p.bottom, b.bottom) - Math.max(p.top, b.top) > 1) faults.push(`${p.id} lies on ${b.id}`);

  const origin = box(find(".react-flow__viewport")[0]);
  const at = new DOMMatrix(getComputedStyle(find(".react-flow__viewport")[0]).transform);
  const frame = box(find(".react-flow")[0]);
  const wires = find(".react-flow__edge").map((e) => {
    const path = e.querySelector("path.react-flow__edge-path");
    const numbers = (text) => text.trim().split(/[\\s,]+/).map(Number);
    const corners = [...path.getAttribute("d").matchAll(/[MLQ][^MLQ]*/g)].map(([part]) => numbers(part.slice(1)).slice(0, 2)).map(([x, y]) => [x * at.a + at.e + frame.x, y * at.a + at.f + frame.y]);
    return { id: e.dataset.id, ends: e.getAttribute("aria-label").match(/^Wire from (.*) to (.*)$/).slice(1), corners, parts: corners.slice(1).map((b, i) => [corners[i], b]) };
  });
  const within = (v, a, b, slack) => v > Math.min(a, b) + slack && v < Math.max(a, b) - slack;
  for (const w of wires)
    for (const [[ax, ay], [bx, by]] of w.parts)
      for (const b of blocks) {
        const inset = w.ends.includes(b.id) ? 2 : 0;
        if (Math.max(ax, bx) > b.left + inset && Math.min(ax, bx) < b.right - inset && Math.max(ay, by) > b.top + inset && Math.min(ay, by) < b.bottom - inset) faults.push(`the wire ${w.ends.join(" to ")} runs through ${b.id}`);
      }
  wires.forEach((v, i) => wires.slice(i + 1).forEach((w) => {
    if (v.ends[0] === w.ends[0]) return;
    for (const [[ax, ay], [bx, by]] of v.parts)
      for (const [[cx, cy], [dx, dy]] of w.parts) {
        const level = Math.abs(ay - by) < 0.5;
        const across = Math.abs(cy - dy) < 0.5;
        if (level !== across) {
          const [x, y] = level ? [cx, ay] : [ax, cy];
          if (within(x, level ? ax : cx, level ? bx : dx, 0.5) && within(y, level ? cy : ay, level ? dy : by, 0.5)) faults.push(`the wires ${v.ends.join(" to ")} and ${w.ends.join(" to ")} cross`);
        } else {
          const [p, q] = level ? [[ax, bx], [cx, dx]] : [[ay, by], [cy, dy]];
          const near = Math.abs(level ? ay - cy : ax - cx) < 3;
          if (near && Math.min(Math.max(...p), Math.max(...q)) - Math.max(Math.min(...p), Math.min(...q)) > 4) faults.push(`the wires ${v.ends.join(" to ")} and ${w.ends.join(" to ")} run on each other`);
        }
      }
  }));

  for (const [kind, least] of Object.entries(smallest))
    for (const e of find(`.react-flow .${kind}`).filter(seen)) {
      const size = parseFloat(getComputedStyle(e, e.dataset.shape ? "::after" : null).fontSize) * zoom;
      if (size < least) faults.push(`${e.textContent}: letters of ${size.toFixed(1)} px`);
      if (kind !== "pill" && e.scrollWidth > e.clientWidth + 1) faults.push(`${e.textContent} is cut off`);
    }
  const first = blocks.reduce((a, b) => (a.top + a.left <= b.top + b.left ? a : b));
  if (first.left < frame.left || first.top < frame.top) faults.push(`${first.id}, the first, is out of sight`);
  if (blocks.some((b) => b.right > frame.right || b.bottom > frame.bottom) && zoom > 0.5) faults.push("a part is out of sight though it could be shown smaller");
  return [...new Set(faults)];
}"""


def gallery() -> list[dict[str, Any]]:
    """The cards of all starter projects, with their lessons."""
    found = []
    for name in templates.names():
        about = templates.about(name)
        told = {"label": about.title, "about": about.text, "group": about.family, "parameters": about.parameters}
        found.append(gallery_item(name, templates.load(name), **told, lesson=about.lesson or None, task="", data=""))
    return found


@pytest.fixture(scope="module")
def cards() -> list[dict[str, Any]]:
    return gallery()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_starter_project_opens_so_that_it_can_be_read(
    chrome: Any, cards: list[dict[str, Any]], dark: bool
) -> None:
    faults: list[str] = []
    SCREENSHOTS.mkdir(exist_ok=True)
    page = None
    only = os.environ.get("ONLY", "").split()
    for name in only or templates.names():
        project = templates.load(name)
        page = open_canvas(
            chrome, dark=dark, size=SIZE, page=page, project=to_json(project), height=EDITOR, rev=5,
            annotations=annotate(project, check(project), 1), catalogue=catalogue_json(), gallery=cards,
        )  # fmt: skip
        page.get_by_test_id("totals").get_by_text("parameters").wait_for()
        if templates.about(name).lesson:
            page.get_by_test_id("lesson").wait_for()
        for network in project.networks:
            if len(project.networks) > 1:
                page.get_by_test_id(f"network-{network}").click()
                page.wait_for_timeout(300)
            picture = f"template-{name}-{network}-{'dark' if dark else 'light'}.png"
            page.screenshot(path=SCREENSHOTS / picture, clip={"x": 0, "y": 0, "width": SIZE[0], "height": EDITOR})
            faults += [f"{name}, {network}: {fault}" for fault in page.evaluate(_FAULTS, SMALLEST)]
    if page is not None:
        faults += page.errors
        page.context.close()
    assert not faults, "\n".join(faults)
