import { describe, expect, it } from "vitest";
import { applyEdits, EditError } from "../src/document/edits";
import type { NodeJson, Project } from "../src/types";
import { edge, node, project } from "./helpers";

const net = (p: Project) => p.networks.network as { nodes: NodeJson[]; edges: ReturnType<typeof edge>[] };

describe("edits", () => {
  it("remove_node takes its wires along", () => {
    const p = applyEdits(project([node("a"), node("b"), node("c")], [edge("a", "b"), edge("b", "c")]), [{ op: "remove_node", network: "network", id: "b" }]);
    expect(net(p)).toEqual({ nodes: [node("a"), node("c")], edges: [] });
  });

  it("rename and replace carry the wires to the new name", () => {
    const before = project([node("a"), node("b")], [edge("a", "b")]);
    expect(net(applyEdits(before, [{ op: "rename_node", network: "network", id: "a", to: "x" }])).edges).toEqual([edge("x", "b")]);
    const p = applyEdits(before, [{ op: "replace_node", network: "network", id: "b", node: node("y", "Add") }]);
    expect(net(p).nodes.map((n) => n.block)).toEqual(["ReLU", "Add"]);
    expect(net(p).edges).toEqual([edge("a", "y")]);
  });

  it("keeps both wires of Add(x, x), and a repeated wire once", () => {
    const p = applyEdits(project([node("a"), node("add")]), ["in1", "in2", "in1"].map((port) => ({ op: "add_edge" as const, network: "network", edge: edge("a", "add", port) })));
    expect(net(p).edges).toEqual([edge("a", "add", "in1"), edge("a", "add", "in2")]);
  });

  it("sets, moves and folds without touching other nodes", () => {
    const before = project([node("a"), node("b")]);
    const p = applyEdits(before, [
      { op: "set", network: "network", id: "a", setting: "p", value: 0.1 },
      { op: "move_node", network: "network", id: "a", position: [3, 4] },
      { op: "fold_node", network: "network", id: "a", folded: false },
    ]);
    expect(net(p).nodes[0]).toEqual({ ...node("a", "ReLU", { p: 0.1 }), position: [3, 4], folded: false });
    expect(net(p).nodes[1]).toBe(net(before).nodes[1]);
  });

  it("refuses what does not fit, with a sentence, and changes nothing", () => {
    const before = project([node("a"), node("b")]);
    expect(() => applyEdits(before, [{ op: "add_node", network: "network", node: node("a") }])).toThrow(/already a block called "a"/);
    expect(() => applyEdits(before, [{ op: "rename_node", network: "network", id: "a", to: "b" }])).toThrow(EditError);
    expect(() => applyEdits(before, [{ op: "set", network: "network", id: "z", setting: "p", value: 1 }])).toThrow(/no block called "z"/);
    expect(() => applyEdits(before, [{ op: "set_part", part: "format", value: 9 }])).toThrow(/no part/);
    expect(() => applyEdits(before, [{ op: "remove_node", network: "other", id: "a" }])).toThrow(/no network/);
    expect(before).toEqual(project([node("a"), node("b")]));
  });
});
