import { type ReactElement, useState } from "react";
import { app } from "../app";
import { bytesText } from "../canvas/format";
import { useDocument, useHost, useReadOnly } from "../hooks";
import { Icon } from "../Icon";
import type { ProjectEntry } from "../types";

function when(value: ProjectEntry["modified"]): string {
  if (value == null) return "";
  const at = typeof value === "number" ? new Date(value < 1e11 ? value * 1000 : value) : new Date(value);
  if (Number.isNaN(at.getTime())) return String(value);
  const minutes = Math.round((Date.now() - at.getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 60 * 24) return `${Math.round(minutes / 60)} h ago`;
  return at.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

/** Whether a project that was asked to go has left the list: deleting one is refused while it trains. */
export function hasGone(projects: readonly ProjectEntry[], asked: { id: string } | null): boolean {
  return asked !== null && projects.every((p) => p.id !== asked.id || p.deleted === true);
}

/** All projects: open, rename, duplicate, delete (which can be taken back), a new one. */
export function ProjectMenu(): ReactElement {
  const projects = useHost((h) => h.projects);
  const current = useDocument((d) => d.projectId);
  const name = useDocument((d) => d.project.name);
  const readOnly = useReadOnly();
  const [editing, setEditing] = useState<string | null>(null);
  const [gone, setGone] = useState<{ id: string; name: string } | null>(null);
  const close = (): void => app.ui.patch({ overlay: null });
  const copies = app.journal.copies(current);
  const live = projects.filter((p) => !p.deleted);
  const deleted = hasGone(projects, gone);
  const rename = (id: string, to: string): void => {
    setEditing(null);
    const clean = to.trim().slice(0, 200);
    const old = live.find((p) => p.id === id)?.name ?? name;
    if (!clean || clean === old) return;
    if (id === current) app.document.edit(`rename the project to ${clean}`, [{ op: "set_part", part: "name", value: clean }]);
    app.sync.action("rename_project", { id, name: clean });
  };
  return (
    <div className="menu" role="dialog" aria-label="Projects" data-testid="projects">
      <div className="menu-head">
        <b>Projects</b>
        <button type="button" className="button small" data-testid="new-project" onClick={() => { close(); app.sync.action("new_project"); }}><Icon name="plus" size={12} /> New project</button>
      </div>
      <ul className="projects">
        {(live.length ? live : [{ id: current, name }]).map((p: ProjectEntry) => (
          <li key={p.id} className={p.id === current ? "current" : ""} data-testid={`project-${p.id}`}>
            {editing === p.id ? (
              <input className="field" autoFocus defaultValue={p.id === current ? name : p.name} aria-label={`New name of ${p.name}`} data-testid="rename-project-name" onFocus={(e) => e.currentTarget.select()} onBlur={(e) => rename(p.id, e.currentTarget.value)}
                onKeyDown={(e) => {
                  e.stopPropagation();
                  if (e.key === "Enter") e.currentTarget.blur();
                  if (e.key === "Escape") setEditing(null);
                }}
              />
            ) : (
              <button type="button" className="project-open" title={p.id === current ? "This project is open" : `Open ${p.name}`} onClick={() => { close(); if (p.id !== current) app.sync.action("open_project", { id: p.id }); }}>
                <span className="project-name clip">{p.id === current ? name : p.name}</span>
                <span className="project-facts">{[when(p.modified), p.runs != null ? `${p.runs} ${p.runs === 1 ? "run" : "runs"}` : "", p.size != null ? bytesText(p.size) : ""].filter(Boolean).join(" · ")}</span>
              </button>
            )}
            <span className="buttons">
              <button type="button" className="icon-button" title="Rename" aria-label={`Rename ${p.name}`} disabled={readOnly && p.id === current} data-testid={`rename-${p.id}`} onClick={() => setEditing(p.id)}><Icon name="pencil" size={13} /></button>
              <button type="button" className="icon-button" title="Duplicate" aria-label={`Duplicate ${p.name}`} data-testid={`duplicate-${p.id}`} onClick={() => app.sync.action("duplicate_project", { id: p.id })}><Icon name="copy" size={13} /></button>
              <button type="button" className="icon-button" title="Delete" aria-label={`Delete ${p.name}`} data-testid={`delete-${p.id}`} onClick={() => { setGone({ id: p.id, name: p.name }); app.sync.action("delete_project", { id: p.id }); }}><Icon name="trash" size={13} /></button>
            </span>
          </li>
        ))}
      </ul>
      {gone && deleted && (
        <p className="menu-note" role="status">
          <span className="clip">Deleted {gone.name}.</span>
          <button type="button" className="link" data-testid="restore-project" onClick={() => { app.sync.action("restore_project", { id: gone.id }); setGone(null); }}>Undo</button>
        </p>
      )}
      {copies.length > 0 && (
        <>
          <div className="menu-head"><b>Copies kept in this browser</b></div>
          <ul className="projects">
            {copies.map((c) => (
              <li key={c.key}>
                <button type="button" className="project-open" disabled={readOnly} onClick={() => { close(); app.document.edit("open the kept copy", [{ op: "replace_project", value: c.project }]); }}>
                  <span className="project-name clip">{c.project.name}</span>
                  <span className="project-facts">another version, {new Date(c.at).toLocaleString()}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
