import { type ReactElement, useEffect, useRef } from "react";
import { app } from "../app";
import { Icon } from "../Icon";

const KEYS: [string, [string, string][]][] = [
  ["Build", [
    ["/", "search the blocks; Enter adds one after the selected block"],
    ["A or double-click", "search and add on the canvas"],
    ["C", "wire the selected block to another"],
    ["Enter", "edit the selected block"],
    ["Del", "delete; a chain is wired together again (Shift+Del: not)"],
    ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ]],
  ["Arrange", [
    ["Ctrl+C, X, V", "copy, cut, paste, also between projects"],
    ["Ctrl+D", "duplicate"],
    ["Ctrl+A", "select all; Shift+drag selects with a frame"],
    ["Arrow keys", "move by 4 (with Shift by 20)"],
    ["L", "tidy up the layout"],
    ["O", "look inside a composite block, or close it"],
    ["B", "make one block of the selected ones"],
    ["E or double-click", "edit a block of your own, for all its uses"],
  ]],
  ["Look", [
    ["F", "zoom to fit"],
    ["+ and −", "zoom"],
    ["Tab, Shift+Tab", "from block to block"],
    ["G", "templates"],
    ["?", "this page"],
    ["Esc", "close, select nothing, leave an opened block"],
  ]],
];

export function Help(): ReactElement {
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    ref.current?.focus();
  }, []);
  const close = (): void => app.ui.patch({ overlay: null });
  return (
    <div className="sheet" role="dialog" aria-label="Help" data-testid="help-sheet" onKeyDown={(e) => e.key === "Escape" && close()}>
      <div className="sheet-head">
        <b>Keys</b>
        <button ref={ref} type="button" className="button small primary" data-testid="start-tour" onClick={() => app.ui.patch({ overlay: null, tour: 0 })}><Icon name="play" size={11} /> Two-minute tour</button>
        <span className="spring" />
        <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={close}><Icon name="close" size={14} /></button>
      </div>
      <div className="sheet-body key-columns">
        {KEYS.map(([title, keys]) => (
          <section key={title}>
            <h4>{title}</h4>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}><dt>{key.split(/(, | or | and )/).map((part, i) => (i % 2 ? part : <kbd key={part}>{part}</kbd>))}</dt><dd>{what}</dd></div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </div>
  );
}
