import { type ReactElement, useEffect, useLayoutEffect, useRef, useState } from "react";
import { app } from "../app";
import { isActive, useDocument, useHost, useLive, useReadOnly, useUi } from "../hooks";
import { useValue } from "../document/observable";
import { Icon } from "../Icon";

const SILENT_AFTER_MS = 8000;

/** Strips above the canvas: another tab writes, the server is gone, a notice from Python. */
export function Strips(): ReactElement {
  const readOnly = useReadOnly();
  const lease = useHost((h) => h.lease);
  const gone = useServerGone();
  const notice = useUi((u) => u.notice);
  const seen = useUi((u) => u.noticesSeen);
  return (
    <div className="strips">
      {gone && <div className="strip warning" role="status" data-testid="offline"><Icon name="warning" size={14} /> <span>The server does not answer. Your edits are kept in this browser; the page reconnects by itself.</span></div>}
      {readOnly && (
        <div className="strip" role="status" data-testid="read-only">
          <Icon name="lock" size={14} /> <span>{lease?.message || "This project is open in another tab. Here it can only be read."}</span>
          <button type="button" className="button small" data-testid="take-over" onClick={() => app.sync.action("take_over")}>Take over</button>
        </div>
      )}
      {notice && !seen.has(notice.id) && (
        <div className={`strip ${notice.kind}`} role={notice.kind === "error" ? "alert" : "status"} data-testid="notice">
          <Icon name={notice.kind === "error" ? "error" : notice.kind === "warning" ? "warning" : "info"} size={14} /> <span>{notice.text}</span>
          <button type="button" className="icon-button" aria-label="Hide" title="Hide" onClick={() => app.ui.patch({ noticesSeen: new Set(seen).add(notice.id) })}><Icon name="close" size={12} /></button>
        </div>
      )}
    </div>
  );
}

/** Whether the server has fallen silent: no answer to a snapshot, or the live feed stopped. */
function useServerGone(): boolean {
  const silent = useValue(app.sync.state, (s) => s.silent);
  const seenAt = useLive((l) => l.seenAt);
  const lost = useLive((l) => l.lostAt > l.seenAt);
  const training = useLive((l) => isActive(l.run.status));
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 2000);
    return () => clearInterval(timer);
  }, []);
  return silent || lost || (training && !document.hidden && app.feedRepeats() && Date.now() - seenAt > SILENT_AFTER_MS);
}

export function ToastLine(): ReactElement | null {
  const toast = useUi((u) => u.toast);
  const last = useDocument((d) => d.undo.at(-1));
  const shown = toast && !(toast.step && toast.step !== last) ? toast.id : null;
  const line = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = line.current?.getBoundingClientRect();
    const canvas = line.current?.closest(".layerloom")?.querySelector(".flow")?.getBoundingClientRect();
    const at = box && canvas ? { x: box.x - canvas.x, y: box.y - canvas.y, w: box.width, h: box.height } : null;
    if (at || app.ui.get().toastAt) app.ui.patch({ toastAt: at });
  }, [shown]);
  if (!toast || shown === null) return null;
  return (
    <div ref={line} className={`toast ${toast.kind}`} role={toast.kind === "error" ? "alert" : "status"} data-testid="toast">
      <span className="toast-text" title={toast.text}>{toast.text}</span>
      {toast.step && <button type="button" className="link" onClick={() => { app.document.undo(); app.ui.patch({ toast: null }); }}>Undo</button>}
    </div>
  );
}
