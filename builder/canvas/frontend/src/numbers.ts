import { app } from "./app";

/** The number a person wrote, with a decimal point or a decimal comma; NaN where it cannot be told. */
export function readNumber(text: string): number {
  const written = text.trim();
  return /^[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?$/i.test(written) ? Number(written.replace(",", ".")) : Number.NaN;
}

/**
 * What is put into a field of numbers that shows `value` in place of `typed`, which has a comma: a browser that is set
 * to English leaves commas out without a word, and 0,001 would become 1. Null where typed and shown make no one number.
 */
export function pointed(typed: string, value: string): string | null {
  const text = typed.replace(",", ".");
  const twice = typed.length > 1 ? typed.includes(".") || text.includes(",") : value.includes(".");
  return twice ? null : text;
}

/** Take decimal commas in all fields of numbers of a page. */
export function takeCommas(page: Document): void {
  const take = (event: InputEvent): void => {
    const field = event.composedPath()[0];
    if (!(field instanceof HTMLInputElement) || field.type !== "number" || !event.data?.includes(",") || !event.cancelable) return;
    event.preventDefault();
    const text = pointed(event.data, field.value);
    if (text === null) app.toast(`“${event.data}” does not fit there: a number has one decimal point or comma, as in 0.001 or 0,001.`, { kind: "error" });
    else page.execCommand("insertText", false, text);
  };
  page.addEventListener("beforeinput", take, { capture: true });
}
