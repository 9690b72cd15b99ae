import { Handle, type Node, type NodeProps, Position, useUpdateNodeInternals } from "@xyflow/react";
import { memo, type ReactElement, useContext, useEffect, useRef, useState } from "react";
import { app, OWN } from "../app";
import { plainSettings, REPEAT } from "../document/definitions";
import { fold, rename } from "../commands";
import { useValue } from "../document/observable";
import { nameProblem } from "../document/graph";
import { isActive, useAnnotation, useBlock, useDocument, useLive, useReadOnly, useThumbnail, useUi } from "../hooks";
import { Icon } from "../Icon";
import type { BlockJson, NodeAnnotation, NodeJson } from "../types";
import { count, letters, settingsLine, shapeText, short } from "./format";
import { type Look, NODE_W, portY } from "./geometry";
import { Inside } from "./Inside";
import { LookContext, untold } from "./look";
import { TensorGlyph } from "./TensorGlyph";

export type BlockData = { node: NodeJson; network: string; look: Look; ports: string[]; w: number; h: number };
export type BlockFlowNode = Node<BlockData, "block">;

const HEAD_AND_FOOT = 62;

/**
 * A block on the canvas. While a wire is pulled, a block that may not take it is dimmed; only the others are
 * drawn again for it, since in a large network nearly all may not.
 */
export const BlockNode = memo(function BlockNode({ data, selected }: NodeProps<BlockFlowNode>): ReactElement {
  const { node, network, look, w, h } = data;
  const block = useBlock(node.block);
  const annotation = useAnnotation(network, node.id);
  const state = block ? (annotation?.state ?? "ok") : "error";
  const legal = useUi((u) => (u.pulling !== null && !u.pulling.refused.has(node.id) ? "legal" : ""));
  const label = `${node.id}, ${block?.label ?? node.block}${annotation?.shape ? `, gives ${shapeText(annotation.shape)}` : ""}${stateText(state, annotation)}`;
  return (
    <div
      className={`block ${look} ${state} ${selected ? "selected" : ""} ${legal} ${block?.kind === "composite" && look === "card" ? "stacked" : ""}`}
      data-hue={block?.category ?? "unknown"}
      data-state={state}
      data-testid={`node-${node.id}`}
      style={{ width: w, height: h }}
      role="group"
      aria-label={label}
      title={look === "tile" ? `${node.id} (${block?.label ?? node.block})` : undefined}
    >
      <Face data={data} block={block} annotation={annotation} state={state} />
    </div>
  );
});

interface FaceProps {
  data: BlockData;
  block: BlockJson | undefined;
  annotation: NodeAnnotation | undefined;
  state: string;
}

const Face = memo(function Face({ data, block, annotation, state }: FaceProps): ReactElement {
  const { node, network, look, ports, h } = data;
  return (
    <>
      <span className="bar" />
      {look === "tile" && <Tile node={node} block={block} state={state} />}
      {look === "card" && <Card node={node} network={network} block={block} annotation={annotation} state={state} h={h} />}
      {look === "group" && <Group node={node} network={network} block={block} annotation={annotation} />}
      {node.note && look !== "group" && (
        <span className="note-mark" title={node.note} aria-label={`Note: ${node.note}`}>
          <Icon name="note" size={12} />
        </span>
      )}
      {node.rate !== undefined && node.rate !== 1 && look !== "group" && <Rate rate={node.rate} />}
      <Ports ids={ports} node={node.id} h={h} gives={block?.kind !== "output"} />
    </>
  );
});

/** That a block learns slower or faster than the others, or not at all. */
function Rate({ rate }: { rate: number }): ReactElement {
  const text = rate === 0 ? "Frozen: training leaves its weights as they are" : `Learns at ${rate} times the learning rate`;
  return (
    <span className="rate-mark" title={text} aria-label={text} data-testid="rate-mark">
      {rate === 0 ? <Icon name="lock" size={11} /> : `×${rate}`}
    </span>
  );
}

interface PortsProps {
  ids: string[];
  node: string;
  h: number;
  gives: boolean;
}

/** The ends of wires. React Flow's handles are dear to draw, and annotations do not change them. */
const Ports = memo(function Ports({ ids, node, h, gives }: PortsProps): ReactElement {
  const measure = useUpdateNodeInternals();
  const order = ids.join();
  const measured = useRef(order);
  useEffect(() => {
    if (measured.current !== order) measure(node);
    measured.current = order;
  }, [order, node, measure]);
  return (
    <>
      {ids.map((port, k) => (
        <Handle
          key={port}
          id={port}
          type="target"
          position={Position.Left}
          style={{ top: portY(h, k, ids.length) }}
          data-testid={`port-${node}-${port}`}
          title={ids.length > 1 ? port : undefined}
        />
      ))}
      {gives && <Handle id="out" type="source" position={Position.Right} data-testid={`port-${node}-out`} />}
    </>
  );
});

function stateText(state: string, annotation: NodeAnnotation | undefined): string {
  if (state === "error") return ", has a problem";
  if (state === "warning") return ", has a warning";
  if (state === "waiting") return `, waits for ${annotation?.waits_for ?? "another block"}`;
  return "";
}

function StateIcon({ state, size = 14 }: { state: string; size?: number }): ReactElement | null {
  if (state === "error") return <span className="state-icon is-error"><Icon name="error" size={size} /></span>;
  if (state === "warning") return <span className="state-icon is-warning"><Icon name="warning" size={size} /></span>;
  if (state === "waiting") return <span className="state-icon is-waiting"><Icon name="clock" size={size} /></span>;
  return null;
}

function Tile({ node, block, state }: { node: NodeJson; block: BlockJson | undefined; state: string }): ReactElement {
  return (
    <div className="tile-face">
      <Icon name={block?.category === "merge" ? "merge" : "activation"} size={16} />
      <span className="tile-label" style={letters(block?.label ?? node.block)}>{block?.label ?? node.block}</span>
      <StateIcon state={state} size={12} />
    </div>
  );
}

/** A long name of one word may break where a part of it begins: Adaptive|AvgPool2d; a stride stays with its kernel. */
const broken = (text: string): (string | ReactElement)[] =>
  text.replace(" /", "\u00a0/").split(/(?<=[a-z])(?=[A-Z])/).flatMap((part, i) => (i ? [<wbr key={i} />, part] : [part]));

/** What fits in a block's second line: its kind with its most telling setting, or its kind alone. */
const LINE = 17;

function Title({ node }: { node: NodeJson }): ReactElement {
  const [editing, setEditing] = useState(false);
  const readOnly = useReadOnly();
  const taken = (): Set<string> => new Set(app.document.network.nodes.map((n) => n.id).filter((id) => id !== node.id));
  const [problem, setProblem] = useState<string | null>(null);
  if (!editing)
    return (
      <span
        className="block-title"
        style={letters(node.id)}
        title={node.id}
        onDoubleClick={(e) => {
          e.stopPropagation();
          if (!readOnly) setEditing(true);
        }}
      >
        {node.id}
      </span>
    );
  return (
    <input
      className={`block-title-input nodrag ${problem ? "bad" : ""}`}
      defaultValue={node.id}
      autoFocus
      spellCheck={false}
      aria-label={`New name of ${node.id}`}
      title={problem ?? undefined}
      onFocus={(e) => e.currentTarget.select()}
      onChange={(e) => setProblem(nameProblem(e.currentTarget.value, taken()))}
      onKeyDown={(e) => {
        e.stopPropagation();
        if (e.key === "Escape") setEditing(false);
        if (e.key === "Enter") e.currentTarget.blur();
      }}
      onBlur={(e) => {
        const to = e.currentTarget.value.trim();
        const bad = nameProblem(to, taken());
        if (bad) app.toast(bad, { kind: "error" });
        else rename(node.id, to);
        setProblem(null);
        setEditing(false);
      }}
    />
  );
}

interface CardProps {
  node: NodeJson;
  network: string;
  block: BlockJson | undefined;
  annotation: NodeAnnotation | undefined;
}

function Card({ node, network, block, annotation, state, h }: CardProps & { state: string; h: number }): ReactElement {
  const line = useDocument((d) => {
    const settings = plainSettings(d.project, network, node.settings);
    const times = block?.category === OWN ? Number(settings[REPEAT] ?? 1) : 1;
    if (block?.kind === "leaf") return settingsLine(settings, block.settings.filter((s) => s.name !== block.variadic));
    return times > 1 ? `×${times}` : "";
  });
  const label = block?.label ?? node.block;
  const whole = line ? `${label} ${line}` : label;
  const shown = whole.length <= LINE ? whole : label;
  const far = useContext(LookContext) === "far";
  return (
    <>
      <div className="block-head">
        <Title node={node} />
        <span className="block-corner">
          <RunningDot state={state} />
          <StateIcon state={state} />
          {block?.kind === "composite" && (
            <button
              type="button"
              className="fold nodrag"
              data-testid={`open-${node.id}`}
              aria-label={`Open ${node.id}`}
              title="Open: see the blocks inside"
              onClick={(e) => {
                e.stopPropagation();
                fold(node.id, false);
              }}
            >
              <Icon name="unfold" size={13} />
            </button>
          )}
        </span>
        {!far && <span className="block-sub" style={letters(shown)} title={whole}>{broken(shown)}</span>}
      </div>
      <Body id={node.id} network={network} state={state} annotation={annotation} height={h - HEAD_AND_FOOT} />
      {!far && <Foot id={node.id} state={state} annotation={annotation} unknown={!block} />}
    </>
  );
}

function RunningDot({ state }: { state: string }): ReactElement | null {
  const running = useLive((l) => l.run.status === "running");
  return running && state === "ok" ? <span className="dot" title="Training: this picture is live" /> : null;
}

function Body({ id, network, state, annotation, height }: { id: string; network: string; state: string; annotation: NodeAnnotation | undefined; height: number }): ReactElement {
  const image = useThumbnail(network, id);
  const live = useLive((l) => isActive(l.run.status));
  const far = useContext(LookContext) === "far";
  if (state === "waiting" || (state === "error" && !annotation?.shape)) return <div className="block-body hatched" style={{ height }} />;
  if (image) return <img className={`block-body thumb ${live ? "live" : ""}`} style={{ height }} src={image} alt={`Feature maps of ${id}`} draggable={false} data-testid={`thumb-${id}`} />;
  return (
    <div className="block-body" style={{ height }}>
      {!far && annotation?.shape && <TensorGlyph shape={annotation.shape} width={NODE_W - 20} height={height} />}
    </div>
  );
}

function Foot({ id, state, annotation, unknown }: { id: string; state: string; annotation: NodeAnnotation | undefined; unknown: boolean }): ReactElement {
  const alone = useValue(untold, (u) => u.has(id));
  if (unknown) return <div className="block-foot is-error">unknown block</div>;
  if (state === "error") return <div className="block-foot is-error">has a problem</div>;
  if (state === "waiting") {
    return <div className="block-foot" title={`Waits for ${annotation?.waits_for ?? "another block"}`}>waits for {annotation?.waits_for ?? "input"}</div>;
  }
  const parameters = annotation?.parameters ?? 0;
  const counted = parameters > 0 ? short(parameters) : "";
  const plain = annotation?.shape ? shapeText(annotation.shape) : "";
  const full = (!alone && annotation?.caption) || plain;
  // What does not fit beside the number of parameters is shortened to its first word, never cut; a shape that stands
  // nowhere else goes before the number.
  const first = full.split(" ")[0] ?? "";
  const fits = full.length + counted.length <= (full === plain ? 12 : 14);
  const text = fits || alone ? full : first.length + counted.length <= 12 ? first : "";
  return (
    <div className="block-foot" data-shape={plain} style={letters(plain)}>
      <span className="foot-text" title={full}>{text}</span>
      {counted && (fits || !alone) && <span className="foot-count" title={`${count(parameters)} parameters`}>{counted}</span>}
    </div>
  );
}

function Group({ node, network, block, annotation }: CardProps): ReactElement {
  return (
    <>
      <div className="group-head">
        <Title node={node} />
        <span className="block-sub">{block?.label ?? node.block}</span>
        <span className="foot-count">{annotation?.parameters ? count(annotation.parameters) : ""}</span>
        <button
          type="button"
          className="fold nodrag"
          data-testid={`close-${node.id}`}
          aria-label={`Close ${node.id}`}
          title="Close"
          onClick={(e) => {
            e.stopPropagation();
            fold(node.id, true);
          }}
        >
          <Icon name="fold" size={13} />
        </button>
      </div>
      <Inside id={node.id} network={network} inner={annotation?.inner ?? []} />
    </>
  );
}
