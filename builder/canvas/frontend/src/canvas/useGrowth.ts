import { useEffect, useRef } from "react";
import { app } from "../app";
import type { Catalogue, NetworkAnnotation, NetworkJson } from "../types";
import { giveWay, viewport } from "../places";
import { sizeOf } from "./geometry";

interface Seen {
  place: string;
  sizes: Map<string, { w: number; h: number }>;
}

/**
 * An opened block has another size once the shapes of a changed setting are known: its neighbours make room within
 * the same step, and it stays in view.
 */
export function useGrowth(network: NetworkJson, name: string, catalogue: Catalogue, annotation: NetworkAnnotation | undefined): void {
  const seen = useRef<Seen>({ place: "", sizes: new Map() });
  useEffect(() => {
    const place = `${app.document.state.get().projectId}/${name}`;
    const before = seen.current;
    if (before.place === place && app.document.network !== network) return; // it will be drawn next
    const sizes: Seen["sizes"] = new Map();
    for (const node of network.nodes) {
      const { w, h, look } = sizeOf(node, catalogue, annotation?.nodes[node.id], network.edges);
      if (look === "group") sizes.set(node.id, { w, h });
    }
    seen.current = { place, sizes };
    if (before.place !== place) return;
    for (const [id, after] of sizes) {
      const was = before.sizes.get(id);
      if (!was || (was.w === after.w && was.h === after.h)) continue;
      if (app.document.amend(giveWay(app.document.network, id, was, after)) && app.document.state.get().selected.includes(id)) viewport.reveal([id]);
    }
  }, [network, name, catalogue, annotation]);
}
