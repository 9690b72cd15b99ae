import type { Project } from "../types";
import type { Step } from "./store";

/** What the browser itself keeps of a project, so that neither a dead server nor a reload loses an edit. */
export interface Entry {
  rev: number;
  project: Project;
}

export interface Copy {
  key: string;
  at: number;
  project: Project;
}

type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

const PREFIX = "layerloom:";
const MAX_UNDO_CHARACTERS = 300_000;
const MAX_COPIES = 5;

export class Journal {
  /** Set when the browser refused to keep something (private mode, full). */
  failed = false;

  constructor(private storage: Storage | null) {}

  read(id: string): Entry | null {
    const entry = this.parse<Entry>(`${PREFIX}project:${id}`);
    return entry && typeof entry.rev === "number" && entry.project?.networks ? entry : null;
  }

  write(id: string, entry: Entry): void {
    this.put(`${PREFIX}project:${id}`, JSON.stringify(entry));
  }

  readUndo(id: string, rev: number): Step[] {
    const found = this.parse<{ rev: number; steps: Step[] }>(`${PREFIX}undo:${id}`);
    return found && found.rev === rev && Array.isArray(found.steps) ? found.steps : [];
  }

  /** The latest steps that fit into the space allowed. */
  writeUndo(id: string, rev: number, steps: readonly Step[]): void {
    const kept: string[] = [];
    let size = 0;
    for (const step of [...steps].reverse()) {
      const text = JSON.stringify(step);
      size += text.length;
      if (size > MAX_UNDO_CHARACTERS) break;
      kept.unshift(text);
    }
    this.put(`${PREFIX}undo:${id}`, `{"rev":${rev},"steps":[${kept.join(",")}]}`);
  }

  /** Keep the version that lost against a higher revision. */
  keepCopy(id: string, project: Project, at: number): void {
    this.put(`${PREFIX}copy:${id}:${at}`, JSON.stringify(project));
    for (const old of this.copies(id).slice(MAX_COPIES)) this.storage?.removeItem(old.key);
  }

  /** The copies kept of a project, newest first. */
  copies(id: string): Copy[] {
    const prefix = `${PREFIX}copy:${id}:`;
    const found: Copy[] = [];
    for (const key of this.keys()) {
      if (!key.startsWith(prefix)) continue;
      const project = this.parse<Project>(key);
      if (project?.networks) found.push({ key, at: Number(key.slice(prefix.length)), project });
    }
    return found.sort((a, b) => b.at - a.at);
  }

  private keys(): string[] {
    const storage = this.storage;
    if (!storage) return [];
    return Array.from({ length: storage.length }, (_, i) => storage.key(i)).filter((k) => k !== null);
  }

  private parse<T>(key: string): T | null {
    const text = this.storage?.getItem(key);
    if (!text) return null;
    try {
      return JSON.parse(text) as T;
    } catch {
      return null; // cut off by a crash of the browser: the server's version is used
    }
  }

  private put(key: string, text: string): void {
    const storage = this.storage;
    if (!storage) return;
    try {
      storage.setItem(key, text);
      this.failed = false;
    } catch {
      // Full: histories and copies of other projects go first, then it is tried once more.
      for (const other of this.keys())
        if (other !== key && /^layerloom:(undo|copy):/.test(other)) storage.removeItem(other);
      try {
        storage.setItem(key, text);
      } catch {
        this.failed = true;
      }
    }
  }
}
