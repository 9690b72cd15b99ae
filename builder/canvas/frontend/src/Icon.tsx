import type { ReactElement } from "react";

/** Line drawings on a 16×16 grid, drawn for this program. */
const PATHS: Record<string, ReactElement> = {
  chevronDown: <path d="M4 6.5l4 4 4-4" />,
  chevronRight: <path d="M6.5 4l4 4-4 4" />,
  chevronLeft: <path d="M9.5 4l-4 4 4 4" />,
  undo: <path d="M6 3.5L2.8 6.7 6 9.9M3 6.7h6.4a3.6 3.6 0 0 1 0 7.2H6.5" />,
  redo: <path d="M10 3.5l3.2 3.2L10 9.9M13 6.7H6.6a3.6 3.6 0 0 0 0 7.2h2.9" />,
  check: <path d="M3 8.5l3.3 3.3L13 4.8" />,
  play: <path d="M4.5 3v10l8.5-5z" fill="currentColor" stroke="none" />,
  pause: <path d="M5.2 3.2v9.6M10.8 3.2v9.6" strokeWidth="2.4" />,
  step: <path d="M3 3.2v9.6l7-4.8zM12.8 3.2v9.6" strokeWidth="1.8" fill="currentColor" />,
  stop: <rect x="3.5" y="3.5" width="9" height="9" rx="1.2" fill="currentColor" stroke="none" />,
  search: <path d="M11.8 11.8L15 15M7.2 12.4a5.2 5.2 0 1 0 0-10.4 5.2 5.2 0 0 0 0 10.4z" />,
  plus: <path d="M8 3v10M3 8h10" />,
  minus: <path d="M3 8h10" />,
  fit: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  tidy: <path d="M2.2 3h4v4h-4zM9.8 2h4v4h-4zM9.8 10h4v4h-4zM6.2 5h1.9v7h1.7M8.1 4h1.7" />,
  error: <path d="M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM8 4.6v4.2M8 11v.4" />,
  warning: <path d="M8 2.2l6.3 11.3H1.7zM8 6.4v3.4M8 11.5v.3" />,
  clock: <path d="M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM8 4.5V8l2.3 1.6" />,
  close: <path d="M3.5 3.5l9 9M12.5 3.5l-9 9" />,
  unfold: <path d="M5 6l3-3 3 3M5 10l3 3 3-3" />,
  fold: <path d="M5 3.2l3 3 3-3M5 12.8l3-3 3 3" />,
  info: <path d="M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM8 7.3v4M8 4.7v.3" />,
  help: <path d="M5.9 6.1A2.2 2.2 0 0 1 8 4.4c1.3 0 2.2.8 2.2 1.9 0 1.6-2.1 1.7-2.1 3.2M8 11.5v.3M8 14.4A6.4 6.4 0 1 0 8 1.6a6.4 6.4 0 0 0 0 12.8z" />,
  trash: <path d="M2.8 4.3h10.4M6.2 4V2.6h3.6V4M4.2 4.5l.6 9h6.4l.6-9M6.7 7v4M9.3 7v4" />,
  copy: <path d="M5.5 5.5h8v8h-8zM10.5 5.2V2.5h-8v8h2.7" />,
  pencil: <path d="M3 13l.7-3L10.6 3l2.4 2.4-7 7z" />,
  activation: <path d="M2 11.5h5L13.5 4" />,
  merge: <path d="M8 3.5v9M3.5 8h9" />,
  map: <path d="M2.5 3.5h11v9h-11zM8.5 8.5h3.6v2.6H8.5z" />,
  gallery: <path d="M2.5 2.8h4.4v4.4H2.5zM9.1 2.8h4.4v4.4H9.1zM2.5 9.2h4.4v4.4H2.5zM9.1 9.2h4.4v4.4H9.1z" />,
  join: <path d="M2 8h4M10 8h4M6 5.5v5M10 5.5v5M6 8h4" strokeDasharray="2 1.5" />,
  block: <path d="M2.5 4.6L8 2l5.5 2.6v6.8L8 14l-5.5-2.6zM2.5 4.6L8 7.2l5.5-2.6M8 7.2V14" />,
  expose: <path d="M7 3.2H3.2v9.6h9.6V9M9.4 2.8h3.8v3.8M13 3L7.6 8.4" />,
  note: <path d="M3 2.5h10v7.2L9.3 13.5H3zM9.2 13.2V9.6h3.6" />,
  eye: <path d="M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 9.9a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8z" />,
  flask: <path d="M6 2.2h4M6.8 2.4v4L3.2 12.6c-.4.7 0 1.4.8 1.4h8c.8 0 1.2-.7.8-1.4L9.2 6.4v-4M5 10.2h6" />,
  bolt: <path d="M9 1.8L3.6 9h4L7 14.2 12.4 7h-4z" />,
  sum: <path d="M12 4V2.5H4L8.5 8 4 13.5h8V12" />,
  lock: <path d="M3.8 7.2h8.4v6.3H3.8zM5.4 7V5a2.6 2.6 0 0 1 5.2 0v2" />,
};

export function Icon({ name, size = 16 }: { name: string; size?: number }): ReactElement {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      {PATHS[name] ?? PATHS.info}
    </svg>
  );
}

export function Logo(): ReactElement {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
      <path d="M10 1.6l8 4.1-8 4.1-8-4.1z" fill="currentColor" />
      <path d="M2 10l8 4.1L18 10" fill="none" stroke="currentColor" strokeWidth="1.9" strokeLinejoin="round" />
      <path d="M2 14.1l8 4.1 8-4.1" fill="none" stroke="currentColor" strokeWidth="1.9" strokeLinejoin="round" opacity=".65" />
    </svg>
  );
}
