/** What a person can do to the network, in one place for mouse, keyboard and menus. */
import { app } from "./app";
import type { Edit, EdgeJson, Json, NetworkJson, NodeJson, ProblemJson } from "./types";
import { layout, needsLayout } from "./canvas/layout";
import { type Box, sizeOf } from "./canvas/geometry";
import { blockOf, contains, definitionOf, definitionsOf, libraryClash, networkOf, PLACE, readable } from "./document/definitions";
import { sameJson } from "./document/observable";
import { edgeId } from "./document/edits";
import { connectEdits, freeId, freePorts, hasOutput, insertEdits, newNode, portsOf, refusal, removeEdits } from "./document/graph";
import { type Clip, pasteEdits, readClip, toClip } from "./document/clipboard";

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

const doc = app.document;

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
const gapBefore = (name: string): number => (app.catalogue.get().blocks[name]?.category === "activation" ? 22 : 84);

export function addBlock(name: string, where?: [number, number], from?: string | null): string | null {
  const catalogue = app.catalogue.get();
  const network = doc.network;
  const networkName = doc.networkName;
  if (!catalogue.blocks[name] || refusedHere(name)) return null;
  const node = newNode(catalogue, name, network, [0, 0]);
  const size = sizeOf(node, catalogue, undefined, []);
  const selected = doc.state.get().selected;
  const source = from === undefined ? (selected.length === 1 ? selected[0] : undefined) : (from ?? undefined);
  const all = boxes(network);
  const wanted = portsOf(node, catalogue.blocks[name], []).length > 0;
  const sourceNode = network.nodes.find((n) => n.id === source);
  const canFeed = wanted && sourceNode && hasOutput(catalogue.blocks[sourceNode.block]) ? sourceNode.id : undefined;
  const edits: Edit[] = [];
  const after = canFeed !== undefined ? network.edges.filter((e) => e.source === canFeed) : [];
  if (where) {
    node.position = freePlace(network, [where[0] - size.w / 2, where[1] - size.h / 2], size);
  } else if (canFeed !== undefined) {
    const box = all.get(canFeed) as Box;
    node.position = freePlace(network, [box.x + box.w + gapBefore(name), box.y + box.h / 2 - size.h / 2], size);
  } else {
    const right = [...all.values()];
    if (right.length === 0) {
      const [cx, cy] = viewport.center();
      node.position = [Math.round(cx - 0.4 * viewport.width), Math.round(cy - size.h)];
    } else {
      const [cx, cy] = viewport.center();
      node.position = freePlace(network, [cx - size.w / 2, cy - size.h / 2], size);
    }
  }
  edits.push({ op: "add_node", network: networkName, node });
  if (canFeed !== undefined) {
    const only = after[0];
    const inserted = !where && after.length === 1 && only && hasOutput(catalogue.blocks[name]);
    if (inserted) {
      const within = insertEdits(networkName, catalogue, node, only, false);
      if (within) {
        edits.push(...within, ...makeRoom(network, networkName, canFeed, only.target, size.w));
        const source0 = all.get(canFeed) as Box;
        node.position = [Math.round(source0.x + source0.w + 60), Math.round(source0.y + source0.h / 2 - size.h / 2)];
      }
    } else {
      const shadow: NetworkJson = { ...network, nodes: [...network.nodes, node] };
      edits.push(...(connectEdits(networkName, shadow, catalogue, canFeed, node.id) ?? []));
    }
  }
  if (!doc.edit(`add ${node.id}`, edits, { select: [node.id] })) return null;
  viewport.reveal([node.id]);
  return node.id;
}

/** Whether a block cannot stand here, which is said. */
function refusedHere(name: string): boolean {
  const opened = blockOf(doc.networkName);
  const broken = app.catalogue.get().blocks[name]?.broken;
  if (broken !== undefined) app.toast(broken, { kind: "error" });
  const clash = libraryClash(doc.project, app.host.get().library, name);
  if (clash !== null) app.toast(`Your library's ${name} needs another ${clash} than this project has. Rename the project's ${clash} first.`, { kind: "error" });
  const itself = opened !== null && name in doc.project.blocks && contains(doc.project, name, opened);
  if (itself) app.toast(name === opened ? `${name} cannot hold itself.` : `${name} holds ${opened}, so ${opened} cannot hold it.`, { kind: "error" });
  return itself || clash !== null || broken !== undefined;
}

/** Move what stands in the same row right of a block, so that another fits in. */
function makeRoom(network: NetworkJson, networkName: string, source: string, target: string, width: number): Edit[] {
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

export function edgeById(id: string | null): EdgeJson | undefined {
  return id === null ? undefined : doc.network.edges.find((e) => edgeId(e) === id);
}

/** Put a new block of this kind into a wire, around a place. */
export function insertBlock(name: string, wire: string, at: [number, number]): void {
  const catalogue = app.catalogue.get();
  const edge = edgeById(wire);
  const network = doc.network;
  if (!edge || refusedHere(name)) return;
  const node = newNode(catalogue, name, network, [0, 0]);
  const size = sizeOf(node, catalogue, undefined, []);
  const edits = insertEdits(doc.networkName, catalogue, node, edge);
  if (!edits) {
    addBlock(name, at, null);
    return;
  }
  const all = boxes(network);
  const from = all.get(edge.source) as Box;
  const to = all.get(edge.target) as Box;
  const straight = to.x > from.x + from.w;
  node.position = straight
    ? [Math.round(from.x + from.w + 60), Math.round(from.y + from.h / 2 - size.h / 2)]
    : freePlace(network, [at[0] - size.w / 2, at[1] - size.h / 2], size);
  if (doc.edit(`insert ${node.id}`, [...edits, ...makeRoom(network, doc.networkName, edge.source, edge.target, size.w)], { select: [node.id] }))
    viewport.reveal([node.id]);
}

/** Put a block that has no wires yet into a wire. */
export function insertExisting(id: string, wire: string): void {
  const edge = edgeById(wire);
  const node = doc.node(id);
  if (!edge || !node || edge.source === id || edge.target === id) return;
  const edits = insertEdits(doc.networkName, app.catalogue.get(), node, edge, false);
  if (edits) doc.edit(`insert ${id}`, edits, { select: [id] });
}

export function connect(source: string, target: string, port?: string): boolean {
  const network = doc.network;
  const edits = connectEdits(doc.networkName, network, app.catalogue.get(), source, target, port);
  if (!edits) {
    const why = refusal(network, app.catalogue.get(), source, target, port);
    app.toast(why ?? `${target} takes no more inputs.`, { kind: "error" });
    return false;
  }
  return doc.edit(`wire ${source} to ${target}`, edits);
}

/** Every block a wire from this one may end at. */
export function legalTargets(source: string): NodeJson[] {
  const network = doc.network;
  return network.nodes.filter((n) => refusal(network, app.catalogue.get(), source, n.id) === null);
}

export function deleteSelected(cut = false): void {
  const { selected } = doc.state.get();
  const wires = app.ui.get().selectedWires;
  const edges = doc.network.edges.filter((e) => wires.has(edgeId(e)));
  if (selected.length === 0 && edges.length === 0) return;
  const { edits, joined } = removeEdits(doc.networkName, doc.network, selected, edges, cut);
  const what = selected.length === 1 ? selected[0] : selected.length > 1 ? `${selected.length} blocks` : edges.length === 1 ? "the wire" : `${edges.length} wires`;
  if (!doc.edit(`delete ${what}`, edits, { select: [] })) return;
  app.ui.patch({ selectedWires: new Set() });
  app.toast(`Deleted ${what}${joined ? "; its neighbours are wired together" : ""}.`, { undo: true });
}

let internalClip: Clip | null = null;

/** Blocks to be copied, with the definitions of those that are one's own, and the values arguments stand for. */
function clipOf(ids: readonly string[]): Clip {
  const clip = toClip(doc.network, ids);
  const blocks = definitionsOf(doc.project, clip.nodes.map((n) => n.block));
  const opened = blockOf(doc.networkName);
  return { ...clip, ...(Object.keys(blocks).length ? { blocks: blocks as Record<string, Json> } : {}), ...(opened === null ? {} : { usual: definitionOf(doc.project, opened)?.arguments ?? {} }) };
}

export function copySelected(): string | null {
  const { selected } = doc.state.get();
  if (selected.length === 0) return null;
  internalClip = clipOf(selected);
  return JSON.stringify(internalClip);
}

/** The arguments that settings may take in what is open. */
function argumentsHere(): ReadonlySet<string> {
  const opened = blockOf(doc.networkName);
  return new Set(opened === null ? [] : Object.keys(definitionOf(doc.project, opened)?.arguments ?? {}));
}

/** How far to move copies so that they stand on nothing: straight below, as far as needed. */
function freeOffset(clip: Clip): [number, number] {
  const all = [...boxes(doc.network).values()];
  const copies = clip.nodes.map((n) => ({ x: n.position[0], y: n.position[1], ...sizeOf(n, app.catalogue.get(), undefined, clip.edges) }));
  const top = Math.min(...copies.map((c) => c.y));
  let dy = Math.max(...copies.map((c) => c.y + c.h)) - top + 36;
  const hits = (): boolean => copies.some((c) => all.some((b) => b.x < c.x + c.w && b.x + b.w > c.x && b.y < c.y + dy + c.h + 12 && b.y + b.h + 12 > c.y + dy));
  for (let tries = 0; tries < 100 && hits(); tries += 1) dy += 48;
  return [0, Math.round(dy)];
}

export function paste(text: string | null): boolean {
  const clip = (text !== null ? readClip(text) : null) ?? (text ? null : internalClip);
  if (!clip) return false;
  const opened = blockOf(doc.networkName);
  const itself = clip.nodes.find((n) => opened !== null && (n.block === opened || (n.block in doc.project.blocks && contains(doc.project, n.block, opened))));
  if (itself) {
    app.toast(`${opened} cannot hold itself: ${itself.id} is one or holds one.`, { kind: "error" });
    return true;
  }
  const { edits, ids } = pasteEdits(doc.networkName, doc.network, clip, freeOffset(clip), argumentsHere());
  const missing = Object.entries(clip.blocks ?? {}).filter(([name]) => !(name in doc.project.blocks));
  const other = Object.entries(clip.blocks ?? {}).find(([name, d]) => name in doc.project.blocks && !sameJson(doc.project.blocks[name] as Json, d));
  if (other) app.toast(`This project has a block ${other[0]} of its own, which takes the place of the copied one.`);
  if (missing.length) edits.unshift({ op: "set_part", part: "blocks", value: { ...doc.project.blocks, ...Object.fromEntries(missing) } as Json });
  if (doc.edit(ids.length === 1 ? `paste ${ids[0]}` : `paste ${ids.length} blocks`, edits, { select: ids })) viewport.reveal(ids);
  return true;
}

export function duplicateSelected(): void {
  const { selected } = doc.state.get();
  if (selected.length === 0) return;
  const clip = clipOf(selected);
  const { edits, ids } = pasteEdits(doc.networkName, doc.network, clip, freeOffset(clip), argumentsHere());
  doc.edit("duplicate", edits, { select: ids });
  viewport.reveal(ids);
}

export function nudge(dx: number, dy: number): void {
  const { selected } = doc.state.get();
  const edits = selected.flatMap((id): Edit[] => {
    const node = doc.node(id);
    return node ? [{ op: "move_node", network: doc.networkName, id, position: [node.position[0] + dx, node.position[1] + dy] }] : [];
  });
  if (edits.length) doc.edit("move", edits, { key: `nudge:${selected.join()}` });
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

export function fold(id: string, folded: boolean): void {
  const name = doc.networkName;
  const node = doc.node(id);
  if (!node || node.folded === folded) return;
  const network = doc.network;
  const annotation = app.annotation(name, id);
  const catalogue = app.catalogue.get();
  const before = sizeOf(node, catalogue, annotation, network.edges);
  const after = sizeOf({ ...node, folded }, catalogue, annotation, network.edges);
  const dw = after.w - before.w;
  const dh = after.h - before.h;
  const [x, y] = node.position;
  const all = boxes(network);
  const edits: Edit[] = [{ op: "fold_node", network: name, id, folded }];
  // The blocks right of it and below it make room, and come back when it is closed.


  for (const n of network.nodes) {
    if (n.id === id) continue;
    const b = all.get(n.id) as Box;
    const overlaps = b.y < y + before.h && b.y + b.h > y;
    if (overlaps && b.x >= x + Math.min(before.w, after.w) - 1)
      edits.push({ op: "move_node", network: name, id: n.id, position: [b.x + dw, b.y] });
    else if (!overlaps && b.y >= y + before.h - 1)
      edits.push({ op: "move_node", network: name, id: n.id, position: [b.x, b.y + dh / 2] });
    else if (!overlaps && b.y + b.h <= y + 1)
      edits.push({ op: "move_node", network: name, id: n.id, position: [b.x, b.y - dh / 2] });
  }

  edits.push({ op: "move_node", network: name, id, position: [x, Math.round(y - dh / 2)] });
  if (doc.edit(folded ? `close ${id}` : `open ${id}`, edits)) viewport.reveal([id]);
}

export function applyFix(problem: ProblemJson): void {
  if (!problem.fix) return;
  const name = problem.network;
  const known = new Set(networkOf(doc.project, name)?.nodes.map((n) => n.id));
  const added = problem.fix.edits.flatMap((e) => (e.op === "add_node" && !known.has(e.node.id) ? [e.node] : []));
  const edits = problem.fix.edits.map((e) => (e.op === "add_node" ? { ...e, node: placeFix(e.node, problem.fix?.edits ?? [], name) } : e));
  const renamed = edits.flatMap((e) => (e.op === "add_node" && e.network === name ? [e.node.id] : []));
  if (doc.edit(problem.fix.label, edits)) {
    app.toast(`${problem.fix.label}: done.`, { undo: true });
    if (added.length && renamed.length) viewport.reveal(renamed);
  }
}

/** A block that a fix adds stands before the block it feeds, on no other one. */
function placeFix(node: NodeJson, edits: readonly Edit[], name: string): NodeJson {
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

export function rename(id: string, to: string): boolean {
  if (id === to) return true;
  return doc.edit(`rename ${id} to ${to}`, [{ op: "rename_node", network: doc.networkName, id, to }]);
}

export function setNote(id: string, note: string): void {
  const node = doc.node(id);
  if (node) doc.edit(`note on ${id}`, [{ op: "replace_node", network: doc.networkName, id, node: { ...node, note } }], { key: `note:${id}` });
}

/** How fast a block learns, as a factor of the learning rate; 0 freezes it. */
export function setRate(id: string, rate: number): void {
  const node = doc.node(id);
  if (!node || (node.rate ?? 1) === rate) return;
  const { rate: _, ...plain } = node;
  const label = rate === 0 ? `freeze ${id}` : `set the rate of ${id}`;
  doc.edit(label, [{ op: "replace_node", network: doc.networkName, id, node: rate === 1 ? plain : { ...plain, rate } }]);
}

export function setSetting(id: string, setting: string, value: NodeJson["settings"][string]): void {
  const node = doc.node(id);
  if (!node) return;
  const network = doc.network;
  const edits: Edit[] = [{ op: "set", network: doc.networkName, id, setting, value }];
  const block = app.catalogue.get().blocks[node.block];
  if (block?.variadic === setting && typeof value === "number") {
    // Wires at ports that are gone go, too.
    for (const edge of network.edges)
      if (edge.target === id && Number(edge.target_port.slice(2)) > value)
        edits.unshift({ op: "remove_edge", network: doc.networkName, edge });
  }
  doc.edit(`${setting} of ${id}`, edits, { key: `set:${id}:${setting}` });
}

export function selectAll(): void {
  doc.select(doc.network.nodes.map((n) => n.id));
}

export { freeId, freePorts };
