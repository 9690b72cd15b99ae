import { describe, expect, it } from "vitest";
import { roomFor } from "../src/canvas/room";

const canvas = { width: 900, height: 420 };
const size = { w: 300, h: 90 };
const block = { x: 300, y: 40, w: 104, h: 118 };

const overlap = (a: { x: number; y: number }, b: { x: number; y: number; w: number; h: number }): boolean =>
  a.x < b.x + b.w && b.x < a.x + size.w && a.y < b.y + b.h && b.y < a.y + size.h;

describe("room for a message", () => {
  it("is below the block where nothing else is", () => {
    expect(roomFor(size, block, [], canvas)).toEqual({ x: 300, y: 170, side: "below" });
  });
  it("moves to the side of a neighbour in the next row", () => {
    const neighbour = { x: 420, y: 180, w: 104, h: 118 };
    const found = roomFor(size, block, [neighbour], canvas);
    expect(overlap(found, neighbour)).toBe(false);
    expect(found.side).toBe("below");
  });
  it("goes to the edge when a whole row lies below", () => {
    const row = [60, 200, 340, 480, 620].map((x) => ({ x, y: 180, w: 104, h: 118 }));
    const found = roomFor(size, block, row, canvas);
    expect(row.some((b) => overlap(found, b))).toBe(false);
    expect(overlap(found, block)).toBe(false);
    expect(found).toMatchObject({ side: "apart", y: canvas.height - size.h - 8 });
  });
  it("keeps off what is to be read meanwhile, as long as that stands there", () => {
    const toast = { x: 200, y: 160, w: 500, h: 34 };
    expect(overlap(roomFor(size, block, [], canvas), toast)).toBe(true);
    const found = roomFor(size, block, [], canvas, toast);
    expect(overlap(found, toast)).toBe(false);
    expect(overlap(found, block)).toBe(false);
  });
  it("stays inside the canvas, even a small one", () => {
    const found = roomFor(size, { x: 20, y: 20, w: 104, h: 118 }, [], { width: 380, height: 120 });
    expect(found.y).toBeGreaterThanOrEqual(0);
    expect(found.x).toBeGreaterThanOrEqual(8);
  });
});
