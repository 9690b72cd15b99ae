import type { Action, EditorData, Json, Snapshot } from "../types";
import { sameJson } from "./observable";
import { Observable } from "./observable";
import type { Journal } from "./journal";
import type { DocumentStore } from "./store";

const RESEND_MS = 3000;
const SELECTION_DELAY_MS = 80;
const UNDO_DELAY_MS = 400;

export interface SyncState {
  /** Nothing has been answered for a while: the server is gone or busy. */
  silent: boolean;
  savedRev: number;
  pending: boolean;
}

interface Clock {
  now: () => number;
  setTimeout: (f: () => void, ms: number) => number;
  clearTimeout: (id: number) => void;
}

const CLOCK: Clock = {
  now: () => Date.now(),
  setTimeout: (f, ms) => globalThis.setTimeout(f, ms) as unknown as number,
  clearTimeout: (id) => globalThis.clearTimeout(id),
};

/**
 * Carries the document to Python and commands back. One snapshot is in flight at a time; edits made
 * meanwhile go with the next one. A snapshot that is not answered in three seconds is sent again.
 */
export class Sync {
  readonly state = new Observable<SyncState>({ silent: false, savedRev: 0, pending: false });
  readonly tab = Math.random().toString(36).slice(2, 12);
  /** Gives the project its first layout when it comes without one. */
  prepare: (projectId: string) => void = () => {};
  onCopyKept: () => void = () => {};
  /** Another project or template took the place of the one before. */
  onReplaced: () => void = () => {};

  private send: ((snapshot: Snapshot) => void) | null = null;
  private seq = 0;
  private inFlight = 0;
  private dirty = false;
  private gen = -1;
  private sid = "";
  private ackCmd = 0;
  private actions: Action[] = [];
  private actionId: number;
  private resends = 0;
  private savedOf = "";
  private resendTimer = 0;
  private sendTimer = 0;
  private undoTimer = 0;

  constructor(
    private document: DocumentStore,
    private journal: Journal,
    private clock: Clock = CLOCK,
  ) {
    this.actionId = clock.now(); // rises over reloads, too
    document.onChange = (what) => this.changed(what);
  }

  /** Ask Python for something; asked again with every snapshot until it has been answered. */
  action(name: string, args: Record<string, Json> = {}): void {
    this.actions.push({ id: ++this.actionId, name, args });
    this.dirty = true;
    this.flush();
  }

  connect(send: (snapshot: Snapshot) => void): void {
    this.send = send;
  }

  /** Take in what Python says. Called whenever the component's data differ. */
  receive(data: EditorData): void {
    const first = this.sid === "";
    const restarted = !first && data.sid !== this.sid;
    if (data.sid !== this.sid) {
      // A new server session knows nothing of this page: it gets everything again.
      this.sid = data.sid;
      this.inFlight = 0;
      this.dirty = this.dirty || !first;
      if (!first) this.ackCmd = 0;
      this.savedOf = "";
    }
    this.acknowledge(data);
    this.document.setReadOnly(data.read_only);
    const known = this.document.state.get();
    if (data.init && (data.init.gen > this.gen || data.project_id !== known.projectId)) {
      // A restarted server begins from its autosave; what stands on this page is at least as new.
      if (restarted && data.project_id === known.projectId && !data.read_only && data.init.rev <= known.rev)
        this.gen = data.init.gen;
      else this.start(data);
    }
    for (const command of data.commands ?? []) {
      if (command.seq <= this.ackCmd) continue;
      this.ackCmd = command.seq;
      this.document.command(command.label, command.edits);
      if (command.edits.some((e) => e.op === "replace_project")) {
        this.onReplaced();
        this.prepare(data.project_id);
      }
      this.dirty = true;
    }
    this.saved(data.project_id, data.saved_rev ?? 0);
    this.flush();
  }

  /** How far the project is on the disk. Two components tell it, in no certain order: the later revision counts. */
  saved(projectId: string, rev: number): void {
    if (projectId !== this.document.state.get().projectId) return;
    this.state.patch({ savedRev: this.savedOf === projectId ? Math.max(rev, this.state.get().savedRev) : rev });
    this.savedOf = projectId;
  }

  private acknowledge(data: EditorData): void {
    const done = data.ack_action ?? 0;
    this.actions = this.actions.filter((a) => a.id > done);
    if (this.inFlight && data.ack >= this.inFlight) {
      this.inFlight = 0;
      this.resends = 0;
      this.clock.clearTimeout(this.resendTimer);
      if (this.actions.length) this.later(250); // repeated until Python says it has them
    }
    this.state.patch({ silent: this.resends > 1, pending: this.inFlight > 0 || this.dirty });
  }

  private start(data: EditorData): void {
    const init = data.init;
    if (!init) return;
    this.keepHistory(); // of what stood here until now
    const known = data.project_id === this.document.state.get().projectId;
    if (!known) this.onReplaced();
    const kept = known || data.read_only ? null : this.journal.read(data.project_id);
    this.gen = init.gen;
    if (kept && kept.rev > init.rev && !sameJson(kept.project, init.project)) {
      this.journal.keepCopy(data.project_id, init.project, this.clock.now());
      this.document.load(data.project_id, kept.project, kept.rev, this.journal.readUndo(data.project_id, kept.rev));
      this.onCopyKept();
    } else {
      if (kept && kept.rev < init.rev && !sameJson(kept.project, init.project))
        this.journal.keepCopy(data.project_id, kept.project, this.clock.now());
      const rev = Math.max(init.rev, kept?.rev ?? 0);
      this.document.load(data.project_id, init.project, rev, this.journal.readUndo(data.project_id, rev));
      this.journal.write(data.project_id, { rev, project: init.project });
    }
    this.prepare(data.project_id);
    this.dirty = true;
  }

  private changed(what: "project" | "selection"): void {
    const { projectId, project, rev, readOnly } = this.document.state.get();
    this.dirty = true;
    if (what === "selection") {
      this.later(SELECTION_DELAY_MS);
      return;
    }
    if (!readOnly && projectId) {
      this.journal.write(projectId, { rev, project });
      this.clock.clearTimeout(this.undoTimer);
      this.undoTimer = this.clock.setTimeout(() => this.keepHistory(), UNDO_DELAY_MS);
    }
    this.flush();
  }

  /** Write the steps that can be undone into the journal, if that is due: soon after an edit, or as the page is left. */
  keepHistory(): void {
    if (!this.undoTimer) return;
    this.clock.clearTimeout(this.undoTimer);
    this.undoTimer = 0;
    const now = this.document.state.get();
    this.journal.writeUndo(now.projectId, now.rev, now.undo);
  }

  private later(ms: number): void {
    this.clock.clearTimeout(this.sendTimer);
    this.sendTimer = this.clock.setTimeout(() => {
      if (this.actions.length) this.dirty = true;
      this.flush();
    }, ms);
  }

  private flush(): void {
    const state = this.document.state.get();
    if (this.dirty && !this.inFlight && this.send && state.loaded && this.sid) {
      this.dirty = false;
      this.inFlight = ++this.seq;
      this.send({
        seq: this.seq,
        tab: this.tab,
        gen: this.gen,
        rev: state.rev,
        ack_cmd: this.ackCmd,
        project_id: state.projectId,
        project: state.project,
        selection: { network: state.network, nodes: state.selected },
        actions: this.actions,
      });
      this.clock.clearTimeout(this.resendTimer);
      this.resendTimer = this.clock.setTimeout(() => {
        this.inFlight = 0;
        this.dirty = true;
        this.resends += 1;
        this.state.patch({ silent: this.resends > 1 });
        this.flush();
      }, RESEND_MS);
    }
    this.state.patch({ pending: this.inFlight > 0 || this.dirty });
  }
}
