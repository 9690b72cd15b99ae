/** Edits of the project's own blocks: definitions live in `project.blocks`, and are drawn as networks called "blocks/<name>". */
import type { DefinitionJson, Edit, Json, NetworkJson, NodeJson, Project, Settings } from "../types";
import { nameProblem } from "./graph";
import { sameJson } from "./observable";

/** What stands before the name of a definition where a network is named; the same as in builder/definition.py. */
export const PLACE = "blocks/";
export const REPEAT = "repeat";

/** The definition a network name stands for, or null where it names a plain network. */
export const blockOf = (network: string): string | null => (network.startsWith(PLACE) ? network.slice(PLACE.length) : null);

/** A network, or the inside of an own block; undefined where there is neither. */
export function networkOf(project: Project, name: string): NetworkJson | undefined {
  if (project.networks[name]) return project.networks[name];
  const block = blockOf(name);
  return block === null ? undefined : readable(project.blocks[block]);
}

const completed = new WeakMap<object, DefinitionJson>();

/** A definition whose nodes and wires can be drawn; a file may hold anything in its place. */
export function readable(definition: Json | DefinitionJson | undefined): DefinitionJson | undefined {
  const found = definition as DefinitionJson | undefined | null;
  const nodes = found && typeof found === "object" && Array.isArray(found.nodes) ? found.nodes : null;
  if (!found || !nodes || !Array.isArray(found.edges)) return undefined;
  const drawable = nodes.every((n) => n && typeof n.id === "string" && typeof n.block === "string" && n.settings && typeof n.settings === "object");
  if (!drawable) return undefined;
  if (nodes.every((n) => Array.isArray(n.position)) && found.arguments) return found;
  // Written by a program: what may be left out is filled in, once for every definition.
  let whole = completed.get(found);
  if (!whole) {
    const filled = nodes.map((n) => ({ ...n, version: n.version ?? 1, position: n.position ?? [0, 0], folded: n.folded ?? true, note: n.note ?? "" }));
    completed.set(found, (whole = { ...found, arguments: found.arguments ?? {}, nodes: filled }));
  }
  return whole;
}

export const definitionOf = (project: Project, block: string): DefinitionJson | undefined => readable(project.blocks[block]);

/** The argument a setting takes, or null where it has a value of its own. */
export function argumentOf(value: Json | undefined): string | null {
  if (!value || typeof value !== "object" || Array.isArray(value)) return null;
  return typeof value.argument === "string" ? value.argument : null;
}

/** A node's settings with the usual values where they are arguments of the block it stands in. */
export function plainSettings(project: Project, network: string, settings: Settings): Settings {
  const block = blockOf(network);
  const usual = block === null ? undefined : definitionOf(project, block)?.arguments;
  if (!usual) return settings;
  if (!Object.values(settings).some((v) => argumentOf(v) !== null)) return settings;
  return Object.fromEntries(
    Object.entries(settings).map(([k, v]) => {
      const argument = argumentOf(v);
      return [k, argument === null ? v : (usual[argument] ?? null)];
    }),
  );
}

export interface Use {
  network: string;
  id: string;
}

/** Every place where a block is used: in networks, and inside other own blocks. */
export function usesOf(project: Project, block: string): Use[] {
  const places = [...Object.keys(project.networks), ...Object.keys(project.blocks).map((name) => PLACE + name)];
  return places.flatMap((network) => (networkOf(project, network)?.nodes ?? []).flatMap((n) => (n.block === block ? [{ network, id: n.id }] : [])));
}

/** Whether `inner` stands somewhere inside `outer`, or is it. */
export function contains(project: Project, outer: string, inner: string, seen = new Set<string>()): boolean {
  if (outer === inner) return true;
  if (seen.has(outer)) return false;
  seen.add(outer);
  return (definitionOf(project, outer)?.nodes ?? []).some((n) => n.block in project.blocks && contains(project, n.block, inner, seen));
}

/** Edits that change uses of a block everywhere, after the definitions have become `blocks`. */
function withUses(project: Project, blocks: Project["blocks"], block: string, change: (node: NodeJson) => NodeJson): Edit[] {
  const inside = (network: NetworkJson): NetworkJson => ({ ...network, nodes: network.nodes.map((n) => (n.block === block ? change(n) : n)) });
  const uses = (network: NetworkJson | undefined): boolean => !!network?.nodes.some((n) => n.block === block);
  const changed: Project["blocks"] = Object.fromEntries(
    Object.entries(blocks).map(([name, raw]) => {
      const definition = readable(raw);
      return [name, definition && uses(definition) ? { ...definition, ...inside(definition) } : raw];
    }),
  );
  const edits: Edit[] = [{ op: "set_part", part: "blocks", value: changed as Json }];
  for (const [name, network] of Object.entries(project.networks)) if (uses(network)) edits.push({ op: "set_network", network: name, value: inside(network) });
  return edits;
}

const put = (project: Project, block: string, definition: DefinitionJson): Project["blocks"] => ({ ...project.blocks, [block]: definition });

/** A sentence that says why no own block may be called so, or null. The same rule as Python's, checked while typing. */
export function blockNameProblem(project: Project, catalogue: { blocks: Record<string, { category: string }> }, name: string, own: string): string | null {
  if (name in project.blocks) return `This project has a block called ${name} already.`;
  const known = catalogue.blocks[name];
  if (known && known.category !== own) return `Layerloom has a block called ${name} itself.`;
  const problem = nameProblem(name, new Set());
  return problem === "A block needs a name." || problem === null ? problem : problem.replace("Use letters", "It becomes a class in the code: use letters");
}

export function renameBlockEdits(project: Project, from: string, to: string): Edit[] {
  const blocks = Object.fromEntries(Object.entries(project.blocks).map(([name, d]) => [name === from ? to : name, d]));
  return withUses(project, blocks, from, (n) => ({ ...n, block: to }));
}

export function deleteBlockEdits(project: Project, block: string): Edit[] {
  return [{ op: "set_part", part: "blocks", value: Object.fromEntries(Object.entries(project.blocks).filter(([name]) => name !== block)) as Json }];
}

export function helpEdits(project: Project, block: string, help: string): Edit[] {
  const definition = definitionOf(project, block);
  return definition ? [{ op: "set_part", part: "blocks", value: put(project, block, { ...definition, help }) as Json }] : [];
}

// --- settings of a block --------------------------------------------------------------------------

const TAKEN = new Set(`${REPEAT} label category inputs outputs variadic formula source examples holds stochastic role stem help ports check layer template flops explain replace settings`.split(" "));

/** A sentence that says why a setting of this block cannot be called so, or null. */
export function argumentProblem(definition: DefinitionJson, name: string): string | null {
  if (!name) return "A setting needs a name.";
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) return "Use letters, digits and _, and begin with a letter.";
  if (TAKEN.has(name)) return `No setting can be called ${name}.`;
  return name in definition.arguments ? `There is already a setting called ${name}.` : nameProblem(name, new Set());
}

/** The name a setting gets when it is exposed: its own, else the block's and its own. */
export function freeArgument(definition: DefinitionJson, node: string, setting: string): string {
  const wanted = [setting, `${node}_${setting}`];
  for (let i = 2; i < 100; i += 1) wanted.push(`${node}_${setting}${i}`);
  return wanted.find((name) => argumentProblem(definition, name) === null) ?? setting;
}

const mapSettings = (definition: DefinitionJson, change: (value: Json, node: string, setting: string) => Json): NodeJson[] =>
  definition.nodes.map((n) => ({ ...n, settings: Object.fromEntries(Object.entries(n.settings).map(([k, v]) => [k, change(v, n.id, k)])) }));

/** Make a setting of an inner block one of the block itself; all uses get the value it has now. */
export function exposeEdits(project: Project, block: string, node: string, setting: string): Edit[] {
  const definition = definitionOf(project, block);
  const value = definition?.nodes.find((n) => n.id === node)?.settings[setting];
  if (!definition || value === undefined || argumentOf(value) !== null) return [];
  const argument = freeArgument(definition, node, setting);
  const nodes = mapSettings(definition, (v, id, k) => (id === node && k === setting ? { argument } : v));
  const changed = { ...definition, arguments: { ...definition.arguments, [argument]: value }, nodes };
  return withUses(project, put(project, block, changed), block, (n) => ({ ...n, settings: { ...n.settings, [argument]: value } }));
}

/** Give a setting of an inner block its own value again; an argument that then feeds nothing is gone from all uses. */
export function concealEdits(project: Project, block: string, node: string, setting: string): Edit[] {
  const definition = definitionOf(project, block);
  const argument = argumentOf(definition?.nodes.find((n) => n.id === node)?.settings[setting]);
  if (!definition || argument === null) return [];
  const value = definition.arguments[argument] ?? null;
  const nodes = mapSettings(definition, (v, id, k) => (id === node && k === setting ? value : v));
  const changed = { ...definition, nodes };
  const fed = nodes.some((n) => Object.values(n.settings).some((v) => argumentOf(v) === argument));
  return fed ? [{ op: "set_part", part: "blocks", value: put(project, block, changed) as Json }] : removeArgumentEdits({ ...project, blocks: put(project, block, changed) }, block, argument);
}

/** Take a setting off a block: what it fed keeps its usual value. */
export function removeArgumentEdits(project: Project, block: string, argument: string): Edit[] {
  const definition = definitionOf(project, block);
  if (!definition) return [];
  const { [argument]: value = null, ...rest } = definition.arguments;
  const nodes = mapSettings(definition, (v) => (argumentOf(v) === argument ? value : v));
  return withUses(project, put(project, block, { ...definition, arguments: rest, nodes }), block, (n) => {
    const { [argument]: _, ...settings } = n.settings;
    return { ...n, settings };
  });
}

export function renameArgumentEdits(project: Project, block: string, from: string, to: string): Edit[] {
  const definition = definitionOf(project, block);
  if (!definition) return [];
  const swap = (settings: Settings): Settings => Object.fromEntries(Object.entries(settings).map(([k, v]) => [k === from ? to : k, v]));
  const nodes = mapSettings(definition, (v) => (argumentOf(v) === from ? { argument: to } : v));
  return withUses(project, put(project, block, { ...definition, arguments: swap(definition.arguments), nodes }), block, (n) => ({ ...n, settings: swap(n.settings) }));
}

/** Set the usual value of a setting: what new uses get, and what is shown inside. */
export function usualEdits(project: Project, block: string, argument: string, value: Json): Edit[] {
  const definition = definitionOf(project, block);
  return definition ? [{ op: "set_part", part: "blocks", value: put(project, block, { ...definition, arguments: { ...definition.arguments, [argument]: value } }) as Json }] : [];
}

// --- making one of a selection --------------------------------------------------------------------

/** Settings of the selected blocks that may become one setting of the new block: equal values of the same name together. */
export interface Offer {
  name: string;
  label: string;
  value: Json;
  feeds: [string, string][];
}

export function offersOf(nodes: readonly NodeJson[], specs: (block: string) => readonly { name: string; label: string }[], skip: (block: string) => string | null): Offer[] {
  const offers: Offer[] = [];
  for (const node of nodes)
    for (const spec of specs(node.block)) {
      const value = node.settings[spec.name];
      if (value === undefined || argumentOf(value) !== null || spec.name === skip(node.block)) continue;
      const same = offers.find((o) => o.label === spec.name && JSON.stringify(o.value) === JSON.stringify(value));
      if (same) same.feeds.push([node.id, spec.name]);
      else {
        const base = spec.name === REPEAT ? `${node.id}_${REPEAT}` : spec.name;
        const name = offers.some((o) => o.name === base) ? `${node.id}_${spec.name}` : base;
        offers.push({ name, label: spec.name, value, feeds: [[node.id, spec.name]] });
      }
    }
  return offers;
}

/** A sentence that says why these blocks cannot be one, or null; Python has the last word. */
export function selectionProblem(network: NetworkJson, ids: readonly string[], kind: (block: string) => string | undefined): string | null {
  const inside = new Set(ids);
  const chosen = network.nodes.filter((n) => inside.has(n.id));
  if (chosen.length === 0) return "Select the blocks that shall become one first.";
  const end = chosen.find((n) => kind(n.block) === "input" || kind(n.block) === "output");
  if (end) return `${end.id} is an end of the network; a block is made of what lies in between. Take it out of the selection.`;
  const leaving = chosen.filter((n) => network.edges.some((e) => e.source === n.id && !inside.has(e.target))).map((n) => n.id);
  const results = leaving.length ? leaving : chosen.filter((n) => !network.edges.some((e) => e.source === n.id)).map((n) => n.id);
  const after = walk(network, inside, "source", "target");
  const before = walk(network, inside, "target", "source");
  const between = network.nodes.filter((n) => after.has(n.id) && before.has(n.id) && !inside.has(n.id)).map((n) => n.id);
  if (between.length) return `A wire leaves the selection and comes back to it through ${between.join(", ")}. Select ${between.length === 1 ? "it" : "them"} too.`;
  if (results.length > 1) return `The selection gives ${results.length} results: ${results.slice(0, -1).join(", ")} and ${results.at(-1)}. A block gives one.`;
  return null;
}

function walk(network: NetworkJson, from: ReadonlySet<string>, a: "source" | "target", b: "source" | "target"): Set<string> {
  const seen = new Set(from);
  const todo = [...from];
  for (let at = todo.pop(); at !== undefined; at = todo.pop())
    for (const e of network.edges)
      if (e[a] === at && !seen.has(e[b])) {
        seen.add(e[b]);
        todo.push(e[b]);
      }
  return seen;
}

// --- the library ----------------------------------------------------------------------------------

/** The definitions to be copied into the project before these edits, which use blocks of the library. */
export function libraryEdits(project: Project, library: Record<string, { blocks: Record<string, Json> }>, edits: readonly Edit[]): Edit[] {
  const missing: Project["blocks"] = {};
  for (const edit of edits) {
    if (edit.op !== "add_node" || edit.node.block in project.blocks) continue;
    for (const [name, definition] of Object.entries(library[edit.node.block]?.blocks ?? {})) if (!(name in project.blocks)) missing[name] = definition;
  }
  return Object.keys(missing).length ? [{ op: "set_part", part: "blocks", value: { ...project.blocks, ...missing } as Json }] : [];
}

/** The definition in the project that a block of the library needs another one of, or null: both cannot be had. */
export function libraryClash(project: Project, library: Record<string, { blocks: Record<string, Json> }>, block: string): string | null {
  if (block in project.blocks) return null;
  const needed = Object.entries(library[block]?.blocks ?? {});
  return needed.find(([name, d]) => name in project.blocks && !sameJson(project.blocks[name] as Json, d))?.[0] ?? null;
}

/** The definitions these blocks consist of, as far as the project has them. */
export function definitionsOf(project: Project, names: readonly string[]): Project["blocks"] {
  const found = new Set<string>();
  const todo = [...names];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (found.has(name) || !(name in project.blocks)) continue;
    found.add(name);
    todo.push(...(definitionOf(project, name)?.nodes ?? []).map((n) => n.block));
  }
  return Object.fromEntries(Object.entries(project.blocks).filter(([name]) => found.has(name)));
}

// --- ports ----------------------------------------------------------------------------------------

/** The input blocks of a definition with the ports they stand for: one is called as that of any block, several as they are. */
function portsInside(definition: DefinitionJson | undefined, isInput: (block: string) => boolean): Map<string, string> {
  const ids = (definition?.nodes ?? []).filter((n) => isInput(n.block)).map((n) => n.id);
  return new Map(ids.map((id) => [id, ids.length === 1 ? "in" : id]));
}

/** The project after an edit, where wires at uses follow the inputs of their block: renamed, or gone with them. */
export function followPorts(before: Project, after: Project, isInput: (block: string) => boolean, renames: ReadonlyMap<string, string>): Project {
  let project = after;
  for (const block of Object.keys(after.blocks)) {
    if (before.blocks[block] === after.blocks[block] || !(block in before.blocks)) continue;
    const was = portsInside(definitionOf(before, block), isInput);
    const now = portsInside(definitionOf(after, block), isInput);
    const moved = new Map([...was].map(([id, port]) => [port, now.get(renames.get(id) ?? id) ?? null]));
    if ([...moved].every(([port, to]) => port === to)) continue;
    const follow = <N extends NetworkJson>(network: N): N => {
      const uses = new Set(network.nodes.filter((n) => n.block === block).map((n) => n.id));
      if (uses.size === 0) return network;
      const edges = network.edges.flatMap((e) => {
        const to = uses.has(e.target) ? moved.get(e.target_port) : e.target_port;
        return to === null ? [] : [to === undefined || to === e.target_port ? e : { ...e, target_port: to }];
      });
      return { ...network, edges };
    };
    project = {
      ...project,
      networks: Object.fromEntries(Object.entries(project.networks).map(([name, n]) => [name, follow(n)])),
      blocks: Object.fromEntries(Object.entries(project.blocks).map(([name, raw]) => [name, name !== block && readable(raw) ? follow(readable(raw) as DefinitionJson) : raw])),
    };
  }
  return project;
}
