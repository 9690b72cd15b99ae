import type { ReactElement } from "react";
import type { CurveJson } from "../types";

const W = 236;
const H = 118;

/** An activation and its derivative, as on the blackboard: both over the same axes. */
export function FunctionPlot({ curve, name }: { curve: CurveJson; name: string }): ReactElement {
  const all = [...curve.value, ...curve.slope, 0];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const pad = 6;
  const x = (i: number): number => (i / (curve.value.length - 1)) * W;
  const y = (v: number): number => pad + ((high - v) / (high - low || 1)) * (H - 2 * pad);
  const path = (numbers: number[]): string => numbers.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  const beside = y(0) > H - 16 ? y(0) - 5 : y(0) + 11; // the ends of the axis, where there is room
  const label = `${name} and its derivative from −${curve.reach} to ${curve.reach}; values from ${short(low)} to ${short(high)}`;
  return (
    <figure className="function-plot" data-testid="function-plot">
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={label}>
        <path className="axis" d={`M0 ${y(0)}H${W}M${W / 2} 0V${H}`} />
        <text x={W - 2} y={beside} textAnchor="end">{curve.reach}</text>
        <text x={2} y={beside}>−{curve.reach}</text>
        <text x={W / 2 + 4} y={11}>{short(high)}</text>
        <path className="slope" d={path(curve.slope)} />
        <path className="value" d={path(curve.value)} />
      </svg>
      <figcaption><span className="value">y</span><span className="slope">derivative y′</span></figcaption>
    </figure>
  );
}

const short = (n: number): string => String(Number(n.toFixed(2))).replace("-", "−");
