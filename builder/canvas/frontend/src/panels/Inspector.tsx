import { type ReactElement, useEffect, useState } from "react";
import { app } from "../app";
import { isOwn, openUse, startMaking } from "../ownBlocks";
import { blockOf, networkOf } from "../document/definitions";
import { deleteSelected, fold, rename, setNote, setRate, setSetting } from "../commands";
import { duplicateSelected } from "../copying";
import { viewport } from "../places";
import { FixButton } from "../canvas/Bubble";
import { count, shapeText } from "../canvas/format";
import { nameProblem } from "../document/graph";
import { isActive, useAnnotation, useBlock, useCatalogue, useDocument, useHost, useLive, useReadOnly, useSelectedNode } from "../hooks";
import { Icon } from "../Icon";
import type { InnerJson, NodeJson, SettingJson } from "../types";
import { DefinitionPanel } from "./DefinitionPanel";
import { Exposable } from "./Exposable";
import { FunctionPlot } from "./FunctionPlot";
import { SettingField } from "./SettingField";
import { Summary } from "./Summary";

/** No setting of the block itself, but of every block that learns. */
const RATE: SettingJson = {
  name: "rate", label: "learning rate ×", kind: "float", default: 1, optional: false, min: 0, max: 1000, choices: null, unit: "",
  help: "How fast this block learns, as a factor of the learning rate. 0 freezes it: a trained body under a new head, say.",
};

export function Inspector(): ReactElement {
  const node = useSelectedNode();
  const many = useDocument((d) => d.selected.length);
  const network = useDocument((d) => d.network);
  const opened = useDocument((d) => (d.project.networks[d.network] ? null : blockOf(d.network)));
  return (
    <aside className="inspector" aria-label="Settings" data-testid="inspector">
      {node ? <BlockPanel key={`${network}/${node.id}`} node={node} network={network} /> : many > 1 ? <ManyPanel /> : opened !== null ? <DefinitionPanel key={opened} name={opened} /> : <Summary />}
    </aside>
  );
}

function BlockPanel({ node, network }: { node: NodeJson; network: string }): ReactElement {
  const block = useBlock(node.block);
  const catalogue = useCatalogue();
  const annotation = useAnnotation(network, node.id);
  const readOnly = useReadOnly();
  const running = useLive((l) => isActive(l.run.status));
  const problems = useHost((h) => h.annotations?.problems);
  const curve = useHost((h) => (annotation?.curve === undefined ? undefined : h.annotations?.curves?.[annotation.curve]));
  const own = (problems ?? []).filter((p) => p.network === network && p.node === node.id);
  const opened = useDocument((d) => (d.project.networks[network] ? null : blockOf(network)));
  const own0 = useDocument((d) => node.block in d.project.blocks && isOwn(node.block));
  const family = catalogue.categories.find((c) => c.name === block?.category)?.label ?? "";
  const inputs = Object.values(annotation?.inputs ?? {}).filter((s) => s !== null);
  return (
    <>
      <header className="inspector-head">
        <span className="hue-dot" data-hue={block?.category} />
        <b>{block?.label ?? node.block}</b>
        <span className="faint">{family}</span>
      </header>
      <NameField node={node} disabled={readOnly} />
      {own.map((p) => (
        <div key={`${p.code}${p.message}`} className={`message ${p.severity}`} role="alert">
          <p><Icon name={p.severity === "error" ? "error" : "warning"} size={13} /> {p.message}</p>
          <FixButton where="inspector-" problem={p} index={problems?.indexOf(p) ?? 0} disabled={readOnly} />
        </div>
      ))}
      {annotation?.state === "waiting" && (
        <div className="message waiting">
          <p>
            <Icon name="clock" size={13} /> Waits for{" "}
            {annotation.waits_for ? <button type="button" className="link" onClick={() => { app.document.select([annotation.waits_for as string]); viewport.reveal([annotation.waits_for as string]); }}>{annotation.waits_for}</button> : "an input"}. It is not wrong; its shape appears once that is mended.
          </p>
        </div>
      )}
      {!block && !own0 && <div className="message error"><p><Icon name="error" size={13} /> This version has no block called “{node.block}”. It stays in the file as it is.</p></div>}
      {block && block.settings.length > 0 && (
        <section className="group-of-settings">
          {running && <p className="aside"><Icon name="info" size={13} /> Edits apply to the next run</p>}
          {opened !== null && block.kind === "input" && <p className="aside"><Icon name="info" size={13} /> The shape shown in here; uses take what they receive.</p>}
          {block.settings.map((spec) =>
            opened !== null && block.kind !== "input" && spec.name !== block.variadic ? (
              <Exposable key={spec.name} block={opened} node={node} spec={spec} disabled={readOnly} />
            ) : (
              <SettingField key={spec.name} spec={spec} value={node.settings[spec.name] ?? (spec.name in node.settings ? null : spec.default)} disabled={readOnly} onChange={(value) => setSetting(node.id, spec.name, value)} />
            ),
          )}
        </section>
      )}
      {(annotation?.parameters ?? 0) > 0 && (
        <section className="group-of-settings">
          <SettingField spec={RATE} value={node.rate ?? 1} disabled={readOnly} onChange={(value) => setRate(node.id, value as number)} />
          {node.rate === 0 && <p className="aside" data-testid="frozen"><Icon name="lock" size={13} /> Frozen: training leaves its weights as they are</p>}
          {node.rate !== 0 && <RatesInside inner={annotation?.inner ?? []} />}
        </section>
      )}
      <section className="facts">
        <div><span>Shape</span><code className={annotation?.state === "error" ? "is-error" : ""} data-testid="shape">{inputs.length ? `${inputs.map(shapeText).join(", ")} → ` : ""}{annotation?.shape ? shapeText(annotation.shape) : "?"}</code></div>
        <div><span>Parameters</span><span data-testid="parameters">{annotation?.parameters == null ? "not known yet" : count(annotation.parameters)}</span></div>
        <div><span>Multiplications</span><span data-testid="flops">{annotation?.flops == null ? "not known yet" : count(annotation.flops)}</span></div>
        {annotation?.inner && <div><span>Inside</span><span>{annotation.inner.length} blocks</span></div>}
      </section>
      <Wires id={node.id} disabled={readOnly} />
      {block && (block.help || block.formula || annotation?.explain) && (
        <section>
          {block.formula && <><h4>Formula</h4><pre className="formula">{block.formula}</pre></>}
          {curve && <FunctionPlot curve={curve} name={block.label} />}
          {annotation?.explain && <pre className="formula explain" data-testid="explain">{annotation.explain}</pre>}
          {block.help && <p className="about">{block.help}</p>}
          {block.source && <Source text={block.source} />}
        </section>
      )}
      <Note node={node} disabled={readOnly} />
      <footer className="inspector-foot">
        {own0 && <button type="button" className="button small primary" data-testid="edit-block" title="Open it: what you change changes all its uses (E)" onClick={() => openUse(node.id)}><Icon name="pencil" size={13} /> Edit block</button>}
        {block?.kind === "composite" && <button type="button" className="button small" data-testid="toggle-fold" disabled={readOnly || (node.folded && !annotation?.inner?.length)} onClick={() => fold(node.id, !node.folded)}><Icon name={node.folded ? "unfold" : "fold"} size={13} /> {own0 ? (node.folded ? "Look inside" : "Close") : node.folded ? "Open" : "Close"}</button>}
        {block?.kind === "composite" && <button type="button" className="button small" data-testid="ungroup" title="Put its inner blocks on the canvas, where they can be edited" disabled={readOnly || !annotation?.inner?.length} onClick={() => app.sync.action("ungroup", { network, id: node.id })}>Ungroup</button>}
        <button type="button" className="button small" disabled={readOnly} onClick={duplicateSelected} title="Duplicate (Ctrl+D)"><Icon name="copy" size={13} /> Duplicate</button>
        <button type="button" className="button small" disabled={readOnly} onClick={() => deleteSelected()} title="Delete (Del)" aria-label="Delete"><Icon name="trash" size={13} /></button>
      </footer>
    </>
  );
}

/** Which blocks inside are frozen or learn at a rate of their own: it is set inside, and holds for every use. */
function RatesInside({ inner }: { inner: InnerJson[] }): ReactElement | null {
  const learning = inner.filter((part) => part.parameters);
  const frozen = learning.filter((part) => part.rate === 0).map((part) => part.id);
  const others = learning.filter((part) => part.rate !== undefined && part.rate !== 0).map((part) => `${part.id} ×${part.rate}`);
  if (!frozen.length && !others.length) return null;
  return (
    <>
      {frozen.length > 0 && <p className="aside" data-testid="frozen-inside"><Icon name="lock" size={13} /> Frozen inside: {listed(frozen)}</p>}
      {others.length > 0 && <p className="aside" data-testid="rates-inside"><Icon name="info" size={13} /> Inside, with a learning rate of their own: {listed(others)}</p>}
    </>
  );
}

const LISTED = 6;

function listed(names: string[]): string {
  return names.length > LISTED ? `${names.slice(0, LISTED).join(", ")} and ${names.length - LISTED} more` : names.join(", ");
}

/** Where the block's inputs come from; each wire can be removed here without a mouse. */
function Wires({ id, disabled }: { id: string; disabled: boolean }): ReactElement | null {
  const edges = useDocument((d) => networkOf(d.project, d.network)?.edges);
  const network = useDocument((d) => d.network);
  const incoming = (edges ?? []).filter((e) => e.target === id);
  return (
    <section className="wires">
      {incoming.map((edge) => (
        <div key={edge.target_port}>
          <span>{edge.target_port}</span>
          <button type="button" className="link" title={`Select ${edge.source}`} onClick={() => { app.document.select([edge.source]); viewport.reveal([edge.source]); }}><code>{edge.source}</code></button>
          <button type="button" className="icon-button" disabled={disabled} aria-label={`Remove the wire from ${edge.source}`} title="Remove this wire" data-testid={`unwire-${edge.target_port}`} onClick={() => app.document.edit("delete the wire", [{ op: "remove_edge", network, edge }])}><Icon name="close" size={11} /></button>
        </div>
      ))}
      <button type="button" className="link" disabled={disabled} data-testid="wire-to" title="Choose the block this one feeds (C)" onClick={() => app.ui.patch({ wiring: id, quick: null })}><Icon name="plus" size={11} /> Wire to another block</button>
    </section>
  );
}

function Source({ text }: { text: string }): ReactElement {
  const address = /https?:\/\/[^\s,)]+/.exec(text)?.[0];
  return <p className="source">{address ? <a href={address} target="_blank" rel="noreferrer noopener">{text.replace(address, "").trim().replace(/[,:;]$/, "") || "Source"}</a> : text}</p>;
}

function NameField({ node, disabled }: { node: NodeJson; disabled: boolean }): ReactElement {
  const [text, setText] = useState(node.id);
  useEffect(() => setText(node.id), [node.id]);
  const taken = (): Set<string> => new Set(app.document.network.nodes.map((n) => n.id).filter((id) => id !== node.id));
  const bad = text === node.id ? null : nameProblem(text, taken());
  return (
    <div className="setting">
      <div className="setting-row">
        <label htmlFor="block-name">Name</label>
        <input id="block-name" className={`field mono ${bad ? "bad" : ""}`} value={text} disabled={disabled} spellCheck={false} autoComplete="off" data-testid="block-name" aria-invalid={bad !== null}
          onChange={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === "Enter") e.currentTarget.blur();
            if (e.key === "Escape") setText(node.id);
          }}
          onBlur={() => { if (!bad && text !== node.id) rename(node.id, text); else setText(node.id); }}
        />
      </div>
      {bad && <p className="setting-problem">{bad}</p>}
    </div>
  );
}

function Note({ node, disabled }: { node: NodeJson; disabled: boolean }): ReactElement {
  const [open, setOpen] = useState(node.note !== "");
  if (!open) return <p><button type="button" className="link" disabled={disabled} data-testid="add-note" onClick={() => setOpen(true)}><Icon name="note" size={12} /> Add a note</button></p>;
  return (
    <section>
      <h4>Note</h4>
      <textarea className="field" rows={2} value={node.note} disabled={disabled} data-testid="note" aria-label={`Note on ${node.id}`} placeholder="Why this block is here" onChange={(e) => setNote(node.id, e.currentTarget.value.slice(0, 10_000))} />
    </section>
  );
}

function ManyPanel(): ReactElement {
  const selected = useDocument((d) => d.selected);
  const network = useDocument((d) => d.network);
  const readOnly = useReadOnly();
  const nodes = useHost((h) => h.annotations?.networks[network]?.nodes);
  const sum = (key: "parameters" | "flops"): number => selected.reduce((s, id) => s + (nodes?.[id]?.[key] ?? 0), 0);
  return (
    <>
      <header className="inspector-head"><b>{selected.length} blocks</b><span className="faint">selected</span></header>
      <section className="facts">
        <div><span>Parameters</span><span>{count(sum("parameters"))}</span></div>
        <div><span>Multiplications</span><span>{count(sum("flops"))}</span></div>
      </section>
      <footer className="inspector-foot">
        <button type="button" className="button small primary" disabled={readOnly} data-testid="make-block" title="Make one block of them, to be used again (B)" onClick={startMaking}><Icon name="block" size={13} /> Make a block</button>
        <button type="button" className="button small" disabled={readOnly} onClick={duplicateSelected}><Icon name="copy" size={13} /> Duplicate</button>
        <button type="button" className="button small" disabled={readOnly} onClick={() => deleteSelected()}><Icon name="trash" size={13} /> Delete</button>
      </footer>
      <p className="about">Drag to move them together; Ctrl+C copies them, also into another project.</p>
    </>
  );
}
