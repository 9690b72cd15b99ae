import { createContext } from "react";

/** How much of the blocks can be read: from afar only names and pictures, at a middle distance no pills on the wires. */
export const LookContext = createContext<"near" | "mid" | "far">("near");
