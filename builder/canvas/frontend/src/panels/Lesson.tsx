import { type ReactElement, useEffect, useMemo } from "react";
import { useDocument, useHost, useUi } from "../hooks";
import { Icon } from "../Icon";
import { Observable, useValue } from "../document/observable";
import type { GalleryItem, Lesson as Told } from "../types";
import { originOf } from "./origin";

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

/** Whether a lesson was fetched back since the page was opened: then it is wanted, whatever else could stand in its place. */
export const fetched = new Observable(false);

const ORIGINS = "layerloom:origins";
const MOST_ORIGINS = 200;

/** The starter projects that projects were made from, by the projects' ids: a renamed project keeps its lesson. */
const origins = new Map<string, string>(readOrigins());

function readOrigins(): [string, string][] {
  try {
    const kept: unknown = JSON.parse(globalThis.localStorage.getItem(ORIGINS) ?? "[]");
    return Array.isArray(kept) ? kept.filter((e) => Array.isArray(e) && typeof e[0] === "string" && typeof e[1] === "string") : [];
  } catch {
    return []; // storage is blocked or holds something else
  }
}

function remember(project: string, item: string): void {
  if (origins.get(project) === item) return;
  origins.delete(project);
  origins.set(project, item);
  try {
    globalThis.localStorage.setItem(ORIGINS, JSON.stringify([...origins].slice(-MOST_ORIGINS)));
  } catch {
    // storage is blocked: known until the page is left
  }
}

/** The starter project with a lesson whose network stands in the document. */
function useOrigin(): GalleryItem | undefined {
  const project = useDocument((d) => d.project);
  const id = useDocument((d) => d.projectId);
  const gallery = useHost((h) => h.gallery);
  const item = useMemo(() => originOf(project, gallery, origins.get(id)), [project, gallery, id]);
  useEffect(() => {
    if (item && id) remember(id, item.name);
  }, [item, id]);
  return item?.lesson ? item : undefined;
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
      <button type="button" className="link" data-testid="lesson-again" onClick={() => { show(item.name, true); fetched.set(true); }}><Icon name="eye" size={13} /> What to look at and try here</button>
    </p>
  );
}
