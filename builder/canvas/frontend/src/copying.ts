/** Blocks copied, pasted and duplicated. */
import { app } from "./app";
import { sizeOf } from "./canvas/geometry";
import { type Clip, pasteEdits, readClip, toClip } from "./document/clipboard";
import { blockOf, contains, definitionOf, definitionsOf } from "./document/definitions";
import { sameJson } from "./document/observable";
import { boxes, viewport } from "./places";
import type { Json } from "./types";

const doc = app.document;

let internalClip: Clip | null = null;

/** Blocks to be copied, with the definitions of those that are one's own, and the values arguments stand for. */
function clipOf(ids: readonly string[]): Clip {
  const clip = toClip(doc.network, ids);
  const blocks = definitionsOf(doc.project, clip.nodes.map((n) => n.block));
  const opened = blockOf(doc.networkName);
  return { ...clip, ...(Object.keys(blocks).length ? { blocks: blocks as Record<string, Json> } : {}), ...(opened === null ? {} : { usual: definitionOf(doc.project, opened)?.arguments ?? {} }) };
}

export function copySelected(): string | null {
  const { selected } = doc.state.get();
  if (selected.length === 0) return null;
  internalClip = clipOf(selected);
  return JSON.stringify(internalClip);
}

/** The arguments that settings may take in what is open. */
function argumentsHere(): ReadonlySet<string> {
  const opened = blockOf(doc.networkName);
  return new Set(opened === null ? [] : Object.keys(definitionOf(doc.project, opened)?.arguments ?? {}));
}

/** How far to move copies so that they stand on nothing: straight below, as far as needed. */
function freeOffset(clip: Clip): [number, number] {
  const all = [...boxes(doc.network).values()];
  const copies = clip.nodes.map((n) => ({ x: n.position[0], y: n.position[1], ...sizeOf(n, app.catalogue.get(), undefined, clip.edges) }));
  const top = Math.min(...copies.map((c) => c.y));
  let dy = Math.max(...copies.map((c) => c.y + c.h)) - top + 36;
  const hits = (): boolean => copies.some((c) => all.some((b) => b.x < c.x + c.w && b.x + b.w > c.x && b.y < c.y + dy + c.h + 12 && b.y + b.h + 12 > c.y + dy));
  for (let tries = 0; tries < 100 && hits(); tries += 1) dy += 48;
  return [0, Math.round(dy)];
}

export function paste(text: string | null): boolean {
  const clip = (text !== null ? readClip(text) : null) ?? (text ? null : internalClip);
  if (!clip) return false;
  const opened = blockOf(doc.networkName);
  const itself = clip.nodes.find((n) => opened !== null && (n.block === opened || (n.block in doc.project.blocks && contains(doc.project, n.block, opened))));
  if (itself) {
    app.toast(`${opened} cannot hold itself: ${itself.id} is one or holds one.`, { kind: "error" });
    return true;
  }
  const { edits, ids } = pasteEdits(doc.networkName, doc.network, clip, freeOffset(clip), argumentsHere());
  const missing = Object.entries(clip.blocks ?? {}).filter(([name]) => !(name in doc.project.blocks));
  const other = Object.entries(clip.blocks ?? {}).find(([name, d]) => name in doc.project.blocks && !sameJson(doc.project.blocks[name] as Json, d));
  if (other) app.toast(`This project has a block ${other[0]} of its own, which takes the place of the copied one.`);
  if (missing.length) edits.unshift({ op: "set_part", part: "blocks", value: { ...doc.project.blocks, ...Object.fromEntries(missing) } as Json });
  if (doc.edit(ids.length === 1 ? `paste ${ids[0]}` : `paste ${ids.length} blocks`, edits, { select: ids })) viewport.reveal(ids);
  return true;
}

export function duplicateSelected(): void {
  const { selected } = doc.state.get();
  if (selected.length === 0) return;
  const clip = clipOf(selected);
  const { edits, ids } = pasteEdits(doc.networkName, doc.network, clip, freeOffset(clip), argumentsHere());
  doc.edit("duplicate", edits, { select: ids });
  viewport.reveal(ids);
}
