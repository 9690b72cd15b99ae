import { type ReactElement, useEffect, useLayoutEffect, useRef, useState } from "react";
import { app } from "../app";
import { useUi } from "../hooks";
import { Icon } from "../Icon";

/** Where each stop points, and what it says. To train one needs an architecture, a loss, an optimizer, and data. */
const STOPS: { at: string; title: string; text: string; side: "right" | "left" | "below" | "middle" }[] = [
  { at: ".canvas", title: "This is your network", text: "Data enters on the left and runs along the wires. The pills show the shape of every tensor; they change as you draw.", side: "middle" },
  { at: ".palette", title: "Blocks", text: "Click a block to add it after the selected one, or drag it onto the canvas or onto a wire. Press / to search.", side: "right" },
  { at: ".inspector", title: "Settings", text: "Select a block to set it. You see at once what that does to its shape and to the number of parameters.", side: "left" },
  { at: ".canvas", title: "When something does not fit", text: "The block says what is wrong and, where it can, offers a fix in one click. Blocks behind it wait; they are not wrong. Undo takes everything back.", side: "middle" },
  { at: ".run", title: "Train", text: "Training runs beside the page: pause it, take one step, change the learning rate, close the page. The blocks show what they see while they learn.", side: "below" },
  { at: ".topbar", title: "Below the canvas", text: "Data, loss and optimizer, curves, the inside of each block, results, and the code. The code you export is the code that trained.", side: "below" },
];

export function Tour(): ReactElement | null {
  const at = useUi((u) => u.tour);
  const ref = useRef<HTMLDivElement>(null);
  const [box, setBox] = useState<{ left: number; top: number } | null>(null);
  const stop = at === null ? undefined : STOPS[at];
  useLayoutEffect(() => {
    const card = ref.current;
    const root = card?.closest(".layerloom");
    const target = stop ? root?.querySelector(stop.at) : null;
    if (!card || !root || !target || !stop) return;
    const outer = root.getBoundingClientRect();
    const t = target.getBoundingClientRect();
    const c = card.getBoundingClientRect();
    const raw = {
      right: { left: t.right + 12, top: t.top + 40 },
      left: { left: t.left - c.width - 12, top: t.top + 40 },
      below: { left: t.right - c.width - 8, top: t.bottom + 10 },
      middle: { left: t.left + (t.width - c.width) / 2, top: t.bottom - c.height - 24 },
    }[stop.side];
    setBox({
      left: Math.max(8, Math.min(raw.left - outer.left, outer.width - c.width - 8)),
      top: Math.max(52, Math.min(raw.top - outer.top, outer.height - c.height - 8)),
    });
    for (const e of root.querySelectorAll(".toured")) e.classList.remove("toured");
    target.classList.add("toured");
    return () => target.classList.remove("toured");
  }, [stop]);
  useEffect(() => {
    if (at !== null) ref.current?.querySelector<HTMLElement>(".primary")?.focus();
  }, [at]);
  if (!stop || at === null) return null;
  const go = (to: number | null): void => app.ui.patch({ tour: to });
  return (
    <div className="tour" ref={ref} style={box ?? { visibility: "hidden" }} role="dialog" aria-label="Tour" data-testid="tour" onKeyDown={(e) => {
      e.stopPropagation();
      if (e.key === "Escape") go(null);
    }}>
      <div className="tour-head"><b>{stop.title}</b><button type="button" className="icon-button" aria-label="End the tour" title="End the tour" onClick={() => go(null)}><Icon name="close" size={12} /></button></div>
      <p>{stop.text}</p>
      <div className="tour-foot">
        <span className="faint">{at + 1} of {STOPS.length}</span>
        {at > 0 && <button type="button" className="button small" onClick={() => go(at - 1)}>Back</button>}
        <button type="button" className="button small primary" data-testid="tour-next" onClick={() => go(at + 1 < STOPS.length ? at + 1 : null)}>{at + 1 < STOPS.length ? "Next" : "Done"}</button>
      </div>
    </div>
  );
}
