// The text of a file with its lines; a click on a line selects its blocks on the canvas.
const shown = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  const text = parentElement.querySelector("div");
  const known = shown.get(parentElement);
  const state = known ?? {};
  state.blocks = data.blocks;
  if (!known) {
    shown.set(parentElement, state);
    text.addEventListener("click", (event) => {
      const line = event.target.closest?.("[id^=line-]");
      const place = line && state.blocks[line.id.slice(5)];
      if (place && getSelection()?.isCollapsed !== false) globalThis.__layerloom?.select(place[0], place[1]);
    });
  }
  if (state.html !== data.html) {
    state.html = data.html;
    text.innerHTML = data.html;
  }
  for (const line of text.querySelectorAll("[id^=line-]")) {
    line.style.cursor = state.blocks[line.id.slice(5)] ? "pointer" : "";
    line.dataset.testid = `code-${line.id}`;
  }
}
