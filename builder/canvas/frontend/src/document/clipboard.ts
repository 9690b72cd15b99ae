import type { EdgeJson, Edit, Json, NetworkJson, NodeJson, Settings } from "../types";
import { argumentOf } from "./definitions";
import { freeId } from "./graph";

/** Copied blocks as text, so that they can be pasted into another project or another tab. */
export interface Clip {
  layerloom: "blocks";
  nodes: NodeJson[];
  edges: EdgeJson[];
  /** Definitions of own blocks among them, and of those these consist of. */
  blocks?: Record<string, Json>;
  /** Copied inside an own block: the usual values of its arguments. */
  usual?: Settings;
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
  const plain = (part: unknown): boolean => part === undefined || (typeof part === "object" && part !== null && !Array.isArray(part));
  return good && plain(clip.blocks) && plain(clip.usual) && clip.nodes.length > 0 ? (clip as Clip) : null;
}

/** Settings as they can stand where they are pasted: what took an argument that is not there gets its usual value. */
function settled(settings: Settings, usual: Settings, known: ReadonlySet<string>): Settings {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const argument = argumentOf(value);
      return [name, argument === null || known.has(argument) ? value : (usual[argument] ?? null)];
    }),
  );
}

export function pasteEdits(
  networkName: string,
  network: NetworkJson,
  clip: Clip,
  offset: [number, number],
  known: ReadonlySet<string> = new Set(),
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
        settings: settled(node.settings, clip.usual ?? {}, known),
        position: [node.position[0] + dx, node.position[1] + dy],
        folded: node.folded ?? true,
        note: node.note ?? "",
        ...(node.rate === undefined ? {} : { rate: node.rate }),
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
