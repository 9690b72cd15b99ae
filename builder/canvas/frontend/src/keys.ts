/** The keyboard. Keys are heard on the document, because after Delete the focus lies on the body. */
import { app } from "./app";
import { isOwn, leave, openedBlock, openUse, startMaking } from "./ownBlocks";
import { deleteSelected, fold, nudge, selectAll } from "./commands";
import { copySelected, duplicateSelected, paste } from "./copying";
import { tidy, viewport } from "./places";

const typing = (target: EventTarget | undefined): boolean =>
  target instanceof Element && target.closest("input, textarea, select, [contenteditable=true]") !== null;

/** Listen while mounted; only when the last press or focus was inside this component. Returns how to stop. */
export function listen(root: HTMLElement): () => void {
  let ours = true;
  let hadSelection = false;
  const inside = (e: Event): boolean => e.composedPath().includes(root);
  const pressed = (e: Event): void => {
    ours = inside(e);
  };
  const focused = (e: FocusEvent): void => {
    if (e.composedPath()[0] !== document.body) ours = inside(e);
  };
  const skip = (e: Event): boolean => !ours || !root.isConnected || typing(e.composedPath()[0]);

  const keydown = (e: KeyboardEvent): void => {
    const field = e.composedPath()[0];
    if (e.key === "Escape" && inside(e) && typing(field) && (field as Element).closest(".inspector")) {
      viewport.focusCanvas(); // back from the settings to the blocks
      return;
    }
    if (skip(e) || e.defaultPrevented) return;
    if (!inside(e)) hadSelection = app.document.state.get().selected.length > 0;
    if (handle(e, root, hadSelection)) {
      e.preventDefault();
      e.stopPropagation();
    }
  };
  const copied = (e: ClipboardEvent): void => {
    if (skip(e) || globalThis.getSelection()?.toString()) return;
    const text = copySelected();
    if (text === null) return;
    e.clipboardData?.setData("text/plain", text);
    e.preventDefault();
    if (e.type === "cut") deleteSelected();
    else app.toast(app.document.state.get().selected.length === 1 ? `Copied ${app.document.state.get().selected[0]}.` : `Copied ${app.document.state.get().selected.length} blocks.`);
  };
  const pasted = (e: ClipboardEvent): void => {
    if (skip(e)) return;
    if (paste(e.clipboardData?.getData("text/plain") ?? null)) e.preventDefault();
  };
  // React Flow moves a focused block by itself, one step a key; here it is one step of undo for all.
  // It also unselects a focused block at Escape: whether something was selected is asked before.
  const arrows = (e: KeyboardEvent): void => {
    hadSelection = app.document.state.get().selected.length > 0 || app.ui.get().selectedWires.size > 0;
    if (ARROWS[e.key] && (e.composedPath()[0] as Element).closest?.(".react-flow__node, .react-flow__nodesselection") && handle(e, root)) {
      e.preventDefault();
      e.stopPropagation();
    }
  };
  root.addEventListener("keydown", arrows, true);
  document.addEventListener("pointerdown", pressed, true);
  document.addEventListener("focusin", focused, true);
  document.addEventListener("keydown", keydown);
  document.addEventListener("copy", copied);
  document.addEventListener("cut", copied);
  document.addEventListener("paste", pasted);
  return () => {
    root.removeEventListener("keydown", arrows, true);
    document.removeEventListener("pointerdown", pressed, true);
    document.removeEventListener("focusin", focused, true);
    document.removeEventListener("keydown", keydown);
    document.removeEventListener("copy", copied);
    document.removeEventListener("cut", copied);
    document.removeEventListener("paste", pasted);
  };
}

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Returns whether the key meant something here. */
function handle(e: KeyboardEvent, root: HTMLElement, hadSelection = false): boolean {
  const doc = app.document;
  const { selected, readOnly } = doc.state.get();
  const on = e.composedPath()[0];
  const onControl = on instanceof Element && on.closest("button, a, [role=option]") !== null;
  const one = selected.length === 1 ? selected[0] : undefined;
  if (e.ctrlKey || e.metaKey) {
    switch (e.key.toLowerCase()) {
      case "z":
        if (e.shiftKey) doc.redo();
        else doc.undo();
        return true;
      case "y":
        doc.redo();
        return true;
      case "d":
        duplicateSelected();
        return true;
      case "a":
        selectAll();
        return true;
    }
    return false; // copy, cut and paste come as events of their own
  }
  if (e.altKey) return false;
  const arrow = ARROWS[e.key];
  if (arrow && !onControl) {
    if (selected.length === 0 || readOnly) return false;
    const by = e.shiftKey ? 20 : 4;
    nudge(arrow[0] * by, arrow[1] * by);
    return true;
  }
  switch (e.key) {
    case "Delete":
    case "Backspace":
      deleteSelected(e.shiftKey);
      return true;
    case "Escape":
      escape(hadSelection);
      return true;
    case "/":
      viewport.focusSearch();
      return true;
    case "?":
      app.ui.patch({ overlay: app.ui.get().overlay === "help" ? null : "help" });
      return true;
    case "+":
    case "=":
      viewport.zoomBy(1.25);
      return true;
    case "-":
      viewport.zoomBy(0.8);
      return true;
    case "Enter": {
      if (onControl) return false;
      const focusedNode = on instanceof Element ? on.closest(".react-flow__node")?.getAttribute("data-id") : null;
      if (focusedNode && focusedNode !== one) doc.select([focusedNode]);
      if (!focusedNode && !one) return false;
      requestAnimationFrame(() => {
        const settings = root.querySelector<HTMLElement>(".group-of-settings :is(input, select, .toggle)");
        const field = settings ?? root.querySelector<HTMLElement>(".inspector input");
        field?.focus();
        if (field instanceof HTMLInputElement) field.select();
      });
      return true;
    }
  }
  switch (e.key.toLowerCase()) {
    case "f":
      viewport.fit();
      return true;
    case "l":
      if (!readOnly) tidy();
      return true;
    case "g":
      app.ui.patch({ overlay: app.ui.get().overlay === "gallery" ? null : "gallery" });
      return true;
    case "c":
      if (!one || readOnly) return false;
      app.ui.patch({ wiring: one, quick: null });
      return true;
    case "b":
      if (selected.length === 0 || readOnly) return false;
      startMaking();
      return true;
    case "e": {
      const node = one ? doc.node(one) : undefined;
      if (!node || !isOwn(node.block)) return false;
      openUse(node.id);
      return true;
    }
    case "o": {
      const node = one ? doc.node(one) : undefined;
      if (!node || app.catalogue.get().blocks[node.block]?.kind !== "composite") return false;
      fold(node.id, !node.folded);
      return true;
    }
    case "a": {
      if (readOnly) return false;
      const [x, y] = viewport.center();
      app.ui.patch({ quick: { screen: [viewport.width / 2 - 124, viewport.height / 2 - 120], flow: [x, y], from: one ?? null }, wiring: null });
      return true;
    }
  }
  return false;
}

function escape(hadSelection: boolean): void {
  const ui = app.ui.get();
  if (ui.tour !== null) app.ui.patch({ tour: null });
  else if (ui.quick || ui.wiring || ui.menu) app.ui.patch({ quick: null, wiring: null, menu: null });
  else if (ui.overlay) app.ui.patch({ overlay: null });
  else if (!hadSelection && openedBlock() !== null) leave();
  else {
    app.document.select([]);
    app.ui.patch({ selectedWires: new Set() });
  }
}
