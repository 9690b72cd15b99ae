"""Looking at pages: screenshots, faults of the layout, and how often curves and feature maps change."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SCREENSHOTS = Path(__file__).parent / "screenshots"
WAIT = 120_000
"""Milliseconds: test machines are shared, and the first page of a server imports torch."""

# Every element of the page, those in shadow roots included.
_ALL = """
function* all(root = document) {
  for (const element of root.querySelectorAll("*")) {
    yield element;
    if (element.shadowRoot) yield* all(element.shadowRoot);
  }
}
"""

# What a person sees of the curves and of the blocks' pictures, compared every 40 ms. Several changes within
# 150 ms are one: a curve may be drawn in two strokes.
_WATCH = (
    "() => {"
    + _ALL
    + """
  const watch = (globalThis.watch = { began: performance.now(), last: new Map(), changes: {} });
  const see = (name, now) => {
    const before = watch.last.get(name);
    watch.last.set(name, now);
    if (before === undefined || before === now) return;
    const times = (watch.changes[name] ??= []);
    const at = performance.now() - watch.began;
    if (!times.length || at - times.at(-1) > 150) times.push(at);
  };
  const find = () => [...all()].filter((e) => e.matches("[data-testid^=curve-], [data-testid^=thumb-]"));
  let elements = find();
  watch.found = setInterval(() => (elements = find()), 500);
  watch.timer = setInterval(() => {
    for (const e of elements)
      if (e.isConnected) see(e.dataset.testid, e.src ?? [...e.querySelectorAll("path.line")].map((p) => p.getAttribute("d")).join());
  }, 40);
}"""
)

_WATCHED = """() => {
  clearInterval(watch.timer);
  clearInterval(watch.found);
  const seconds = (performance.now() - watch.began) / 1000;
  return Object.fromEntries([...watch.last.keys()].map((name) => [name, (watch.changes[name] ?? []).length / seconds]));
}"""

# Buttons, fields and labels of the editor: none may lie over another, none may be cut off.
_FAULTS = (
    "() => {"
    + _ALL
    + """
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`the page is ${root.scrollWidth} px wide in a window of ${innerWidth}`);
  const elements = [...all()];
  const seen = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = (e) => e.dataset.testid ?? (e.textContent.trim().slice(0, 30) || e.className);
  const box = (e) => e.getBoundingClientRect();
  const apart = (list, what) => {
    list = list.filter((e) => seen(e) && box(e).width > 0);
    for (const [i, a] of list.entries())
      for (const b of list.slice(i + 1)) {
        const [p, q] = [box(a), box(b)];
        const x = Math.min(p.right, q.right) - Math.max(p.left, q.left), y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (x > 1 && y > 1) faults.push(`${what}: ${name(a)} and ${name(b)} overlap`);
      }
  };
  apart(elements.filter((e) => e.matches(".topbar > *:not(.menu):not(.rule), .topbar .run > *")).filter((e) => !e.matches(".run")), "bar");
  apart(elements.filter((e) => e.matches(".react-flow__node")), "blocks");
  apart(elements.filter((e) => e.matches(".inspector .setting, .inspector .facts > div")), "inspector");
  apart(elements.filter((e) => e.matches("[role=tab]")), "tabs");
  for (const e of elements.filter((e) => e.matches(".topbar button, .topbar .totals, .inspector button, [role=tab]")).filter(seen))
    if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow !== "visible" && !e.querySelector(".clip")) faults.push(`${name(e)} is cut off`);
  for (const e of elements.filter((e) => e.matches(".topbar > *, .topbar .run > *")).filter(seen))
    if (box(e).right > innerWidth + 1) faults.push(`${name(e)} sticks out of the window`);
  return faults;
}"""
)


class Look:
    """A page in a fresh profile that keeps what goes wrong in it, and its pictures under one prefix."""

    def __init__(
        self, chrome: Any, url: str, prefix: str = "", size: tuple[int, int] = (1366, 768), dark: bool = False
    ) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.prefix = prefix
        self.errors: list[str] = []
        self.context = chrome.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._ours(request.url))
        self.page.goto(url)
        self.page.get_by_test_id("canvas").wait_for()
        self.page.wait_for_url("**project=**")

    def _ours(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost"):
            self.errors.append(f"a request to {address}")

    def tab(self, name: str) -> None:
        """Open a panel and wait until it is the chosen one."""
        self.page.get_by_role("tab", name=name).click()
        self.page.locator("[role=tab][aria-selected=true]", has_text=name).wait_for()

    def shot(self, name: str, settle: int = 900) -> None:
        """A picture of the window, once it is at rest, and the faults of its layout."""
        self.page.wait_for_timeout(settle)
        self.page.screenshot(path=SCREENSHOTS / f"{self.prefix}{name}.png")
        self.errors += [f"{name}: {fault}" for fault in self.page.evaluate(_FAULTS)]

    def rates(self, seconds: float) -> dict[str, float]:
        """How often a second each curve ("curve-loss" …) and each block's picture ("thumb-conv1" …) changes."""
        self.page.evaluate(_WATCH)
        self.page.wait_for_timeout(1000 * seconds)
        found: dict[str, float] = self.page.evaluate(_WATCHED)
        return found

    def __enter__(self) -> Look:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the page; what went wrong in it fails the test. A test that failed leaves a picture of its end."""
        if kind is not None:
            self.page.screenshot(path=SCREENSHOTS / f"{self.prefix}failed.png")
        self.context.close()
        if kind is None:
            assert self.errors == []
