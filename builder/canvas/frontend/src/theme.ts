/** Light or dark, as Streamlit's page is: from its background colour, else from the system. */
export function isDark(host: Element): boolean {
  const value = getComputedStyle(host).getPropertyValue("--st-background-color").trim();
  const rgb = parse(value);
  if (rgb) return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 128;
  return globalThis.matchMedia?.("(prefers-color-scheme: dark)").matches ?? false;
}

function parse(value: string): [number, number, number] | null {
  const hex = /^#([0-9a-f]{6}|[0-9a-f]{3})(?:[0-9a-f]{2})?$/i.exec(value)?.[1];
  if (hex) {
    const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
    return [0, 2, 4].map((i) => Number.parseInt(full.slice(i, i + 2), 16)) as [number, number, number];
  }
  const numbers = /^rgba?\(([^)]+)\)/.exec(value)?.[1]?.split(/[\s,/]+/).map(Number);
  return numbers && numbers.length >= 3 ? [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0] : null;
}
