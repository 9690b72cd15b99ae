import { useStore } from "@xyflow/react";
import { type ReactElement, useCallback, useRef, useState } from "react";
import { app } from "../app";
import { networkOf } from "../document/definitions";
import { applyFix } from "../commands";
import { boxes, viewport } from "../places";
import { useDocument, useHost, useReadOnly, useUi } from "../hooks";
import { Icon } from "../Icon";
import { roomFor } from "./room";
import type { ProblemJson } from "../types";

const WIDTH = 400;

/** The message at the block it speaks of: the selected one, or the first with an error. */
export function Bubble(): ReactElement | null {
  const problems = useHost((h) => h.annotations?.problems);
  const network = useDocument((d) => d.network);
  const selected = useDocument((d) => d.selected);
  const graph = useDocument((d) => networkOf(d.project, d.network));
  const [closed, setClosed] = useState<string | null>(null);
  const [details, setDetails] = useState<string | null>(null);
  const transform = useStore((s) => s.transform);
  const width = useStore((s) => s.width);
  const height = useStore((s) => s.height);
  const dragging = useStore((s) => s.nodes.some((n) => n.dragging));
  const readOnly = useReadOnly();
  const [card, tall] = useHeight(96);
  const toast = useUi((u) => u.toastAt);
  const listed = useUi((u) => u.overlay === "problems" || u.quick !== null || u.wiring !== null);
  if (!problems || !graph || dragging || listed) return null;
  const here = problems.filter((p) => p.network === network && p.node !== null && graph.nodes.some((n) => n.id === p.node));
  const chosen = here.find((p) => selected.length === 1 && p.node === selected[0]) ?? (selected.length ? undefined : here.find((p) => p.severity === "error"));
  if (!chosen?.node) return null;
  const key = `${chosen.node}:${chosen.code}:${chosen.message}`;
  if (closed === key) return null;
  const box = boxes(graph).get(chosen.node);
  if (!box) return null;
  const [tx, ty, zoom] = transform;
  const left = box.x * zoom + tx;
  const top = box.y * zoom + ty;
  const bottom = top + box.h * zoom;
  if (bottom < 0 || top > height || left > width || left + box.w * zoom < 0) return null;
  const block = { x: left, y: top, w: box.w * zoom, h: box.h * zoom };
  const others = [...boxes(graph)].filter(([id]) => id !== chosen.node).map(([, o]) => ({ x: o.x * zoom + tx, y: o.y * zoom + ty, w: o.w * zoom, h: o.h * zoom }));
  const w = Math.min(WIDTH, width - 80);
  const { x, y, side } = roomFor({ w, h: tall }, block, others, { width, height }, toast);
  const arrow = Math.max(14, Math.min(w - 24, left + block.w / 2 - x));
  return (
    <div ref={card} className={`bubble ${chosen.severity} ${side}`} style={{ left: x, width: w, top: y }} role="alert" data-testid="bubble">
      {side !== "apart" && <span className="bubble-arrow" style={{ left: arrow }} />}
      <span className="bubble-icon"><Icon name={chosen.severity === "error" ? "error" : "warning"} /></span>
      <div className="bubble-text">{chosen.message}</div>
      <button type="button" className="bubble-close" aria-label="Hide this message" title="Hide" onClick={() => setClosed(key)}><Icon name="close" size={12} /></button>
      <div className="bubble-row">
        <FixButton problem={chosen} index={problems.indexOf(chosen)} disabled={readOnly} />
        {selected[0] !== chosen.node && (
          <button type="button" className="button small" onClick={() => { app.document.select([chosen.node as string]); viewport.reveal([chosen.node as string]); }}>
            Show its settings
          </button>
        )}
        {chosen.details && (
          <button type="button" className="link" aria-expanded={details === key} onClick={() => setDetails(details === key ? null : key)}>
            Details <Icon name={details === key ? "chevronDown" : "chevronRight"} size={12} />
          </button>
        )}
      </div>
      {details === key && <pre className="bubble-details">{chosen.details}</pre>}
    </div>
  );
}

/** The height of an element in pixels. Watched, not read at every drawing: that would lay the page out once more. */
function useHeight(first: number): [(element: HTMLElement | null) => void, number] {
  const [height, setHeight] = useState(first);
  const watching = useRef<ResizeObserver | null>(null);
  const ref = useCallback((element: HTMLElement | null) => {
    watching.current?.disconnect();
    if (!element) return;
    setHeight(element.offsetHeight);
    watching.current = new ResizeObserver(() => setHeight(element.offsetHeight));
    watching.current.observe(element);
  }, []);
  return [ref, height];
}

export function FixButton({ problem, index, disabled, where = "" }: { problem: ProblemJson; index: number; disabled: boolean; where?: string }): ReactElement | null {
  if (!problem.fix) return null;
  return (
    <button type="button" className="button primary small" disabled={disabled} data-testid={`${where}fix-${index}`} onClick={() => applyFix(problem)}>
      {problem.fix.label}
    </button>
  );
}
