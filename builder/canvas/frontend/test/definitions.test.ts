import { describe, expect, it } from "vitest";
import { argumentProblem, blockNameProblem, concealEdits, contains, definitionOf, definitionsOf, deleteBlockEdits, exposeEdits, freeArgument, libraryClash, libraryEdits, networkOf, offersOf, plainSettings, removeArgumentEdits, renameArgumentEdits, renameBlockEdits, selectionProblem, usesOf, usualEdits } from "../src/document/definitions";
import { pasteEdits, readClip } from "../src/document/clipboard";
import { applyEdits } from "../src/document/edits";
import { DocumentStore } from "../src/document/store";
import type { DefinitionJson, Json, Project } from "../src/types";
import { edge, node, project } from "./helpers";

const pair = (): DefinitionJson => ({
  arguments: { width: 4 },
  nodes: [node("x", "Image"), node("conv1", "Conv2d", { out_channels: { argument: "width" }, kernel_size: 3 }), node("conv2", "Conv2d", { out_channels: 6, kernel_size: 3 }), node("output", "Output")],
  edges: [edge("x", "conv1"), edge("conv1", "conv2"), edge("conv2", "output")],
});
const own = (more: Project["blocks"] = {}): Project => ({
  ...project([node("image", "Image"), node("a", "Pair", { width: 2, repeat: 1 }), node("b", "Pair", { width: 5, repeat: 3 })], [edge("image", "a"), edge("a", "b")]),
  blocks: { Pair: pair(), ...more },
});
const inside = (p: Project): DefinitionJson => definitionOf(p, "Pair") as DefinitionJson;
const settings = (p: Project, id: string) => p.networks.network?.nodes.find((n) => n.id === id)?.settings;

describe("own blocks", () => {
  it("are edited as networks, and keep their arguments", () => {
    const p = applyEdits(own(), [{ op: "set", network: "blocks/Pair", id: "conv2", setting: "kernel_size", value: 5 }]);
    expect(inside(p).nodes[2]?.settings.kernel_size).toBe(5);
    expect(inside(p).arguments).toEqual({ width: 4 });
    expect(p.networks).toEqual(own().networks);
    expect(() => applyEdits(own(), [{ op: "remove_node", network: "blocks/None", id: "a" }])).toThrow(/no network/);
    expect(networkOf(own(), "blocks/Pair")).toEqual(pair());
  });

  it("whose file holds anything else cannot be drawn, and break nothing", () => {
    for (const raw of [null, 3, "x", [], {}, { nodes: 1 }, { nodes: [1], edges: [] }, { nodes: [], edges: 2 }]) expect(networkOf(own({ Bad: raw as Json }), "blocks/Bad")).toBeUndefined();
    const bare = { nodes: [{ id: "x", block: "Image", settings: {} }], edges: [] };
    const drawn = networkOf(own({ Bare: bare }), "blocks/Bare");
    expect(drawn?.nodes[0]?.position).toEqual([0, 0]);
    const p = own({ Bare: bare });
    expect(networkOf(p, "blocks/Bare")).toBe(networkOf(p, "blocks/Bare"));
  });

  it("expose a setting of a block inside: every use gets its value", () => {
    const p = applyEdits(own(), exposeEdits(own(), "Pair", "conv2", "kernel_size"));
    expect(inside(p).arguments).toEqual({ width: 4, kernel_size: 3 });
    expect(inside(p).nodes[2]?.settings.kernel_size).toEqual({ argument: "kernel_size" });
    expect(settings(p, "b")).toEqual({ width: 5, repeat: 3, kernel_size: 3 });
    const again = applyEdits(p, exposeEdits(p, "Pair", "conv1", "kernel_size"));
    expect(inside(again).arguments.conv1_kernel_size).toBe(3);
    expect(applyEdits(p, concealEdits(p, "Pair", "conv2", "kernel_size"))).toEqual(own());
    expect(exposeEdits(own(), "Pair", "conv1", "out_channels")).toEqual([]);
  });

  it("rename, fix and remove settings in all uses", () => {
    const p = applyEdits(own(), renameArgumentEdits(own(), "Pair", "width", "channels"));
    expect(Object.keys(inside(p).arguments)).toEqual(["channels"]);
    expect(settings(p, "a")).toEqual({ channels: 2, repeat: 1 });
    expect(inside(p).nodes[1]?.settings.out_channels).toEqual({ argument: "channels" });
    const gone = applyEdits(own(), removeArgumentEdits(own(), "Pair", "width"));
    expect(inside(gone).nodes[1]?.settings.out_channels).toBe(4);
    expect(settings(gone, "b")).toEqual({ repeat: 3 });
    expect(inside(applyEdits(own(), usualEdits(own(), "Pair", "width", 9))).arguments.width).toBe(9);
    expect(plainSettings(own(), "blocks/Pair", inside(own()).nodes[1]?.settings ?? {})).toEqual({ out_channels: 4, kernel_size: 3 });
  });

  it("are renamed and deleted, with their uses told", () => {
    const outer = { arguments: {}, nodes: [node("x", "Image"), node("p", "Pair", { width: 1 })], edges: [] };
    const before = own({ Outer: outer });
    expect(usesOf(before, "Pair")).toEqual([{ network: "network", id: "a" }, { network: "network", id: "b" }, { network: "blocks/Outer", id: "p" }]);
    const p = applyEdits(before, renameBlockEdits(before, "Pair", "Couple"));
    expect(Object.keys(p.blocks)).toEqual(["Couple", "Outer"]);
    expect(usesOf(p, "Couple")).toHaveLength(3);
    expect(usesOf(p, "Pair")).toEqual([]);
    expect(contains(before, "Outer", "Pair")).toBe(true);
    expect(contains(before, "Pair", "Outer")).toBe(false);
    expect(Object.keys(applyEdits(before, deleteBlockEdits(before, "Outer")).blocks)).toEqual(["Pair"]);
  });

  it("have names that can be classes and settings that can be arguments", () => {
    const catalogue = { blocks: { Linear: { category: "dense" }, Pair: { category: "own" } } };
    for (const bad of ["", "Linear", "Pair", "1st", "a b", "class"]) expect(blockNameProblem(own(), catalogue, bad, "own")).not.toBeNull();
    expect(blockNameProblem(own(), catalogue, "Couple", "own")).toBeNull();
    for (const bad of ["", "width", "repeat", "template", "a b", "for"]) expect(argumentProblem(pair(), bad)).not.toBeNull();
    expect(freeArgument(pair(), "conv1", "width")).toBe("conv1_width");
  });

  it("come from the library with all they need, in the same step", () => {
    const library = { Outer: { blocks: { Outer: { arguments: {}, nodes: [node("p", "Pair")], edges: [] }, Pair: pair() } } } as unknown as Record<string, { blocks: Record<string, Json> }>;
    const bare = project();
    const edits = [{ op: "add_node" as const, network: "network", node: node("o", "Outer") }];
    expect(Object.keys(applyEdits(bare, [...libraryEdits(bare, library, edits), ...edits]).blocks)).toEqual(["Outer", "Pair"]);
    expect(libraryEdits(own({ Outer: {} }), library, edits)).toEqual([]);
    expect(libraryEdits(bare, library, [{ op: "add_node", network: "network", node: node("r") }])).toEqual([]);
  });

  it("offer equal settings of one name as one", () => {
    const offers = offersOf([node("c1", "Conv2d", { out: 6, k: 3 }), node("c2", "Conv2d", { out: 6, k: 5 }), node("p", "Pair", { repeat: 2 })], (b) => (b === "Pair" ? [{ name: "repeat", label: "repeat" }] : [{ name: "out", label: "out" }, { name: "k", label: "k" }]), () => null);
    expect(offers.map((o) => [o.name, o.feeds.map(([id]) => id).join()])).toEqual([["out", "c1,c2"], ["k", "c1"], ["c2_k", "c2"], ["p_repeat", "p"]]);
  });

  it("are not made of ends, of two results, or with a way round", () => {
    const net = { nodes: [node("i", "In"), node("a"), node("b"), node("c"), node("o", "Out")], edges: [edge("i", "a"), edge("a", "b"), edge("a", "c", "in1"), edge("b", "c", "in2"), edge("c", "o")] };
    const kind = (b: string) => ({ In: "input", Out: "output" })[b];
    expect(selectionProblem(net, [], kind)).toMatch(/Select the blocks/);
    expect(selectionProblem(net, ["i", "a"], kind)).toMatch(/i is an end/);
    expect(selectionProblem(net, ["a", "c"], kind)).toMatch(/through b\. Select it too/);
    expect(selectionProblem(net, ["a", "b"], kind)).toMatch(/2 results: a and b/);
    expect(selectionProblem(net, ["a", "b", "c"], kind)).toBeNull();
  });

  it("stay open through edits and undo; what is gone leads back to the network", () => {
    const doc = new DocumentStore();
    doc.load("p", project([node("a"), node("b")], [edge("a", "b")]), 1);
    doc.select(["a", "b"]);
    const made = { nodes: [node("pair1", "Pair")], edges: [] };
    doc.command("Make the block Pair", [{ op: "set_part", part: "blocks", value: { Pair: pair() } as never }, { op: "set_network", network: "network", value: made }]);
    expect(doc.state.get().selected).toEqual(["pair1"]);
    doc.select([], "blocks/Pair");
    doc.edit("kernel", [{ op: "set", network: "blocks/Pair", id: "conv2", setting: "kernel_size", value: 5 }]);
    expect(doc.networkName).toBe("blocks/Pair");
    doc.undo();
    expect(doc.network.nodes[2]?.settings.kernel_size).toBe(3);
    doc.undo();
    expect(doc.networkName).toBe("network");
    expect(doc.project.blocks).toEqual({});
    expect(doc.state.get().selected).toEqual(["a", "b"]);
    doc.redo();
    expect(doc.networkName).toBe("network");
    doc.redo();
    expect(doc.networkName).toBe("blocks/Pair"); // what comes back is seen
    doc.select([], "network");
    doc.undo();
    expect(doc.networkName).toBe("blocks/Pair");
  });

  it("keep their wires when inputs come, are renamed, or go", () => {
    const doc = new DocumentStore();
    doc.isInput = (block) => block === "Image";
    doc.load("p", own(), 1);
    const ports = () => doc.project.networks.network?.edges.map((e) => `${e.source}>${e.target}.${e.target_port}`);
    const where = { network: "blocks/Pair" };
    doc.edit("input", [{ op: "add_node", ...where, node: node("y", "Image") }]);
    expect(ports()).toEqual(["image>a.x", "a>b.x"]);
    doc.edit("rename", [{ op: "rename_node", ...where, id: "x", to: "left" }]);
    expect(ports()).toEqual(["image>a.left", "a>b.left"]);
    doc.edit("wire", [{ op: "add_edge", network: "network", edge: edge("image", "a", "y") }]);
    doc.edit("one again", [{ op: "remove_node", ...where, id: "y" }]);
    expect(ports()).toEqual(["image>a.in", "a>b.in"]);
    doc.undo();
    expect(ports()).toEqual(["image>a.left", "a>b.left", "image>a.y"]);
  });

  it("are copied with what they consist of; arguments become values where there are none", () => {
    const clip = { layerloom: "blocks" as const, nodes: inside(own()).nodes.slice(1, 2), edges: [], usual: { width: 4 } };
    const pasted = (known: string[]) => pasteEdits("network", { nodes: [], edges: [] }, clip, [0, 0], new Set(known)).edits[0];
    expect(pasted([])).toMatchObject({ node: { settings: { out_channels: 4, kernel_size: 3 } } });
    expect(pasted(["width"])).toMatchObject({ node: { settings: { out_channels: { argument: "width" } } } });
    const outer = { arguments: {}, nodes: [node("p", "Pair")], edges: [] };
    expect(Object.keys(definitionsOf(own({ Outer: outer, Other: {} }), ["Outer", "ReLU"]))).toEqual(["Pair", "Outer"]);
    expect(readClip(JSON.stringify({ ...clip, blocks: [1] }))).toBeNull();
    expect(readClip(JSON.stringify({ ...clip, blocks: { Pair: pair() } }))).not.toBeNull();
  });

  it("of the library clash with another definition of the same name", () => {
    const library = { Outer: { blocks: { Outer: {}, Pair: { ...pair(), help: "another" } } } } as unknown as Record<string, { blocks: Record<string, Json> }>;
    expect(libraryClash(own(), library, "Outer")).toBe("Pair");
    expect(libraryClash(project(), library, "Outer")).toBeNull();
    expect(libraryClash(own(), library, "Conv2d")).toBeNull();
  });
});
