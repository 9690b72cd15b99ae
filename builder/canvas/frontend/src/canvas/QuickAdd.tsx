import type { ReactElement } from "react";
import { app } from "../app";
import { addBlock } from "../commands";
import { viewport } from "../places";
import { useCatalogue, useUi } from "../hooks";
import { searchBlocks } from "../panels/search";
import { SearchList } from "./SearchList";

/** Search-and-add at a place of the canvas (double-click, or a wire dropped on nothing). */
export function QuickAdd(): ReactElement | null {
  const quick = useUi((u) => u.quick);
  const catalogue = useCatalogue();
  if (!quick) return null;
  const left = Math.max(8, Math.min(quick.screen[0], viewport.width - 256));
  const top = Math.max(8, Math.min(quick.screen[1], viewport.height - 252));
  const close = (): void => app.ui.patch({ quick: null });
  const families = new Map(catalogue.categories.map((c) => [c.name, c.label]));
  return (
    <div className="quick" style={{ left, top }} data-testid="quick-add">
      <SearchList
        key={quick.screen.join()}
        prefix="quick"
        label={quick.from ? `Add a block after ${quick.from}` : "Add a block"}
        placeholder={quick.from ? `Add after ${quick.from}` : "Add a block"}
        options={(q) =>
          searchBlocks(catalogue, q)
            .filter(([, b]) => !quick.from || b.kind !== "input")
            .map(([name, b]) => ({ id: name, label: b.label || name, detail: families.get(b.category) ?? "", hue: b.category }))
        }
        onPick={(name) => {
          close();
          addBlock(name, quick.flow, quick.from);
        }}
        onClose={close}
      />
    </div>
  );
}
