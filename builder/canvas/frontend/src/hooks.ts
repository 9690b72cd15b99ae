import { app, type HostState, type LiveState, type UiState } from "./app";
import { type DocumentState } from "./document/store";
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

export const useThumbnail = (network: string, path: string): string | undefined =>
  useValue(app.thumbnails, (t) => t[network]?.[path]);

export const useReadOnly = (): boolean => useDocument((d) => d.readOnly);

/** The one selected node, if exactly one is. */
export const useSelectedNode = (): NodeJson | undefined =>
  useDocument((d) => (d.selected.length === 1 ? d.project.networks[d.network]?.nodes.find((n) => n.id === d.selected[0]) : undefined));

export const useBlock = (name: string): BlockJson | undefined => useValue(app.catalogue, (c) => c.blocks[name]);

export const isActive = (status: string): boolean => status === "running" || status === "paused" || status === "starting";
