/** What passes between Python and the browser. Everything here is JSON. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Settings = Record<string, Json>;

export interface NodeJson {
  id: string;
  block: string;
  version: number;
  settings: Settings;
  position: [number, number];
  folded: boolean;
  note: string;
  /** How fast it learns: a factor of the learning rate, 0 if frozen; 1 where there is none. */
  rate?: number;
}

export interface EdgeJson {
  source: string;
  source_port: string;
  target: string;
  target_port: string;
}

export interface NetworkJson {
  nodes: NodeJson[];
  edges: EdgeJson[];
}

/** An own block: a network with named arguments, which settings inside may take (`{argument: name}`). */
export interface DefinitionJson extends NetworkJson {
  arguments: Settings;
  help?: string;
}

export interface Choice {
  name: string;
  settings: Settings;
}

export interface Project {
  format: number;
  name: string;
  networks: Record<string, NetworkJson>;
  /** The project's own blocks; a file may hold anything in their place. */
  blocks: Record<string, DefinitionJson | Json>;
  data: Choice;
  task: Choice;
  loss: Choice;
  optimizer: Record<string, Choice>;
  training: Settings;
  /** What the next training begins with; drawn anew where there is none. */
  weights?: Json;
}

/** The vocabulary of builder/edits.py. */
export type Edit =
  | { op: "add_node"; network: string; node: NodeJson }
  | { op: "remove_node"; network: string; id: string }
  | { op: "replace_node"; network: string; id: string; node: NodeJson }
  | { op: "set"; network: string; id: string; setting: string; value: Json }
  | { op: "rename_node"; network: string; id: string; to: string }
  | { op: "move_node"; network: string; id: string; position: [number, number] }
  | { op: "fold_node"; network: string; id: string; folded: boolean }
  | { op: "add_edge"; network: string; edge: EdgeJson }
  | { op: "remove_edge"; network: string; edge: EdgeJson }
  | { op: "set_part"; part: string; value: Json }
  | { op: "set_network"; network: string; value: NetworkJson | null }
  | { op: "replace_project"; value: Project };

export interface SettingJson {
  name: string;
  kind: "int" | "float" | "bool" | "text" | "choice" | "size" | "ints" | "floats" | "texts";
  default: Json;
  optional: boolean;
  min: number | null;
  max: number | null;
  choices: Json[] | null;
  label: string;
  help: string;
  unit: string;
}

export interface PortJson {
  name: string;
  rank: number | number[] | null;
  holds: string;
}

export interface BlockJson {
  label: string;
  category: string;
  help: string;
  formula: string;
  source: string;
  stem: string;
  variadic: string | null;
  inputs: PortJson[];
  settings: SettingJson[];
  kind: "leaf" | "composite" | "input" | "output";
  /** Why an own block cannot be used until it is mended. */
  broken?: string;
}

export interface Catalogue {
  categories: { name: string; label: string }[];
  blocks: Record<string, BlockJson>;
}

export interface GalleryItem {
  name: string;
  label: string;
  about?: string;
  group?: string;
  parameters?: number | null;
  /** The task and the data, as people call them. */
  task?: string;
  data?: string;
  lesson?: Lesson | null;
  /** The kinds of the blocks of its largest network, by their names. */
  blocks?: Record<string, string>;
  /** Category of every node in order, and wires as pairs of their indices: the picture is drawn from it. */
  sketch?: { nodes: string[]; edges: [number, number][] };
}

/** What a starter project teaches: plain sentences, and a formula. */
export interface Lesson {
  look?: string;
  try?: string;
  break?: string;
  formula?: string;
}

export interface InnerJson {
  id: string;
  block: string;
  label: string;
  category: string;
  sources: string[];
  shape: number[] | null;
  parameters: number | null;
  /** How fast it learns: a factor of the learning rate of the block it is in, 0 if frozen; 1 where there is none. */
  rate?: number;
}

export interface NodeAnnotation {
  shape: number[] | null;
  inputs: Record<string, number[] | null>;
  parameters: number | null;
  flops: number | null;
  state: "ok" | "error" | "warning" | "waiting";
  waits_for: string | null;
  caption?: string;
  explain?: string;
  inner?: InnerJson[] | null;
  /** The name of its function among the annotations' curves. */
  curve?: string;
}

/** A function and its derivative at evenly spaced inputs from -reach to reach. */
export interface CurveJson {
  reach: number;
  value: number[];
  slope: number[];
}

export interface NetworkAnnotation {
  parameters: number | null;
  flops: number | null;
  memory: number | null;
  nodes: Record<string, NodeAnnotation>;
}

export interface ProblemJson {
  network: string;
  node: string | null;
  port: string | null;
  code: string;
  /** The part of the project that it is in: data, task, loss, optimizer, training; empty for the networks. */
  part?: string;
  severity: "error" | "warning";
  message: string;
  details: string;
  fix: { label: string; edits: Edit[] } | null;
}

export interface Annotations {
  rev: number;
  ok: boolean;
  /** What must still be given before the data can be loaded, as a sentence. */
  missing?: string | null;
  networks: Record<string, NetworkAnnotation>;
  problems: ProblemJson[];
  /** The own blocks of the project that can be used. */
  blocks?: Record<string, BlockJson>;
  curves?: Record<string, CurveJson>;
}

export interface ProjectEntry {
  id: string;
  name: string;
  modified?: string | number | null;
  size?: number | null;
  runs?: number | null;
  deleted?: boolean;
}

export interface Notice {
  id: string | number;
  kind: string;
  text: string;
}

export interface EditorData {
  project_id: string;
  sid: string;
  ack: number;
  ack_action?: number;
  gen: number;
  init: { gen: number; project: Project; rev: number } | null;
  commands: { seq: number; label: string; edits: Edit[] }[];
  annotations: Annotations | null;
  saved_rev: number;
  read_only: boolean;
  lease?: { mine: boolean; message: string } | null;
  projects?: ProjectEntry[];
  gallery?: GalleryItem[];
  notice?: Notice | null;
  /** Blocks kept for all projects, each with the definitions a project copies to use it. */
  library?: Record<string, { block: BlockJson; blocks: Record<string, Json> }>;
  /** One line for each of the four steps in the network's summary. */
  steps?: { data?: string; loss?: string; train?: string } | null;
  height?: number | null;
}

export interface Action {
  id: number;
  name: string;
  args: Record<string, Json>;
}

export interface Snapshot {
  seq: number;
  tab: string;
  gen: number;
  rev: number;
  ack_cmd: number;
  project_id: string;
  project: Project;
  selection: { network: string; nodes: string[] };
  actions: Action[];
}

export interface RunState {
  id?: string | null;
  status: "none" | "starting" | "running" | "paused" | "done" | "stopped" | "failed" | "lost";
  epoch?: number | null;
  epochs?: number | null;
  step?: number | null;
  steps?: number | null;
  seconds_left?: number | null;
  message?: string | null;
  lr?: number | null;
  losses?: Record<string, number>;
  /** The first metric, as people read it. */
  score?: string;
  /** The project has been changed since the run was started. */
  edited?: boolean;
  /** The networks that can be stepped alone, where there are several. */
  slots?: string[];
}

export interface FeedData {
  run: RunState | null;
  thumbnails?: Record<string, Record<string, string>>;
  probe?: { sample?: number | null; label?: string | null; prediction?: string | null } | null;
  /** When it was sent: equal data are not handed on, and the page would take the server for gone. */
  at?: number;
  /** What is on the disk: it is written after the editor has been answered. */
  saved?: { project_id: string; rev: number };
}
