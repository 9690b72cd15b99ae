import type { CSSProperties, ReactElement } from "react";
import { app } from "../app";
import { networkOf } from "../document/definitions";
import { viewport } from "../places";
import { count } from "../canvas/format";
import { isActive, useCatalogue, useDocument, useHost, useLive } from "../hooks";
import { Icon } from "../Icon";
import { LessonAgain } from "./Lesson";

const spaced = (name: string): string => name.replace(/_/g, " ");

/** What is shown when no block is selected: the four steps, and where the parameters are. */
export function Summary(): ReactElement {
  const network = useDocument((d) => d.network);
  const project = useDocument((d) => d.project);
  const annotations = useHost((h) => h.annotations);
  const steps = useHost((h) => h.steps);
  const run = useLive((l) => l.run);
  const catalogue = useCatalogue();
  const nodes = networkOf(project, network)?.nodes ?? [];
  const notes = annotations?.networks[network];
  const errors = annotations?.problems.filter((p) => p.severity === "error") ?? [];
  const ofData = errors.filter((p) => p.part === "data");
  const ofNetworks = errors.filter((p) => !p.part);
  const ofTraining = errors.filter((p) => p.part && p.part !== "data"); // task, loss, optimizer, training: one panel
  const lacking = ofData[0]?.message ?? annotations?.missing;
  const listed = nodes
    .map((n) => ({ id: n.id, hue: catalogue.blocks[n.block]?.category ?? "", parameters: notes?.nodes[n.id]?.parameters ?? 0 }))
    .filter((n) => n.parameters > 0);
  const most = Math.max(1, ...listed.map((n) => n.parameters));
  const optimizer = Object.values(project.optimizer)[0];
  const lr = optimizer?.settings.lr;
  const epochs = project.training.epochs;
  const architecture = nodes.length === 0 ? "No blocks yet" : !annotations ? "Not checked yet" : ofNetworks.length ? `${ofNetworks.length} ${ofNetworks.length === 1 ? "problem" : "problems"} to mend` : `${nodes.length} blocks, every shape agrees`;
  return (
    <>
      <header className="inspector-head"><b>Network</b> <span className="plain" title={project.name}>{project.name}</span></header>
      <ol className="steps">
        <Step name="Data" text={lacking ?? steps?.data ?? spaced(project.data.name)} done bad={!!lacking} show="data" />
        <Step name="Architecture" text={architecture} done={!!annotations && ofNetworks.length === 0 && nodes.length > 0} bad={ofNetworks.length > 0} />
        <Step name="Loss & optimizer" text={ofTraining[0]?.message ?? steps?.loss ?? `${spaced(project.loss.name)}${optimizer ? `, ${optimizer.name}${lr != null ? ` at ${String(lr)}` : ""}` : ""}`} done bad={ofTraining.length > 0} show="loss" />
        <Step name="Train" text={isActive(run.status) ? `epoch ${run.epoch ?? 1} of ${run.epochs ?? "?"}` : (steps?.train ?? (epochs != null ? `${String(epochs)} ${epochs === 1 ? "epoch" : "epochs"}` : "Press Train"))} now show="curves" />
      </ol>
      <LessonAgain />
      {listed.length > 0 && (
        <section>
          <h4 className="with-sum"><span>Parameters by block</span><span className="plain">{count(notes?.parameters)}</span></h4>
          <ul className="bars" style={{ "--names": Math.min(14, Math.max(9, ...listed.map((n) => n.id.length))) } as CSSProperties}>
            {listed.map((n) => (
              <li key={n.id}>
                <button type="button" onClick={() => { app.document.select([n.id]); viewport.reveal([n.id]); }} title={`Select ${n.id}`}>
                  <code>{n.id}</code>
                  <span className="meter"><span data-hue={n.hue} style={{ width: `${Math.max(2, (100 * n.parameters) / most)}%` }} /></span>
                  <span className="sum">{count(n.parameters)}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <p className="about">Select a block to see its settings, its formula and the shapes it takes and gives.</p>
    </>
  );
}

function Step({ name, text, done, bad, now, show }: { name: string; text: string; done?: boolean; bad?: boolean; now?: boolean; show?: string }): ReactElement {
  const body = (
    <>
      <span className={`step-mark ${bad ? "is-error" : now ? "is-now" : done ? "is-done" : "faint"}`}><Icon name={bad ? "error" : now ? "play" : done ? "check" : "clock"} size={14} /></span>
      <span className="step-name">{name}</span>
      <span className="step-text">{text}</span>
    </>
  );
  return (
    <li>
      {show ? <button type="button" data-testid={`show-${show}`} onClick={() => app.sync.action("show", { panel: show })}>{body}</button> : <div>{body}</div>}
    </li>
  );
}
