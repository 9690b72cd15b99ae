import { createRoot, type Root } from "react-dom/client";
import flowStyles from "@xyflow/react/dist/style.css?inline";
import { app } from "./app";
import { watchConnection } from "./connection";
import { Editor } from "./Editor";
import { takeCommas } from "./numbers";
import { isDark } from "./theme";
import tokens from "./styles/tokens.css?inline";
import layoutStyles from "./styles/page.css?inline";
import canvasStyles from "./styles/canvas.css?inline";
import panelStyles from "./styles/panels.css?inline";
import overlayStyles from "./styles/overlays.css?inline";
import type { Catalogue, EditorData, FeedData, GalleryItem, Snapshot } from "./types";

/** What Streamlit hands to a component (version 2). */
interface Component {
  parentElement: HTMLElement | ShadowRoot;
  data: unknown;
  setStateValue: (name: string, value: unknown) => void;
}

const roots = new WeakMap<Node, { root: Root; host: HTMLElement }>();

function hostOf(parent: HTMLElement | ShadowRoot): Element {
  return parent instanceof ShadowRoot ? parent.host : parent;
}

/** Mount the editor, or hand new data to the mounted one. */
function editor(component: Component): () => void {
  const { parentElement: parent, setStateValue } = component;
  let mounted = roots.get(parent);
  if (!mounted) {
    const style = document.createElement("style");
    style.textContent = flowStyles + tokens + layoutStyles + canvasStyles + panelStyles + overlayStyles;
    const host = document.createElement("div");
    host.className = "layerloom-host";
    parent.append(style, host);
    mounted = { root: createRoot(host), host };
    roots.set(parent, mounted);
    mounted.root.render(<Editor />);
  }
  mounted.host.dataset.theme = isDark(hostOf(parent)) ? "dark" : "light";
  app.sync.connect((snapshot: Snapshot) => setStateValue("snap", snapshot));
  if (component.data) app.receive(component.data as EditorData);
  return () => {
    // Streamlit may clean up while the component stays: only what has left the page is taken down.
    setTimeout(() => {
      const gone = roots.get(parent);
      if (gone && !hostOf(parent).isConnected) {
        gone.root.unmount();
        gone.host.remove();
        roots.delete(parent);
        // Streamlit takes down its whole page when a message does not fit it. The journal has every edit, so the
        // page can be loaded anew.
        if (document.getElementById("root")?.childElementCount === 0) location.reload();
      }
    }, 0);
  };
}

/** Live data for the mounted editor; draws nothing. */
function feed(component: Component): void {
  if (component.data) app.feed(component.data as FeedData);
}

let told = "";

/** Take the catalogue and the gallery, which the component with the bundle carries. */
function assets(component: Component): void {
  if (!(component.data instanceof Uint8Array)) return;
  const text = new TextDecoder().decode(component.data);
  if (text === told) return; // it comes with every run of the script
  told = text;
  const data = JSON.parse(text) as { catalogue?: Catalogue; gallery?: GalleryItem[] };
  if (data.catalogue) app.setCatalogue(data.catalogue);
  if (data.gallery) app.host.patch({ gallery: data.gallery });
}

/** Select blocks, and show the network or the own block they are in: what other parts of the page ask for. */
function select(network: string, nodes: string[]): void {
  app.document.select(nodes, network);
}

interface Published {
  editor: typeof editor;
  feed: typeof feed;
  select: typeof select;
  assets: typeof assets;
}
interface Page {
  __layerloom?: Published;
  __layerloomWaiting?: ((module: Published) => void)[];
}

/** The component that carries the bundle: it publishes this module for the other two and shows nothing. */
export default function publish(component: Component): void {
  const page = globalThis as Page;
  // Evaluated a second time (a remount), the module steps back: the first one holds the document.
  if (!page.__layerloom) {
    takeCommas(document);
    watchConnection(document, () => app.lost());
    addEventListener("pagehide", () => app.sync.keepHistory());
  }
  page.__layerloom ??= { editor, feed, assets, select };
  page.__layerloom.assets(component);
  for (const resolve of page.__layerloomWaiting ?? []) resolve(page.__layerloom);
  page.__layerloomWaiting = [];
}
