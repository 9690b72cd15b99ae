import { app } from "../app";

/** Where the page opens files: a field of its own in this panel, which exists while the panel is shown. */
const PANEL = "Export";
const FIELD = ".st-key-open_file input[type=file]";
const PATIENCE_MS = 15_000;

/** Whether what is dragged over the canvas are files of the computer. */
export const bringsFiles = (data: DataTransfer | null): boolean => !!data?.types.includes("Files");

/**
 * Open a file dropped on the canvas as if it had been chosen in the page's own field: read by the same code, with the
 * same sentences about a broken one, and as one step that undo takes back.
 */
export function openDropped(files: FileList): void {
  const [file] = files;
  if (!file) return;
  if (app.document.state.get().readOnly) return app.toast("This project is only looked at here. Take over to open a file in it.", { kind: "error" });
  if (files.length > 1) return app.toast(`Drop one file at a time; these are ${files.length}.`, { kind: "error" });
  if (!field()) app.sync.action("show", { panel: PANEL });
  const began = Date.now();
  const hand = (): void => {
    const input = field();
    if (input) {
      const chosen = new DataTransfer();
      chosen.items.add(file);
      input.files = chosen.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      input.closest(".st-key-open_file")?.scrollIntoView?.({ block: "nearest" });
    } else if (Date.now() - began < PATIENCE_MS) setTimeout(hand, 100);
    else app.toast(`${file.name} could not be handed to the page. Open it below, under ${PANEL}.`, { kind: "error" });
  };
  hand();
}

const field = (): HTMLInputElement | null => document.querySelector<HTMLInputElement>(FIELD);
