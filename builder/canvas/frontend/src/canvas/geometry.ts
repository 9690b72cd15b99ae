import type { Catalogue, EdgeJson, InnerJson, NetworkJson, NodeAnnotation, NodeJson } from "../types";
import { edgeId } from "../document/edits";
import { portsOf } from "../document/graph";

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}
export type Point = [number, number];

export const NODE_W = 104;
export const NODE_H = 118;
export const SMALL = 44;
const PORT_STEP = 18;

/** How a block is drawn: a card with a picture, a small tile, or an opened group. */
export type Look = "card" | "tile" | "group";

export function lookOf(node: NodeJson, catalogue: Catalogue, annotation: NodeAnnotation | undefined): Look {
  const block = catalogue.blocks[node.block];
  if (block?.kind === "composite" && !node.folded && annotation?.inner?.length) return "group";
  return block && (block.category === "activation" || block.category === "merge") ? "tile" : "card";
}

export function sizeOf(
  node: NodeJson,
  catalogue: Catalogue,
  annotation: NodeAnnotation | undefined,
  edges: readonly EdgeJson[],
): { w: number; h: number; look: Look } {
  const look = lookOf(node, catalogue, annotation);
  if (look === "group") {
    const { width, height } = innerLayout(annotation?.inner ?? []);
    return { w: width, h: height, look };
  }
  const ports = portsOf(node, catalogue.blocks[node.block], edges).length;
  if (look === "tile") {
    const label = catalogue.blocks[node.block]?.label ?? node.block;
    return { w: Math.max(SMALL, Math.round(label.length * 7.5) + 10), h: Math.max(SMALL, ports * PORT_STEP + 12), look };
  }
  return { w: NODE_W, h: Math.max(NODE_H, ports * PORT_STEP + 40), look };
}

/** The height of the k-th of n input ports on a block's left side. */
export const portY = (h: number, k: number, n: number): number =>
  n <= 1 ? h / 2 : h / 2 + (k - (n - 1) / 2) * Math.min(PORT_STEP, (h - 12) / n);

/**
 * The ports of a block from top to bottom. Named ones stand in the order of the blocks that feed them, so that
 * their wires need not cross: a skip comes in above what comes up from below. Numbered ones keep their order.
 */
export function drawnPorts(node: NodeJson, network: NetworkJson, catalogue: Catalogue): string[] {
  const block = catalogue.blocks[node.block];
  const ports = portsOf(node, block, network.edges);
  if (ports.length < 2 || block?.variadic) return ports;
  const heights = new Map<string, number>();
  for (const e of network.edges) {
    const source = e.target === node.id ? network.nodes.find((n) => n.id === e.source) : undefined;
    if (source) heights.set(e.target_port, source.position[1]);
  }
  const height = (port: string): number => heights.get(port) ?? Number.NaN;
  return heights.size < ports.length ? ports : [...ports].sort((a, b) => height(a) - height(b));
}

// --- routes -------------------------------------------------------------------------------------

export interface Route {
  path: string;
  /** Where the pill with the shape stands, and the room for it. */
  label: Point;
  room: number;
  points: Point[];
}

interface Placed extends Box {
  ports: string[];
}

/** Where every wire of a network runs: straight where nothing is in the way, over or under blocks where there is. */
export function routes(
  network: NetworkJson,
  boxes: ReadonlyMap<string, Box>,
  catalogue: Catalogue,
): Map<string, Route> {
  const placed = new Map<string, Placed>();
  for (const node of network.nodes) {
    const box = boxes.get(node.id);
    if (box) placed.set(node.id, { ...box, ports: drawnPorts(node, network, catalogue) });
  }
  const all = [...placed.entries()];
  const found = new Map<string, Route>();
  const lanes = new Lanes();
  const order = [...network.edges].sort((a, b) => span(a, placed) - span(b, placed));
  for (const edge of order) {
    const from = placed.get(edge.source);
    const to = placed.get(edge.target);
    if (!from || !to) continue;
    const start: Point = [from.x + from.w, from.y + from.h / 2];
    const index = Math.max(0, to.ports.indexOf(edge.target_port));
    const end: Point = [to.x, to.y + portY(to.h, index, to.ports.length)];
    const others = all.filter(([id]) => id !== edge.source && id !== edge.target).map(([, box]) => box);
    found.set(edgeId(edge), finish(trace(start, end, from, to, others, lanes)));
  }
  return found;
}

const span = (e: EdgeJson, placed: ReadonlyMap<string, Box>): number =>
  Math.abs((placed.get(e.target)?.x ?? 0) - (placed.get(e.source)?.x ?? 0));

/** Keeps parallel horizontal stretches apart. */
class Lanes {
  private taken: { y: number; from: number; to: number }[] = [];

  place(y: number, from: number, to: number, step: number): number {
    const [a, b] = from < to ? [from, to] : [to, from];
    let at = y;
    while (this.taken.some((t) => Math.abs(t.y - at) < 8 && t.from < b && t.to > a)) at += step;
    this.taken.push({ y: at, from: a, to: b });
    return at;
  }
}

const OUT = 14;

function trace(start: Point, end: Point, from: Box, to: Box, others: Box[], lanes: Lanes): Point[] {
  const [sx, sy] = start;
  const [ex, ey] = end;
  if (ex - sx >= 10) {
    const mid = ex - sx > 2 * OUT ? ex - OUT : (sx + ex) / 2;
    const plain: Point[] = Math.abs(sy - ey) < 1 ? [start, end] : [start, [mid, sy], [mid, ey], end];
    if (!blocked(plain, others)) return plain;
    const late: Point[] = [start, [sx + OUT, sy], [sx + OUT, ey], end];
    if (!blocked(late, others)) return late;
    // Something is in the way: pass over it, or under it where that is shorter.
    const between = others.filter((o) => o.x < ex && o.x + o.w > sx && o.y < Math.max(sy, ey) + 60 && o.y + o.h > Math.min(sy, ey) - 60);
    const top = Math.min(from.y, to.y, ...between.map((o) => o.y)) - 14;
    const bottom = Math.max(from.y + from.h, to.y + to.h, ...between.map((o) => o.y + o.h)) + 14;
    const over = Math.abs(sy - top) + Math.abs(ey - top);
    const under = Math.abs(sy - bottom) + Math.abs(ey - bottom);
    const y = over <= under + 8 ? lanes.place(top, sx, ex, -9) : lanes.place(bottom, sx, ex, 9);
    return [start, [sx + OUT - 4, sy], [sx + OUT - 4, y], [ex - OUT + 4, y], [ex - OUT + 4, ey], end];
  }
  // Backwards: between the rows where there is room, else round the lower block.
  const upper = from.y <= to.y ? from : to;
  const lower = from.y <= to.y ? to : from;
  const crossed = others.filter((o) => o.x < sx + 2 * OUT && o.x + o.w > ex - 2 * OUT);
  const overlaps = (o: Box, row: Box): boolean => o.y < row.y + row.h && o.y + o.h > row.y;
  const floor = Math.max(upper.y + upper.h, ...crossed.filter((o) => overlaps(o, upper)).map((o) => o.y + o.h));
  const ceiling = Math.min(lower.y, ...crossed.filter((o) => overlaps(o, lower) && o.y > floor).map((o) => o.y));
  // What hangs below the upper row stays above the wire that leaves it, where there is room.
  const hanging = from === upper ? Math.max(floor, ...crossed.filter((o) => o.y >= floor && o.y + o.h <= ceiling - 14).map((o) => o.y + o.h)) : floor;
  let y: number;
  if (hanging > floor) y = (hanging + ceiling) / 2;
  else if (ceiling - floor >= 14) y = ceiling - floor > 120 ? (from === upper ? ceiling - 26 : floor + 26) : (floor + ceiling) / 2;
  else y = Math.max(from.y + from.h, to.y + to.h, ...crossed.map((o) => o.y + o.h)) + 18;
  y = lanes.place(y, sx + OUT, ex - OUT, 9);
  return [start, [sx + OUT, sy], [sx + OUT, y], [ex - OUT, y], [ex - OUT, ey], end];
}

function blocked(points: Point[], others: Box[]): boolean {
  for (let i = 1; i < points.length; i += 1) {
    const [ax, ay] = points[i - 1] as Point;
    const [bx, by] = points[i] as Point;
    const x0 = Math.min(ax, bx);
    const x1 = Math.max(ax, bx);
    const y0 = Math.min(ay, by);
    const y1 = Math.max(ay, by);
    if (others.some((o) => o.x < x1 && o.x + o.w > x0 && o.y - 3 < y1 && o.y + o.h + 3 > y0)) return true;
  }
  return false;
}

function finish(points: Point[]): Route {
  let best = 0;
  let label: Point = points[0] ?? [0, 0];
  for (let i = 1; i < points.length; i += 1) {
    const [ax, ay] = points[i - 1] as Point;
    const [bx, by] = points[i] as Point;
    if (ay === by && Math.abs(bx - ax) > best) {
      best = Math.abs(bx - ax);
      label = [(ax + bx) / 2, ay];
    }
  }
  return { path: rounded(points, 8), label, room: best, points };
}

export function rounded(points: Point[], radius: number): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first[0]} ${first[1]}`;
  rest.forEach((corner, i) => {
    const next = rest[i + 1];
    const before = i === 0 ? first : (rest[i - 1] as Point);
    if (!next) {
      path += `L${corner[0]} ${corner[1]}`;
      return;
    }
    const inLength = Math.hypot(corner[0] - before[0], corner[1] - before[1]);
    const outLength = Math.hypot(next[0] - corner[0], next[1] - corner[1]);
    const r = Math.min(radius, inLength / 2, outLength / 2);
    if (r < 0.5) {
      path += `L${corner[0]} ${corner[1]}`;
      return;
    }
    const a: Point = [corner[0] - ((corner[0] - before[0]) / inLength) * r, corner[1] - ((corner[1] - before[1]) / inLength) * r];
    const b: Point = [corner[0] + ((next[0] - corner[0]) / outLength) * r, corner[1] + ((next[1] - corner[1]) / outLength) * r];
    path += `L${a[0]} ${a[1]}Q${corner[0]} ${corner[1]} ${b[0]} ${b[1]}`;
  });
  return path;
}

/** The wire nearest to a point, within `reach` canvas units. */
export function nearest(found: ReadonlyMap<string, Route>, [px, py]: Point, reach: number): string | null {
  let best = reach;
  let name: string | null = null;
  for (const [id, route] of found) {
    for (let i = 1; i < route.points.length; i += 1) {
      const d = distance([px, py], route.points[i - 1] as Point, route.points[i] as Point);
      if (d < best) {
        best = d;
        name = id;
      }
    }
  }
  return name;
}

function distance([px, py]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length));
  return Math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay));
}

// --- the inside of an opened block --------------------------------------------------------------

export interface InnerBox extends Box {
  inner: InnerJson;
}

export interface InnerPicture {
  width: number;
  height: number;
  boxes: InnerBox[];
  wires: { path: string; label: Point; room: number; shape: number[] | null }[];
}

let layouter: ((inner: InnerJson[]) => InnerPicture) | null = null;
const pictures = new WeakMap<InnerJson[], InnerPicture>();

/** Given once by layout.ts, which alone knows dagre. */
export function setInnerLayout(f: (inner: InnerJson[]) => InnerPicture): void {
  layouter = f;
}

export function innerLayout(inner: InnerJson[]): InnerPicture {
  let picture = pictures.get(inner);
  if (!picture) {
    picture = layouter ? layouter(inner) : { width: NODE_W, height: NODE_H, boxes: [], wires: [] };
    pictures.set(inner, picture);
  }
  return picture;
}
