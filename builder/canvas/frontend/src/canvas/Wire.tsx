import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { memo, type ReactElement, useContext } from "react";
import { app } from "../app";
import { useValue } from "../document/observable";
import { useUi } from "../hooks";
import { shapeText } from "./format";
import type { Route } from "./geometry";
import { hasRoom } from "./layout";
import { LookContext } from "./look";

export type WireData = { route: Route | undefined; network: string; hidden: boolean };
export type WireFlowEdge = Edge<WireData, "wire">;

export const Wire = memo(function Wire({ id, source, target, sourceX, sourceY, targetX, targetY, data, selected }: EdgeProps<WireFlowEdge>): ReactElement {
  const network = data?.network ?? "";
  const shape = useValue(app.host, (h) => h.annotations?.networks[network]?.nodes[source]?.shape ?? null);
  const state = useValue(app.host, (h) => {
    const nodes = h.annotations?.networks[network]?.nodes;
    if (nodes?.[target]?.state === "error" && shape && h.annotations?.problems.some((p) => p.node === target && p.network === network && p.severity === "error")) return "bad";
    if (nodes?.[source] && !shape) return "waiting";
    return "";
  });
  const drop = useUi((u) => u.dropWire === id);
  const route = data?.route;
  const path = route?.path ?? `M${sourceX} ${sourceY}L${targetX} ${targetY}`;
  const [lx, ly] = route?.label ?? [(sourceX + targetX) / 2, (sourceY + targetY) / 2];
  const text = shapeText(shape);
  const look = useContext(LookContext);
  const told = look === "near" || (look === "mid" && state === "bad");
  const show = told && !data?.hidden && hasRoom(route, text);
  return (
    <>
      <BaseEdge id={id} path={path} interactionWidth={16} className={`wire-line ${state} ${selected ? "selected" : ""} ${drop ? "drop" : ""}`} />
      {show && (
        <EdgeLabelRenderer>
          <span
            className={`pill on-wire ${state} ${selected ? "selected" : ""}`}
            data-testid={`pill-${source}-${target}`}
            style={{ transform: `translate(-50%, -50%) translate(${lx}px, ${ly}px)` }}
          >
            {text}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
});
