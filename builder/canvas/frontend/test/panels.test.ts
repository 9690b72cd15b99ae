import { describe, expect, it } from "vitest";
import { originOf } from "../src/panels/origin";
import { hasGone } from "../src/panels/ProjectMenu";
import type { GalleryItem } from "../src/types";
import { node, project } from "./helpers";

const lenet: GalleryItem = { name: "lenet5", label: "LeNet-5", blocks: { image: "Input", conv1: "Conv2d", pool1: "MaxPool2d", classes: "Output" } };
const yolo: GalleryItem = { name: "yolo", label: "YOLO", blocks: { image: "Input", stem: "Conv2d", grid: "Grid", boxes: "Output" } };
const made = (name: string, ...blocks: [string, string][]) => ({ ...project(blocks.map(([id, block]) => node(id, block))), name });
const blocksOf = (item: GalleryItem) => Object.entries(item.blocks ?? {});

describe("a lesson", () => {
  it("belongs to the starter project whose network stands there", () => {
    expect(originOf(made("LeNet-5", ...blocksOf(lenet)), [lenet, yolo])).toBe(lenet);
    expect(originOf(made("LeNet-5", ...blocksOf(yolo)), [lenet, yolo])).toBeUndefined();
    expect(originOf(made("LeNet-5", ...blocksOf(yolo)), [lenet, yolo], "lenet5")).toBeUndefined();
  });

  it("stays when its project is renamed, even to another's name", () => {
    expect(originOf(made("mine", ...blocksOf(lenet)), [lenet, yolo], "lenet5")).toBe(lenet);
    expect(originOf(made("YOLO", ...blocksOf(lenet)), [lenet, yolo], "lenet5")).toBe(lenet);
    expect(originOf(made("mine", ...blocksOf(lenet)), [lenet, yolo])).toBeUndefined();
  });

  it("goes with half of the blocks, and where their kinds are others", () => {
    expect(originOf(made("LeNet-5", ...blocksOf(lenet).slice(0, 3)), [lenet])).toBe(lenet);
    expect(originOf(made("LeNet-5", ...blocksOf(lenet).slice(0, 2)), [lenet])).toBeUndefined();
    expect(originOf(made("LeNet-5", ...blocksOf(lenet).map(([id]): [string, string] => [id, "Linear"])), [lenet])).toBeUndefined();
    expect(originOf(made("LeNet-5"), [lenet])).toBeUndefined();
  });
});

describe("a deleted project", () => {
  it("is told of once it has left the list", () => {
    const projects = [{ id: "a", name: "A" }, { id: "b", name: "B" }];
    expect(hasGone(projects, { id: "a" })).toBe(false);
    expect(hasGone(projects.slice(1), { id: "a" })).toBe(true);
    expect(hasGone([{ id: "a", name: "A", deleted: true }], { id: "a" })).toBe(true);
    expect(hasGone(projects, null)).toBe(false);
  });
});
