import { type ReactElement, useEffect, useMemo, useRef, useState } from "react";
import { app, OWN } from "../app";
import { viewport } from "../places";
import { blockNameProblem, type Offer, offersOf } from "../document/definitions";
import { nameProblem } from "../document/graph";
import { useCatalogue, useDocument } from "../hooks";
import { Icon } from "../Icon";
import { className } from "../ownBlocks";
import type { Json } from "../types";

const close = (): void => {
  app.ui.patch({ overlay: null });
  viewport.focusCanvas();
};

/** Asks for the name of a new block and for the inner settings it shall have as its own. */
export function MakeBlock(): ReactElement {
  const network = useDocument((d) => d.network);
  const project = useDocument((d) => d.project);
  const catalogue = useCatalogue();
  const [ids] = useState(() => app.document.state.get().selected);
  const [text, setText] = useState("");
  const [all, setAll] = useState(false);
  const [chosen, setChosen] = useState<ReadonlyMap<number, string>>(new Map());
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  const offers = useMemo(() => {
    const nodes = app.document.network.nodes.filter((n) => ids.includes(n.id));
    return offersOf(nodes, (block) => catalogue.blocks[block]?.settings ?? [], (block) => catalogue.blocks[block]?.variadic ?? null);
  }, [ids, catalogue]);
  const usual = (offer: Offer): boolean => {
    const [id, setting] = offer.feeds[0] ?? ["", ""];
    const block = app.document.node(id)?.block ?? "";
    return JSON.stringify(catalogue.blocks[block]?.settings.find((s) => s.name === setting)?.default) === JSON.stringify(offer.value);
  };
  const listed = offers.map((offer, i) => ({ offer, i })).filter(({ offer, i }) => all || chosen.has(i) || !usual(offer));
  const name = className(text);
  const problem = name || text ? blockNameProblem(project, catalogue, name, OWN) : null;
  const names = [...chosen.values()];
  const badArgument = names.map((n) => (names.filter((o) => o === n).length > 1 ? `Two settings are called ${n}.` : nameProblem(n, new Set()))).find((p) => p !== null) ?? null;
  const ready = name !== "" && problem === null && badArgument === null;
  const make = (): void => {
    if (!ready) return;
    const exposed = Object.fromEntries([...chosen].map(([i, argument]) => [argument, offers[i]?.feeds ?? []]));
    app.sync.action("make_block", { network, nodes: ids, name, exposed: exposed as unknown as Json });
    app.toast(`Making ${name}. The palette has it under “Your blocks”.`);
    close();
  };
  const pick = (i: number, argument: string | null): void => {
    const next = new Map(chosen);
    if (argument === null) next.delete(i);
    else next.set(i, argument);
    setChosen(next);
  };
  return (
    <div className="veil" onPointerDown={(e) => e.target === e.currentTarget && close()}>
      <form className="dialog" role="dialog" aria-modal="true" aria-label="Make a block" data-testid="make-block-dialog"
        onKeyDown={(e) => {
          e.stopPropagation();
          if (e.key === "Escape") close();
        }}
        onSubmit={(e) => {
          e.preventDefault();
          make();
        }}
      >
        <div className="menu-head">
          <b>Make a block of {ids.length === 1 ? ids[0] : `${ids.length} blocks`}</b>
          <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={close}><Icon name="close" size={13} /></button>
        </div>
        <label className="dialog-line">
          <span>Name</span>
          <input ref={field} className={`field ${problem ? "bad" : ""}`} value={text} placeholder="Residual pair" maxLength={60} spellCheck={false} autoComplete="off" data-testid="new-block-name" aria-invalid={problem !== null} onChange={(e) => setText(e.currentTarget.value)} />
        </label>
        <p className={problem ? "setting-problem" : "setting-help"}>{problem ?? (name ? <>In the code: <code>class {name}</code></> : "It becomes a class of this name in the code.")}</p>
        <h4>Settings of the new block</h4>
        <p className="setting-help">Ticked ones can differ from use to use; all others are the same everywhere.</p>
        <ul className="offers">
          {listed.map(({ offer, i }) => (
            <li key={offer.feeds.join()}>
              <label>
                <input type="checkbox" checked={chosen.has(i)} data-testid={`expose-${offer.name}`} onChange={(e) => pick(i, e.currentTarget.checked ? offer.name : null)} />
                {chosen.has(i) ? null : <code>{offer.label}</code>}
              </label>
              {chosen.has(i) && <input className="field mono" value={chosen.get(i)} spellCheck={false} aria-label={`Name of the setting for ${offer.label}`} data-testid={`argument-${offer.name}`} onChange={(e) => pick(i, e.currentTarget.value)} />}
              <span className="clip" title={`${offer.feeds.map(([id]) => id).join(", ")}: ${shown(offer.value)}`}>{shown(offer.value)} <span className="faint">{offer.feeds.map(([id]) => id).join(", ")}</span></span>
            </li>
          ))}
          {listed.length === 0 && <li className="faint">{offers.length ? "Every setting has its usual value." : "These blocks have no settings."}</li>}
        </ul>
        {badArgument && <p className="setting-problem">{badArgument}</p>}
        <div className="dialog-foot">
          {offers.some((o) => usual(o)) && <button type="button" className="link" data-testid="all-settings" onClick={() => setAll(!all)}>{all ? "Fewer settings" : `All ${offers.length} settings`}</button>}
          <span className="spring" />
          <button type="button" className="button" onClick={close}>Cancel</button>
          <button type="submit" className="button primary" disabled={!ready} data-testid="make-block-now">Make block</button>
        </div>
      </form>
    </div>
  );
}

const shown = (value: Json): string => (value === null ? "none" : Array.isArray(value) ? value.join("×") : value === true ? "on" : value === false ? "off" : String(value));
