import {
  Background,
  BackgroundVariant,
  type Connection,
  type FinalConnectionState,
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  type ReactFlowInstance,
  SelectionMode,
  useReactFlow,
  useStore,
  useStoreApi,
} from "@xyflow/react";
import { type CSSProperties, type DragEvent, type MouseEvent as Press, type ReactElement, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { app } from "../app";
import { clicked, connect, fold, insertExisting } from "../commands";
import { boxes, viewport } from "../places";
import { refusal } from "../document/graph";
import { useDocument, useReadOnly, useUi } from "../hooks";
import { isOwn, openUse } from "../ownBlocks";
import { BlockNode, type BlockFlowNode } from "./BlockNode";
import { Bubble } from "./Bubble";
import { Controls, Hint, LiveLine, NetworkTabs, SmallMap } from "./Overlays";
import { bringsFiles, openDropped } from "./dropFile";
import { nearest } from "./geometry";
import { LEAST, LookContext, lookAt } from "./look";
import { drag } from "./paletteDrag";
import { QuickAdd } from "./QuickAdd";
import { Menu } from "./Menu";
import { Trail } from "./Trail";
import { WiringList } from "./WiringList";
import { useFlow } from "./useFlow";
import { Wire, type WireFlowEdge } from "./Wire";

type PointerLike = { clientX: number; clientY: number } | { touches: ArrayLike<{ clientX: number; clientY: number }> };

const NODE_TYPES = { block: BlockNode };
const EDGE_TYPES = { wire: Wire };
// What React Flow is given must stay the same: it draws every block and every wire again for a new function or list.
const MANY_KEYS = ["Shift", "Meta", "Control"];
const PRO = { hideAttribution: true };
const reduced = (): boolean => globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;

/** Draws React Flow once it has a size: in a hidden tab it has none, and would fit to nothing. */
export function Canvas(): ReactElement {
  const ref = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  const [dropping, setDropping] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientHeight > 0) {
        viewport.width = element.clientWidth;
        viewport.height = element.clientHeight;
        setSeen(true);
      }
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const over = (e: DragEvent): void => {
    if (!bringsFiles(e.dataTransfer)) return;
    e.preventDefault();
    e.dataTransfer.dropEffect = "copy";
    setDropping(true);
  };
  return (
    <div
      className="canvas"
      ref={ref}
      data-testid="canvas"
      onDragOver={over}
      onDragLeave={(e) => {
        if (!e.currentTarget.contains(e.relatedTarget as globalThis.Node | null)) setDropping(false);
      }}
      onDrop={(e) => {
        if (!bringsFiles(e.dataTransfer)) return;
        e.preventDefault();
        setDropping(false);
        openDropped(e.dataTransfer.files);
      }}
    >
      {dropping && <div className="drop-sheet">Drop a project, a model.py or an ONNX file to open it</div>}
      {seen && (
        <ReactFlowProvider>
          <Flow />
        </ReactFlowProvider>
      )}
    </div>
  );
}

function Flow(): ReactElement {
  const { nodes, edges, found, onNodesChange, onEdgesChange, network, name } = useFlow();
  const readOnly = useReadOnly();
  const flow = useReactFlow<BlockFlowNode, WireFlowEdge>();
  const store = useStoreApi<BlockFlowNode, WireFlowEdge>();
  // The smaller the drawing, the larger its letters and the fewer; that also keeps large networks quick.
  const look = useStore((s) => lookAt(s.transform[2]));
  // In steps, so that letters are measured anew only now and then while one zooms, and never while one drags.
  const zoom = useStore((s) => Math.max(0.3, Math.min(1, Math.floor(s.transform[2] * 20 + 0.01) / 20)));
  const width = useStore((s) => s.width);
  const height = useStore((s) => s.height);
  const pane = useRef<HTMLDivElement>(null);
  const foundRef = useRef(found);
  foundRef.current = found;
  const loaded = useDocument((d) => d.loaded);
  const pulling = useUi((u) => u.pulling !== null);

  useEffect(() => {
    viewport.fit = (ids) => {
      opened.current = false;
      void flow.setViewport(fitting(placesOf(ids), store.getState()), { duration: reduced() ? 0 : 180 });
    };
    viewport.open = () => {
      opened.current = true;
      void flow.setViewport(fitting(placesOf(), store.getState(), LEAST));
    };
    viewport.zoomBy = (factor) => {
      opened.current = false;
      void flow.zoomTo(flow.getZoom() * factor, { duration: reduced() ? 0 : 120 });
    };
    viewport.center = () => {
      const box = pane.current?.getBoundingClientRect();
      if (!box) return [0, 0];
      const p = flow.screenToFlowPosition({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
      return [p.x, p.y];
    };
    viewport.reveal = (ids) => {
      opened.current = false;
      setTimeout(() => reveal(flow, store.getState(), ids), 30);
    };
    viewport.focusCanvas = () => pane.current?.focus({ preventScroll: true });
    drag.wireAt = (x, y) => {
      const p = flow.screenToFlowPosition({ x, y });
      return nearest(foundRef.current, [p.x, p.y], 18 / Math.max(0.4, flow.getZoom()));
    };
    drag.flowAt = (x, y) => {
      const p = flow.screenToFlowPosition({ x, y });
      return [p.x, p.y];
    };
    drag.inside = (x, y) => {
      const box = pane.current?.getBoundingClientRect();
      return !!box && x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    };
  }, [flow, store]);

  // The first look at a network shows as much of it as can be read; it keeps to the size of the canvas until
  // the person moves the view.
  const opened = useRef(false);
  useEffect(() => {
    if (opened.current && width > 0 && height > 0) viewport.open();
  }, [width, height]);
  const fitted = useRef("");
  useEffect(() => {
    const key = `${app.document.state.get().projectId}/${name}`;
    if (loaded && network.nodes.length === 0) fitted.current = key;
    if (!loaded || fitted.current === key || nodes.length === 0) return;
    fitted.current = key;
    const frame = requestAnimationFrame(() => viewport.open());
    return () => cancelAnimationFrame(frame);
  }, [loaded, name, nodes.length, network.nodes.length]);

  const onConnect = useCallback((c: Connection) => {
    if (c.source && c.target) connect(c.source, c.target, c.targetHandle ?? undefined);
  }, []);

  const startPulling = useCallback((_: unknown, p: { nodeId: string | null; handleType: "source" | "target" | null }) => {
    if (!p.nodeId || !p.handleType) return;
    const network = app.document.network;
    const catalogue = app.catalogue.get();
    const refused = new Map<string, string>();
    for (const n of network.nodes) {
      if (n.id === p.nodeId) continue;
      const why = p.handleType === "source" ? refusal(network, catalogue, p.nodeId, n.id) : refusal(network, catalogue, n.id, p.nodeId);
      if (why) refused.set(n.id, why);
    }
    app.ui.patch({ pulling: { node: p.nodeId, side: p.handleType, refused } });
  }, []);

  const endPulling = useCallback(
    (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
      const pulling = app.ui.get().pulling;
      app.ui.patch({ pulling: null });
      if (!pulling || state.isValid || reconnecting.current) return;
      const point = "changedTouches" in event ? event.changedTouches[0] : event;
      if (!point) return;
      const root = pane.current?.getRootNode() as Document | ShadowRoot;
      const hit = root.elementFromPoint(point.clientX, point.clientY);
      const over = hit?.closest("[data-testid^='node-']")?.getAttribute("data-testid")?.slice(5);
      if (over && over !== pulling.node) {
        // Dropped on the block itself: the first free port takes the wire.
        const why = pulling.refused.get(over);
        if (why) app.toast(why, { kind: "error" });
        else if (pulling.side === "source") connect(pulling.node, over);
        else connect(over, pulling.node);
        return;
      }
      if (hit?.closest(".react-flow__pane") && pulling.side === "source" && !app.document.state.get().readOnly) {
        const p = flow.screenToFlowPosition({ x: point.clientX, y: point.clientY });
        openQuick(pane.current, [point.clientX, point.clientY], [p.x + 60, p.y], pulling.node);
      }
    },
    [flow],
  );

  const reconnecting = useRef(false);
  const landed = useRef(false);
  const isValid = useCallback((c: Connection | WireFlowEdge) => {
    if (!c.source || !c.target) return false;
    if (reconnecting.current) return c.source !== c.target;
    return refusal(app.document.network, app.catalogue.get(), c.source, c.target, c.targetHandle ?? undefined) === null;
  }, []);

  const onDrag = useCallback((event: PointerLike, node: BlockFlowNode) => {
    const point = "touches" in event ? event.touches[0] : event;
    if (!point) return;
    const wired = app.document.network.edges.some((e) => e.source === node.id || e.target === node.id);
    app.ui.patch({ dropWire: wired ? null : drag.wireAt(point.clientX, point.clientY) });
  }, []);
  const onDragStop = useCallback((_: unknown, node: BlockFlowNode) => {
    const wire = app.ui.get().dropWire;
    app.ui.patch({ dropWire: null });
    if (wire) insertExisting(node.id, wire);
  }, []);

  const guarded = useCallback((changes: NodeChange<BlockFlowNode>[]) => onNodesChange(changes.filter((c) => c.type !== "remove")), [onNodesChange]);

  const on = useMemo(
    () => ({
      reconnectStart: () => {
        reconnecting.current = true;
        landed.current = false;
      },
      reconnect: (edge: WireFlowEdge, c: Connection) => {
        landed.current = true;
        rewire(edge, c);
      },
      reconnectEnd: (_: unknown, edge: WireFlowEdge) => {
        if (!landed.current) dropWire(edge);
        reconnecting.current = false;
      },
      paneClick: () => app.ui.patch({ quick: null, wiring: null, menu: null }),
      moveStart: (event: unknown) => {
        if (event) opened.current = false;
        if (app.ui.get().menu) app.ui.patch({ menu: null });
      },
      nodeClick: (e: Press, node: BlockFlowNode) => {
        if (app.ui.get().menu) app.ui.patch({ menu: null });
        clicked(node.id, e);
      },
      nodeMenu: (e: Press, node: BlockFlowNode) => {
        e.preventDefault();
        if (!app.document.state.get().selected.includes(node.id)) app.document.select([node.id]);
        openMenu(pane.current, e);
      },
      selectionMenu: (e: Press) => {
        e.preventDefault();
        openMenu(pane.current, e);
      },
      nodeDoubleClick: (e: Press, node: BlockFlowNode) => {
        if ((e.target as Element).closest("button, input")) return;
        if (isOwn(node.data.node.block)) openUse(node.id);
        else if (app.catalogue.get().blocks[node.data.node.block]?.kind === "composite" && !app.document.state.get().readOnly) fold(node.id, !node.data.node.folded);
      },
      doubleClick: (e: Press) => {
        const target = e.target as Element;
        if (app.document.state.get().readOnly || !target.closest(".react-flow__pane") || target.closest(".react-flow__node")) return;
        const p = flow.screenToFlowPosition({ x: e.clientX, y: e.clientY });
        openQuick(pane.current, [e.clientX, e.clientY], [p.x, p.y], null);
      },
    }),
    [flow],
  );

  return (
    <LookContext.Provider value={look}>
      <div className={`flow ${look} ${zoom < LEAST ? "small" : ""} ${pulling ? "pulling" : ""}`} style={{ "--zoom": zoom } as CSSProperties} ref={pane} tabIndex={-1}>
        <ReactFlow<BlockFlowNode, WireFlowEdge>
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onNodesChange={guarded}
          onEdgesChange={onEdgesChange}
          onConnect={onConnect}
          onConnectStart={startPulling}
          onConnectEnd={endPulling}
          isValidConnection={isValid}
          onReconnectStart={on.reconnectStart}
          onReconnect={on.reconnect}
          onReconnectEnd={on.reconnectEnd}
          onNodeDrag={onDrag}
          onNodeDragStop={onDragStop}
          onPaneClick={on.paneClick}
          onMoveStart={on.moveStart}
          onNodeClick={on.nodeClick}
          onNodeContextMenu={on.nodeMenu}
          onSelectionContextMenu={on.selectionMenu}
          onNodeDoubleClick={on.nodeDoubleClick}
          onDoubleClick={on.doubleClick}
          nodesDraggable={!readOnly}
          nodesConnectable={!readOnly}
          edgesReconnectable={!readOnly}
          deleteKeyCode={null}
          selectionKeyCode="Shift"
          multiSelectionKeyCode={MANY_KEYS}
          selectionMode={SelectionMode.Partial}
          edgesFocusable={false}
          zoomOnDoubleClick={false}
          minZoom={0.12}
          maxZoom={2}
          connectionRadius={26}
          nodeDragThreshold={3}
          nodeClickDistance={3}
          onlyRenderVisibleElements={nodes.length > 120}
          proOptions={PRO}
          aria-label={`Network ${name}: ${network.nodes.length} blocks`}
        >
          <Background variant={BackgroundVariant.Dots} gap={20} size={1.2} />
          <SmallMap />
        </ReactFlow>
        <NetworkTabs />
        <Trail />
        <LiveLine />
        <Controls />
        <Hint />
        <Bubble />
        <QuickAdd />
        <WiringList />
        <Menu />
      </div>
    </LookContext.Provider>
  );
}

function rewire(edge: WireFlowEdge, c: Connection): void {
  const old = { source: edge.source, source_port: edge.sourceHandle ?? "out", target: edge.target, target_port: edge.targetHandle ?? "in" };
  const target_port = c.targetHandle ?? old.target_port;
  if (c.source === old.source && c.target === old.target && target_port === old.target_port) return;
  const network = app.document.network;
  const without = { ...network, edges: network.edges.filter((e) => !(e.source === old.source && e.target === old.target && e.target_port === old.target_port)) };
  const why = refusal(without, app.catalogue.get(), c.source, c.target, target_port);
  const taken = without.edges.some((e) => e.target === c.target && e.target_port === target_port);
  if (why || taken) {
    app.toast(why ?? `${c.target} already has its input.`, { kind: "error" });
    return;
  }
  app.document.edit(`rewire ${c.source} to ${c.target}`, [
    { op: "remove_edge", network: app.document.networkName, edge: old },
    { op: "add_edge", network: app.document.networkName, edge: { source: c.source, source_port: "out", target: c.target, target_port } },
  ]);
}

/** A wire pulled off its port and dropped nowhere is gone, as in other editors. */
function dropWire(edge: WireFlowEdge): void {
  const old = { source: edge.source, source_port: edge.sourceHandle ?? "out", target: edge.target, target_port: edge.targetHandle ?? "in" };
  if (app.document.edit("delete the wire", [{ op: "remove_edge", network: app.document.networkName, edge: old }])) app.toast("Deleted the wire.", { undo: true });
}

function openMenu(pane: HTMLElement | null, e: { clientX: number; clientY: number }): void {
  const box = pane?.getBoundingClientRect();
  app.ui.patch({ menu: { at: [e.clientX - (box?.left ?? 0), e.clientY - (box?.top ?? 0)] }, quick: null, wiring: null });
}

export function openQuick(pane: HTMLElement | null, screen: [number, number], flow: [number, number], from: string | null): void {
  const box = pane?.getBoundingClientRect();
  const local: [number, number] = box ? [screen[0] - box.left, screen[1] - box.top] : screen;
  app.ui.patch({ quick: { screen: local, flow, from } });
}

interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Where blocks stand in the document, which is ahead of what has been drawn. */
function placesOf(ids?: string[]): Place[] {
  const all = boxes(app.document.network);
  return ids ? ids.flatMap((id) => all.get(id) ?? []) : [...all.values()];
}

/**
 * The view that shows these places whole, never enlarged, begun near the top, and none under the zoom buttons.
 * Where that would be smaller than `least`, it shows their beginning at that zoom.
 */
function fitting(places: Place[], size: { width: number; height: number }, least = 0.12): { x: number; y: number; zoom: number } {
  if (places.length === 0) return { x: 0, y: 0, zoom: 1 };
  const x0 = Math.min(...places.map((p) => p.x));
  const y0 = Math.min(...places.map((p) => p.y));
  const w = Math.max(...places.map((p) => p.x + p.w)) - x0;
  const h = Math.max(...places.map((p) => p.y + p.h)) - y0;
  const view = (right: number): { x: number; y: number; zoom: number } => {
    const zoom = Math.max(least, Math.min(1, (size.width - 20 - right) / w, (size.height - 28) / h));
    const left = 20 + Math.max(0, (size.width - 20 - right - w * zoom) / 2);
    const top = 20 + Math.max(0, Math.min(26, (size.height - 28 - h * zoom) / 2));
    return { x: left - x0 * zoom, y: top - y0 * zoom, zoom };
  };
  const wide = view(20);
  const hidden = places.some((p) => (p.x + p.w) * wide.zoom + wide.x > size.width - 54 && (p.y + p.h) * wide.zoom + wide.y > size.height - 132);
  return hidden ? view(58) : wide;
}

/** Move the view only as far as needed to see these blocks. */
function reveal(
  flow: ReactFlowInstance<BlockFlowNode, WireFlowEdge>,
  state: { width: number; height: number },
  ids: string[],
): void {
  const places = placesOf(ids);
  if (places.length === 0) return;
  const { x, y, zoom } = flow.getViewport();
  const x0 = Math.min(...places.map((b) => b.x)) * zoom + x;
  const y0 = Math.min(...places.map((b) => b.y)) * zoom + y;
  const x1 = Math.max(...places.map((b) => b.x + b.w)) * zoom + x;
  const y1 = Math.max(...places.map((b) => b.y + b.h)) * zoom + y;
  const left = 16;
  const right = state.width - 56;
  const top = 16;
  const bottom = state.height - 16;
  if (x1 - x0 > right - left || y1 - y0 > bottom - top) {
    void flow.setViewport(fitting(places, state), { duration: reduced() ? 0 : 180 });
    return;
  }
  const dx = x0 < left ? left - x0 : x1 > right ? right - x1 : 0;
  const dy = y0 < top ? top - y0 : y1 > bottom ? bottom - y1 : 0;
  if (dx || dy) void flow.setViewport({ x: x + dx, y: y + dy, zoom }, { duration: reduced() ? 0 : 180 });
}
