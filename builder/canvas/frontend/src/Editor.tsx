import { type ReactElement, useEffect, useRef } from "react";
import { app } from "./app";
import { Boundary } from "./Boundary";
import { Canvas } from "./canvas/Canvas";
import { useHost, useUi } from "./hooks";
import { listen } from "./keys";
import { Gallery } from "./panels/Gallery";
import { MakeBlock } from "./panels/MakeBlock";
import { Help } from "./panels/Help";
import { Inspector } from "./panels/Inspector";
import { Strips, ToastLine } from "./panels/Messages";
import { Palette } from "./panels/Palette";
import { ProblemList } from "./panels/ProblemList";
import { Starters } from "./panels/Starters";
import { TopBar } from "./panels/TopBar";
import { Tour } from "./panels/Tour";

/*
 * Hooks for browser tests (data-testid), the one place where they are listed. They lie in a shadow root.
 *
 * top bar     project-menu gallery undo redo saved (data-state: saved saving offline readonly) totals problems
 *             train continue pause resume step stop lr progress run-status time-left help
 * palette     palette palette-search family-<category> palette-item-<Block> palette-edit-<Block> palette-forget-<Block>
 * canvas      canvas node-<id> (data-state: ok error warning waiting) port-<id>-<port> pill-<source>-<target>
 *             thumb-<id> open-<id> close-<id> inner-<id>-<inner> bubble fix-<i> (i counts all problems;
 *             the same button is inspector-fix-<i> and list-fix-<i> elsewhere)
 *             zoom-in zoom-out fit tidy network-<name> live
 *             trail trail-<i> context-menu menu-<what>
 *             quick-add quick-search quick-<Block>, wiring wire-to-search wire-to-<id>
 * inspector   inspector block-name setting-<name> (and -less -more -split -width) shape parameters flops explain
 *             edit-block make-block expose-<name>, for an opened own block definition-name definition-help keep-block delete-block
 *             uses argument-row-<name> argument-name-<name> remove-argument-<name>
 *             unwire-<port> wire-to add-note note toggle-fold ungroup show-<panel>
 * overlays    gallery-sheet gallery-search template-<name>, starters starter-<name> all-templates, projects new-project project-<id> rename-<id>
 *             rename-project-name duplicate-<id> delete-<id> restore-project, problem-list problem-<i>,
 *             make-block-dialog new-block-name expose-<name> argument-<name> all-settings make-block-now
 *             help-sheet start-tour tour tour-next, toast notice offline read-only take-over
 */
export function Editor(): ReactElement {
  const root = useRef<HTMLDivElement>(null);
  const overlay = useUi((u) => u.overlay);
  const height = useHost((h) => h.height);
  useEffect(() => (root.current ? listen(root.current) : undefined), []);
  return (
    <div className="layerloom" ref={root} style={height ? { height } : undefined} onPointerDown={(e) => {
      const target = e.target as Element;
      const open = app.ui.get().overlay;
      if ((open === "projects" || open === "problems") && !target.closest(".menu, [data-testid=project-menu], [data-testid=problems]")) app.ui.patch({ overlay: null });
    }}>
      <TopBar />
      <Strips />
      <div className="middle">
        <Boundary><Palette /></Boundary>
        <div className="column">
          <Boundary><Canvas /></Boundary>
          <Boundary><Starters /></Boundary>
        </div>
        <Boundary><Inspector /></Boundary>
        {overlay === "gallery" && <Gallery />}
        {overlay === "help" && <Help />}
        {overlay === "problems" && <ProblemList />}
        {overlay === "make-block" && <MakeBlock />}
      </div>
      <Tour />
      <ToastLine />
    </div>
  );
}
