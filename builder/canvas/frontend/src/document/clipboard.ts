import type { EdgeJson, Edit, NetworkJson, NodeJson } from "../types";
import { freeId } from "./graph";

/** Copied blocks as text, so that they can be pasted into another project or another tab. */
export interface Clip {
  layerloom: "blocks";
  nodes: NodeJson[];
  edges: EdgeJson[];
}

export function toClip(network: NetworkJson, ids: readonly string[]): Clip {
  const chosen = new Set(ids);
  return {
    layerloom: "blocks",
    nodes: network.nodes.filter((n) => chosen.has(n.id)),
    edges: network.edges.filter((e) => chosen.has(e.source) && chosen.has(e.target)),
  };
}

/** The blocks in a text, or null when it holds something else. */
export function readClip(text: string): Clip | null {
  if (!text.startsWith("{") || text.length > 5_000_000) return null;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return null; // some other text
  }
  const clip = data as Partial<Clip>;
  if (clip.layerloom !== "blocks" || !Array.isArray(clip.nodes) || !Array.isArray(clip.edges)) return null;
  const good = clip.nodes.every(
    (n) =>
      typeof n.id === "string" &&
      typeof n.block === "string" &&
      typeof n.settings === "object" &&
      n.settings !== null &&
      Array.isArray(n.position) &&
      n.position.length === 2 &&
      n.position.every((p) => Number.isFinite(p)),
  );
  return good && clip.nodes.length > 0 ? (clip as Clip) : null;
}

export function pasteEdits(
  networkName: string,
  network: NetworkJson,
  clip: Clip,
  offset: [number, number],
): { edits: Edit[]; ids: string[] } {
  const taken = new Set(network.nodes.map((n) => n.id));
  const spots = new Set(network.nodes.map((n) => n.position.join()));
  let [dx, dy] = offset;
  while (clip.nodes.some((n) => spots.has(`${n.position[0] + dx},${n.position[1] + dy}`))) {
    dx += 24;
    dy += 24;
  }
  const names = new Map<string, string>();
  const edits: Edit[] = [];
  for (const node of clip.nodes) {
    let id = node.id;
    if (taken.has(id)) id = freeId(taken, node.id.replace(/\d+$/, "") || "block");
    taken.add(id);
    names.set(node.id, id);
    edits.push({
      op: "add_node",
      network: networkName,
      node: {
        id,
        block: node.block,
        version: node.version ?? 1,
        settings: node.settings,
        position: [node.position[0] + dx, node.position[1] + dy],
        folded: node.folded ?? true,
        note: node.note ?? "",
      },
    });
  }
  for (const edge of clip.edges) {
    const source = names.get(edge.source);
    const target = names.get(edge.target);
    if (source !== undefined && target !== undefined)
      edits.push({ op: "add_edge", network: networkName, edge: { ...edge, source, target } });
  }
  return { edits, ids: [...names.values()] };
}
