import { type PointerEvent, type ReactElement, useMemo, useRef, useState } from "react";
import { app, LIBRARY, OWN } from "../app";
import { forgetBlock, openBlock } from "../ownBlocks";
import { addBlock, insertBlock } from "../commands";
import { viewport } from "../places";
import { drag } from "../canvas/paletteDrag";
import { useCatalogue, useReadOnly } from "../hooks";
import { Icon } from "../Icon";
import type { BlockJson } from "../types";
import { searchBlocks } from "./search";

const OPEN_AT_FIRST = 3;
const isOwn = (family: string): boolean => family === OWN || family === LIBRARY;

export function Palette(): ReactElement {
  const catalogue = useCatalogue();
  const readOnly = useReadOnly();
  const [query, setQuery] = useState("");
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [ghost, setGhost] = useState<{ name: string; x: number; y: number } | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const found = useMemo(() => (query.trim() ? searchBlocks(catalogue, query) : null), [catalogue, query]);
  const families = useMemo(
    () =>
      catalogue.categories
        .map((c) => ({ ...c, blocks: Object.entries(catalogue.blocks).filter(([, b]) => b.category === c.name) }))
        .filter((c) => c.blocks.length > 0),
    [catalogue],
  );
  viewport.focusSearch = () => {
    search.current?.focus();
    search.current?.select();
  };
  const item = (name: string, block: BlockJson): ReactElement => {
    const found = <Item key={name} name={name} block={block} disabled={readOnly || block.broken !== undefined} onGhost={setGhost} />;
    if (!isOwn(block.category)) return found;
    const kept = block.category === LIBRARY;
    return (
      <div key={name} className="palette-own">
        {found}
        {kept ? (
          <button type="button" className="icon-button" title="Take it out of your library; projects that use it keep it" aria-label={`Take ${name} out of your library`} data-testid={`palette-forget-${name}`} onClick={() => forgetBlock(name)}><Icon name="trash" size={12} /></button>
        ) : (
          <button type="button" className="icon-button" title={`Edit ${name}, for all its uses`} aria-label={`Edit ${name}`} data-testid={`palette-edit-${name}`} onClick={() => openBlock(name)}><Icon name="pencil" size={12} /></button>
        )}
      </div>
    );
  };
  return (
    <nav className="palette" aria-label="Blocks" data-testid="palette">
      <div className="palette-search">
        <Icon name="search" size={13} />
        <input
          ref={search}
          value={query}
          placeholder="Search blocks"
          aria-label="Search blocks"
          data-testid="palette-search"
          spellCheck={false}
          onChange={(e) => setQuery(e.currentTarget.value)}
          onKeyDown={(e) => {
            e.stopPropagation();
            if (e.key === "Escape") {
              setQuery("");
              e.currentTarget.blur();
              viewport.focusCanvas();
            }
            if (e.key === "Enter" && found?.[0] && !readOnly) addBlock(found[0][0]);
            if (e.key === "ArrowDown") {
              e.preventDefault();
              (e.currentTarget.closest(".palette")?.querySelector(".palette-item") as HTMLElement | null)?.focus();
            }
          }}
        />
        <kbd>/</kbd>
      </div>
      <div className="palette-list">
        {found
          ? found.length
            ? found.map(([name, block]) => item(name, block))
            : <p className="none">No block is called “{query}”.</p>
          : families.map((family, i) => {
              const open = toggled.get(family.name) ?? (isOwn(family.name) || i - families.filter((f) => isOwn(f.name)).length < OPEN_AT_FIRST);
              return (
                <section key={family.name}>
                  <button type="button" className="family" aria-expanded={open} data-testid={`family-${family.name}`} onClick={() => setToggled(new Map(toggled).set(family.name, !open))}>
                    <span className="hue-dot" data-hue={family.name} />
                    <span className="family-name">{family.label}</span>
                    <span className="family-count">{family.blocks.length}</span>
                    <Icon name={open ? "chevronDown" : "chevronRight"} size={12} />
                  </button>
                  {open && family.blocks.map(([name, block]) => item(name, block))}
                </section>
              );
            })}
      </div>
      {ghost && (
        <div className="ghost" style={{ left: ghost.x, top: ghost.y }} data-hue={catalogue.blocks[ghost.name]?.category}>
          <span className="bar" />
          {catalogue.blocks[ghost.name]?.label ?? ghost.name}
        </div>
      )}
    </nav>
  );
}

function Item({ name, block, disabled, onGhost }: { name: string; block: BlockJson; disabled: boolean; onGhost: (g: { name: string; x: number; y: number } | null) => void }): ReactElement {
  const start = useRef<{ x: number; y: number; moved: boolean; id: number } | null>(null);
  const end = (): void => {
    start.current = null;
    onGhost(null);
    app.ui.patch({ dropWire: null });
  };
  const insertable = block.kind !== "input" && block.kind !== "output";
  const move = (e: PointerEvent): void => {
    const s = start.current;
    if (!s) return;
    if (!s.moved && Math.hypot(e.clientX - s.x, e.clientY - s.y) < 5) return;
    s.moved = true;
    onGhost({ name, x: e.clientX, y: e.clientY });
    const wire = insertable && drag.inside(e.clientX, e.clientY) ? drag.wireAt(e.clientX, e.clientY) : null;
    if (wire !== app.ui.get().dropWire) app.ui.patch({ dropWire: wire });
  };
  return (
    <button
      type="button"
      className="palette-item"
      disabled={disabled}
      data-testid={`palette-item-${name}`}
      title={block.broken ?? (block.help ? `${block.help}\nClick to add it after the selected block, or drag it.` : "Click to add it after the selected block, or drag it.")}
      onPointerDown={(e) => {
        if (e.button !== 0 || disabled) return;
        start.current = { x: e.clientX, y: e.clientY, moved: false, id: e.pointerId };
        e.currentTarget.setPointerCapture(e.pointerId);
      }}
      onPointerMove={move}
      onPointerCancel={end}
      onPointerUp={(e) => {
        const s = start.current;
        const wire = app.ui.get().dropWire;
        end();
        if (!s) return;
        if (!s.moved) addBlock(name);
        else if (drag.inside(e.clientX, e.clientY)) {
          const at = drag.flowAt(e.clientX, e.clientY);
          if (wire) insertBlock(name, wire, at);
          else addBlock(name, at, null);
        }
      }}
      onKeyDown={(e) => {
        if (e.key === "Enter" || e.key === " ") {
          e.preventDefault();
          e.stopPropagation();
          addBlock(name);
        } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
          e.preventDefault();
          e.stopPropagation();
          const all = [...(e.currentTarget.closest(".palette")?.querySelectorAll<HTMLElement>(".palette-item") ?? [])];
          all[all.indexOf(e.currentTarget) + (e.key === "ArrowDown" ? 1 : -1)]?.focus();
        }
      }}
    >
      {block.label || name}
    </button>
  );
}
