import { describe, expect, it } from "vitest";
import { applyEdits } from "../src/document/edits";
import { connectEdits, freeId, insertEdits, nameProblem, portsOf, refusal, removeEdits } from "../src/document/graph";
import { pasteEdits, readClip, toClip } from "../src/document/clipboard";
import type { BlockJson, Catalogue, NetworkJson } from "../src/types";
import { edge, node, project } from "./helpers";

const block = (kind: BlockJson["kind"], inputs: string[], variadic: string | null = null): BlockJson => ({
  label: "", category: "", help: "", formula: "", source: "", stem: "", variadic, kind, inputs: inputs.map((name) => ({ name, rank: null, holds: "features" })),
  settings: variadic ? [{ name: variadic, kind: "int", default: 2, optional: false, min: 2, max: 3, choices: null, label: "", help: "", unit: "" }] : [],
});
const catalogue: Catalogue = { categories: [], blocks: { Image: block("input", []), ReLU: block("leaf", ["in"]), Add: block("leaf", ["in"], "inputs"), Output: block("output", ["in"]) } };
const chain: NetworkJson = { nodes: [node("image", "Image"), node("a"), node("b"), node("out", "Output")], edges: [edge("image", "a"), edge("a", "b"), edge("b", "out")] };
const after = (network: NetworkJson, edits: Parameters<typeof applyEdits>[1]): NetworkJson =>
  applyEdits({ ...project(), networks: { network } }, edits).networks.network as NetworkJson;

describe("wires", () => {
  it("refuses loops, full ports, itself, and wires out of the end or into an input", () => {
    expect(refusal(chain, catalogue, "b", "a")).toMatch(/loop/);
    expect(refusal(chain, catalogue, "image", "b")).toMatch(/already has its input/);
    expect(refusal(chain, catalogue, "a", "a")).toMatch(/itself/);
    expect(refusal(chain, catalogue, "out", "a")).toMatch(/end of the network/);
    expect(refusal(chain, catalogue, "a", "image")).toMatch(/no input/);
  });

  it("a variadic block grows a port when a wire is dropped on a full one, up to its bound", () => {
    const network: NetworkJson = { nodes: [node("x", "Image"), node("add", "Add", { inputs: 2 })], edges: [edge("x", "add", "in1"), edge("x", "add", "in2")] };
    const edits = connectEdits("network", network, catalogue, "x", "add", "in1");
    const grown = after(network, edits ?? []);
    expect(grown.nodes[1]?.settings).toEqual({ inputs: 3 });
    expect(grown.edges.at(-1)).toEqual(edge("x", "add", "in3"));
    expect(connectEdits("network", grown, catalogue, "x", "add", "in2")).toBeNull();
    expect(portsOf(grown.nodes[1]!, catalogue.blocks.Add, grown.edges)).toEqual(["in1", "in2", "in3"]);
  });

  it("deleting blocks in the middle joins the chain, unless it is cut", () => {
    const { edits, joined } = removeEdits("network", chain, ["a", "b"], []);
    expect(joined).toBe(true);
    expect(after(chain, edits).edges).toEqual([edge("image", "out")]);
    expect(after(chain, removeEdits("network", chain, ["a"], [], true).edits).edges).toEqual([edge("b", "out")]);
  });

  it("a block that merges two wires is not joined over", () => {
    const network: NetworkJson = { nodes: [node("x", "Image"), node("y", "Image"), node("add", "Add", { inputs: 2 }), node("out", "Output")], edges: [edge("x", "add", "in1"), edge("y", "add", "in2"), edge("add", "out")] };
    const { edits, joined } = removeEdits("network", network, ["add"], []);
    expect(joined).toBe(false);
    expect(after(network, edits).edges).toEqual([]);
  });

  it("inserting on a wire keeps its two ends", () => {
    const edits = insertEdits("network", catalogue, node("new"), edge("a", "b"));
    const edges = after(chain, edits ?? []).edges;
    expect(edges).toContainEqual(edge("a", "new"));
    expect(edges).toContainEqual(edge("new", "b"));
    expect(edges).not.toContainEqual(edge("a", "b"));
    expect(insertEdits("network", catalogue, node("new", "Output"), edge("a", "b"))).toBeNull();
  });
});

describe("names and copies", () => {
  it("names are identifiers, unique and no words of Python", () => {
    expect(freeId(new Set(["conv1", "conv3"]), "conv")).toBe("conv2");
    expect(nameProblem("conv_1", new Set())).toBeNull();
    for (const bad of ["", "1a", "a b", "a-b", "class", "self", "taken"]) expect(nameProblem(bad, new Set(["taken"]))).not.toBeNull();
  });

  it("copies get free names and keep the wires among themselves", () => {
    const clip = readClip(JSON.stringify(toClip(chain, ["a", "b"])));
    expect(clip).not.toBeNull();
    const { edits, ids } = pasteEdits("network", chain, clip!, [0, 100]);
    expect(ids).toEqual(["a1", "b1"]);
    const pasted = after(chain, edits);
    expect(pasted.edges.slice(3)).toEqual([edge("a1", "b1")]);
    expect(pasted.nodes.find((n) => n.id === "a1")?.position).toEqual([0, 100]);
  });

  it("other text on the clipboard is left alone", () => {
    for (const text of ["hello", "{", "{}", '{"layerloom":"blocks","nodes":[{"id":1}],"edges":[]}', "[]"]) expect(readClip(text)).toBeNull();
  });
});
