/** Where blocks stand on the canvas, and where there is room for more. */
import { app } from "./app";
import { type Box, sizeOf } from "./canvas/geometry";
import { layout, needsLayout } from "./canvas/layout";
import { networkOf, PLACE, readable } from "./document/definitions";
import type { Edit, NetworkJson, NodeJson } from "./types";

const doc = app.document;

/** The part of the canvas that is seen; set by the canvas while it is mounted. */
export const viewport = {
  width: 900,
  height: 420,
  fit: (_ids?: string[]): void => {},
  /** The first look at a network. */
  open: (): void => {},
  reveal: (_ids: string[]): void => {},
  zoomBy: (_factor: number): void => {},
  center: (): [number, number] => [0, 0],
  focusSearch: (): void => {},
  focusCanvas: (): void => {},
};

export function boxes(network: NetworkJson, name = doc.networkName): Map<string, Box> {
  const catalogue = app.catalogue.get();
  return new Map(
    network.nodes.map((n) => {
      const { w, h } = sizeOf(n, catalogue, app.annotation(name, n.id), network.edges);
      return [n.id, { x: n.position[0], y: n.position[1], w, h }];
    }),
  );
}

/** The nearest place at or right of this one where a block of this size stands on nothing. */
export function freePlace(network: NetworkJson, at: [number, number], size: { w: number; h: number }): [number, number] {
  const taken = [...boxes(network).values()];
  let [x, y] = at;
  for (let tries = 0; tries < 200; tries += 1) {
    const hit = taken.find((b) => b.x < x + size.w + 12 && b.x + b.w + 12 > x && b.y < y + size.h + 12 && b.y + b.h + 12 > y);
    if (!hit) break;
    y = hit.y + hit.h + 24;
    if (tries % 12 === 11) {
      x += size.w + 40;
      y = at[1];
    }
  }
  return [Math.round(x), Math.round(y)];
}

/** The room a new block leaves for the pill on its wire; an activation has none. */
export const gapBefore = (name: string): number => (app.catalogue.get().blocks[name]?.category === "activation" ? 22 : 84);

/** Move what stands in the same row right of a block, so that another fits in. */
export function makeRoom(network: NetworkJson, networkName: string, source: string, target: string, width: number): Edit[] {
  const all = boxes(network);
  const from = all.get(source);
  const to = all.get(target);
  if (!from || !to || to.x < from.x + from.w) return [];
  const missing = from.x + from.w + 60 + width + 84 - to.x;
  if (missing <= 0) return [];
  return shiftRight(network, networkName, all, to.x, from, missing, source);
}

function shiftRight(network: NetworkJson, networkName: string, all: Map<string, Box>, x: number, row: Box, by: number, except: string): Edit[] {
  return network.nodes.flatMap((n): Edit[] => {
    const b = all.get(n.id) as Box;
    const sameRow = b.y < row.y + row.h + 8 && b.y + b.h + 8 > row.y;
    return n.id !== except && b.x >= x - 1 && sameRow
      ? [{ op: "move_node", network: networkName, id: n.id, position: [Math.round(b.x + by), b.y] }]
      : [];
  });
}

/** The blocks right of one and below it make room as it grows in its place, and come back as it shrinks. */
export function giveWay(network: NetworkJson, id: string, before: { w: number; h: number }, after: { w: number; h: number }, name = doc.networkName): Edit[] {
  const node = network.nodes.find((n) => n.id === id);
  if (!node) return [];
  const dw = after.w - before.w;
  const dh = after.h - before.h;
  const [x, y] = node.position;
  const all = boxes(network, name);
  const edits: Edit[] = [];
  const move = (moved: string, to: [number, number]): void => void edits.push({ op: "move_node", network: name, id: moved, position: to });
  for (const n of network.nodes) {
    if (n.id === id) continue;
    const b = all.get(n.id) as Box;
    const overlaps = b.y < y + before.h && b.y + b.h > y;
    if (overlaps && b.x >= x + Math.min(before.w, after.w) - 1) move(n.id, [b.x + dw, b.y]);
    else if (!overlaps && b.y >= y + before.h - 1) move(n.id, [b.x, b.y + dh / 2]);
    else if (!overlaps && b.y + b.h <= y + 1) move(n.id, [b.x, b.y - dh / 2]);
  }
  move(id, [x, Math.round(y - dh / 2)]);
  return edits;
}

/** A block that a fix adds stands before the block it feeds, on no other one. */
export function placeFix(node: NodeJson, edits: readonly Edit[], name: string): NodeJson {
  const network = networkOf(doc.project, name);
  if (!network) return node;
  const size = sizeOf(node, app.catalogue.get(), undefined, []);
  const target = edits.flatMap((e) => (e.op === "add_edge" && e.edge.source === node.id ? [e.edge.target] : []))[0];
  const source = edits.flatMap((e) => (e.op === "add_edge" && e.edge.target === node.id ? [e.edge.source] : []))[0];
  const all = boxes(network, name);
  const to = target !== undefined ? all.get(target) : undefined;
  const from = source !== undefined ? all.get(source) : undefined;
  let at = node.position;
  if (from && to && to.x - (from.x + from.w) > size.w + 24)
    at = [(from.x + from.w + to.x) / 2 - size.w / 2, from.y + from.h / 2 - size.h / 2];
  else if (to) at = [to.x - size.w - 40, to.y + to.h / 2 - size.h / 2];
  else if (from) at = [from.x + from.w + 84, from.y + from.h / 2 - size.h / 2];
  return { ...node, position: freePlace(network, at, size) };
}

export function tidyEdits(name = doc.networkName): Edit[] {
  const network = networkOf(doc.project, name);
  if (!network) return [];
  const at = layout(network, app.catalogue.get(), app.host.get().annotations?.networks[name], viewport);
  return network.nodes.flatMap((n): Edit[] => {
    const to = at.get(n.id);
    return to && (to[0] !== n.position[0] || to[1] !== n.position[1])
      ? [{ op: "move_node", network: name, id: n.id, position: to }]
      : [];
  });
}

export function tidy(): void {
  const edits = tidyEdits();
  if (edits.length) doc.edit("tidy up", edits);
  viewport.fit();
}

/** A project that comes without positions gets them; this is no step of its own. */
app.sync.prepare = (projectId: string): void => {
  const state = doc.state.get();
  let project = state.project;
  for (const [name, network] of Object.entries(project.networks)) {
    if (!needsLayout(network)) continue;
    const at = layout(network, app.catalogue.get(), undefined, viewport);
    const nodes = network.nodes.map((n) => ({ ...n, position: at.get(n.id) ?? n.position }));
    project = { ...project, networks: { ...project.networks, [name]: { ...network, nodes } } };
  }
  for (const [name, raw] of Object.entries(project.blocks)) {
    const inside = readable(raw);
    if (!inside || !needsLayout(inside)) continue;
    const at = layout(inside, app.catalogue.get(), app.host.get().annotations?.networks[PLACE + name], viewport);
    const nodes = inside.nodes.map((n) => ({ ...n, position: at.get(n.id) ?? n.position }));
    project = { ...project, blocks: { ...project.blocks, [name]: { ...inside, nodes } } };
  }
  if (project !== state.project) doc.state.patch({ project });
  void projectId;
  requestAnimationFrame(() => viewport.open());
};
