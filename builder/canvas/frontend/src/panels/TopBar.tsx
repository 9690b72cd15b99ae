import { type ReactElement } from "react";
import { app } from "../app";
import { networkOf } from "../document/definitions";
import { bytesText, count, flopsText, short } from "../canvas/format";
import { isActive, useDocument, useHost, useLive, useReadOnly, useUi } from "../hooks";
import { useValue } from "../document/observable";
import { Icon, Logo } from "../Icon";
import { ProjectMenu } from "./ProjectMenu";
import { RunBar } from "./RunBar";

export function TopBar(): ReactElement {
  const overlay = useUi((u) => u.overlay);
  const name = useDocument((d) => d.project.name);
  return (
    <header className="topbar">
      <span className="brand"><Logo /> <span>Layerloom</span></span>
      <span className="rule" />
      <button type="button" className="menu-button" aria-expanded={overlay === "projects"} aria-haspopup="dialog" data-testid="project-menu" title={name} onClick={() => app.ui.patch({ overlay: overlay === "projects" ? null : "projects" })}>
        <span className="clip">{name}</span> <Icon name="chevronDown" size={12} />
      </button>
      <button type="button" className="menu-button" aria-expanded={overlay === "gallery"} aria-haspopup="dialog" data-testid="gallery" onClick={() => app.ui.patch({ overlay: overlay === "gallery" ? null : "gallery" })}>
        Templates <Icon name="chevronDown" size={12} />
      </button>
      <span className="rule" />
      <History />
      <Saved />
      <Totals />
      <Problems />
      <RunBar />
      <button type="button" className="icon-button" aria-label="Help and keys" title="Help and keys (?)" data-testid="help" onClick={() => app.ui.patch({ overlay: overlay === "help" ? null : "help" })}><Icon name="help" /></button>
      {overlay === "projects" && <ProjectMenu />}
    </header>
  );
}

function History(): ReactElement {
  const undo = useDocument((d) => d.undo.at(-1)?.label);
  const redo = useDocument((d) => d.redo.at(-1)?.label);
  const readOnly = useReadOnly();
  return (
    <span className="buttons">
      <button type="button" className="icon-button" disabled={undo === undefined || readOnly} data-testid="undo" aria-label={undo ? `Undo: ${undo}` : "Undo"} title={undo ? `Undo: ${undo} (Ctrl+Z)` : "Nothing to undo"} onClick={() => app.document.undo()}><Icon name="undo" /></button>
      <button type="button" className="icon-button" disabled={redo === undefined || readOnly} data-testid="redo" aria-label={redo ? `Redo: ${redo}` : "Redo"} title={redo ? `Redo: ${redo} (Ctrl+Shift+Z)` : "Nothing to redo"} onClick={() => app.document.redo()}><Icon name="redo" /></button>
    </span>
  );
}

function Saved(): ReactElement {
  const rev = useDocument((d) => d.rev);
  const readOnly = useReadOnly();
  const { savedRev, pending, silent } = useValue(app.sync.state, (s) => s);
  const state = readOnly ? "readonly" : silent ? "offline" : savedRev >= rev && !pending ? "saved" : "saving";
  const text = { readonly: "Read only", offline: "Kept in this browser", saved: "Saved", saving: "Saving" }[state];
  return (
    <span className={`saved ${state}`} data-testid="saved" data-state={state} role="status">
      <Icon name={state === "readonly" ? "lock" : state === "saved" ? "check" : state === "offline" ? "warning" : "clock"} size={13} /> <span className="saved-text">{text}</span>
    </span>
  );
}

function Totals(): ReactElement {
  const network = useDocument((d) => d.network);
  const total = useHost((h) => h.annotations?.networks[network]);
  const ok = useHost((h) => h.annotations?.ok ?? false);
  const running = useLive((l) => isActive(l.run.status));
  const size = useDocument((d) => networkOf(d.project, d.network)?.nodes.length ?? 0);
  if (!total || size === 0) return <span className="totals" data-testid="totals" />;
  const known = Object.values(total.nodes).filter((n) => n.shape !== null).length;
  if (!ok && known < size)
    return (
      <span className="totals" data-testid="totals" title={`${count(total.parameters)} parameters in the blocks whose shapes are known`}>
        <span><b>{short(total.parameters ?? 0)}</b> parameters so far</span>
        <span><i>·</i> shapes known for {known} of {size} blocks</span>
      </span>
    );
  return (
    <span className="totals" data-testid="totals" title="Trainable values; multiply-adds for one sample; memory of weights and activations">
      <span><b>{count(total.parameters ?? 0)}</b> parameters</span>
      {total.flops != null && <span><i>·</i> {flopsText(total.flops)}</span>}
      {total.memory != null && !running && <span className="wide-only"><i>·</i> {bytesText(total.memory)}</span>}
    </span>
  );
}

function Problems(): ReactElement | null {
  const problems = useHost((h) => h.annotations?.problems);
  const open = useUi((u) => u.overlay === "problems");
  if (!problems?.length) return null;
  const errors = problems.filter((p) => p.severity === "error").length;
  const n = errors || problems.length;
  const noun = errors ? "problem" : "warning";
  return (
    <button type="button" className={`problem-count ${errors ? "is-error" : "is-warning"}`} aria-expanded={open} data-testid="problems" title="List them all" onClick={() => app.ui.patch({ overlay: open ? null : "problems" })}>
      <Icon name={errors ? "error" : "warning"} size={14} /> {n} {noun}{n === 1 ? "" : "s"}
    </button>
  );
}
