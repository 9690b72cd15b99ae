import { MiniMap, useStore } from "@xyflow/react";
import type { ReactElement } from "react";
import { app } from "../app";
import { networkOf } from "../document/definitions";
import { tidy, viewport } from "../places";
import { sameList } from "../document/observable";
import { useDocument, useLive, useReadOnly } from "../hooks";
import { Icon } from "../Icon";

export function Controls(): ReactElement {
  const readOnly = useReadOnly();
  return (
    <div className="controls" role="toolbar" aria-label="View" aria-orientation="vertical">
      <button type="button" onClick={() => viewport.zoomBy(1.25)} title="Zoom in" aria-label="Zoom in" data-testid="zoom-in"><Icon name="plus" /></button>
      <button type="button" onClick={() => viewport.zoomBy(0.8)} title="Zoom out" aria-label="Zoom out" data-testid="zoom-out"><Icon name="minus" /></button>
      <button type="button" onClick={() => viewport.fit()} title="Zoom to fit (F)" aria-label="Zoom to fit" data-testid="fit"><Icon name="fit" /></button>
      <button type="button" onClick={tidy} disabled={readOnly} title="Tidy up the layout (L)" aria-label="Tidy up the layout" data-testid="tidy"><Icon name="tidy" /></button>
    </div>
  );
}

/** A project with several networks shows one at a time. */
export function NetworkTabs(): ReactElement | null {
  const names = useDocument((d) => Object.keys(d.project.networks), sameList);
  const current = useDocument((d) => d.network);
  if (names.length < 2 || !names.includes(current)) return null;
  return (
    <div className="network-tabs" role="tablist" aria-label="Networks">
      {names.map((name) => (
        <button key={name} type="button" role="tab" aria-selected={name === current} data-testid={`network-${name}`} onClick={() => app.document.select([], name)}>
          {name}
        </button>
      ))}
    </div>
  );
}

export function LiveLine(): ReactElement | null {
  const status = useLive((l) => l.run.status);
  const probe = useLive((l) => l.probe);
  if (status !== "running" || probe?.sample == null) return null;
  return (
    <div className="live-line" data-testid="live">
      <span className="dot" /> <b>Live</b> sample {probe.sample}
      {probe.label ? `, ${probe.label}` : ""}
      {probe.prediction ? `, predicted ${probe.prediction}` : ""}
    </div>
  );
}

export function Hint(): ReactElement | null {
  const empty = useDocument((d) => (networkOf(d.project, d.network)?.nodes.length ?? 0) === 0);
  const loaded = useDocument((d) => d.loaded);
  if (!empty || !loaded) return null;
  return (
    <div className="empty">
      <b>An empty canvas</b>
      <p>
        Drag a block from the left, double-click here to search, or press <kbd>/</kbd>. Begin with an input such as Image.
      </p>
      <button type="button" className="button" onClick={() => app.ui.patch({ overlay: "gallery" })}>
        <Icon name="gallery" size={14} /> Start from a template
      </button>
    </div>
  );
}

/** A small map, shown while part of a larger network is out of sight. */
export function SmallMap(): ReactElement | null {
  const hidden = useStore((s) => {
    if (s.nodes.length < 8) return false;
    const [tx, ty, zoom] = s.transform;
    return s.nodes.some((n) => {
      const x = n.position.x * zoom + tx;
      const y = n.position.y * zoom + ty;
      return x < -40 || y < -40 || x > s.width - 20 || y > s.height - 20;
    });
  });
  if (!hidden) return null;
  return <MiniMap className="minimap" pannable zoomable position="bottom-left" nodeStrokeWidth={2} style={{ width: 128, height: 74 }} aria-label="Small map of the network" />;
}
