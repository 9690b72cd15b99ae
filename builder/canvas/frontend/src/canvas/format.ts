/** Numbers and shapes as people read them. */

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

/** A line about a block from its settings, such as "5×5, stride 2": only what differs from the default of 1 or 0. */
export function settingsLine(settings: Record<string, unknown>, names: readonly string[]): string {
  const parts: string[] = [];
  for (const name of names) {
    const value = settings[name];
    if (value == null || value === "" || typeof value === "boolean") continue;
    if (name === "kernel_size") parts.push(Array.isArray(value) ? value.join("×") : `${String(value)}×${String(value)}`);
    else if (name === "stride" || name === "dilation" || name === "groups") {
      if (value !== 1) parts.push(`${name[0]}${Array.isArray(value) ? value.join("×") : String(value)}`);
    } else if (typeof value === "number" && parts.length < 2) parts.push(String(value));
  }
  return parts.slice(0, 3).join(" ");
}
