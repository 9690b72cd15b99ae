import type { NodeJson, Project } from "../src/types";

export const node = (id: string, block = "ReLU", settings: NodeJson["settings"] = {}): NodeJson => ({ id, block, version: 1, settings, position: [0, 0], folded: true, note: "" });
export const edge = (source: string, target: string, target_port = "in") => ({ source, source_port: "out", target, target_port });
export const project = (nodes: NodeJson[] = [], edges: ReturnType<typeof edge>[] = []): Project => ({
  format: 1, name: "p", networks: { network: { nodes, edges } }, blocks: {}, data: { name: "digits", settings: {} }, task: { name: "classification", settings: {} },
  loss: { name: "cross_entropy", settings: {} }, optimizer: {}, training: {},
});
