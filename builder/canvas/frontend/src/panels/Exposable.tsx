import type { ReactElement } from "react";
import { app } from "../app";
import { setSetting } from "../commands";
import { argumentOf, concealEdits, definitionOf, exposeEdits, usualEdits } from "../document/definitions";
import { useDocument } from "../hooks";
import { Icon } from "../Icon";
import { define } from "../ownBlocks";
import type { NodeJson, SettingJson } from "../types";
import { SettingField } from "./SettingField";

/** A setting of a block inside an own block, which may become a setting of the own block. */
export function Exposable({ block, node, spec, disabled }: { block: string; node: NodeJson; spec: SettingJson; disabled: boolean }): ReactElement {
  const definition = useDocument((d) => definitionOf(d.project, block));
  const value = node.settings[spec.name] ?? (spec.name in node.settings ? null : spec.default);
  const argument = argumentOf(value);
  const toggle = (): void => {
    const project = app.document.project;
    if (argument !== null) define(`${node.id}.${spec.name} is fixed again`, concealEdits(project, block, node.id, spec.name));
    else define(`${spec.name} becomes a setting of ${block}`, exposeEdits(project, block, node.id, spec.name));
  };
  return (
    <div className={`exposable ${argument !== null ? "on" : ""}`}>
      <SettingField
        spec={spec}
        value={argument === null ? value : (definition?.arguments[argument] ?? null)}
        disabled={disabled}
        onChange={(v) => (argument === null ? setSetting(node.id, spec.name, v) : define(`usual ${argument} of ${block}`, usualEdits(app.document.project, block, argument, v), `usual:${block}:${argument}`))}
      />
      <button type="button" className="icon-button" aria-pressed={argument !== null} disabled={disabled} data-testid={`expose-${spec.name}`} aria-label={argument === null ? `Make ${spec.name} a setting of ${block}` : `Fix ${spec.name} again`} title={argument === null ? `Make it a setting of ${block}, which may differ from use to use` : `It is the setting ${argument} of ${block}; press to fix it again`} onClick={toggle}><Icon name="expose" size={12} /></button>
      {argument !== null && <p className="setting-help">set by <code>{argument}</code> of {block}; usually as here</p>}
    </div>
  );
}
