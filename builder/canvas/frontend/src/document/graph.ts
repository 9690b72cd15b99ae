import type { BlockJson, Catalogue, EdgeJson, Edit, NetworkJson, NodeJson, Settings } from "../types";

/** The names of a node's input ports; a variadic block has as many as its setting says. */
export function portsOf(node: NodeJson, block: BlockJson | undefined, edges: readonly EdgeJson[]): string[] {
  if (!block || block.broken !== undefined) {
    // A block this version does not know, or that must be mended first, keeps the ports its wires name.
    return [...new Set(edges.filter((e) => e.target === node.id).map((e) => e.target_port))];
  }
  if (!block.variadic) return block.inputs.map((p) => p.name);
  const count = Number(node.settings[block.variadic] ?? 2);
  const shown = Number.isFinite(count) ? Math.max(1, Math.min(64, Math.round(count))) : 2;
  return Array.from({ length: shown }, (_, i) => `in${i + 1}`);
}

/** The first unused name of the form stem1, stem2, ... */
export function freeId(taken: ReadonlySet<string>, stem: string): string {
  let number = 1;
  while (taken.has(`${stem}${number}`)) number += 1;
  return `${stem}${number}`;
}

export function stemOf(name: string, block: BlockJson | undefined): string {
  return block?.stem || name.toLowerCase().replace(/[^a-z0-9_]/g, "") || "block";
}

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda nonlocal not or pass raise return try while with yield self super torch nn").split(" "),
);

/** A sentence that says why this name cannot be used, or null. The same rule as Python's, checked while typing. */
export function nameProblem(name: string, taken: ReadonlySet<string>): string | null {
  if (!name) return "A block needs a name.";
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "Use letters, digits and _, and begin with a letter.";
  if (KEYWORDS.has(name)) return `"${name}" is a word of Python; take another name.`;
  if (taken.has(name)) return `There is already a block called ${name}.`;
  return null;
}

export function defaults(block: BlockJson | undefined): Settings {
  return Object.fromEntries((block?.settings ?? []).map((s) => [s.name, s.default]));
}

export function newNode(
  catalogue: Catalogue,
  name: string,
  network: NetworkJson,
  position: [number, number],
): NodeJson {
  const block = catalogue.blocks[name];
  const id = freeId(new Set(network.nodes.map((n) => n.id)), stemOf(name, block));
  return { id, block: name, version: 1, settings: defaults(block), position, folded: true, note: "" };
}

/** Whether one can walk along wires from `from` to `to`. */
export function reaches(network: NetworkJson, from: string, to: string): boolean {
  if (from === to) return true;
  const next = new Map<string, string[]>();
  for (const e of network.edges) {
    const list = next.get(e.source);
    if (list) list.push(e.target);
    else next.set(e.source, [e.target]);
  }
  const seen = new Set([from]);
  const todo = [from];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    for (const target of next.get(at) ?? []) {
      if (target === to) return true;
      if (!seen.has(target)) {
        seen.add(target);
        todo.push(target);
      }
    }
  }
  return false;
}

export const hasOutput = (block: BlockJson | undefined): boolean => block?.kind !== "output";

/** The input ports that no wire ends at. */
export function freePorts(network: NetworkJson, node: NodeJson, block: BlockJson | undefined): string[] {
  const full = new Set(network.edges.filter((e) => e.target === node.id).map((e) => e.target_port));
  return portsOf(node, block, network.edges).filter((p) => !full.has(p));
}

/** Why a wire from `source` may not end at `target`, or null when it may. */
export function refusal(
  network: NetworkJson,
  catalogue: Catalogue,
  source: string,
  target: string,
  port?: string,
): string | null {
  if (source === target) return "A block cannot feed itself.";
  const from = network.nodes.find((n) => n.id === source);
  const to = network.nodes.find((n) => n.id === target);
  if (!from || !to) return "There is no such block.";
  if (!hasOutput(catalogue.blocks[from.block])) return `${source} is the end of the network.`;
  const block = catalogue.blocks[to.block];
  if (portsOf(to, block, network.edges).length === 0) return `${target} takes no input.`;
  if (reaches(network, target, source)) return `That wire would close a loop: ${target} already leads to ${source}.`;
  if (block?.variadic) return null;
  const free = freePorts(network, to, block);
  if (port === undefined ? free.length === 0 : !free.includes(port)) return `${target} already has its input.`;
  return null;
}

/** The edits that wire `source` to `target`: to the port named, else the first free one; a variadic block grows. */
export function connectEdits(
  networkName: string,
  network: NetworkJson,
  catalogue: Catalogue,
  source: string,
  target: string,
  port?: string,
): Edit[] | null {
  if (refusal(network, catalogue, source, target, port) !== null) return null;
  const node = network.nodes.find((n) => n.id === target);
  if (!node) return null;
  const block = catalogue.blocks[node.block];
  const free = freePorts(network, node, block);
  let to = port !== undefined && free.includes(port) ? port : free[0];
  const edits: Edit[] = [];
  if (to === undefined) {
    if (!block?.variadic) return null;
    const count = portsOf(node, block, network.edges).length + 1;
    const setting = block.settings.find((s) => s.name === block.variadic);
    if (setting?.max != null && count > setting.max) return null;
    edits.push({ op: "set", network: networkName, id: target, setting: block.variadic, value: count });
    to = `in${count}`;
  }
  edits.push({
    op: "add_edge",
    network: networkName,
    edge: { source, source_port: "out", target, target_port: to },
  });
  return edits;
}

/** The edits that remove these nodes; a chain they stood in is joined again unless `cut`. */
export function removeEdits(
  networkName: string,
  network: NetworkJson,
  ids: readonly string[],
  edges: readonly EdgeJson[],
  cut = false,
): { edits: Edit[]; joined: boolean } {
  const gone = new Set(ids);
  const edits: Edit[] = edges.map((edge) => ({ op: "remove_edge", network: networkName, edge }));
  for (const id of ids) edits.push({ op: "remove_node", network: networkName, id });
  let joined = false;
  if (!cut) {
    const dropped = new Set(edges.map((e) => `${e.source}>${e.target}>${e.target_port}`));
    const feeds = (id: string): EdgeJson[] => network.edges.filter((e) => e.target === id);
    // Follow a wire upward through removed blocks that have exactly one input.
    const origin = (edge: EdgeJson, depth = 0): { source: string; source_port: string } | null => {
      if (dropped.has(`${edge.source}>${edge.target}>${edge.target_port}`)) return null;
      if (!gone.has(edge.source)) return edge;
      const above = feeds(edge.source);
      const only = above[0];
      return above.length === 1 && only && depth < network.nodes.length ? origin(only, depth + 1) : null;
    };
    for (const edge of network.edges) {
      if (!gone.has(edge.source) || gone.has(edge.target)) continue;
      const from = origin(edge);
      if (!from) continue;
      joined = true;
      edits.push({ op: "add_edge", network: networkName, edge: { ...edge, source: from.source, source_port: from.source_port } });
    }
  }
  return { edits, joined };
}

/** The edits that put a new node into a wire; its first port takes the wire's source. */
export function insertEdits(
  networkName: string,
  catalogue: Catalogue,
  node: NodeJson,
  edge: EdgeJson,
  isNew = true,
): Edit[] | null {
  const block = catalogue.blocks[node.block];
  const port = portsOf(node, block, [])[0];
  if (port === undefined || !hasOutput(block)) return null;
  const edits: Edit[] = isNew ? [{ op: "add_node", network: networkName, node }] : [];
  edits.push(
    { op: "remove_edge", network: networkName, edge },
    {
      op: "add_edge",
      network: networkName,
      edge: { source: edge.source, source_port: edge.source_port, target: node.id, target_port: port },
    },
    { op: "add_edge", network: networkName, edge: { ...edge, source: node.id, source_port: "out" } },
  );
  return edits;
}
