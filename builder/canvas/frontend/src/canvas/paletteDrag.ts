/** Where the canvas is, for a block that is dragged in from the palette. Set by the canvas. */
export const drag = {
  wireAt: (_x: number, _y: number): string | null => null,
  flowAt: (_x: number, _y: number): [number, number] => [0, 0],
  inside: (_x: number, _y: number): boolean => false,
};
