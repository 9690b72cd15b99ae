import { createContext } from "react";
import { Observable } from "../document/observable";

/** From this zoom on everything is drawn. */
export const NEAR = 0.88;
/** A network opens at no smaller one: letters would have fewer than nine pixels. */
export const LEAST = 0.56;
/** Below this one there are no more than names. */
export const FAR = 0.5;

export type LookName = "near" | "mid" | "far";
export const lookAt = (zoom: number): LookName => (zoom < FAR ? "far" : zoom < NEAR ? "mid" : "near");

/** How much of the blocks is drawn: from afar only names and pictures, at a middle distance no pills on the wires. */
export const LookContext = createContext<LookName>("near");

/** Blocks whose shape stands on no wire, since there is no room for it: they say it themselves. */
export const untold = new Observable<ReadonlySet<string>>(new Set());
