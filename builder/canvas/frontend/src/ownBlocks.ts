/** What a person can do with blocks of their own: make, open, edit, rename, delete and keep them. */
import { app, OWN } from "./app";
import { blockOf, deleteBlockEdits, networkOf, PLACE, renameBlockEdits, selectionProblem, type Use, usesOf } from "./document/definitions";
import type { Edit, Project } from "./types";

const doc = app.document;

/** The own block that is open on the canvas, or null where a network is. */
export const openedBlock = (): string | null => (doc.project.networks[doc.networkName] ? null : blockOf(doc.networkName));

/** The way from a network to what is open, as far as it still leads there. */
export function trailOf(project: Project, network: string, trail: readonly Use[]): Use[] {
  if (project.networks[network] || blockOf(network) === null) return [];
  const leads = trail.every((use, i) => {
    const next = trail[i + 1]?.network ?? network;
    const inside = networkOf(project, use.network);
    if (!inside || (i === 0 && !project.networks[use.network])) return false;
    return use.id === "" || inside.nodes.some((n) => n.id === use.id && PLACE + n.block === next);
  });
  return trail.length && leads ? [...trail] : [{ network: Object.keys(project.networks)[0] ?? "network", id: "" }];
}

const show = (network: string, nodes: string[], trail: Use[]): void => {
  app.ui.patch({ trail, quick: null, wiring: null, menu: null, selectedWires: new Set() });
  doc.select(nodes, network);
};

/** Whether blocks of this name are the project's own; a definition never takes the place of a block Layerloom has. */
export const isOwn = (block: string): boolean => block in doc.project.blocks && (app.catalogue.get().blocks[block]?.category ?? OWN) === OWN;

/** Open the block that this node is a use of: what is changed there changes all its uses. */
export function openUse(id: string): void {
  const node = doc.node(id);
  if (!node || !isOwn(node.block)) return;
  const trail = trailOf(doc.project, doc.networkName, app.ui.get().trail);
  show(PLACE + node.block, [], [...trail, { network: doc.networkName, id }]);
}

/** Open a block of the palette. */
export function openBlock(name: string): void {
  if (!(name in doc.project.blocks) || openedBlock() === name) return;
  const [first] = trailOf(doc.project, doc.networkName, app.ui.get().trail);
  show(PLACE + name, [], [{ network: first?.network ?? doc.networkName, id: "" }]);
}

/** Go back along the trail, to its last place unless told; the use one came from is selected there. */
export function leave(to?: number): void {
  const trail = trailOf(doc.project, doc.networkName, app.ui.get().trail);
  const at = to ?? trail.length - 1;
  const use = trail[at];
  if (use) show(use.network, use.id ? [use.id] : [], trail.slice(0, at));
}

/** Ask for the name and the settings of a new block, or say why the selection can be none. */
export function startMaking(): void {
  app.ui.patch({ menu: null });
  if (doc.state.get().readOnly) return;
  const catalogue = app.catalogue.get();
  const why = selectionProblem(doc.network, doc.state.get().selected, (block) => catalogue.blocks[block]?.kind);
  if (why) app.toast(why, { kind: "error" });
  else app.ui.patch({ overlay: "make-block", toast: null, quick: null, wiring: null });
}

/** A name for a class from what was typed: "residual pair" becomes ResidualPair. */
export function className(text: string): string {
  const words = text.match(/[A-Za-z0-9]+/g) ?? [];
  return words.map((w) => w.charAt(0).toUpperCase() + w.slice(1)).join("");
}

export function renameBlock(from: string, to: string): void {
  const edits = renameBlockEdits(doc.project, from, to);
  const trail = trailOf(doc.project, doc.networkName, app.ui.get().trail).map((u) => (u.network === PLACE + from ? { ...u, network: PLACE + to } : u));
  const wasOpen = openedBlock() === from;
  if (doc.edit(`rename the block ${from} to ${to}`, edits) && wasOpen) show(PLACE + to, [], trail);
}

/** Where a block is used, in words: "pair1 and pair2 in network". */
export function usesText(uses: readonly Use[]): string {
  const named = uses.slice(0, 3).map((u) => (blockOf(u.network) === null ? u.id : `${u.id} in ${blockOf(u.network)}`));
  return uses.length > 3 ? `${named.join(", ")} and ${uses.length - 3} more` : named.join(named.length === 2 ? " and " : ", ");
}

export function deleteBlock(name: string): void {
  const uses = usesOf(doc.project, name);
  if (uses.length) {
    app.toast(`${name} is used by ${usesText(uses)}. Delete ${uses.length === 1 ? "it" : "them"} first.`, { kind: "error" });
    return;
  }
  if (openedBlock() === name) leave();
  if (doc.edit(`delete the block ${name}`, deleteBlockEdits(doc.project, name))) app.toast(`Deleted the block ${name}.`, { undo: true });
}

export function keepBlock(name: string): void {
  app.sync.action("keep_block", { name });
  app.toast(`Keeping ${name}: all your projects find it in the palette, in your library.`);
}

export function forgetBlock(name: string): void {
  app.sync.action("forget_block", { name });
  app.toast(`Taking ${name} out of your library. Projects that use it have it still.`);
}

/** Apply edits of a definition as one step. */
export function define(label: string, edits: Edit[], key?: string): void {
  if (edits.length) doc.edit(label, edits, key === undefined ? {} : { key });
}
