/** What a person can do to the network, in one place for mouse, keyboard and menus. */
import { app } from "./app";
import type { Edit, EdgeJson, NetworkJson, NodeJson, ProblemJson } from "./types";
import { type Box, sizeOf } from "./canvas/geometry";
import { blockOf, contains, libraryClash, networkOf } from "./document/definitions";
import { edgeId } from "./document/edits";
import { connectEdits, hasOutput, insertEdits, newNode, portsOf, refusal, removeEdits } from "./document/graph";
import { boxes, freePlace, gapBefore, giveWay, makeRoom, placeFix, viewport } from "./places";

const doc = app.document;

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

export function nudge(dx: number, dy: number): void {
  const { selected } = doc.state.get();
  const edits = selected.flatMap((id): Edit[] => {
    const node = doc.node(id);
    return node ? [{ op: "move_node", network: doc.networkName, id, position: [node.position[0] + dx, node.position[1] + dy] }] : [];
  });
  if (edits.length) doc.edit("move", edits, { key: `nudge:${selected.join()}` });
}

export function fold(id: string, folded: boolean): void {
  const name = doc.networkName;
  const node = doc.node(id);
  if (!node || node.folded === folded) return;
  const network = doc.network;
  const annotation = app.annotation(name, id);
  const catalogue = app.catalogue.get();
  const before = sizeOf(node, catalogue, annotation, network.edges);
  const after = sizeOf({ ...node, folded }, catalogue, annotation, network.edges);
  const edits: Edit[] = [{ op: "fold_node", network: name, id, folded }, ...giveWay(network, id, before, after)];
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

/** A plain click on one of several selected blocks chooses it alone; with a key held, the editor adds or takes away. */
export function clicked(id: string, keys: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }): void {
  if (keys.shiftKey || keys.ctrlKey || keys.metaKey) return;
  if (doc.state.get().selected.length > 1) doc.select([id]);
}

export function selectAll(): void {
  doc.select(doc.network.nodes.map((n) => n.id));
}
