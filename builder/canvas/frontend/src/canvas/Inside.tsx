import type { ReactElement } from "react";
import { useThumbnail } from "../hooks";
import { Icon } from "../Icon";
import type { InnerJson } from "../types";
import { letters, shapeText, short } from "./format";
import { type InnerBox, innerLayout } from "./geometry";

/** The blocks inside an opened composite: to be looked at, not to be edited. */
export function Inside({ id, network, inner }: { id: string; network: string; inner: InnerJson[] }): ReactElement {
  const picture = innerLayout(inner);
  return (
    <div className="inside">
      <svg width={picture.width} height={picture.height} aria-hidden="true">
        {picture.wires.map((wire, i) => (
          <path key={i} d={wire.path} className="wire-line" />
        ))}
      </svg>
      {picture.wires.map((wire, i) =>
        wire.shape ? (
          <span key={i} className="pill" style={{ left: wire.label[0], top: wire.label[1] }}>
            {shapeText(wire.shape)}
          </span>
        ) : null,
      )}
      {picture.boxes.map((box) => (
        <InnerBlock key={box.inner.id} box={box} network={network} id={id} />
      ))}
    </div>
  );
}

function InnerBlock({ box, network, id }: { box: InnerBox; network: string; id: string }): ReactElement {
  const { inner } = box;
  const dotted = useThumbnail(network, `${id}.${inner.id}`);
  const slashed = useThumbnail(network, `${id}/${inner.id}`);
  const image = dotted ?? slashed;
  const tile = inner.category === "activation" || inner.category === "merge";
  return (
    <div
      className={`block inner ${tile ? "tile" : "card"}`}
      data-hue={inner.category}
      data-testid={`inner-${id}-${inner.id}`}
      style={{ left: box.x, top: box.y, width: box.w, height: box.h }}
      title={`${inner.id}: ${inner.label}${inner.shape ? `, gives ${shapeText(inner.shape)}` : ""}`}
    >
      <span className="bar" />
      {tile ? (
        <div className="tile-face">
          <Icon name={inner.category === "merge" ? "merge" : "activation"} size={13} />
          <span className="tile-label" style={letters(inner.label)}>{inner.label}</span>
        </div>
      ) : (
        <>
          <div className="block-head">
            <span className="block-title" style={letters(inner.id)}>{inner.id}</span>
            <span className="block-sub">
              {inner.label}
              {inner.parameters ? ` · ${short(inner.parameters)}` : ""}
            </span>
          </div>
          {image ? (
            <img className="inner-thumb" src={image} alt={`Feature maps of ${inner.id}`} draggable={false} />
          ) : (
            <span className="inner-shape" style={letters(shapeText(inner.shape))}>{shapeText(inner.shape)}</span>
          )}
        </>
      )}
    </div>
  );
}
