import type { Box } from "./geometry";

const GAP = 12;
const EDGE = 8;
/** Pixels kept free around a block: its ports stick out. */
const PORTS = 7;
/** Pixels at the right edge that the buttons for zooming take. */
const BUTTONS = 60;

export interface Room {
  x: number;
  y: number;
  /** Where it lies, seen from its block; "apart" when it stands at the edge of the canvas. */
  side: "below" | "above" | "apart";
}

/**
 * Where a message about a block covers the fewest other blocks: below it or above it, begun at its left,
 * its middle or its right; else at the lower or the upper edge of the canvas. What stands in `taken` is to be read
 * meanwhile, so it counts as much as the block itself. Everything is in pixels.
 */
export function roomFor(size: { w: number; h: number }, block: Box, others: readonly Box[], canvas: { width: number; height: number }, taken: Box | null = null): Room {
  const keep = (x: number): number => Math.max(EDGE, Math.min(x, canvas.width - size.w - BUTTONS));
  const starts = [block.x, block.x + (block.w - size.w) / 2, block.x + block.w - size.w].map(keep);
  const rows: [number, Room["side"]][] = [
    [block.y + block.h + GAP, "below"],
    [block.y - GAP - size.h, "above"],
    [canvas.height - size.h - EDGE, "apart"],
    [EDGE, "apart"],
  ];
  let best: Room = { x: starts[0] ?? EDGE, y: Math.max(EDGE, Math.min(block.y + block.h + GAP, canvas.height - size.h - EDGE)), side: "apart" };
  let least = Infinity;
  for (const [y, side] of rows) {
    if (y < 4 || y + size.h > canvas.height - 4) continue;
    for (const x of starts) {
      const place = { x, y, ...size };
      const far = side === "apart" ? Math.min(Math.abs(y - block.y - block.h), Math.abs(block.y - y - size.h)) : 0;
      const cost = covered(place, { ...block }) * 4 + (taken ? covered(place, taken) * 4 : 0) + others.reduce((sum, o) => sum + covered(place, o), 0) + far;
      if (cost < least - 1) {
        least = cost;
        best = { x, y, side };
      }
    }
  }
  return best;
}

/** Square pixels of a block, its ports included, that lie under a box. */
function covered(place: { x: number; y: number; w: number; h: number }, block: Box): number {
  const across = Math.min(place.x + place.w, block.x + block.w + PORTS) - Math.max(place.x, block.x - PORTS);
  const down = Math.min(place.y + place.h, block.y + block.h + PORTS) - Math.max(place.y, block.y - PORTS);
  return across > 0 && down > 0 ? across * down : 0;
}
