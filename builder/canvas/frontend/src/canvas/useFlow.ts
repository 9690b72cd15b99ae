import { applyNodeChanges, type EdgeChange, type NodeChange } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { app } from "../app";
import { networkOf } from "../document/definitions";
import { edgeId } from "../document/edits";
import { sameList, useValue } from "../document/observable";
import { useCatalogue, useDocument, useUi } from "../hooks";
import type { Edit, NetworkAnnotation, NetworkJson } from "../types";
import type { BlockFlowNode } from "./BlockNode";
import { type Box, drawnPorts, routes, type Route, sizeOf } from "./geometry";
import { quiet, untoldBlocks } from "./layout";
import { untold } from "./look";
import { useGrowth } from "./useGrowth";
import type { WireFlowEdge } from "./Wire";

const NO_NETWORK: NetworkJson = { nodes: [], edges: [] };

/** The document's network as React Flow's nodes and edges; objects that did not change stay the same. */
export function useFlow(): {
  nodes: BlockFlowNode[];
  edges: WireFlowEdge[];
  found: Map<string, Route>;
  onNodesChange: (changes: NodeChange<BlockFlowNode>[]) => void;
  onEdgesChange: (changes: EdgeChange<WireFlowEdge>[]) => void;
  network: NetworkJson;
  name: string;
} {
  const catalogue = useCatalogue();
  const name = useDocument((d) => d.network);
  const network = useDocument((d) => networkOf(d.project, d.network)) ?? NO_NETWORK;
  const selected = useDocument((d) => d.selected);
  const annotation = useValue(app.host, (h) => h.annotations?.networks[name]);
  const inside = useInside(annotation);
  useGrowth(network, name, catalogue, inside);
  const selectedWires = useUi((u) => u.selectedWires);
  const [nodes, setNodes] = useState<BlockFlowNode[]>([]);
  const dragging = useRef(false);

  useEffect(() => {
    setNodes((old) => rebuild(old, network, name, catalogue, inside, selected, dragging.current));
  }, [network, name, catalogue, inside, selected]);

  const onNodesChange = useCallback((changes: NodeChange<BlockFlowNode>[]) => {
    setNodes((old) => applyNodeChanges(changes, old));
    const picks = changes.filter((c) => c.type === "select");
    if (picks.length) {
      const chosen = new Set(app.document.state.get().selected);
      for (const c of picks) {
        if (c.selected) chosen.add(c.id);
        else chosen.delete(c.id);
      }
      const order = app.document.network.nodes.map((n) => n.id).filter((id) => chosen.has(id));
      app.document.select(order);
    }
    const moves = changes.filter((c) => c.type === "position");
    if (moves.some((m) => m.dragging)) dragging.current = true;
    const ended = moves.filter((m) => m.dragging === false && m.position);
    if (ended.length) {
      dragging.current = false;
      const edits = ended.flatMap((m): Edit[] => {
        const node = app.document.node(m.id);
        const to: [number, number] = [Math.round(m.position?.x ?? 0), Math.round(m.position?.y ?? 0)];
        return node && (node.position[0] !== to[0] || node.position[1] !== to[1])
          ? [{ op: "move_node", network: app.document.networkName, id: m.id, position: to }]
          : [];
      });
      if (edits.length) app.document.edit(edits.length === 1 ? `move ${ended[0]?.id}` : `move ${edits.length} blocks`, edits);
    }
  }, []);

  const onEdgesChange = useCallback((changes: EdgeChange<WireFlowEdge>[]) => {
    const picks = changes.filter((c) => c.type === "select");
    if (!picks.length) return;
    const chosen = new Set(app.ui.get().selectedWires);
    for (const c of picks) {
      if (c.selected) chosen.add(c.id);
      else chosen.delete(c.id);
    }
    app.ui.patch({ selectedWires: chosen });
  }, []);

  const places = useMemo(() => {
    const map = new Map<string, Box>();
    for (const n of nodes) map.set(n.id, { x: n.position.x, y: n.position.y, w: n.data.w, h: n.data.h });
    return map;
  }, [nodes]);
  const found = useMemo(() => routes(network, places, catalogue), [network, places, catalogue]);

  const old = useRef(new Map<string, WireFlowEdge>());
  const listed = useRef<WireFlowEdge[]>([]);
  const edges = useMemo(() => {
    const next = new Map<string, WireFlowEdge>();
    for (const e of network.edges) {
      const id = edgeId(e);
      const route = found.get(id);
      const hidden = quiet(network, catalogue, annotation, e.source, e.target);
      const picked = selectedWires.has(id);
      const was = old.current.get(id);
      if (was && was.data?.route?.path === route?.path && was.data?.hidden === hidden && was.selected === picked && was.data?.network === name) next.set(id, was);
      else
        next.set(id, {
          id,
          type: "wire",
          source: e.source,
          sourceHandle: e.source_port,
          target: e.target,
          targetHandle: e.target_port,
          selected: picked,
          data: { route, hidden, network: name },
          ariaLabel: `Wire from ${e.source} to ${e.target}`,
        });
    }
    old.current = next;
    const list = [...next.values()];
    if (!sameList(listed.current, list)) listed.current = list;
    return listed.current;
  }, [network, found, annotation, catalogue, selectedWires, name]);

  useEffect(() => {
    const next = untoldBlocks(network, annotation, edges);
    const before = untold.get();
    if (next.size !== before.size || [...next].some((id) => !before.has(id))) untold.set(next);
  }, [network, annotation, edges]);

  return { nodes, edges, found, onNodesChange, onEdgesChange, network, name };
}

/** What the annotations say about sizes: only opened composites have a say. */
function useInside(annotation: NetworkAnnotation | undefined): NetworkAnnotation | undefined {
  const last = useRef<{ key: string; value: NetworkAnnotation | undefined }>({ key: "", value: undefined });
  const key = annotation ? Object.entries(annotation.nodes).map(([id, n]) => (n.inner ? `${id}:${n.inner.length}:${n.inner.map((i) => i.shape?.join()).join(";")}` : "")).join("|") : "";
  if (key !== last.current.key) last.current = { key, value: annotation };
  return last.current.value;
}

function rebuild(
  old: BlockFlowNode[],
  network: NetworkJson,
  name: string,
  catalogue: ReturnType<typeof useCatalogue>,
  annotation: NetworkAnnotation | undefined,
  selected: readonly string[],
  dragging: boolean,
): BlockFlowNode[] {
  const before = new Map(old.map((n) => [n.id, n]));
  const chosen = new Set(selected);
  const next = network.nodes.map((node) => {
    const was = before.get(node.id);
    const { w, h, look } = sizeOf(node, catalogue, annotation?.nodes[node.id], network.edges);
    const ports = drawnPorts(node, network, catalogue);
    const isSelected = chosen.has(node.id);
    const sameData = was && was.data.node === node && was.data.network === name && was.data.w === w && was.data.h === h && was.data.look === look && was.data.ports.join() === ports.join();
    const position = dragging && was?.dragging ? was.position : { x: node.position[0], y: node.position[1] };
    if (sameData && was.selected === isSelected && was.position.x === position.x && was.position.y === position.y) return was;
    return {
      ...(was ?? {}),
      id: node.id,
      type: "block",
      position,
      width: w,
      height: h,
      selected: isSelected,
      data: sameData ? was.data : { node, network: name, look, ports, w, h },
      dragHandle: undefined,
      focusable: true,
    } as BlockFlowNode;
  });
  return sameList(old, next) ? old : next;
}
