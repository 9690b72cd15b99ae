import type { ReactElement } from "react";

/** A drawing of a tensor's size, for a block without a live picture: sheets for maps, cells for a vector. */
export function TensorGlyph({ shape, width, height }: { shape: number[]; width: number; height: number }): ReactElement {
  const [a = 1, b = 1, c = 1] = shape;
  const parts: ReactElement[] = [];
  if (shape.length >= 3) {
    const sheets = Math.max(1, Math.min(6, Math.round(Math.log2(a) + 1)));
    const step = 4;
    const largest = Math.max(b, c);
    const side = Math.min(height - 10 - (sheets - 1) * step, 12 + 5.2 * Math.log2(largest + 1));
    const w = Math.max(5, (side * c) / largest);
    const h = Math.max(5, (side * b) / largest);
    const x0 = (width - w - (sheets - 1) * step) / 2;
    const y0 = (height - h - (sheets - 1) * step) / 2;
    for (let i = sheets - 1; i >= 0; i -= 1)
      parts.push(<rect key={i} x={x0 + i * step} y={y0 + (sheets - 1 - i) * step} width={w} height={h} rx="1.5" className="glyph-sheet" />);
  } else if (shape.length === 2) {
    const rows = Math.max(2, Math.min(6, a));
    const columns = Math.max(2, Math.min(12, b));
    const cell = Math.min(8, (width - 16) / columns, (height - 14) / rows);
    for (let r = 0; r < rows; r += 1)
      for (let k = 0; k < columns; k += 1)
        parts.push(
          <rect key={`${r}.${k}`} x={(width - columns * cell) / 2 + k * cell + 0.5} y={(height - rows * cell) / 2 + r * cell + 0.5} width={cell - 1} height={cell - 1} className="glyph-sheet" />,
        );
  } else {
    const cells = Math.max(1, Math.min(16, a));
    const w = Math.min(9, (width - 12) / cells);
    const h = Math.min(height - 18, 10 + 3.4 * Math.log2(a + 1));
    for (let i = 0; i < cells; i += 1)
      parts.push(<rect key={i} x={(width - cells * w) / 2 + i * w + 0.5} y={(height - h) / 2} width={w - 1} height={h} className="glyph-sheet" />);
  }
  return (
    <svg className="glyph" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {parts}
    </svg>
  );
}
