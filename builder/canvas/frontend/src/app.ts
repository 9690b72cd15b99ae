import { Journal } from "./document/journal";
import { libraryEdits, type Use } from "./document/definitions";
import { Observable, sameJson } from "./document/observable";
import { DocumentStore, type Step } from "./document/store";
import { Sync } from "./document/sync";
import type { Annotations, Catalogue, EditorData, FeedData, GalleryItem, NodeAnnotation, ProjectEntry, RunState } from "./types";

/** What Python told about the page, as far as the document does not hold it. */
export interface HostState {
  annotations: Annotations | null;
  projects: ProjectEntry[];
  gallery: GalleryItem[];
  lease: { mine: boolean; message: string } | null;
  steps: EditorData["steps"];
  height: number | null;
  library: NonNullable<EditorData["library"]>;
}

export interface LiveState {
  run: RunState;
  probe: FeedData["probe"];
  seenAt: number;
  /** When the connection was last lost, by what the page was told. */
  lostAt: number;
}

/** The families of blocks that are no part of the catalogue. */
export const OWN = "own";
export const LIBRARY = "library";

export type Overlay = "gallery" | "help" | "problems" | "projects" | "make-block" | null;

export interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
  /** The step that the toast offers to take back; it is offered only while it is the last one. */
  step?: Step;
}

export interface UiState {
  overlay: Overlay;
  toast: Toast | null;
  /** Where the toast lies on the canvas, so that nothing else is put there meanwhile. */
  toastAt: { x: number; y: number; w: number; h: number } | null;
  tour: number | null;
  /** Where a new block is being searched: a place on the canvas, and the block it is to be wired to. */
  quick: { screen: [number, number]; flow: [number, number]; from: string | null } | null;
  /** The block whose wire is being drawn by keyboard. */
  wiring: string | null;
  /** A wire being pulled: what it may not end at, with the reason. */
  pulling: { node: string; side: "source" | "target"; refused: Map<string, string> } | null;
  /** Where one came from to the inside of an own block: networks and own blocks, outermost first. */
  trail: Use[];
  /** A menu beside the pointer, on the canvas. */
  menu: { at: [number, number] } | null;
  /** The wire under a dragged block. */
  dropWire: string | null;
  selectedWires: ReadonlySet<string>;
  notice: EditorData["notice"];
  noticesSeen: ReadonlySet<string | number>;
}

const NO_RUN: RunState = { status: "none" };

function storage(): globalThis.Storage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null; // blocked by the browser's settings: the server's autosave is left
  }
}

/** Everything that lives as long as the page: the document, what Python said, and what is open. */
export class App {
  readonly document = new DocumentStore();
  readonly journal = new Journal(storage());
  readonly sync = new Sync(this.document, this.journal);
  readonly catalogue = new Observable<Catalogue>({ categories: [], blocks: {} });
  readonly host = new Observable<HostState>({
    annotations: null,
    projects: [],
    gallery: [],
    lease: null,
    steps: null,
    height: null,
    library: {},
  });
  readonly live = new Observable<LiveState>({ run: NO_RUN, probe: null, seenAt: 0, lostAt: 0 });
  readonly thumbnails = new Observable<Record<string, Record<string, string>>>({});
  readonly ui = new Observable<UiState>({
    overlay: null,
    toast: null,
    toastAt: null,
    tour: null,
    quick: null,
    wiring: null,
    pulling: null,
    trail: [],
    menu: null,
    dropWire: null,
    selectedWires: new Set(),
    notice: null,
    noticesSeen: new Set(),
  });

  private toastTimer = 0;
  private toastId = 0;

  constructor() {
    this.document.complete = (edits) => libraryEdits(this.document.project, this.host.get().library, edits);
    this.document.isInput = (block) => this.catalogue.get().blocks[block]?.kind === "input";
    this.document.onRefused = (message) => this.toast(message, { kind: "error" });
    this.sync.onReplaced = () => this.dropThumbnails();
    this.sync.onCopyKept = () =>
      this.toast("This browser had newer edits and kept them; the server's version is in the project menu.");
  }

  receive(data: EditorData): void {
    this.sync.receive(data);
    const host = this.host.get();
    const next: HostState = {
      annotations: mergeAnnotations(host.annotations, data.annotations),
      projects: keep(host.projects, data.projects ?? []),
      gallery: keep(host.gallery, data.gallery?.length ? data.gallery : host.gallery),
      lease: keep(host.lease, data.lease ?? null),
      steps: keep(host.steps, data.steps ?? null),
      height: data.height ?? null,
      library: keep(host.library, data.library ?? {}),
    };
    if (!sameFields(host, next)) this.host.set(next);
    this.combine();
    const notice = data.notice ?? null;
    if (!sameJson(notice, this.ui.get().notice)) this.ui.patch({ notice });
  }

  private combined: unknown[] = [];
  private base: Catalogue = { categories: [], blocks: {} };

  /** The catalogue as the bundle's component carries it; it never changes. */
  setCatalogue(catalogue: Catalogue): void {
    this.base = catalogue;
    this.combine();
  }

  /** The catalogue and the blocks of one's own: of this project, then of the library. */
  private combine(): void {
    const { annotations, library } = this.host.get();
    const parts = [this.base, annotations?.blocks, library];
    if (parts.every((part, i) => part === this.combined[i])) return;
    this.combined = parts;
    const own = annotations?.blocks ?? {};
    const kept = Object.fromEntries(Object.entries(library).filter(([name]) => !(name in own)).map(([name, k]) => [name, { ...k.block, category: LIBRARY }]));
    const categories = [{ name: OWN, label: "Your blocks" }, { name: LIBRARY, label: "Your library" }, ...this.base.categories];
    this.catalogue.set({ categories, blocks: { ...own, ...kept, ...this.base.blocks } });
  }

  private feeds: number[] = [];

  /** Whether the feed came again and again of late, so that its silence means something. */
  feedRepeats(): boolean {
    const [a, b] = [this.feeds[0], this.feeds.at(-1)];
    return this.feeds.length >= 4 && a !== undefined && b !== undefined && b - a < 8000;
  }

  feed(data: FeedData): void {
    const live = this.live.get();
    this.feeds = [...this.feeds.slice(-3), Date.now()];
    this.live.patch({
      run: keep(live.run, data.run ?? NO_RUN),
      probe: keep(live.probe, data.probe ?? null),
      seenAt: Date.now(),
    });
    if (data.saved) this.sync.saved(data.saved.project_id, data.saved.rev);
    if (data.thumbnails) this.thumbnails.set(keep(this.thumbnails.get(), data.thumbnails));
  }

  /** The connection to the server is lost; the next data show that it is back. */
  lost(): void {
    this.live.patch({ lostAt: Date.now() });
  }

  /** Another network stands on the canvas: pictures go until the server tells which still belong to its blocks. */
  dropThumbnails(): void {
    this.thumbnails.set({});
  }

  toast(text: string, more: { kind?: Toast["kind"]; undo?: boolean } = {}): void {
    const { undo, ...rest } = more;
    const toast: Toast = { id: ++this.toastId, text, kind: "info", ...rest };
    if (undo) toast.step = this.document.state.get().undo.at(-1);
    this.ui.patch({ toast });
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => {
      if (this.ui.get().toast?.id === toast.id) this.ui.patch({ toast: null });
    }, 4500) as unknown as number;
  }

  annotation(network: string, id: string): NodeAnnotation | undefined {
    return this.host.get().annotations?.networks[network]?.nodes[id];
  }
}

/** The old object where the new one says the same, so that nothing is drawn again for it. */
function keep<T>(old: T, next: T): T {
  return sameJson(old, next) ? old : next;
}

function sameFields<T extends object>(a: T, b: T): boolean {
  return (Object.keys(b) as (keyof T)[]).every((k) => Object.is(a[k], b[k]));
}

/** The new annotations, with every node that did not change kept as the same object. */
export function mergeAnnotations(old: Annotations | null, next: Annotations | null): Annotations | null {
  if (!old || !next) return next;
  if (sameJson(old, next)) return old;
  const networks: Annotations["networks"] = {};
  for (const [name, network] of Object.entries(next.networks)) {
    const before = old.networks[name];
    const nodes: Record<string, NodeAnnotation> = {};
    for (const [id, node] of Object.entries(network.nodes)) {
      const was = before?.nodes[id];
      nodes[id] = was && sameJson(was, node) ? was : node;
    }
    networks[name] = { ...network, nodes };
  }
  return { ...next, networks, problems: keep(old.problems, next.problems), blocks: keep(old.blocks, next.blocks) };
}

export const app = new App();
