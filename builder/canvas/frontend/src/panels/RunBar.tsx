import { type ReactElement, useEffect, useState } from "react";
import { app } from "../app";
import { clock, count } from "../canvas/format";
import { isActive, useDocument, useHost, useLive, useReadOnly } from "../hooks";
import { Icon } from "../Icon";
import { readNumber } from "../numbers";
import type { RunState } from "../types";

/** Train and what steers a run. */
export function RunBar(): ReactElement {
  const run = useLive((l) => l.run);
  return isActive(run.status) ? <Running run={run} /> : <Ready run={run} />;
}

function Ready({ run }: { run: RunState }): ReactElement {
  const annotations = useHost((h) => h.annotations);
  const empty = useDocument((d) => Object.values(d.project.networks).every((n) => n.nodes.length === 0));
  const readOnly = useReadOnly();
  const missing = annotations?.missing ?? null;
  const ok = annotations?.ok === true && !empty && missing === null;
  const errors = annotations?.problems.filter((p) => p.severity === "error") ?? [];
  const refusal = errors.map((p) => p.message).slice(0, 5).join("\n") || missing || (empty ? "There are no blocks yet" : "The network is being checked");
  const resumable = run.status === "stopped" || run.status === "failed" || run.status === "lost";
  return (
    <span className="run">
      <RunStatus run={run} ok={ok} missing={annotations?.ok ? missing : null} />
      {resumable && (
        <button type="button" className="button" disabled={!ok || readOnly} data-testid="continue" title="Go on from the last checkpoint" onClick={() => app.sync.action("continue")}>
          <Icon name="play" size={12} /> Continue
        </button>
      )}
      <button type="button" className="button primary train" disabled={!ok || readOnly} data-testid="train" title={ok ? "Train this network" : refusal} onClick={() => app.sync.action("train")}>
        <Icon name="play" size={12} /> Train
      </button>
    </span>
  );
}

function RunStatus({ run, ok, missing }: { run: RunState; ok: boolean; missing: string | null }): ReactElement | null {
  if (missing !== null) return <span className="run-status is-error clip" title={missing} data-testid="run-status"><Icon name="warning" size={13} /> <span className="clip">{missing}</span></span>;
  if (run.status === "failed" || run.status === "lost")
    return <span className="run-status is-error clip" title={run.message ?? undefined} data-testid="run-status"><Icon name="error" size={13} /> <span className="clip">{run.message || (run.status === "lost" ? "The run was interrupted" : "Training failed")}</span></span>;
  if (run.status === "done" || run.status === "stopped") {
    const epochs = run.epoch ?? run.epochs;
    const text = run.message || `${run.status === "done" ? "Trained" : "Stopped after"} ${epochs ?? ""} ${epochs === 1 ? "epoch" : "epochs"}${run.score ? `, ${run.score}` : ""}`;
    if (run.edited)
      return <span className="run-status" title={`${text}. The project has been changed since: Train begins a run with the changes.`} data-testid="run-status"><Icon name="note" size={13} /> <span className="clip">{text} · edited since</span></span>;
    return <span className={`run-status ${run.status === "done" ? "is-done" : ""}`} title={text} data-testid="run-status"><Icon name={run.status === "done" ? "check" : "stop"} size={13} /> <span className="clip">{text}</span></span>;
  }
  if (!ok) return null;
  return <span className="run-status is-done" data-testid="run-status"><Icon name="check" size={13} /> <span className="clip">Ready to train</span></span>;
}

function Running({ run }: { run: RunState }): ReactElement {
  const readOnly = useReadOnly();
  const paused = run.status === "paused";
  const starting = run.status === "starting";
  const part = run.steps ? Math.min(1, (run.step ?? 0) / run.steps) : 0;
  const act = (name: string) => () => app.sync.action(name);
  return (
    <span className="run">
      <span className="buttons">
        {paused ? (
          <button type="button" className="icon-button framed" disabled={readOnly} data-testid="resume" aria-label="Resume" title="Resume" onClick={act("resume")}><Icon name="play" /></button>
        ) : (
          <button type="button" className="icon-button framed" disabled={readOnly || starting} data-testid="pause" aria-label="Pause" title="Pause" onClick={act("pause")}><Icon name="pause" /></button>
        )}
        <button type="button" className="icon-button framed" disabled={readOnly || starting} data-testid="step" aria-label="One step" title="Train one batch, then pause" onClick={act("step")}><Icon name="step" /></button>
        {(run.slots ?? []).map((slot) => (
          <button key={slot} type="button" className="icon-button framed step-slot" disabled={readOnly || starting} data-testid={`step-${slot}`} aria-label={`One step of the ${slot} alone`} title={`Train only the ${slot} on one batch, then pause`} onClick={() => app.sync.action("step", { slot })}><Icon name="step" size={11} /><b>{slot[0]?.toUpperCase()}</b></button>
        ))}
        <button type="button" className="icon-button framed" disabled={readOnly} data-testid="stop" aria-label="Stop" title="Stop" onClick={act("stop")}><Icon name="stop" /></button>
      </span>
      <LearningRate value={run.lr ?? null} disabled={readOnly || starting} />
      {starting ? (
        <span className="run-status" data-testid="run-status"><span className="dot" /> {run.message || "Starting"}</span>
      ) : (
        <span className="progress-text" data-testid="run-status">
          <b>epoch {run.epoch ?? 1}{run.epochs ? `/${run.epochs}` : ""}</b>{" "}
          <span className="faint wide-only">step {count(run.step ?? 0)}{run.steps ? ` / ${count(run.steps)}` : ""}</span>
        </span>
      )}
      <span className="progress" role="progressbar" aria-label="Progress of the run" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(100 * part)} data-testid="progress"><span style={{ width: `${100 * part}%` }} /></span>
      <span className="time-left" data-testid="time-left">{paused ? <b>paused</b> : run.seconds_left != null ? <><b>{clock(run.seconds_left)}</b> left</> : ""}</span>
    </span>
  );
}

const HIGHEST_RATE = 100;

/** Why a written learning rate cannot be taken, or null. */
export function rateProblem(text: string): string | null {
  const rate = readNumber(text);
  if (Number.isNaN(rate)) return `“${text.trim()}” is no number`;
  return rate > 0 && rate <= HIGHEST_RATE ? null : `it must be above 0 and at most ${HIGHEST_RATE}`;
}

/** The learning rate, which can be changed while the run goes on: Enter or leaving the field sends it. */
function LearningRate({ value, disabled }: { value: number | null; disabled: boolean }): ReactElement {
  const shown = value === null ? "" : String(Number(value.toPrecision(4)));
  const [text, setText] = useState<string | null>(null);
  useEffect(() => setText((t) => (t !== null && readNumber(t) === value ? null : t)), [value]);
  const n = readNumber(text ?? "");
  const bad = text === null || text.trim() === "" ? null : rateProblem(text);
  const send = (): void => {
    if (bad) app.toast(`The learning rate stays at ${shown}: ${bad}.`, { kind: "error" });
    else if (text?.trim() && n !== value) app.sync.action("set_lr", { value: n });
    setText(null);
  };
  return (
    <label className="lr" title={bad ? `The learning rate: ${bad}` : "Learning rate; changes take effect at the next step"}>
      lr
      <input className={`field number ${bad ? "bad" : ""}`} inputMode="decimal" value={text ?? shown} disabled={disabled} data-testid="lr" aria-label="Learning rate" onChange={(e) => setText(e.currentTarget.value)} onBlur={send}
        onKeyDown={(e) => {
          if (e.key === "Enter") e.currentTarget.blur();
          if (e.key === "Escape") setText(null);
        }}
      />
    </label>
  );
}
