import { type ReactElement, useEffect, useId, useRef, useState } from "react";
import { Icon } from "../Icon";
import { readNumber } from "../numbers";
import type { Json, SettingJson } from "../types";

interface Props {
  spec: SettingJson;
  value: Json;
  disabled: boolean;
  onChange: (value: Json) => void;
}

/** One line of a form, generated from a declared setting. */
export function SettingField({ spec, value, disabled, onChange }: Props): ReactElement {
  const id = useId();
  const [shown, setShown] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => setProblem(null), [value]);
  const common = { spec, value, disabled, id, onChange, onProblem: setProblem };
  return (
    <div className={`setting ${shown ? "help-open" : ""}`}>
      <div className="setting-row">
        <label htmlFor={id} title={spec.help}>
          {spec.label}
          {spec.unit && <span className="unit"> {spec.unit}</span>}
        </label>
        {spec.help && (
          <button type="button" className="help-dot" aria-label={`What ${spec.label} does`} aria-expanded={shown} onClick={() => setShown(!shown)}>
            <Icon name="help" size={12} />
          </button>
        )}
        <Input {...common} />
      </div>
      {(problem ?? (shown ? spec.help : "")) && <p className={problem ? "setting-problem" : "setting-help"}>{problem ?? spec.help}</p>}
    </div>
  );
}

type InputProps = Props & { id: string; onProblem: (text: string | null) => void };

function Input(props: InputProps): ReactElement {
  const { spec, value, disabled, id, onChange } = props;
  const testid = `setting-${spec.name}`;
  switch (spec.kind) {
    case "bool":
      return (
        <button id={id} type="button" role="switch" aria-checked={value === true} disabled={disabled} className="toggle" data-testid={testid} onClick={() => onChange(value !== true)}>
          <span />
        </button>
      );
    case "choice":
      return (
        <select id={id} className="field" disabled={disabled} data-testid={testid} value={JSON.stringify(value)} onChange={(e) => onChange(JSON.parse(e.currentTarget.value) as Json)}>
          {spec.optional && !spec.choices?.includes(null) && <option value="null">none</option>}
          {(spec.choices ?? []).map((c) => (
            <option key={JSON.stringify(c)} value={JSON.stringify(c)}>{c === null ? "none" : String(c)}</option>
          ))}
        </select>
      );
    case "int":
    case "float":
      return <NumberField {...props} testid={testid} />;
    case "size":
      return <SizeField {...props} testid={testid} />;
    default:
      return <TextField {...props} testid={testid} />;
  }
}

/** Why a number cannot be taken, or null. */
export function numberProblem(spec: Pick<SettingJson, "min" | "max" | "kind">, n: number): string | null {
  if (!Number.isFinite(n)) return "This is no number.";
  if (spec.kind !== "float" && spec.kind !== "floats" && !Number.isInteger(n)) return "It must be a whole number.";
  if (spec.min !== null && n < spec.min) return `The smallest allowed is ${spec.min}.`;
  if (spec.max !== null && n > spec.max) return `The largest allowed is ${spec.max}.`;
  return null;
}

const stepOf = (spec: SettingJson, value: number): number => {
  if (spec.kind !== "float") return 1;
  if (value === 0) return spec.max !== null && spec.max <= 1 ? 0.1 : 1;
  return 10 ** Math.floor(Math.log10(Math.abs(value)) - 0.0001);
};

const tidyNumber = (n: number): number => Number(n.toPrecision(10));

function NumberField({ spec, value, disabled, id, onChange, onProblem, testid }: InputProps & { testid: string }): ReactElement {
  return (
    <Stepper id={id} spec={spec} value={typeof value === "number" ? value : null} disabled={disabled} testid={testid} label={spec.label} onProblem={onProblem} onChange={onChange} />
  );
}

interface StepperProps {
  id: string;
  spec: SettingJson;
  value: number | null;
  disabled: boolean;
  testid: string;
  label: string;
  narrow?: boolean;
  onProblem: (text: string | null) => void;
  onChange: (value: number | null) => void;
}

function Stepper({ id, spec, value, disabled, testid, label, narrow, onProblem, onChange }: StepperProps): ReactElement {
  const shown = value === null ? "" : String(value);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const refused = useRef<string | null>(null);
  const take = (raw: string): void => {
    setText(raw);
    refused.current = null;
    if (raw.trim() === "") {
      if (spec.optional) onChange(null);
      else onProblem("It must not be empty.");
      return;
    }
    const n = readNumber(raw);
    const bad = numberProblem(spec, n);
    refused.current = bad;
    onProblem(bad);
    if (!bad && n !== value) onChange(n);
  };
  const bump = (direction: 1 | -1): void => {
    const from = value ?? spec.min ?? 0;
    let next = tidyNumber(from + direction * stepOf(spec, direction < 0 ? from - Math.abs(from) * 1e-9 : from));
    if (spec.min !== null) next = Math.max(spec.min, next);
    if (spec.max !== null) next = Math.min(spec.max, next);
    refused.current = null;
    onProblem(null);
    if (next !== value) onChange(next);
  };
  return (
    <span className={`stepper ${narrow ? "narrow" : ""}`}>
      <input
        id={id}
        className="field number"
        inputMode="decimal"
        autoComplete="off"
        value={text}
        disabled={disabled}
        placeholder={spec.optional ? "none" : ""}
        aria-label={label}
        data-testid={testid}
        onChange={(e) => take(e.currentTarget.value)}
        onBlur={() => {
          setText(shown);
          onProblem(refused.current && `${refused.current} It stays ${shown || "empty"}.`);
          refused.current = null;
        }}
        onKeyDown={(e) => {
          if (e.key === "ArrowUp" || e.key === "ArrowDown") {
            e.preventDefault();
            bump(e.key === "ArrowUp" ? 1 : -1);
          }
          if (e.key === "Enter") e.currentTarget.blur();
        }}
      />
      {!narrow && (
        <>
          <button type="button" tabIndex={-1} disabled={disabled || (spec.min !== null && value !== null && value <= spec.min)} aria-label={`Less ${label}`} data-testid={`${testid}-less`} onClick={() => bump(-1)}><Icon name="minus" size={10} /></button>
          <button type="button" tabIndex={-1} disabled={disabled || (spec.max !== null && value !== null && value >= spec.max)} aria-label={`More ${label}`} data-testid={`${testid}-more`} onClick={() => bump(1)}><Icon name="plus" size={10} /></button>
        </>
      )}
    </span>
  );
}

/** One number, or a pair (height, width) once it is split. */
function SizeField({ spec, value, disabled, id, onChange, onProblem, testid }: InputProps & { testid: string }): ReactElement {
  const pair = Array.isArray(value) ? (value as number[]) : null;
  return (
    <span className="size-field">
      {pair ? (
        <>
          <Stepper narrow id={id} spec={spec} value={pair[0] ?? null} disabled={disabled} testid={testid} label={`${spec.label}, height`} onProblem={onProblem} onChange={(n) => n !== null && onChange([n, pair[1] ?? n])} />
          <span className="times">×</span>
          <Stepper narrow id={`${id}-w`} spec={spec} value={pair[1] ?? null} disabled={disabled} testid={`${testid}-width`} label={`${spec.label}, width`} onProblem={onProblem} onChange={(n) => n !== null && onChange([pair[0] ?? n, n])} />
        </>
      ) : (
        <Stepper id={id} spec={spec} value={typeof value === "number" ? value : null} disabled={disabled} testid={testid} label={spec.label} onProblem={onProblem} onChange={onChange} />
      )}
      <button
        type="button"
        className="split"
        disabled={disabled || value === null}
        title={pair ? "One number for height and width" : "Height and width apart"}
        aria-label={pair ? `One number for ${spec.label}` : `Height and width of ${spec.label} apart`}
        data-testid={`${testid}-split`}
        onClick={() => onChange(pair ? (pair[0] ?? 1) : [value as number, value as number])}
      >
        {pair ? "n" : "h×w"}
      </button>
    </span>
  );
}

function TextField({ spec, value, disabled, id, onChange, onProblem, testid }: InputProps & { testid: string }): ReactElement {
  const many = spec.kind !== "text";
  const shown = value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);
  const [text, setText] = useState(shown);
  const [focused, setFocused] = useState(false);
  useEffect(() => {
    if (!focused) setText(shown);
  }, [shown, focused]);
  return (
    <input
      id={id}
      className="field"
      value={text}
      disabled={disabled}
      spellCheck={false}
      placeholder={spec.optional ? "none" : many ? "1, 2, 3" : ""}
      data-testid={testid}
      onFocus={() => setFocused(true)}
      onBlur={() => setFocused(false)}
      onChange={(e) => {
        const raw = e.currentTarget.value;
        setText(raw);
        onProblem(null);
        if (raw.trim() === "" && spec.optional) onChange(null);
        else if (!many) onChange(raw);
        else if (spec.kind === "texts") onChange(raw.split(",").map((t) => t.trim()).filter(Boolean));
        else {
          const numbers = raw.split(/[\s,;]+/).filter(Boolean).map(Number);
          const bad = numbers.map((n) => numberProblem(spec, n)).find(Boolean) ?? null;
          if (bad) onProblem(bad);
          else onChange(numbers);
        }
      }}
    />
  );
}
