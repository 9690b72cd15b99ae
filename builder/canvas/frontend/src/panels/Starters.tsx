import { type ReactElement, useState } from "react";
import { app } from "../app";
import { useDocument, useHost, useLive, useReadOnly, useUi } from "../hooks";
import { Icon } from "../Icon";
import { useValue } from "../document/observable";
import { fetched, Lesson } from "./Lesson";
import { openTemplate, Sketch } from "./Gallery";

const KEY = "layerloom:starters-hidden";
const SHOWN = 5;

function hiddenBefore(): boolean {
  try {
    return globalThis.localStorage.getItem(KEY) !== null;
  } catch {
    return false; // storage is blocked: the strip is shown again next time
  }
}

/** A strip of templates below an untouched first network. With the first edit or run the network's lesson takes its place. */
export function Starters(): ReactElement | null {
  const gallery = useHost((h) => h.gallery);
  const untouched = useDocument((d) => d.loaded && d.rev <= 1 && d.undo.length === 0 && d.redo.length === 0 && Object.values(d.project.networks).some((n) => n.nodes.length > 0));
  const current = useDocument((d) => d.project.name);
  const fresh = useLive((l) => l.run.status === "none");
  const overlay = useUi((u) => u.overlay);
  const readOnly = useReadOnly();
  const wanted = useValue(fetched, (f) => f);
  const [hidden, setHidden] = useState(hiddenBefore);
  if (!untouched || !fresh || hidden || wanted || readOnly || gallery.length < 2 || overlay === "gallery") return <Lesson />;
  // One of each kind first, so that the strip shows how far the templates reach.
  const kinds = new Set<string>();
  const ordered = [...gallery].sort((a, b) => Number(b.name === current || b.label === current) - Number(a.name === current || a.label === current));
  const firsts = ordered.filter((i) => !kinds.has(i.group ?? i.name) && kinds.add(i.group ?? i.name));
  const shown = [...firsts, ...ordered.filter((i) => !firsts.includes(i))].slice(0, SHOWN);
  return (
    <div className="starters" data-testid="starters">
      <div className="starters-head">
        <b>Start from a network</b> <span className="faint">opening one can be undone</span>
        <button type="button" className="link" data-testid="all-templates" onClick={() => app.ui.patch({ overlay: "gallery" })}>All {gallery.length} templates</button>
        <button
          type="button"
          className="icon-button"
          aria-label="Hide"
          title="Hide"
          onClick={() => {
            setHidden(true);
            try {
              globalThis.localStorage.setItem(KEY, "1");
            } catch {
              // storage is blocked: hidden until the next visit
            }
          }}
        >
          <Icon name="close" size={12} />
        </button>
      </div>
      <div className="starters-row">
        {shown.map((item) => (
          <button key={item.name} type="button" className={`starter ${item.name === current || item.label === current ? "current" : ""}`} title={item.about} data-testid={`starter-${item.name}`} onClick={() => openTemplate(item)}>
            <Sketch sketch={item.sketch} width={40} />
            <span className="starter-text">
              <span className="template-name clip">{item.label}</span>
              <span className="template-about clip">{item.group || item.about}</span>
            </span>
          </button>
        ))}
      </div>
    </div>
  );
}
