import { useRef, useSyncExternalStore } from "react";

/** A value that components can watch; they are told only when it changed. */
export class Observable<T> {
  private listeners = new Set<() => void>();

  constructor(private value: T) {}

  get = (): T => this.value;

  /** Change the value; `first` is called before those who watch. */
  set = (next: T, first?: () => void): void => {
    if (Object.is(next, this.value)) return;
    this.value = next;
    first?.();
    for (const listener of [...this.listeners]) listener();
  };

  patch = (change: Partial<T>): void => this.set({ ...this.value, ...change });

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
}

/** What `select` takes out of the observable; the component is drawn again only when that differs. */
export function useValue<T, S>(source: Observable<T>, select: (value: T) => S, same: (a: S, b: S) => boolean = Object.is): S {
  const last = useRef<{ value: S } | null>(null);
  const read = (): S => {
    const next = select(source.get());
    if (last.current && same(last.current.value, next)) return last.current.value;
    last.current = { value: next };
    return next;
  };
  return useSyncExternalStore(source.subscribe, read, read);
}

export function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((item, i) => Object.is(item, b[i])));
}

/** Whether two JSON values are equal. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.keys(a);
  if (left.length !== Object.keys(b).length) return false;
  return left.every((k) => k in b && sameJson((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k]));
}
