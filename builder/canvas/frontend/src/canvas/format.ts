/** Numbers and shapes as people read them. */

import type { CSSProperties } from "react";

const whole = new Intl.NumberFormat("en-US");

export const shapeText = (shape: readonly number[] | null | undefined): string =>
  !shape ? "–" : shape.length === 0 ? "1 value" : shape.join("×");

export const count = (n: number | null | undefined): string => (n == null ? "–" : whole.format(n));

/** 1,234 stays; 11,689,512 becomes 11.7 M. */
export function short(n: number): string {
  if (n < 100_000) return whole.format(n);
  if (n < 1e6) return `${trim(n / 1e3)} k`;
  if (n < 1e9) return `${trim(n / 1e6)} M`;
  return `${trim(n / 1e9)} G`;
}

export function flopsText(n: number): string {
  if (n >= 1e9) return `${trim(n / 1e9)} GFLOPs`;
  if (n >= 1e4) return `${trim(n / 1e6)} MFLOPs`;
  return `${whole.format(n)} FLOPs`;
}

export function bytesText(n: number): string {
  if (n >= 1e9) return `${trim(n / 1e9)} GB`;
  if (n >= 1e5) return `${trim(n / 1e6)} MB`;
  if (n >= 1e3) return `${trim(n / 1e3)} kB`;
  return `${n} B`;
}

const trim = (x: number): string => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** A line about a block from its settings, such as "5×5 s2" or "120": its kernel, else its first whole number. */
export function settingsLine(settings: Record<string, unknown>, specs: readonly { name: string; kind: string }[]): string {
  const sized = specs.filter((s) => s.kind === "size" && settings[s.name] != null);
  const parts: string[] = [];
  const first = sized[0] ?? specs.find((s) => (s.kind === "int" || s.kind === "ints") && settings[s.name] != null) ?? (specs.length === 1 ? specs.find((s) => s.kind === "float") : undefined);
  if (first) {
    const value = settings[first.name];
    if (Array.isArray(value)) parts.push(value.join("×"));
    else if (value != null) parts.push(first === sized[0] ? `${String(value)}×${String(value)}` : String(value));
  }
  // A stride says by how much the maps shrink; written only where they do.
  for (const s of sized.slice(1)) if (s.name === "stride" && settings[s.name] !== 1) parts.push(`/${Array.isArray(settings[s.name]) ? (settings[s.name] as number[]).join("×") : String(settings[s.name])}`);
  return parts.join(" ");
}

/** How long a text is, so that its letters can be as large as its block has room for. */
export const letters = (text: string): CSSProperties => ({ "--letters": text.length }) as CSSProperties;
