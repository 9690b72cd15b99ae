import type { Edit, NetworkJson, NodeJson, Project } from "../types";
import { applyEdits, EditError } from "./edits";
import { followPorts, networkOf } from "./definitions";
import { Observable } from "./observable";

/** One undoable step: what it was called, and the project before it. */
export interface Step {
  label: string;
  project: Project;
  nodes: string[];
  /** Where it happened, so that undoing shows it. */
  network?: string;
}

export interface DocumentState {
  projectId: string;
  project: Project;
  /** Rises with every change a person makes here; commands from Python do not raise it. */
  rev: number;
  network: string;
  selected: string[];
  undo: Step[];
  redo: Step[];
  readOnly: boolean;
  loaded: boolean;
}

const EMPTY: Project = {
  format: 1,
  name: "untitled",
  networks: { network: { nodes: [], edges: [] } },
  blocks: {},
  data: { name: "digits", settings: {} },
  task: { name: "classification", settings: {} },
  loss: { name: "cross_entropy", settings: {} },
  optimizer: {},
  training: {},
};

const NOTHING: NetworkJson = { nodes: [], edges: [] };
const MAX_STEPS = 200;
const COALESCE_MS = 900;

/** The document: the whole project, its selection and its history. It outlives every remount of the component. */
export class DocumentStore {
  readonly state = new Observable<DocumentState>({
    projectId: "",
    project: EMPTY,
    rev: 0,
    network: "network",
    selected: [],
    undo: [],
    redo: [],
    readOnly: false,
    loaded: false,
  });

  /** Called after each change of the project or the selection. */
  onChange: (what: "project" | "selection") => void = () => {};
  /** Called with a sentence when an edit does not fit. */
  onRefused: (message: string) => void = () => {};

  /** Edits that must come before these, so that the project holds all it uses. */
  complete: (edits: readonly Edit[]) => readonly Edit[] = () => [];

  /** Whether data enters through blocks of this kind. */
  isInput: (block: string) => boolean = () => false;

  private amendable = false;
  private lastKey: string | null = null;
  private lastAt = 0;

  constructor(private now: () => number = () => Date.now()) {}

  get project(): Project {
    return this.state.get().project;
  }

  get networkName(): string {
    return this.state.get().network;
  }

  get network(): NetworkJson {
    const { project, network } = this.state.get();
    return networkOf(project, network) ?? NOTHING;
  }

  node(id: string): NodeJson | undefined {
    return this.network.nodes.find((n) => n.id === id);
  }

  /** Put in a whole project as it was read: no step, no new revision. */
  load(projectId: string, project: Project, rev: number, undo: Step[] = []): void {
    const { network, selected, readOnly } = this.state.get();
    const same = projectId === this.state.get().projectId;
    this.amendable = false;
    this.lastKey = null;
    this.state.set({
      projectId,
      project,
      rev,
      ...settle(project, same ? network : "", same ? selected : []),
      undo,
      redo: [],
      readOnly,
      loaded: true,
    });
  }

  /**
   * Apply edits as one undoable step. Steps with the same `key` shortly after each other become one.
   * Returns whether they fitted; a refused edit changes nothing.
   */
  edit(label: string, edits: readonly Edit[], options: { key?: string; select?: string[] } = {}): boolean {
    if (this.state.get().readOnly) {
      this.onRefused("This project is open for reading only.");
      return false;
    }
    this.amendable = this.step(label, [...this.complete(edits), ...edits], this.state.get().rev + 1, options);
    return this.amendable;
  }

  /**
   * What follows from the last edit, such as neighbours that make room, once it is known: a part of its step. Nothing
   * happens where the last change was no edit, since what was undone or opened comes with its own places.
   */
  amend(edits: readonly Edit[]): boolean {
    const before = this.state.get();
    if (before.readOnly || !this.amendable || edits.length === 0) return false;
    this.put({ ...before, project: applyEdits(before.project, edits), rev: before.rev + 1 });
    return true;
  }

  /** A command from Python: one undoable step that does not raise the revision. */
  command(label: string, edits: readonly Edit[]): boolean {
    this.amendable = false;
    return this.step(label, edits, this.state.get().rev);
  }

  undo(): void {
    this.travel("undo", "redo");
  }

  redo(): void {
    this.travel("redo", "undo");
  }

  select(nodes: readonly string[], network = this.networkName): void {
    const state = this.state.get();
    if (network === state.network && nodes.length === state.selected.length && nodes.every((n, i) => n === state.selected[i]))
      return;
    this.state.patch({ network, selected: [...nodes] });
    this.onChange("selection");
  }

  setReadOnly(readOnly: boolean): void {
    if (readOnly !== this.state.get().readOnly) this.state.patch({ readOnly });
  }

  private step(label: string, edits: readonly Edit[], rev: number, { key, select }: { key?: string; select?: string[] } = {}): boolean {
    const before = this.state.get();
    let project: Project;
    try {
      project = applyEdits(before.project, edits);
    } catch (error) {
      if (!(error instanceof EditError)) throw error;
      this.onRefused(error.message);
      return false;
    }
    if (project === before.project) {
      this.put({ ...before, rev });
      return true;
    }
    const renames = new Map(edits.flatMap((e) => (e.op === "rename_node" ? [[e.id, e.to] as const] : [])));
    if (project.blocks !== before.project.blocks) project = followPorts(before.project, project, this.isInput, renames);
    const now = this.now();
    const merge =
      key !== undefined && key === this.lastKey && now - this.lastAt < COALESCE_MS && before.undo.length > 0;
    this.lastKey = key ?? null;
    this.lastAt = now;
    const undo = merge
      ? before.undo
      : [...before.undo.slice(-(MAX_STEPS - 1)), { label, project: before.project, nodes: before.selected, network: before.network }];
    const kept = before.selected.map((id) => renames.get(id) ?? id);
    const selected = select ?? (replaces(edits) ? [] : successors(before.project, project, before.network, kept));
    this.put({ ...before, project, rev, ...settle(project, before.network, selected), undo, redo: [] });
    return true;
  }

  /** A changed project is kept and sent before it is drawn, so that Python's answer is under way meanwhile. */
  private put(state: DocumentState): void {
    this.state.set(state, () => this.onChange("project"));
  }

  private travel(from: "undo" | "redo", to: "undo" | "redo"): void {
    this.amendable = false;
    const state = this.state.get();
    const step = state[from].at(-1);
    if (!step || state.readOnly) return;
    this.lastKey = null;
    const place = step.network ?? state.network;
    const back: Step = { label: step.label, project: state.project, nodes: place === state.network ? state.selected : [], network: place };
    this.put({
      ...state,
      project: step.project,
      rev: state.rev + 1,
      ...settle(step.project, place, step.nodes),
      [from]: state[from].slice(0, -1),
      [to]: [...state[to], back],
    });
  }
}

/** Whether the edits bring another network: a whole project, or networks together with the data they are for. */
function replaces(edits: readonly Edit[]): boolean {
  const data = edits.some((e) => e.op === "set_part" && e.part === "data");
  return edits.some((e) => e.op === "replace_project" || (e.op === "set_network" && data));
}

/** What is selected after an edit; where all of it is gone, what has come in its place. */
function successors(before: Project, after: Project, network: string, selected: string[]): string[] {
  const now = networkOf(after, network)?.nodes ?? [];
  const ids = new Set(now.map((n) => n.id));
  if (selected.length === 0 || selected.some((id) => ids.has(id))) return selected;
  const old = new Set(networkOf(before, network)?.nodes.map((n) => n.id));
  return now.map((n) => n.id).filter((id) => !old.has(id));
}

/** The network shown and the nodes selected, as far as the project has them. */
function settle(project: Project, network: string, nodes: readonly string[]): { network: string; selected: string[] } {
  const name = networkOf(project, network) ? network : (Object.keys(project.networks)[0] ?? "network");
  const ids = new Set(networkOf(project, name)?.nodes.map((n) => n.id));
  return { network: name, selected: nodes.filter((id) => ids.has(id)) };
}
