import { type ReactElement, useEffect, useRef } from "react";
import { app } from "../app";
import { deleteSelected, fold } from "../commands";
import { duplicateSelected } from "../copying";
import { viewport } from "../places";
import { useCatalogue, useDocument, useReadOnly, useSelectedNode, useUi } from "../hooks";
import { Icon } from "../Icon";
import { isOwn, openUse, startMaking } from "../ownBlocks";

const close = (): void => app.ui.patch({ menu: null });

/** What can be done with the selected blocks, beside the pointer. */
export function Menu(): ReactElement | null {
  const menu = useUi((u) => u.menu);
  const node = useSelectedNode();
  const many = useDocument((d) => d.selected.length);
  const own = useDocument((d) => (node && node.block in d.project.blocks ? isOwn(node.block) : false));
  const catalogue = useCatalogue();
  const readOnly = useReadOnly();
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (menu) ref.current?.querySelector("button")?.focus();
  }, [menu]);
  if (!menu || many === 0) return null;
  const item = (id: string, icon: string, text: string, key: string, act: () => void, needsWriting = true): ReactElement => (
    <button type="button" role="menuitem" data-testid={`menu-${id}`} disabled={needsWriting && readOnly} onClick={() => { close(); act(); }}>
      <Icon name={icon} size={13} /> <span>{text}</span> {key && <kbd>{key}</kbd>}
    </button>
  );
  const left = Math.max(8, Math.min(menu.at[0], viewport.width - 216));
  const top = Math.max(8, Math.min(menu.at[1], viewport.height - 170));
  return (
    <div className="menu context" role="menu" ref={ref} style={{ left, top }} data-testid="context-menu" aria-label="Selected blocks"
      onKeyDown={(e) => {
        e.stopPropagation();
        if (e.key === "Escape") {
          close();
          viewport.focusCanvas();
        }
        if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
        e.preventDefault();
        const all = [...(ref.current?.querySelectorAll<HTMLElement>("button:not(:disabled)") ?? [])];
        const at = all.indexOf((e.currentTarget.getRootNode() as Document | ShadowRoot).activeElement as HTMLElement);
        all[(at + (e.key === "ArrowDown" ? 1 : all.length - 1)) % all.length]?.focus();
      }}
    >
      {node && own && item("edit-block", "pencil", "Edit block", "E", () => openUse(node.id), false)}
      {node && catalogue.blocks[node.block]?.kind === "composite" && item("fold", node.folded ? "unfold" : "fold", node.folded ? "Look inside" : "Close", "O", () => fold(node.id, !node.folded))}
      {item("make-block", "block", many === 1 ? "Make a block of it" : `Make a block of ${many}`, "B", startMaking)}
      {item("duplicate", "copy", "Duplicate", "Ctrl+D", duplicateSelected)}
      {item("delete", "trash", "Delete", "Del", () => deleteSelected())}
    </div>
  );
}
