import { type ReactElement, useEffect, useRef, useState } from "react";

export interface Option {
  id: string;
  label: string;
  detail: string;
  hue: string;
}

/** A search field over a list that is walked with the arrow keys. */
export function SearchList({ options, placeholder, label, onPick, onClose, prefix }: { options: (query: string) => Option[]; placeholder: string; label: string; onPick: (id: string) => void; onClose: () => void; prefix: string }): ReactElement {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const found = options(query);
  const index = Math.min(at, Math.max(0, found.length - 1));
  useEffect(() => {
    input.current?.focus();
  }, []);
  useEffect(() => {
    // Newer browsers return a promise here, which must not become the effect's clean-up.
    void list.current?.children[index]?.scrollIntoView({ block: "nearest" });
  }, [index]);
  return (
    <>
      <input
        ref={input}
        className="field"
        value={query}
        placeholder={placeholder}
        aria-label={label}
        role="combobox"
        aria-expanded="true"
        aria-controls={`${prefix}-list`}
        aria-activedescendant={found[index] ? `${prefix}-${found[index].id}` : undefined}
        data-testid={`${prefix}-search`}
        spellCheck={false}
        onChange={(e) => {
          setQuery(e.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          e.stopPropagation();
          if (e.key === "Escape") onClose();
          else if (e.key === "ArrowDown") setAt(Math.min(found.length - 1, index + 1));
          else if (e.key === "ArrowUp") setAt(Math.max(0, index - 1));
          else if (e.key === "Enter" && found[index]) onPick(found[index].id);
          else return;
          e.preventDefault();
        }}
        onBlur={(e) => {
          if (!(e.relatedTarget as Element | null)?.closest?.(".quick")) setTimeout(onClose, 120);
        }}
      />
      <ul className="quick-list" ref={list} id={`${prefix}-list`} role="listbox" aria-label={label}>
        {found.map((o, i) => (
          <li key={o.id} id={`${prefix}-${o.id}`} role="option" aria-selected={i === index} className={i === index ? "at" : ""} data-testid={`${prefix}-${o.id}`} onPointerDown={(e) => { e.preventDefault(); onPick(o.id); }} onPointerMove={() => setAt(i)}>
            <span className="hue-dot" data-hue={o.hue} />
            <span className="quick-label">{o.label}</span>
            <span className="quick-detail">{o.detail}</span>
          </li>
        ))}
        {found.length === 0 && <li className="none">Nothing found</li>}
      </ul>
    </>
  );
}
