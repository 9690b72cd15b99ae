import { app, type HostState, type LiveState, type UiState } from "./app";
import { type DocumentState } from "./document/store";
import { networkOf, PLACE } from "./document/definitions";
import { useValue } from "./document/observable";
import type { BlockJson, Catalogue, NodeAnnotation, NodeJson } from "./types";

export const useDocument = <S>(select: (s: DocumentState) => S, same?: (a: S, b: S) => boolean): S =>
  useValue(app.document.state, select, same);
export const useUi = <S>(select: (s: UiState) => S): S => useValue(app.ui, select);
export const useHost = <S>(select: (s: HostState) => S): S => useValue(app.host, select);
export const useLive = <S>(select: (s: LiveState) => S): S => useValue(app.live, select);
export const useCatalogue = (): Catalogue => useValue(app.catalogue, (c) => c);

export const useAnnotation = (network: string, id: string): NodeAnnotation | undefined =>
  useValue(app.host, (h) => h.annotations?.networks[network]?.nodes[id]);

/** The picture of a block; inside an own block, that of the use one came from. */
export const useThumbnail = (network: string, path: string): string | undefined => {
  const trail = useUi((u) => u.trail);
  return useValue(app.thumbnails, (t) => {
    const first = trail[0];
    if (t[network]?.[path] || !network.startsWith(PLACE) || !first || trail.some((u) => u.id === "")) return t[network]?.[path];
    const known = t[first.network] ?? {};
    return known[[...trail.map((u) => u.id), path].join(".")] ?? known[[...trail.map((u) => `${u.id}.0`), path].join(".")];
  });
};

export const useReadOnly = (): boolean => useDocument((d) => d.readOnly);

/** The one selected node, if exactly one is. */
export const useSelectedNode = (): NodeJson | undefined =>
  useDocument((d) => (d.selected.length === 1 ? networkOf(d.project, d.network)?.nodes.find((n) => n.id === d.selected[0]) : undefined));

export const useBlock = (name: string): BlockJson | undefined => useValue(app.catalogue, (c) => c.blocks[name]);

export const isActive = (status: string): boolean => status === "running" || status === "paused" || status === "starting";
