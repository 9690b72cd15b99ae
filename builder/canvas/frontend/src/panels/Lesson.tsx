import type { ReactElement } from "react";
import { useDocument, useHost, useUi } from "../hooks";
import { Icon } from "../Icon";
import { Observable, useValue } from "../document/observable";
import type { GalleryItem, Lesson as Told } from "../types";

const KEY = "layerloom:lessons-hidden";

/** Names of the starter projects whose lesson has been put away in this browser. */
const hidden = new Observable<ReadonlySet<string>>(new Set(read()));

function read(): string[] {
  try {
    const kept: unknown = JSON.parse(globalThis.localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((n) => typeof n === "string") : [];
  } catch {
    return []; // storage is blocked or holds something else: every lesson is shown
  }
}

function show(name: string, shown: boolean): void {
  const names = new Set(hidden.get());
  if (shown) names.delete(name);
  else names.add(name);
  hidden.set(names);
  try {
    globalThis.localStorage.setItem(KEY, JSON.stringify([...names]));
  } catch {
    // storage is blocked: put away until the next visit
  }
}

/** The starter project that the document was made from, as long as it bears its name. */
function useOrigin(): GalleryItem | undefined {
  const name = useDocument((d) => d.project.name);
  const filled = useDocument((d) => Object.values(d.project.networks).some((n) => n.nodes.length > 0));
  const item = useHost((h) => h.gallery.find((i) => i.label === name || i.name === name));
  return filled && item?.lesson ? item : undefined;
}

const PARTS: { part: keyof Told; title: string; icon: string }[] = [
  { part: "look", title: "Look at", icon: "eye" },
  { part: "try", title: "Try", icon: "flask" },
  { part: "break", title: "Break", icon: "bolt" },
  { part: "formula", title: "Formula", icon: "sum" },
];

/** What to see in a starter project, below the canvas: it takes room of its own and covers nothing. */
export function Lesson(): ReactElement | null {
  const item = useOrigin();
  const away = useValue(hidden, (h) => !!item && h.has(item.name));
  const overlay = useUi((u) => u.overlay);
  const lesson = item?.lesson;
  if (!item || !lesson || away || overlay === "gallery") return null;
  return (
    <aside className="lesson" data-testid="lesson" aria-label={`What to see in ${item.label}`}>
      {PARTS.map(({ part, title, icon }) => (
        <div key={part} className="lesson-part">
          {lesson[part] && (
            <>
              <b className={part}><Icon name={icon} size={13} /> {title}</b>
              {part === "formula" ? <code>{lesson[part]}</code> : <p tabIndex={-1}>{lesson[part]}</p>}
            </>
          )}
        </div>
      ))}
      <button type="button" className="icon-button" aria-label="Put the lesson away" title="Put away" data-testid="lesson-away" onClick={() => show(item.name, false)}><Icon name="close" size={12} /></button>
    </aside>
  );
}

/** The way back to a lesson that was put away. */
export function LessonAgain(): ReactElement | null {
  const item = useOrigin();
  const away = useValue(hidden, (h) => !!item && h.has(item.name));
  if (!item || !away) return null;
  return (
    <p className="lesson-again">
      <button type="button" className="link" data-testid="lesson-again" onClick={() => show(item.name, true)}><Icon name="eye" size={13} /> What to look at and try here</button>
    </p>
  );
}
