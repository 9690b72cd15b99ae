import type { ReactElement } from "react";
import { app } from "../app";
import { connect, legalTargets } from "../commands";
import { useCatalogue, useUi } from "../hooks";
import { SearchList } from "./SearchList";

/** Wiring without a mouse: the blocks a wire from the chosen one may end at. */
export function WiringList(): ReactElement | null {
  const from = useUi((u) => u.wiring);
  const catalogue = useCatalogue();
  if (!from) return null;
  const close = (): void => app.ui.patch({ wiring: null });
  return (
    <div className="quick centred" data-testid="wiring">
      <SearchList
        prefix="wire-to"
        label={`Wire ${from} to`}
        placeholder={`Wire ${from} to …`}
        options={(q) =>
          legalTargets(from)
            .filter((n) => n.id.toLowerCase().includes(q.toLowerCase()))
            .map((n) => ({ id: n.id, label: n.id, detail: catalogue.blocks[n.block]?.label ?? n.block, hue: catalogue.blocks[n.block]?.category ?? "" }))
        }
        onPick={(id) => {
          close();
          connect(from, id);
        }}
        onClose={close}
      />
    </div>
  );
}
