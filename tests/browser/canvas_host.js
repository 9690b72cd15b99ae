// A stand-in for Streamlit and Python around the canvas: keeps the snapshot, answers with annotations
// computed by a few plain rules, and records everything. Only for tests of the canvas alone.
const P = (name = "in", rank = null) => ({ name, rank, holds: "features" });
const S = (name, kind, value, more = {}) => ({ name, kind, default: value, optional: false, min: null, max: null, choices: null, label: name, help: `What ${name} is for, in one sentence.`, unit: "", ...more });
const B = (label, category, stem, settings = [], more = {}) => ({ label, category, stem, help: `${label} in one plain sentence.`, formula: "", source: "", variadic: null, inputs: [P()], settings, kind: "leaf", ...more });

export const catalogue = {
  categories: [["input", "Input"], ["convolution", "Convolution"], ["pooling", "Pooling"], ["normalization", "Normalization"], ["activation", "Activation"], ["dense", "Dense"], ["reshape", "Reshape"], ["merge", "Merge"], ["composite", "Composite"]].map(([name, label]) => ({ name, label })),
  blocks: {
    Image: B("Image", "input", "image", [S("channels", "int", 1, { min: 1, max: 4096 }), S("height", "int", 28, { min: 1 }), S("width", "int", 28, { min: 1 })], { inputs: [], kind: "input" }),
    Output: B("Output", "input", "output", [], { kind: "output" }),
    Conv2d: B("Conv2d", "convolution", "conv", [S("out_channels", "int", 16, { min: 1, max: 65536 }), S("kernel_size", "size", 3, { min: 1, max: 1024 }), S("stride", "size", 1, { min: 1 }), S("padding", "size", 0, { min: 0 }), S("padding_mode", "choice", "zeros", { choices: ["zeros", "reflect"] }), S("bias", "bool", true)], { inputs: [P("in", 3)], formula: "out = ⌊(in + 2p − k) / s⌋ + 1", source: "https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html" }),
    ConvTranspose2d: B("ConvTranspose2d", "convolution", "up", [S("out_channels", "int", 16, { min: 1 })]),
    MaxPool2d: B("MaxPool2d", "pooling", "pool", [S("kernel_size", "size", 2, { min: 1 }), S("stride", "size", null, { min: 1, optional: true })]),
    AvgPool2d: B("AvgPool2d", "pooling", "pool", [S("kernel_size", "size", 2, { min: 1 })]),
    BatchNorm2d: B("BatchNorm2d", "normalization", "bn", [S("eps", "float", 1e-5, { min: 0, max: 1 }), S("momentum", "float", 0.1, { min: 0, max: 1 })]),
    Dropout: B("Dropout", "normalization", "drop", [S("p", "float", 0.5, { min: 0, max: 1 })]),
    ReLU: B("ReLU", "activation", "relu"),
    LeakyReLU: B("LeakyReLU", "activation", "leaky", [S("negative_slope", "float", 0.01, { min: 0 })]),
    Linear: B("Linear", "dense", "fc", [S("out_features", "int", 10, { min: 1 }), S("bias", "bool", true)], { inputs: [P("in", 1)], formula: "y = x·Wᵀ + b" }),
    Flatten: B("Flatten", "reshape", "flatten"),
    Add: B("Add", "merge", "add", [S("inputs", "int", 2, { min: 2, max: 64 })], { variadic: "inputs" }),
    Concatenate: B("Concatenate", "merge", "concat", [S("inputs", "int", 2, { min: 2, max: 64 })], { variadic: "inputs" }),
    ResidualBlock: B("ResidualBlock", "composite", "residual", [S("out_channels", "int", 16, { min: 1 }), S("stride", "int", 1, { min: 1, max: 4 })], { kind: "composite", formula: "y = relu(F(x) + P(x))" }),
  },
};

const pair = (v) => (Array.isArray(v) ? v : [v, v]);
const inner = (out, hw) => {
  const shape = [out, hw, hw];
  const step = (id, block, category, sources, parameters = 0) => ({ id, block, label: block, category, sources, shape, parameters });
  return [step("conv1", "Conv2d", "convolution", ["in"], 9 * out * out), step("bn1", "BatchNorm2d", "normalization", ["conv1"], 2 * out), step("relu1", "ReLU", "activation", ["bn1"]), step("conv2", "Conv2d", "convolution", ["relu1"], 9 * out * out), step("bn2", "BatchNorm2d", "normalization", ["conv2"], 2 * out), step("projection_conv", "Conv2d", "convolution", ["in"], out * out), step("projection_bn", "BatchNorm2d", "normalization", ["projection_conv"], 2 * out), step("add", "Add", "merge", ["bn2", "projection_bn"]), step("relu2", "ReLU", "activation", ["add"])];
};
const rules = {
  Image: (s) => ({ shape: [s.channels, s.height, s.width] }),
  Output: (s, [x]) => ({ shape: x }),
  Conv2d: (s, [x]) => {
    if (x.length !== 3) throw Error(`Conv2d takes an image (channels, height, width) but receives ${x.join("×")}. Put it before the Flatten.`);
    const [k, st, p] = [pair(s.kernel_size), pair(s.stride), pair(s.padding)];
    const hw = [0, 1].map((i) => Math.floor((x[i + 1] + 2 * p[i] - k[i]) / st[i]) + 1);
    if (hw.some((n) => n < 1)) throw Error(`The kernel ${k.join("×")} is larger than its input ${x[1]}×${x[2]}; take a smaller kernel_size or more padding.`);
    const weights = s.out_channels * x[0] * k[0] * k[1];
    return { shape: [s.out_channels, ...hw], parameters: weights + (s.bias ? s.out_channels : 0), flops: weights * hw[0] * hw[1], caption: `${s.out_channels} maps`, explain: `out = ⌊(${x[1]} + 2·${p[0]} − ${k[0]}) / ${st[0]}⌋ + 1 = ${hw[0]}\n${s.out_channels}·(${x[0]}·${k[0]}·${k[1]})${s.bias ? ` + ${s.out_channels}` : ""} = ${weights + (s.bias ? s.out_channels : 0)}` };
  },
  MaxPool2d: (s, [x]) => ({ shape: [x[0], ...x.slice(1).map((n) => Math.floor(n / pair(s.kernel_size)[0]))], caption: `${x[0]} maps` }),
  Flatten: (s, [x]) => ({ shape: [x.reduce((a, b) => a * b, 1)] }),
  Linear: (s, [x]) => {
    if (x.length !== 1) throw Error(`Linear takes a flat vector but receives ${x.join("×")} (${x.reduce((a, b) => a * b, 1)} values). Put a Flatten before it.`);
    return { shape: [s.out_features], parameters: x[0] * s.out_features + (s.bias ? s.out_features : 0), flops: x[0] * s.out_features };
  },
  Add: (s, xs) => {
    if (xs.some((x) => x.join() !== xs[0].join())) throw Error(`Add needs equal shapes but receives ${xs.map((x) => x.join("×")).join(" and ")}.`);
    return { shape: xs[0] };
  },
  Concatenate: (s, xs) => ({ shape: [xs.reduce((a, x) => a + x[0], 0), ...xs[0].slice(1)] }),
  ResidualBlock: (s, [x]) => ({ shape: [s.out_channels, Math.ceil(x[1] / s.stride), Math.ceil(x[2] / s.stride)], parameters: 18 * s.out_channels ** 2, flops: 1e6, inner: inner(s.out_channels, Math.ceil(x[1] / s.stride)) }),
};

export function annotate(project, rev) {
  const ann = { rev, ok: true, networks: {}, problems: [] };
  for (const [name, net] of Object.entries(project.networks)) {
    const nodes = {};
    const visit = (node, trail = []) => {
      if (nodes[node.id]) return nodes[node.id];
      const block = catalogue.blocks[node.block];
      const ports = block ? (block.variadic ? Array.from({ length: node.settings[block.variadic] }, (_, i) => `in${i + 1}`) : block.inputs.map((p) => p.name)) : [];
      const inputs = {};
      const out = { shape: null, inputs, parameters: null, flops: null, state: "ok", waits_for: null, caption: "", explain: "", inner: null };
      const problem = (message, code, port = null, fix = null, severity = "error") => ann.problems.push({ network: name, node: node.id, port, code, severity, message, details: code === "shape" ? "RuntimeError: mat1 and mat2 must have the same reduction dim, but got [83, 256] X [400, 120]." : "", fix });
      nodes[node.id] = out;
      let missing = null;
      for (const port of ports) {
        const edge = net.edges.find((e) => e.target === node.id && e.target_port === port);
        if (!edge) { missing = port; continue; }
        const source = visit(net.nodes.find((n) => n.id === edge.source), [...trail, node.id]);
        if (!source.shape) { out.state = "waiting"; out.waits_for ??= source.state === "waiting" ? source.waits_for : edge.source; }
        inputs[port] = source.shape;
      }
      if (!block) { out.state = "error"; problem(`There is no block called "${node.block}" in this version.`, "unknown"); return out; }
      if (missing) { out.state = "error"; problem(`${node.id} has no input at ${missing}; draw a wire to it.`, "missing-input", missing); return out; }
      if (out.state === "waiting") return out;
      try {
        Object.assign(out, { parameters: 0, flops: 0 }, (rules[node.block] ?? ((s, [x]) => ({ shape: x })))(node.settings, ports.map((p) => inputs[p])));
      } catch (error) {
        out.state = "error";
        const edge = net.edges.find((e) => e.target === node.id);
        const x = Object.values(inputs)[0];
        const fix = node.block === "Linear" && edge ? { label: `Insert Flatten → ${x.reduce((a, b) => a * b, 1)}`, edits: [{ op: "add_node", network: name, node: { id: `flatten_${node.id}`, block: "Flatten", version: 1, settings: {}, position: [0, 0], folded: true, note: "" } }, { op: "remove_edge", network: name, edge }, { op: "add_edge", network: name, edge: { ...edge, target: `flatten_${node.id}`, target_port: "in" } }, { op: "add_edge", network: name, edge: { source: `flatten_${node.id}`, source_port: "out", target: node.id, target_port: "in" } }] } : null;
        problem(error.message, "shape", null, fix);
      }
      return out;
    };
    net.nodes.forEach((n) => visit(n));
    const sum = (k) => Object.values(nodes).reduce((s, n) => s + (n[k] ?? 0), 0);
    ann.networks[name] = { parameters: sum("parameters"), flops: sum("flops"), memory: sum("parameters") * 16 + 250000, nodes };
  }
  ann.ok = ann.problems.every((p) => p.severity !== "error");
  return ann;
}

const node = (id, block, settings = {}) => ({ id, block, version: 1, settings: { ...Object.fromEntries((catalogue.blocks[block]?.settings ?? []).map((s) => [s.name, s.default])), ...settings }, position: [0, 0], folded: true, note: "" });
const chain = (nodes) => ({ nodes, edges: nodes.slice(1).map((n, i) => ({ source: nodes[i].id, source_port: "out", target: n.id, target_port: catalogue.blocks[n.block].variadic ? "in1" : "in" })) });
export const project = (name, networks) => ({ format: 1, name, networks, blocks: {}, data: { name: "digits", settings: {} }, task: { name: "classification", settings: {} }, loss: { name: "cross_entropy", settings: {} }, optimizer: { network: { name: "Adam", settings: { lr: 0.001 } } }, training: { epochs: 5, batch_size: 32 } });

export const starters = {
  empty: () => project("untitled", { network: { nodes: [], edges: [] } }),
  lenet5: () => project("lenet5", { network: chain([node("image", "Image"), node("conv1", "Conv2d", { out_channels: 6, kernel_size: 5, padding: 2 }), node("relu1", "ReLU"), node("pool1", "MaxPool2d"), node("conv2", "Conv2d", { out_channels: 16, kernel_size: 5 }), node("relu2", "ReLU"), node("pool2", "MaxPool2d"), node("flatten", "Flatten"), node("fc1", "Linear", { out_features: 120 }), node("relu3", "ReLU"), node("fc2", "Linear", { out_features: 84 }), node("relu4", "ReLU"), node("fc3", "Linear", { out_features: 10 }), node("output", "Output")]) }),
  broken: () => {
    const p = starters.lenet5();
    const net = p.networks.network;
    net.nodes = net.nodes.filter((n) => n.id !== "flatten");
    net.edges = net.edges.filter((e) => e.source !== "flatten" && e.target !== "flatten").concat({ source: "pool2", source_port: "out", target: "fc1", target_port: "in" });
    return p;
  },
  resnet: () => {
    const blocks = [1, 2, 3, 4].flatMap((l) => [0, 1].map((i) => node(`layer${l}_${i}`, "ResidualBlock", { out_channels: 32 * 2 ** l, stride: l > 1 && i === 0 ? 2 : 1 })));
    return project("resnet18", { network: chain([node("image", "Image", { channels: 3, height: 224, width: 224 }), node("conv1", "Conv2d", { out_channels: 64, kernel_size: 7, stride: 2, padding: 3, bias: false }), node("bn1", "BatchNorm2d"), node("relu", "ReLU"), node("maxpool", "MaxPool2d"), ...blocks, node("avgpool", "AvgPool2d", { kernel_size: 14 }), node("flatten", "Flatten"), node("fc", "Linear", { out_features: 1000 }), node("output", "Output")]) });
  },
  skips: () => {
    const net = chain([node("image", "Image", { channels: 8 }), node("conv1", "Conv2d", { out_channels: 8, padding: 1 }), node("relu1", "ReLU"), node("conv2", "Conv2d", { out_channels: 8, padding: 1 }), node("add1", "Add"), node("relu2", "ReLU"), node("conv3", "Conv2d", { out_channels: 8, padding: 1 }), node("bn", "BatchNorm2d"), node("add2", "Add"), node("flatten", "Flatten"), node("fc", "Linear"), node("output", "Output")]);
    net.edges.push({ source: "image", source_port: "out", target: "add1", target_port: "in2" }, { source: "relu2", source_port: "out", target: "add2", target_port: "in2" });
    return project("skips", { network: net });
  },
  many: (count = 200) => {
    const nodes = [node("image", "Image")];
    for (let i = 1; i < count - 1; i += 1) nodes.push(i % 2 ? node(`conv${i}`, "Conv2d", { out_channels: 8, padding: 1 }) : node(`relu${i}`, "ReLU"));
    nodes.push(node("output", "Output"));
    return project("many", { network: chain(nodes) });
  },
  gan: () => ({ ...project("gan", { generator: chain([node("image", "Image"), node("flatten", "Flatten"), node("fc", "Linear"), node("output", "Output")]), discriminator: chain([node("image", "Image"), node("flatten", "Flatten"), node("fc", "Linear", { out_features: 1 }), node("output", "Output")]) }) }),
};

const sketch = (p) => {
  const net = Object.values(p.networks)[0];
  const at = new Map(net.nodes.map((n, i) => [n.id, i]));
  return { nodes: net.nodes.map((n) => catalogue.blocks[n.block].category), edges: net.edges.map((e) => [at.get(e.source), at.get(e.target)]) };
};
const card = (name, label, about, group, parameters, starter) => ({ name, label, about, group, parameters, sketch: sketch(starters[starter]()) });
export const gallery = [card("lenet5", "LeNet-5", "Handwritten digits, 1×28×28", "Classification", 61706, "lenet5"), card("resnet18", "ResNet-18", "Residual blocks, 3×224×224", "Classification", 11689512, "resnet"), card("resnet20_cifar", "ResNet-20 for CIFAR", "Small residual network, 3×32×32", "Classification", 272474, "skips"), card("mlp", "Multilayer perceptron", "Spirals in the plane, with a live decision boundary", "Classification", 1234, "gan"), card("autoencoder", "Autoencoder", "Digits squeezed through a narrow middle", "Reconstruction", 54000, "broken"), card("gan", "GAN", "Two networks against each other", "Generation", 90000, "gan")];

// --- Streamlit's part ---------------------------------------------------------------------------
export function start(module, options = {}) {
  const shadow = (height) => {
    const host = document.createElement("div");
    if (height) host.style.height = `${height}px`;
    document.body.append(host);
    return host.attachShadow({ mode: "open" });
  };
  const host = { snaps: [], actions: [], snapshot: null, delay: options.delay ?? 20, alive: true, calls: 0 };
  const asset = shadow();
  const editor = shadow(options.height ?? 470);
  const feedRoot = shadow();
  let state = { project_id: "p1", sid: "s1", ack: 0, ack_action: 0, gen: 1, init: { gen: 1, project: (options.project ?? starters.lenet5)(), rev: options.rev ?? 0 }, commands: [], annotations: null, saved_rev: options.rev ?? 0, read_only: options.read_only ?? false, lease: { mine: !options.read_only, message: "" }, projects: [{ id: "p1", name: "lenet5", modified: Date.now() / 1000 - 300, size: 48_300_000, runs: 3 }, { id: "p2", name: "A first convolutional network with a rather long name", modified: Date.now() / 1000 - 90_000, size: 1_200_000, runs: 1 }], gallery: options.gallery ?? gallery, notice: options.notice ?? null, height: options.height ?? 470 };
  const push = () => { host.calls += 1; globalThis.__layerloom.editor({ parentElement: editor, data: structuredClone(state), setStateValue }); };
  // A deleted project leaves the list, and comes back where it is taken back.
  const moved = (action) => {
    const deleted = { delete_project: true, restore_project: false }[action.name];
    if (deleted !== undefined) state.projects = state.projects.map((p) => (p.id === action.args.id ? { ...p, deleted } : p));
  };
  const setStateValue = (name, snap) => {
    host.snaps.push(snap);
    if (!host.alive) return;
    setTimeout(() => {
      if (!host.alive) return;
      host.snapshot = structuredClone(snap);
      for (const a of snap.actions) if (a.id > state.ack_action) { host.actions.push(a); state.ack_action = a.id; moved(a); host.onAction?.(a); }
      state = { ...state, ack: snap.seq, saved_rev: snap.rev, init: snap.gen >= state.gen ? null : state.init, commands: state.commands.filter((c) => c.seq > snap.ack_cmd), annotations: options.annotations ? { ...options.annotations, rev: snap.rev } : annotate(snap.project, snap.rev) };
      push();
    }, host.delay);
  };
  Object.assign(host, { set: (change) => { state = { ...state, ...change }; push(); }, get: () => state, command: (label, edits) => host.set({ commands: [...state.commands, { seq: (host.commandSeq = (host.commandSeq ?? 0) + 1), label, edits }] }), feed: (data) => globalThis.__layerloom.feed({ parentElement: feedRoot, data }) });
  const carried = { catalogue: options.catalogue ?? catalogue, gallery: options.gallery ?? gallery };
  module.default({ parentElement: asset, data: new TextEncoder().encode(JSON.stringify(carried)), setStateValue: () => {} });
  push();
  globalThis.host = host;
  return host;
}
