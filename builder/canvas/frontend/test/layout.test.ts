import { describe, expect, it } from "vitest";
import { layout, needsLayout, untoldBlocks } from "../src/canvas/layout";
import { drawnPorts, routes, sizeOf } from "../src/canvas/geometry";
import { edgeId } from "../src/document/edits";
import type { BlockJson, Catalogue, NetworkAnnotation, NetworkJson } from "../src/types";
import { edge, node } from "./helpers";

const block = (category: string, variadic: string | null = null): BlockJson => ({ label: "Block", category, help: "", formula: "", source: "", stem: "", variadic, inputs: [{ name: "in", rank: null, holds: "features" }], settings: [], kind: "leaf" });
const catalogue: Catalogue = { categories: [], blocks: { Conv: block("convolution"), ReLU: block("activation"), Add: block("merge", "inputs") } };
const VIEW = { width: 918, height: 426 };

const boxesOf = (network: NetworkJson) => {
  const at = layout(network, catalogue, undefined, VIEW);
  return new Map(network.nodes.map((n) => {
    const { w, h } = sizeOf(n, catalogue, undefined, network.edges);
    const [x, y] = at.get(n.id) ?? [Number.NaN, Number.NaN];
    return [n.id, { x, y, w, h }];
  }));
};
const chain = (n: number): NetworkJson => {
  const nodes = Array.from({ length: n }, (_, i) => node(`n${i}`, i % 3 === 2 ? "ReLU" : "Conv"));
  return { nodes, edges: nodes.slice(1).map((b, i) => edge(`n${i}`, b.id)) };
};

describe("layout", () => {
  it("puts no two blocks on each other, with branches and blocks without wires too", () => {
    const network = chain(30);
    network.nodes.push(node("add", "Add", { inputs: 3 }), node("lonely1", "Conv"), node("lonely2", "Conv"));
    network.edges.push(edge("n29", "add", "in1"), edge("n4", "add", "in2"), edge("n1", "add", "in3"));
    const all = [...boxesOf(network).values()];
    for (const [i, a] of all.entries())
      for (const b of all.slice(i + 1)) expect(a.x < b.x + b.w && a.x + a.w > b.x && a.y < b.y + b.h && a.y + a.h > b.y).toBe(false);
  });

  it("wraps a long chain so that it can be read", () => {
    const all = [...boxesOf(chain(14)).values()];
    const width = Math.max(...all.map((b) => b.x + b.w)) - Math.min(...all.map((b) => b.x));
    const rows = new Set(all.map((b) => Math.round(b.y + b.h / 2)));
    expect(rows.size).toBe(2);
    expect(width).toBeLessThan(1000);
  });

  it("draws one too large for the shapes on its wires larger without room for them, and its blocks say them", () => {
    const room = (n: number): number => {
      const network = chain(n);
      const boxes = boxesOf(network);
      return boxes.get("n1")!.x - boxes.get("n0")!.x - boxes.get("n0")!.w;
    };
    expect(room(14)).toBeGreaterThan(70);
    expect(room(30)).toBeLessThan(40);
    const network = chain(3);
    const shapes = { nodes: Object.fromEntries(network.nodes.map((n) => [n.id, { shape: [64, 28, 28] }])) } as unknown as NetworkAnnotation;
    const wires = (room: number) => network.edges.map((e) => ({ source: e.source, target: e.target, data: { hidden: e.target === "n2", route: { path: "", label: [0, 0] as [number, number], points: [], room } } }));
    // n1 feeds an activation, which keeps its shape and has no wire to say it on.
    expect([...untoldBlocks(network, shapes, wires(90))]).toEqual(["n1"]);
    expect([...untoldBlocks(network, shapes, wires(30))]).toEqual(["n0", "n1"]);
  });

  it("leads a wire back to the next row below what hangs under its own", () => {
    const network: NetworkJson = { nodes: ["first", "head", "last"].map((id) => node(id, "Conv")), edges: [edge("first", "last")] };
    const boxes = new Map([["first", { x: 400, y: 0, w: 104, h: 118 }], ["head", { x: 200, y: 142, w: 104, h: 118 }], ["last", { x: 0, y: 290, w: 104, h: 118 }]]);
    const ys = routes(network, boxes, catalogue).get(edgeId(edge("first", "last")))!.points.map(([, y]) => y);
    expect(ys).toContain(275);
  });

  it("leads a skip connection round the blocks it skips", () => {
    const network: NetworkJson = { nodes: ["a", "b", "c"].map((id) => node(id, "Conv")).concat(node("add", "Add", { inputs: 2 })), edges: [edge("a", "b"), edge("b", "c"), edge("c", "add", "in1"), edge("a", "add", "in2")] };
    const boxes = boxesOf(network);
    const skip = routes(network, boxes, catalogue).get(edgeId(edge("a", "add", "in2")));
    expect(skip).toBeDefined();
    for (const id of ["b", "c"]) {
      const box = boxes.get(id)!;
      for (const [i, [x, y]] of skip!.points.entries()) {
        const [px, py] = skip!.points[i - 1] ?? [x, y];
        const hit = Math.min(x, px) < box.x + box.w && Math.max(x, px) > box.x && Math.min(y, py) < box.y + box.h && Math.max(y, py) > box.y;
        expect(hit).toBe(false);
      }
    }
  });

  it("keeps a U-Net in one piece, and its wires from crossing", () => {
    const two: BlockJson = { ...block("composite"), inputs: ["below", "skip"].map((name) => ({ name, rank: null, holds: "features" as const })) };
    const known: Catalogue = { categories: [], blocks: { ...catalogue.blocks, Up: two } };
    const ids = ["image", "down1", "down2", "down3", "up2", "up1", "out"];
    const network: NetworkJson = { nodes: ids.map((id) => node(id, id.startsWith("up") ? "Up" : "Conv")), edges: ids.slice(1).map((id, i) => edge(ids[i]!, id, id.startsWith("up") ? "below" : "in")) };
    network.edges.push(edge("down1", "up1", "skip"), edge("down2", "up2", "skip"));
    const at = layout(network, known, undefined, VIEW);
    for (const n of network.nodes) n.position = at.get(n.id)!;
    for (const [a, b] of [["down1", "up1"], ["down2", "up2"]] as const) expect(at.get(b)![0]).toBeGreaterThan(at.get(a)![0]);
    // Whichever of its sources stands higher comes in above.
    for (const [up, skip, below] of [["up1", "down1", "up2"], ["up2", "down2", "down3"]] as const) {
      const order = at.get(skip)![1] < at.get(below)![1] ? ["skip", "below"] : ["below", "skip"];
      expect(drawnPorts(network.nodes.find((n) => n.id === up)!, network, known)).toEqual(order);
    }
  });

  it("is asked for only where blocks lie on each other", () => {
    expect(needsLayout(chain(3))).toBe(true);
    expect(needsLayout({ nodes: [{ ...node("a"), position: [0, 0] }, { ...node("b"), position: [200, 0] }], edges: [] })).toBe(false);
    expect(needsLayout({ nodes: [node("a")], edges: [] })).toBe(false);
  });
});
