import type { ReactElement } from "react";
import { app } from "../app";
import { FixButton } from "../canvas/Bubble";
import { blockOf } from "../document/definitions";
import { viewport } from "../places";
import { useHost, useReadOnly } from "../hooks";
import { Icon } from "../Icon";
import type { ProblemJson } from "../types";

/** All problems of the project; a click goes to the block. */
export function ProblemList(): ReactElement | null {
  const problems = useHost((h) => h.annotations?.problems);
  const readOnly = useReadOnly();
  if (!problems?.length) return null;
  const go = (p: ProblemJson): void => {
    app.document.select(p.node ? [p.node] : [], p.network);
    if (p.node) viewport.reveal([p.node]);
  };
  return (
    <div className="menu problem-list" role="dialog" aria-label="Problems" data-testid="problem-list">
      <div className="menu-head">
        <b>{problems.length === 1 ? "One thing to mend" : `${problems.length} things to mend`}</b>
        <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={() => app.ui.patch({ overlay: null })}><Icon name="close" size={13} /></button>
      </div>
      <ul>
        {problems.map((p, i) => (
          <li key={`${p.network}/${p.node}/${p.code}/${i}`} className={p.severity}>
            <span className={`step-mark is-${p.severity}`}><Icon name={p.severity === "error" ? "error" : "warning"} size={14} /></span>
            <button type="button" className="problem-text" data-testid={`problem-${i}`} disabled={!p.node && blockOf(p.network) === null} onClick={() => go(p)}>
              {(p.node || blockOf(p.network)) && <code>{[blockOf(p.network), p.node].filter(Boolean).join(" › ")}</code>} {p.message}
            </button>
            <FixButton where="list-" problem={p} index={i} disabled={readOnly} />
          </li>
        ))}
      </ul>
    </div>
  );
}
