import dagre from "@dagrejs/dagre";
import type { Catalogue, InnerJson, NetworkAnnotation, NetworkJson } from "../types";
import { shapeText } from "./format";
import { type Box, type InnerPicture, type Point, type Route, rounded, setInnerLayout, sizeOf } from "./geometry";
import { LEAST, NEAR } from "./look";

const LONELY_GAP = 24;

/** The room between blocks, in canvas units: of a wire with this shape, between rows, and there for skips besides. */
interface Gaps {
  wire: (shape: string) => number;
  row: number;
  skip: number;
}
/** Every wire has room for its shape. */
const ROOMY: Gaps = { wire: (shape) => Math.max(38, pillWidth(shape)) + 4, row: 42, skip: 20 };
/** The blocks say the shapes themselves. */
const CLOSE: Gaps = { wire: () => 20, row: 24, skip: 14 };

export const pillWidth = (text: string): number => Math.round(text.length * 6.65) + 14;

/** Whether a wire is long enough for the pill with its shape. */
export const hasRoom = (route: Route | undefined, text: string): boolean => (route?.room ?? 0) >= pillWidth(text) - 4;

/** Blocks whose shape stands on no wire, neither on their own nor, where an activation keeps it, on the next. */
export function untoldBlocks(network: NetworkJson, annotation: NetworkAnnotation | undefined, wires: readonly { source: string; target: string; data?: { route: Route | undefined; hidden: boolean } }[]): Set<string> {
  const out = new Map<string, (typeof wires)[number][]>();
  for (const wire of wires) out.set(wire.source, [...(out.get(wire.source) ?? []), wire]);
  const told = (id: string, seen: ReadonlySet<string>): boolean =>
    !seen.has(id) &&
    (out.get(id) ?? []).some((w) => (w.data?.hidden ? told(w.target, new Set(seen).add(id)) : hasRoom(w.data?.route, shapeText(annotation?.nodes[id]?.shape))));
  return new Set(network.nodes.flatMap((n) => (out.has(n.id) && !told(n.id, new Set()) ? [n.id] : [])));
}

/** Whether the wire into this block says nothing new: the block keeps the shape and shows it on its own output. */
export function quiet(
  network: NetworkJson,
  catalogue: Catalogue,
  annotation: NetworkAnnotation | undefined,
  source: string,
  target: string,
): boolean {
  const node = network.nodes.find((n) => n.id === target);
  if (!node || catalogue.blocks[node.block]?.category !== "activation") return false;
  const a = annotation?.nodes[source]?.shape;
  const b = annotation?.nodes[target]?.shape;
  if (!a || !b) return true;
  return shapeText(a) === shapeText(b);
}

/**
 * Positions for all blocks: left to right by dagre, long networks wrapped into rows that fit a window. One so large
 * that its wires would be drawn without their shapes is drawn without room for them, and so larger.
 */
export function layout(
  network: NetworkJson,
  catalogue: Catalogue,
  annotation: NetworkAnnotation | undefined,
  view: { width: number; height: number },
): Map<string, Point> {
  const sizes = new Map(
    network.nodes.map((n) => [n.id, sizeOf(n, catalogue, annotation?.nodes[n.id], network.edges)] as const),
  );
  const drawn = (gaps: Gaps): Arrangement => wrap(network, catalogue, inOneRow(network, catalogue, annotation, sizes, gaps), view, gaps);
  let best = drawn(ROOMY);
  if (best.zoom < NEAR) {
    const close = drawn(CLOSE);
    if (close.zoom > best.zoom * 1.06) best = close;
  }
  const placed = best.boxes;
  placeLonely(network, sizes, placed);
  return new Map([...placed].map(([id, b]) => [id, [Math.round(b.x), Math.round(b.y)]]));
}

function inOneRow(
  network: NetworkJson,
  catalogue: Catalogue,
  annotation: NetworkAnnotation | undefined,
  sizes: ReadonlyMap<string, { w: number; h: number }>,
  gaps: Gaps,
): Map<string, Box> {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, edgesep: 18, ranksep: 7, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  const wired = new Set(network.edges.flatMap((e) => [e.source, e.target]));
  for (const node of network.nodes) {
    const size = sizes.get(node.id);
    if (size && (wired.has(node.id) || wired.size === 0)) graph.setNode(node.id, { width: size.w, height: size.h });
  }
  network.edges.forEach((e, i) => {
    const hidden = quiet(network, catalogue, annotation, e.source, e.target);
    const text = shapeText(annotation?.nodes[e.source]?.shape ?? [64, 28, 28]);
    graph.setEdge(e.source, e.target, { width: hidden ? 8 : gaps.wire(text), height: 16, labelpos: "c", weight: 2 }, String(i));
  });
  dagre.layout(graph);

  const boxes = new Map<string, Box>();
  for (const id of graph.nodes()) {
    const at = graph.node(id) as { x: number; y: number; width: number; height: number };
    boxes.set(id, { x: at.x - at.width / 2, y: at.y - at.height / 2, w: at.width, h: at.height });
  }
  straighten(boxes);
  return boxes;
}

/**
 * The spine of a network should run along one line. Blocks that stand alone in their column are put on
 * it; a stretch of parallel branches is moved as a whole, so that it lies evenly around it.
 */
function straighten(boxes: Map<string, Box>): void {
  const list = [...boxes.values()].sort((a, b) => a.x - b.x);
  const columns: Box[][] = [];
  let right = Number.NEGATIVE_INFINITY;
  for (const box of list) {
    if (box.x < right) columns.at(-1)?.push(box);
    else columns.push([box]);
    right = Math.max(right, box.x + box.w);
  }
  for (let i = 0; i < columns.length; ) {
    let end = i + 1;
    const alone = columns[i]?.length === 1;
    while (!alone && end < columns.length && (columns[end]?.length ?? 0) > 1) end += 1;
    const group = columns.slice(i, end).flat();
    const top = Math.min(...group.map((b) => b.y));
    const bottom = Math.max(...group.map((b) => b.y + b.h));
    for (const box of group) box.y -= (top + bottom) / 2;
    i = end;
  }
}

/** Where blocks stand, and how large a window shows all of them, at most in their own size. */
interface Arrangement {
  boxes: Map<string, Box>;
  zoom: number;
}

/** Cut a long drawing into rows, at places where as few wires as possible cross, so that it can be read without zooming. */
function wrap(network: NetworkJson, catalogue: Catalogue, boxes: Map<string, Box>, view: { width: number; height: number }, gaps: Gaps): Arrangement {
  const list = [...boxes.entries()].sort((a, b) => a[1].x - b[1].x);
  if (list.length < 2) return { boxes, zoom: 1 };
  const left = Math.min(...list.map(([, b]) => b.x));
  const total = Math.max(...list.map(([, b]) => b.x + b.w)) - left;
  // A cut is possible left of a block that nothing overlaps.
  const cuts: Cut[] = [];
  const families = new Map(network.nodes.map((n) => [n.id, catalogue.blocks[n.block]?.category]));
  let right = Number.NEGATIVE_INFINITY;
  for (const [id, box] of list) {
    if (box.x >= right && right !== Number.NEGATIVE_INFINITY) {
      const x = box.x;
      const crossing = network.edges.filter((e) => {
        const a = boxes.get(e.source);
        const b = boxes.get(e.target);
        return a && b && a.x < x && b.x >= x;
      }).length;
      cuts.push({ x, crossing, awkward: families.get(id) === "activation" });
    }
    right = Math.max(right, box.x + box.w);
  }
  const skips = network.edges.some((e) => {
    const a = boxes.get(e.source);
    const b = boxes.get(e.target);
    return a && b && passes(a, b, list);
  });
  let best: Map<string, Box> = boxes;
  let bestZoom = 0;
  // A row best ends where one wire leads on. Where that leaves the drawing too small to be read, such as under a
  // skip from the first block to the last, it may end elsewhere.
  for (const most of [1, Number.POSITIVE_INFINITY]) {
    for (let rows = 1; rows <= 8 && bestZoom < 1; rows += 1) {
      const tried = cutInto(list, cuts.filter((c) => c.crossing <= most), rows, left, total, gaps.row + (skips ? gaps.skip : 0));
      const w = Math.max(...[...tried.values()].map((b) => b.x + b.w));
      const h = Math.max(...[...tried.values()].map((b) => b.y + b.h));
      const zoom = Math.min(1, view.width / (w + 48), view.height / (h + 44));
      if (zoom > bestZoom * 1.06) {
        bestZoom = zoom;
        best = tried;
      }
    }
    if (bestZoom >= LEAST) break;
  }
  return { boxes: best, zoom: bestZoom };
}

/** Whether a wire from one block to another has to go round a third. */
function passes(a: Box, b: Box, all: readonly [string, Box][]): boolean {
  const [ay, by] = [a.y + a.h / 2, b.y + b.h / 2];
  return all.some(([, o]) => o.x >= a.x + a.w && o.x + o.w <= b.x && o.y < Math.max(ay, by) && o.y + o.h > Math.min(ay, by));
}

/** A place where a row may end; awkward, where an activation would be torn from its layer. */
interface Cut {
  x: number;
  crossing: number;
  awkward: boolean;
}

function cutInto(
  list: [string, Box][],
  cuts: Cut[],
  rows: number,
  left: number,
  total: number,
  gap: number,
): Map<string, Box> {
  const chosen: number[] = [];
  for (let k = 1; k < rows; k += 1) {
    const ideal = left + (total * k) / rows;
    const slack = total / rows / 2;
    const options = cuts.filter((c) => Math.abs(c.x - ideal) < slack && c.x > (chosen.at(-1) ?? left));
    const cost = (c: Cut): number => c.crossing * 10_000 + Math.abs(c.x - ideal) + (c.awkward ? 130 : 0);
    const cheapest = options.sort((a, b) => cost(a) - cost(b))[0];
    if (cheapest) chosen.push(cheapest.x);
  }
  const placed = new Map<string, Box>();
  let top = 0;
  for (let row = 0; row <= chosen.length; row += 1) {
    const from = row === 0 ? Number.NEGATIVE_INFINITY : (chosen[row - 1] as number);
    const to = chosen[row] ?? Number.POSITIVE_INFINITY;
    const inside = list.filter(([, b]) => b.x >= from && b.x < to);
    if (inside.length === 0) continue;
    const x0 = Math.min(...inside.map(([, b]) => b.x));
    const y0 = Math.min(...inside.map(([, b]) => b.y));
    const y1 = Math.max(...inside.map(([, b]) => b.y + b.h));
    for (const [id, b] of inside) placed.set(id, { ...b, x: b.x - x0, y: b.y - y0 + top });
    top += y1 - y0 + gap;
  }
  return placed;
}

/** Blocks without wires stand in a line below the drawing. */
function placeLonely(network: NetworkJson, sizes: Map<string, { w: number; h: number }>, placed: Map<string, Box>): void {
  let x = 0;
  const bottom = placed.size ? Math.max(...[...placed.values()].map((b) => b.y + b.h)) + ROOMY.row : 0;
  for (const node of network.nodes) {
    const size = sizes.get(node.id);
    if (!size || placed.has(node.id)) continue;
    placed.set(node.id, { x, y: bottom, w: size.w, h: size.h });
    x += size.w + LONELY_GAP;
  }
}

/** True when the blocks stand on top of each other, as in a file written by a program. */
export function needsLayout(network: NetworkJson): boolean {
  if (network.nodes.length < 2) return false;
  const seen = new Set<string>();
  let clashes = 0;
  for (const n of network.nodes) {
    const key = n.position.map((p) => Math.round(p / 8)).join();
    if (seen.has(key)) clashes += 1;
    seen.add(key);
  }
  return clashes > 0;
}

// --- inside of a composite ----------------------------------------------------------------------

const PAD = 18;
const TITLE = 40;
const INNER_W = 108;
const INNER_H = 66;

setInnerLayout((inner: InnerJson[]): InnerPicture => {
  const ids = new Set(inner.map((i) => i.id));
  const inputs = [...new Set(inner.flatMap((i) => i.sources).filter((s) => !ids.has(s)))];
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 14, edgesep: 14, ranksep: 8, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const port of inputs) graph.setNode(`>${port}`, { width: 8, height: 8 });
  const sizeFor = (i: InnerJson): { width: number; height: number } =>
    i.category === "activation" || i.category === "merge"
      ? { width: Math.max(44, i.label.length * 7 + 12), height: 40 }
      : { width: INNER_W, height: INNER_H };
  for (const i of inner) graph.setNode(i.id, sizeFor(i));
  const shapes = new Map(inner.map((i) => [i.id, i.shape]));
  const category = new Map(inner.map((i) => [i.id, i.category]));
  let number = 0;
  for (const i of inner)
    for (const s of i.sources) {
      const shape = shapes.get(s);
      const hidden = !shape || category.get(i.id) === "activation" || category.get(i.id) === "normalization";
      const from = ids.has(s) ? s : `>${s}`;
      graph.setEdge(from, i.id, { width: hidden ? 8 : pillWidth(shapeText(shape)), height: 16, labelpos: "c", hidden, shape: shape ?? null }, String(number++));
    }
  const used = new Set(inner.flatMap((i) => i.sources));
  const last = inner.filter((i) => !used.has(i.id)).at(-1)?.id;
  graph.setNode("<out", { width: 4, height: 4 });
  if (last) graph.setEdge(last, "<out", { width: 4, height: 8, hidden: true, shape: null }, "out");
  dagre.layout(graph);
  const laid = graph.graph() as { width?: number; height?: number };
  const width = (laid.width ?? 100) + 2 * PAD;
  const height = (laid.height ?? 60) + TITLE + PAD;
  const boxes = inner.map((i) => {
    const at = graph.node(i.id) as { x: number; y: number; width: number; height: number };
    return { inner: i, x: at.x - at.width / 2 + PAD, y: at.y - at.height / 2 + TITLE, w: at.width, h: at.height };
  });
  const wires = graph.edges().map((e) => {
    const label = graph.edge(e) as { points: { x: number; y: number }[]; x?: number; y?: number; hidden: boolean; shape: number[] | null; width: number };
    const a = graph.node(e.v) as { x: number; y: number; width: number };
    const b = graph.node(e.w) as { x: number; y: number; width: number };
    const ends: Point[] = [];
    const outer = height / 2 - TITLE;
    if (e.v.startsWith(">") && inputs.length === 1) {
      // From the port in the middle of the left side to where dagre begins.
      ends.push([-PAD, outer]);
      if (Math.abs(outer - a.y) > 0.5) ends.push([-PAD / 2, outer], [-PAD / 2, a.y]);
    }
    ends.push([a.x + (e.v.startsWith(">") ? 0 : a.width / 2), a.y]);
    // dagre's own way round the blocks, as right angles
    const via = label.points.slice(1, -1);
    let y = a.y;
    for (const p of via) {
      if (Math.abs(p.y - y) > 3) {
        const x = (ends.at(-1) as Point)[0] + 8;
        ends.push([x, y], [x, p.y]);
        y = p.y;
      }
      ends.push([Math.max(p.x, (ends.at(-1) as Point)[0]), y]);
    }
    const target: Point = [b.x - (e.w === "<out" ? 0 : b.width / 2), b.y];
    if (Math.abs(target[1] - y) > 0.5) ends.push([target[0] - 8, y], [target[0] - 8, target[1]]);
    ends.push(target);
    if (e.w === "<out") ends.push([width - 1.5 * PAD, b.y], [width - 1.5 * PAD, outer], [width - PAD, outer]);
    const moved = ends.map(([x, py]): Point => [x + PAD, py + TITLE]);
    return {
      path: rounded(moved, 6),
      label: [(label.x ?? 0) + PAD, (label.y ?? 0) + TITLE] as Point,
      room: label.hidden ? 0 : label.width,
      shape: label.hidden ? null : label.shape,
    };
  });
  return { width, height, boxes, wires };
});
