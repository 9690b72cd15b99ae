import type { ReactElement } from "react";
import { blockOf } from "../document/definitions";
import { sameList } from "../document/observable";
import { useDocument, useUi } from "../hooks";
import { Icon } from "../Icon";
import { leave, trailOf } from "../ownBlocks";

/** Above an opened own block: where it is, and the way back. */
export function Trail(): ReactElement | null {
  const walked = useUi((u) => u.trail);
  const current = useDocument((d) => d.network);
  const names = useDocument((d) => trailOf(d.project, d.network, walked).map((u) => u.network), sameList);
  const block = blockOf(current);
  if (names.length === 0 || block === null) return null;
  return (
    <nav className="network-tabs trail" aria-label="Where you are" data-testid="trail">
      {names.map((name, i) => (
        <span key={name}>
          <button type="button" data-testid={`trail-${i}`} title={i === names.length - 1 ? "Back (Esc)" : `Back to ${blockOf(name) ?? name}`} onClick={() => leave(i)}>{blockOf(name) ?? name}</button>
          <Icon name="chevronRight" size={11} />
        </span>
      ))}
      <b>{block}</b>
      <span className="faint trail-note">changes reach all its uses</span>
    </nav>
  );
}
