import { type ReactElement, useEffect, useMemo, useRef, useState } from "react";
import { app } from "../app";
import { short } from "../canvas/format";
import { useDocument, useHost, useReadOnly } from "../hooks";
import { Icon } from "../Icon";
import type { GalleryItem } from "../types";

const close = (): void => app.ui.patch({ overlay: null });

export function openTemplate(item: GalleryItem): void {
  close();
  app.sync.action("open_template", { name: item.name });
  app.toast(`Opening ${item.label}. One undo brings your network back.`);
}

/** All starter projects, each with a drawing of its network. */
export function Gallery(): ReactElement {
  const items = useHost((h) => h.gallery);
  const readOnly = useReadOnly();
  const current = useDocument((d) => d.project.name);
  const [query, setQuery] = useState("");
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    search.current?.focus();
  }, []);
  const [topic, setTopic] = useState("");
  const topics = [...new Set(items.map((i) => i.group ?? ""))].filter(Boolean);
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = items.filter((i) => words.every((w) => `${i.name} ${i.label} ${i.about ?? ""} ${i.group ?? ""} ${i.task ?? ""} ${i.data ?? ""}`.toLowerCase().includes(w)));
  const found = topic && matching.some((i) => i.group === topic) ? matching.filter((i) => i.group === topic) : matching;
  const card = (item: GalleryItem): ReactElement => (
    <button key={item.name} type="button" disabled={readOnly} className={`template ${item.label === current || item.name === current ? "current" : ""}`} data-testid={`template-${item.name}`} onClick={() => openTemplate(item)}>
      <Sketch sketch={item.sketch} />
      <span className="template-name">{item.label}</span>
      <span className="template-about" title={item.about}>{item.about}</span>
      <span className="template-size">
        <span>{item.parameters != null ? `${short(item.parameters)} parameters` : ""}</span>
        <span title={[item.task, item.data].filter(Boolean).join(", on ")}>{item.data ?? item.task ?? ""}</span>
      </span>
    </button>
  );
  return (
    <div className="sheet gallery" role="dialog" aria-label="Start from a network" data-testid="gallery-sheet" onKeyDown={(e) => e.key === "Escape" && close()}>
      <div className="sheet-head">
        <b>Start from a network</b>
        <span className="faint">opening one can be undone</span>
        <span className="palette-search sheet-search"><Icon name="search" size={13} /><input ref={search} value={query} placeholder="Search by name, data or task" aria-label="Search templates" data-testid="gallery-search" onChange={(e) => setQuery(e.currentTarget.value)} onKeyDown={(e) => e.key === "Enter" && words.length > 0 && found[0] && !readOnly && openTemplate(found[0])} /></span>
        <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={close}><Icon name="close" size={14} /></button>
      </div>
      <div className="gallery-body">
        <nav className="topics" aria-label="Topics">
          {["", ...topics].map((name) => {
            const count = matching.filter((i) => !name || i.group === name).length;
            return (
              <button key={name} type="button" aria-pressed={topic === name} disabled={count === 0} data-testid={`topic-${name || "all"}`} onClick={() => setTopic(name)}>
                <span className="clip">{name || "All topics"}</span> <span className="sum">{count}</span>
              </button>
            );
          })}
        </nav>
        <div className="sheet-body">
          {topics.filter((name) => found.some((i) => i.group === name)).map((name) => (
            <section key={name}>
              <h4>{name}</h4>
              <div className="cards">{found.filter((i) => i.group === name).map(card)}</div>
            </section>
          ))}
          {found.some((i) => !i.group) && <section><div className="cards">{found.filter((i) => !i.group).map(card)}</div></section>}
          {found.length === 0 && <p className="none">{items.length ? `No template is called “${query}”.` : "No templates are installed."}</p>}
        </div>
      </div>
    </div>
  );
}

const W = 176;
const H = 52;

/** A network drawn small: a bar for every block in its family's hue, arcs for wires that skip blocks. */
export function Sketch({ sketch, width = W }: { sketch: GalleryItem["sketch"]; width?: number }): ReactElement {
  const drawn = useMemo(() => {
    if (!sketch || sketch.nodes.length === 0) return null;
    const n = sketch.nodes.length;
    const rank = Array.from({ length: n }, () => 0);
    // Longest path from the start, by relaxing as often as there are blocks at most.
    for (let round = 0; round < n; round += 1) {
      let changed = false;
      for (const [a, b] of sketch.edges) {
        const next = (rank[a] ?? 0) + 1;
        if (next > (rank[b] ?? 0) && next < n) {
          rank[b] = next;
          changed = true;
        }
      }
      if (!changed) break;
    }
    const columns = Math.max(...rank) + 1;
    const dx = (W - 12) / columns;
    const counts = new Map<number, number>();
    rank.forEach((r) => counts.set(r, (counts.get(r) ?? 0) + 1));
    const used = new Map<number, number>();
    const boxes = rank.map((r, i) => {
      const k = used.get(r) ?? 0;
      used.set(r, k + 1);
      const many = counts.get(r) ?? 1;
      const category = sketch.nodes[i] ?? "";
      const small = category === "activation" || category === "normalization" || category === "merge";
      const h = many > 1 ? Math.min(26, (H - 12) / many - 2) : small ? 12 : 26;
      const y = H / 2 + (k - (many - 1) / 2) * ((H - 8) / Math.max(many, 2)) - h / 2;
      return { x: 6 + r * dx, y, w: Math.max(1.6, Math.min(9, dx - Math.min(3, dx * 0.3))), h, category };
    });
    const arcs = sketch.edges.filter(([a, b]) => (rank[b] ?? 0) - (rank[a] ?? 0) > 1);
    return { boxes, arcs };
  }, [sketch]);
  return (
    <svg className="sketch" viewBox={`0 0 ${W} ${H}`} width={width} height={(H * width) / W} aria-hidden="true">
      {drawn && (
        <>
          <line x1="6" x2={W - 8} y1={H / 2} y2={H / 2} className="sketch-line" />
          {drawn.arcs.map(([a, b], i) => {
            const p = drawn.boxes[a];
            const q = drawn.boxes[b];
            return p && q ? <path key={i} className="sketch-line" d={`M${p.x + p.w / 2} ${p.y}C${p.x + p.w / 2} ${Math.max(1, p.y - 12)} ${q.x + q.w / 2} ${Math.max(1, q.y - 12)} ${q.x + q.w / 2} ${q.y}`} /> : null;
          })}
          {drawn.boxes.map((b, i) => (
            <rect key={i} x={b.x} y={b.y} width={b.w} height={b.h} rx="1.5" data-hue={b.category} />
          ))}
        </>
      )}
    </svg>
  );
}
