import { type ReactElement, useEffect, useState } from "react";
import { app, OWN } from "../app";
import { count } from "../canvas/format";
import { argumentProblem, blockNameProblem, definitionOf, helpEdits, PLACE, removeArgumentEdits, renameArgumentEdits, usesOf, usualEdits } from "../document/definitions";
import { sameJson } from "../document/observable";
import { useBlock, useDocument, useHost, useReadOnly } from "../hooks";
import { Icon } from "../Icon";
import { define, deleteBlock, keepBlock, renameBlock, usesText } from "../ownBlocks";
import { SettingField } from "./SettingField";

/** An opened own block, with nothing in it selected: its name, its settings, and where it is used. */
export function DefinitionPanel({ name }: { name: string }): ReactElement {
  const project = useDocument((d) => d.project);
  const readOnly = useReadOnly();
  const spec = useBlock(name);
  const problems = useHost((h) => h.annotations?.problems);
  const parameters = useHost((h) => h.annotations?.networks[PLACE + name]?.parameters);
  const kept = useHost((h) => h.library[name]);
  const definition = definitionOf(project, name);
  const uses = usesOf(project, name);
  const own = (problems ?? []).filter((p) => p.network === PLACE + name && p.node === null);
  if (!definition) return <p className="about">This block's definition cannot be read. It stays in the file as it is.</p>;
  const same = kept !== undefined && sameJson(kept.blocks[name], definition);
  return (
    <>
      <header className="inspector-head"><span className="hue-dot" data-hue={OWN} /><b>{name}</b><span className="faint">Your block</span></header>
      <TextLine label="Name" value={name} testid="definition-name" disabled={readOnly} problem={(text) => blockNameProblem(project, app.catalogue.get(), text, OWN)} onDone={(text) => renameBlock(name, text)} />
      {own.map((p) => <div key={p.message} className={`message ${p.severity}`} role="alert"><p><Icon name="warning" size={13} /> {p.message}</p></div>)}
      <section>
        <h4>Settings</h4>
        {Object.entries(definition.arguments).map(([argument, value]) => {
          const field = spec?.settings.find((s) => s.name === argument);
          return (
            <div key={argument} className="argument" data-testid={`argument-row-${argument}`}>
              <TextLine label="" value={argument} testid={`argument-name-${argument}`} disabled={readOnly} problem={(text) => argumentProblem(definition, text)} onDone={(text) => define(`rename ${argument} to ${text}`, renameArgumentEdits(project, name, argument, text))} />
              {field && <SettingField spec={{ ...field, label: "usually" }} value={value} disabled={readOnly} onChange={(v) => define(`usual ${argument} of ${name}`, usualEdits(app.document.project, name, argument, v), `usual:${name}:${argument}`)} />}
              <button type="button" className="icon-button" disabled={readOnly} aria-label={`Remove the setting ${argument}`} title="Remove this setting: what it fed keeps its usual value" data-testid={`remove-argument-${argument}`} onClick={() => define(`remove the setting ${argument}`, removeArgumentEdits(project, name, argument))}><Icon name="close" size={11} /></button>
            </div>
          );
        })}
        <p className="about">{Object.keys(definition.arguments).length ? "" : "It has none yet. "}To add one, select a block inside and press <Icon name="expose" size={11} /> beside its setting.</p>
      </section>
      <section className="facts">
        <div><span>Parameters</span><span data-testid="parameters">{count(parameters)}</span></div>
        <div><span>Used</span><span data-testid="uses" title={usesText(uses)}>{uses.length === 0 ? "nowhere yet" : uses.length === 1 ? "once" : `${uses.length} times`}</span></div>
      </section>
      <footer className="inspector-foot">
        <button type="button" className="button small" disabled={same || !spec || spec.broken !== undefined} data-testid="keep-block" title="Keep it in your library, where all your projects find it" onClick={() => keepBlock(name)}>{same ? <><Icon name="check" size={13} /> In your library</> : kept ? "Update in library" : "Keep in library"}</button>
        <button type="button" className="button small" disabled={readOnly} data-testid="delete-block" title="Delete this block from the project" onClick={() => deleteBlock(name)}><Icon name="trash" size={13} /> Delete</button>
      </footer>
      <section>
        <h4>What it does</h4>
        <textarea className="field" rows={2} value={definition.help ?? ""} disabled={readOnly} data-testid="definition-help" aria-label={`What ${name} does`} placeholder="One sentence, also for the code" onChange={(e) => define(`what ${name} does`, helpEdits(project, name, e.currentTarget.value.slice(0, 500)), `help:${name}`)} />
      </section>
    </>
  );
}

/** A name that is taken when the field is left, or when Enter is pressed. */
function TextLine({ label, value, testid, disabled, problem, onDone }: { label: string; value: string; testid: string; disabled: boolean; problem: (text: string) => string | null; onDone: (text: string) => void }): ReactElement {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const bad = text === value ? null : problem(text);
  return (
    <div className="setting">
      <div className="setting-row">
        {label && <span className="setting-label">{label}</span>}
        <input className={`field mono ${label ? "" : "wide"} ${bad ? "bad" : ""}`} value={text} disabled={disabled} spellCheck={false} autoComplete="off" data-testid={testid} aria-label={label || `Name of the setting ${value}`} aria-invalid={bad !== null}
          onChange={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === "Enter") e.currentTarget.blur();
            if (e.key === "Escape") setText(value);
          }}
          onBlur={() => { if (!bad && text !== value) onDone(text); else setText(value); }}
        />
      </div>
      {bad && <p className="setting-problem">{bad}</p>}
    </div>
  );
}
