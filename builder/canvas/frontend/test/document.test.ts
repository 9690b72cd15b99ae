import { describe, expect, it } from "vitest";
import { app } from "../src/app";
import { clicked } from "../src/commands";
import { Journal } from "../src/document/journal";
import { DocumentStore } from "../src/document/store";
import { Sync } from "../src/document/sync";
import type { EditorData, Snapshot } from "../src/types";
import { node, project } from "./helpers";

class MemoryStorage {
  private map = new Map<string, string>();
  full = Number.POSITIVE_INFINITY;
  get length() { return this.map.size; }
  getItem(k: string) { return this.map.get(k) ?? null; }
  key(i: number) { return [...this.map.keys()][i] ?? null; }
  removeItem(k: string) { this.map.delete(k); }
  setItem(k: string, v: string) {
    const used = [...this.map].reduce((s, [key, value]) => s + (key === k ? 0 : value.length), 0);
    if (used + v.length > this.full) throw new Error("QuotaExceededError");
    this.map.set(k, v);
  }
}

/** A clock that is moved by hand. */
function fakeClock() {
  let now = 1_000;
  let next = 1;
  const timers = new Map<number, { at: number; f: () => void }>();
  return {
    now: () => now,
    setTimeout: (f: () => void, ms: number) => { timers.set(next, { at: now + ms, f }); return next++; },
    clearTimeout: (id: number) => void timers.delete(id),
    pass(ms: number) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
        if (!due) break;
        timers.delete(due[0]);
        now = due[1].at;
        due[1].f();
      }
      now = end;
    },
  };
}

function page(storage = new MemoryStorage()) {
  const clock = fakeClock();
  const store = new DocumentStore(clock.now);
  const journal = new Journal(storage);
  const sync = new Sync(store, journal, clock);
  const sent: Snapshot[] = [];
  sync.connect((s) => sent.push(structuredClone(s)));
  let data: EditorData = { project_id: "p", sid: "s1", ack: 0, ack_action: 0, gen: 1, init: { gen: 1, project: project([node("a")]), rev: 5 }, commands: [], annotations: null, saved_rev: 5, read_only: false };
  const receive = (change: Partial<EditorData> = {}) => { data = { ...data, ...change }; sync.receive(data); };
  const answer = () => receive({ ack: sent.at(-1)?.seq ?? 0, init: null, saved_rev: sent.at(-1)?.rev ?? 0 });
  return { clock, store, journal, sync, sent, receive, answer };
}
const add = (id: string) => [{ op: "add_node" as const, network: "network", node: node(id) }];
const ids = (s: Snapshot | undefined) => s?.project.networks.network?.nodes.map((n) => n.id);

describe("the selection", () => {
  const open = (...nodes: string[]) => {
    const store = new DocumentStore();
    store.load("p", project(nodes.map((id) => node(id))), 1);
    store.select(nodes);
    return store;
  };

  it("is empty in another network, whether a project or its data brought it, and comes back with the old one", () => {
    const other = project([node("a"), node("x"), node("y")]);
    const brought = [
      [{ op: "replace_project" as const, value: other }],
      [{ op: "set_part" as const, part: "data", value: { name: "mnist", settings: {} } }, { op: "set_network" as const, network: "network", value: other.networks.network! }],
    ];
    for (const edits of brought)
      for (const before of [["a", "b"], ["b", "c"]]) {
        const store = open(...before);
        store.command("open another", edits);
        expect(store.network.nodes.map((n) => n.id)).toEqual(["a", "x", "y"]);
        expect(store.state.get().selected).toEqual([]);
        store.undo();
        expect(store.state.get().selected).toEqual(before);
      }
  });

  it("is the block clicked alone, but not while a key adds to it", () => {
    const store = app.document;
    const keys = { shiftKey: false, ctrlKey: false, metaKey: false };
    store.load("p", project([node("a"), node("b"), node("c")]), 1);
    store.select(["a", "b", "c"]);
    clicked("b", { ...keys, ctrlKey: true });
    expect(store.state.get().selected).toEqual(["a", "b", "c"]);
    clicked("b", keys);
    expect(store.state.get().selected).toEqual(["b"]);
  });
});

describe("undo", () => {
  it("a step back and forth restores project and selection; each raises the revision", () => {
    const { store, receive } = page();
    receive();
    store.edit("add b", add("b"), { select: ["b"] });
    store.undo();
    expect(store.network.nodes.map((n) => n.id)).toEqual(["a"]);
    store.redo();
    expect(store.network.nodes.map((n) => n.id)).toEqual(["a", "b"]);
    expect(store.state.get().selected).toEqual(["b"]);
    expect(store.state.get().rev).toBe(8);
  });

  it("typing is one step; after a pause it is another", () => {
    const { store, receive, clock } = page();
    receive();
    const type = (value: number) => store.edit("p of a", [{ op: "set", network: "network", id: "a", setting: "p", value }], { key: "set:a:p" });
    type(1); clock.pass(300); type(12); clock.pass(300); type(120);
    expect(store.state.get().undo).toHaveLength(1);
    clock.pass(2000); type(7);
    expect(store.state.get().undo).toHaveLength(2);
    store.undo(); store.undo();
    expect(store.node("a")?.settings).toEqual({});
  });

  it("what follows from an edit is a part of its step, and of no other change", () => {
    const { store, receive } = page();
    receive();
    const place = store.node("a")?.position;
    const moved = [{ op: "move_node" as const, network: "network", id: "a", position: [300, 40] as [number, number] }];
    expect(store.amend(moved)).toBe(false);
    store.edit("add b", add("b"));
    expect(store.amend(moved)).toBe(true);
    expect(store.node("a")?.position).toEqual([300, 40]);
    expect(store.state.get()).toMatchObject({ rev: 7, undo: [{ label: "add b" }] });
    store.undo();
    expect(store.node("a")?.position).toEqual(place);
    expect(store.amend(moved)).toBe(false);
    store.redo();
    expect(store.node("a")?.position).toEqual([300, 40]);
  });

  it("the steps of a page that is left right after an edit, for another project or for good, are kept", () => {
    const storage = new MemoryStorage();
    const { store, journal, sync, receive } = page(storage);
    receive();
    store.edit("add b", add("b"));
    sync.keepHistory(); // as the page is left
    expect(journal.readUndo("p", 6)).toMatchObject([{ label: "add b" }]);
    store.edit("add c", add("c"));
    receive({ project_id: "q", gen: 2, init: { gen: 2, project: project([node("z")]), rev: 1 } });
    expect(journal.readUndo("p", 7)).toMatchObject([{ label: "add b" }, { label: "add c" }]);
    expect(journal.readUndo("q", 1)).toEqual([]);
  });

  it("a refused edit changes nothing and says why", () => {
    const { store, receive } = page();
    receive();
    const said: string[] = [];
    store.onRefused = (m) => said.push(m);
    expect(store.edit("add a", add("a"))).toBe(false);
    expect(said).toEqual(['There is already a block called "a".']);
    expect(store.state.get()).toMatchObject({ rev: 5, undo: [] });
  });

  it("read only refuses edits and undo", () => {
    const { store, receive } = page();
    receive();
    store.edit("add b", add("b"));
    receive({ read_only: true });
    expect(store.edit("add c", add("c"))).toBe(false);
    store.undo();
    expect(store.network.nodes).toHaveLength(2);
  });
});

describe("snapshots", () => {
  it("one is in flight; edits made meanwhile go together with the next", () => {
    const { store, sent, receive, answer } = page();
    receive(); answer();
    sent.length = 0;
    store.edit("b", add("b")); store.edit("c", add("c")); store.edit("d", add("d"));
    expect(sent.map(ids)).toEqual([["a", "b"]]);
    answer();
    expect(sent.map(ids)).toEqual([["a", "b"], ["a", "b", "c", "d"]]);
    answer();
    expect(sent).toHaveLength(2);
  });

  it("is sent again after three seconds without an answer", () => {
    const { store, sent, receive, answer, clock, sync } = page();
    receive(); answer();
    sent.length = 0;
    store.edit("b", add("b"));
    clock.pass(2900);
    expect(sent).toHaveLength(1);
    clock.pass(200);
    expect(sent).toHaveLength(2);
    clock.pass(3100);
    expect(sync.state.get().silent).toBe(true);
    answer();
    expect(sync.state.get().silent).toBe(false);
    expect(sent.at(-1)?.seq).toBeGreaterThan(sent[0]?.seq ?? 0);
  });

  it("a change is kept and sent before anything is drawn of it", () => {
    const { store, sent, journal, receive, answer } = page();
    receive(); answer();
    sent.length = 0;
    const seen: [number, number | undefined][] = [];
    store.state.subscribe(() => seen.push([sent.length, journal.read(store.state.get().projectId)?.rev]));
    store.edit("b", add("b"));
    expect(seen).toEqual([[1, store.state.get().rev]]);
    answer();
    store.undo();
    expect(seen.at(-1)).toEqual([2, store.state.get().rev]);
  });

  it("is saved up to the later of the revisions told, whichever component tells it first", () => {
    const { store, receive, answer, sync } = page();
    receive(); answer();
    store.edit("b", add("b"));
    const { projectId, rev } = store.state.get();
    sync.saved(projectId, rev);
    receive({ ack: 99, init: null, saved_rev: rev - 1 });
    expect(sync.state.get().savedRev).toBe(rev);
    sync.saved("another", rev + 5);
    expect(sync.state.get().savedRev).toBe(rev);
    receive({ sid: "s2", ack: 0, saved_rev: rev - 1 }); // a restarted server knows what the disk has
    expect(sync.state.get().savedRev).toBe(rev - 1);
  });

  it("a restarted server gets everything again and its older state is not taken", () => {
    const { store, sent, receive, answer } = page();
    receive(); answer();
    store.edit("b", add("b")); answer();
    sent.length = 0;
    receive({ sid: "s2", ack: 0, gen: 2, init: { gen: 2, project: project([node("a")]), rev: 5 } });
    expect(ids(sent.at(-1))).toEqual(["a", "b"]);
    expect(sent.at(-1)?.gen).toBe(2);
    expect(store.network.nodes).toHaveLength(2);
  });

  it("a new generation replaces the project", () => {
    const { store, receive, answer } = page();
    receive(); answer();
    store.edit("b", add("b")); answer();
    receive({ gen: 2, init: { gen: 2, project: project([node("z")]), rev: 9 } });
    expect(store.network.nodes.map((n) => n.id)).toEqual(["z"]);
    expect(store.state.get().rev).toBe(9);
  });
});

describe("commands and actions", () => {
  it("a command is applied once, is one step of undo, is acknowledged and does not raise the revision", () => {
    const { store, sent, receive, answer } = page();
    receive(); answer();
    const command = { seq: 1, label: "choose data", edits: [{ op: "set_part" as const, part: "data", value: { name: "mnist", settings: {} } }, ...add("b")] };
    receive({ commands: [command] });
    receive({ commands: [command] });
    expect(store.project.data.name).toBe("mnist");
    expect(store.state.get()).toMatchObject({ rev: 5 });
    expect(store.state.get().undo).toHaveLength(1);
    answer();
    expect(sent.at(-1)?.ack_cmd).toBe(1);
    store.undo();
    expect(store.project.data.name).toBe("digits");
  });

  it("an action goes with every snapshot until it is acknowledged", () => {
    const { sync, sent, receive, answer, clock } = page();
    receive(); answer();
    sent.length = 0;
    sync.action("train");
    expect(sent.at(-1)?.actions.map((a) => a.name)).toEqual(["train"]);
    answer();
    clock.pass(400);
    expect(sent.at(-1)?.actions.map((a) => a.name)).toEqual(["train"]);
    receive({ ack: sent.at(-1)?.seq ?? 0, ack_action: sent.at(-1)?.actions[0]?.id ?? 0 });
    sync.action("stop");
    expect(sent.at(-1)?.actions.map((a) => a.name)).toEqual(["stop"]);
  });
});

describe("the browser's own storage", () => {
  it("wins with a higher revision, brings undo back, and keeps the server's version", () => {
    const storage = new MemoryStorage();
    const first = page(storage);
    first.receive(); first.answer();
    first.store.edit("b", add("b"));
    first.clock.pass(1000);
    const second = page(storage);
    second.receive();
    expect(second.store.network.nodes.map((n) => n.id)).toEqual(["a", "b"]);
    expect(ids(second.sent.at(-1))).toEqual(["a", "b"]);
    expect(second.journal.copies("p").map((c) => c.project.networks.network?.nodes.length)).toEqual([1]);
    second.store.undo();
    expect(second.store.network.nodes.map((n) => n.id)).toEqual(["a"]);
  });

  it("yields to a higher revision of the server, and keeps its own as a copy", () => {
    const storage = new MemoryStorage();
    const first = page(storage);
    first.receive(); first.answer();
    first.store.edit("b", add("b"));
    const second = page(storage);
    second.receive({ init: { gen: 1, project: project([node("c")]), rev: 40 } });
    expect(second.store.network.nodes.map((n) => n.id)).toEqual(["c"]);
    expect(second.journal.copies("p")[0]?.project.networks.network?.nodes.map((n) => n.id)).toEqual(["a", "b"]);
  });

  it("makes room when it is full, and tells when it cannot", () => {
    const storage = new MemoryStorage();
    storage.full = 900;
    const journal = new Journal(storage);
    journal.keepCopy("old", project(), 1);
    journal.keepCopy("old", project(), 2);
    journal.write("p", { rev: 1, project: project([node("a"), node("b")]) });
    expect(journal.read("p")?.rev).toBe(1);
    expect(journal.failed).toBe(false);
    storage.full = 10;
    journal.write("p", { rev: 2, project: project() });
    expect(journal.failed).toBe(true);
    expect(journal.read("p")?.rev).toBe(1);
  });

  it("does not stumble over an entry that was cut off", () => {
    const storage = new MemoryStorage();
    storage.setItem("layerloom:project:p", '{"rev": 99, "proj');
    const { store, receive } = page(storage);
    receive();
    expect(store.state.get().rev).toBe(5);
  });
});
