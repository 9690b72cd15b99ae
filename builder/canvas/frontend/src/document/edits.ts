import { blockOf, readable } from "./definitions";
import type { Edit, EdgeJson, NetworkJson, NodeJson, Project } from "../types";

/** An edit does not fit the project (an unknown block, say). The message is a sentence. */
export class EditError extends Error {}

export const sameEdge = (a: EdgeJson, b: EdgeJson): boolean =>
  a.source === b.source &&
  a.source_port === b.source_port &&
  a.target === b.target &&
  a.target_port === b.target_port;

export const edgeId = (e: EdgeJson): string => `${e.source}|${e.source_port}>${e.target}|${e.target_port}`;

/** The project after these edits, in order; the same vocabulary and results as builder/edits.py. */
export function applyEdits(project: Project, edits: readonly Edit[]): Project {
  return edits.reduce(applyEdit, project);
}

const PARTS = new Set(["name", "data", "task", "loss", "optimizer", "training", "blocks", "weights"]);

function applyEdit(project: Project, edit: Edit): Project {
  switch (edit.op) {
    case "replace_project":
      return edit.value;
    case "set_part":
      if (!PARTS.has(edit.part)) throw new EditError(`A project has no part "${edit.part}".`);
      return { ...project, [edit.part]: edit.value };
    case "set_network": {
      const block = project.networks[edit.network] ? null : blockOf(edit.network);
      if (block !== null && edit.value !== null) return define(project, block, () => edit.value as NetworkJson);
      const networks = { ...project.networks };
      if (edit.value === null) delete networks[edit.network];
      else networks[edit.network] = edit.value;
      return { ...project, networks };
    }
  }
  const network = project.networks[edit.network];
  const block = blockOf(edit.network);
  if (!network && block !== null && readable(project.blocks[block])) return define(project, block, (inside) => editNetwork(inside, edit));
  if (!network) throw new EditError(`There is no network called "${edit.network}".`);
  return { ...project, networks: { ...project.networks, [edit.network]: editNetwork(network, edit) } };
}

/** The project with the inside of an own block changed: all its uses follow. */
function define(project: Project, block: string, change: (inside: NetworkJson) => NetworkJson): Project {
  const definition = readable(project.blocks[block]);
  if (!definition) throw new EditError(`There is no block called "${block}".`);
  const { nodes, edges } = change(definition);
  return { ...project, blocks: { ...project.blocks, [block]: { ...definition, nodes, edges } } };
}

type NetworkEdit = Exclude<Edit, { op: "replace_project" } | { op: "set_part" } | { op: "set_network" }>;

function editNetwork(network: NetworkJson, edit: NetworkEdit): NetworkJson {
  switch (edit.op) {
    case "add_node":
      if (network.nodes.some((n) => n.id === edit.node.id))
        throw new EditError(`There is already a block called "${edit.node.id}".`);
      return { ...network, nodes: [...network.nodes, edit.node] };
    case "add_edge":
      if (network.edges.some((e) => sameEdge(e, edit.edge))) return network;
      return { ...network, edges: [...network.edges, edit.edge] };
    case "remove_edge":
      return { ...network, edges: network.edges.filter((e) => !sameEdge(e, edit.edge)) };
  }
  const node = network.nodes.find((n) => n.id === edit.id);
  if (!node) throw new EditError(`There is no block called "${edit.id}".`);
  const put = (changed: NodeJson): NetworkJson => ({
    ...network,
    nodes: network.nodes.map((n) => (n === node ? changed : n)),
  });
  switch (edit.op) {
    case "remove_node":
      return {
        nodes: network.nodes.filter((n) => n !== node),
        edges: network.edges.filter((e) => e.source !== node.id && e.target !== node.id),
      };
    case "rename_node":
      if (edit.to !== node.id && network.nodes.some((n) => n.id === edit.to))
        throw new EditError(`There is already a block called "${edit.to}".`);
      return renamed(put({ ...node, id: edit.to }), node.id, edit.to);
    case "replace_node":
      return renamed(put(edit.node), node.id, edit.node.id);
    case "set":
      return put({ ...node, settings: { ...node.settings, [edit.setting]: edit.value } });
    case "move_node":
      return put({ ...node, position: edit.position });
    case "fold_node":
      return put({ ...node, folded: edit.folded });
  }
}

function renamed(network: NetworkJson, id: string, to: string): NetworkJson {
  if (id === to) return network;
  return {
    ...network,
    edges: network.edges.map((e) =>
      e.source === id || e.target === id
        ? { ...e, source: e.source === id ? to : e.source, target: e.target === id ? to : e.target }
        : e,
    ),
  };
}
