// Curves that grow while one watches: lines over a common x axis. A new picture changes paths in place,
// nothing is mounted again. Drag to enlarge a stretch, double-click to see all.
const NS = "http://www.w3.org/2000/svg";
const PAD = { left: 46, right: 12, top: 8, bottom: 32 };
const charts = new WeakMap();

export default function (component) {
  const { parentElement: parent, data } = component;
  let chart = charts.get(parent);
  if (!chart) charts.set(parent, (chart = new Chart(parent.querySelector(".chart"))));
  if (data) chart.show(data);
}

const make = (name, attributes = {}, parent = null) => {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
};

/** Round places between low and high, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

/** The places 1, 2, 5 of every power of ten on a logarithmic axis, thinned to fit. */
function logTicks(low, high, count) {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  for (const leading of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let p = first; p <= last; p++)
      for (const m of leading) if (m * 10 ** p >= low * 0.999 && m * 10 ** p <= high * 1.001) found.push(Number((m * 10 ** p).toPrecision(3)));
    if (found.length <= count * 1.6 || leading.length === 1) return found.length > 1 ? found : ticks(low, high, count);
  }
}

class Chart {
  constructor(root) {
    this.root = root;
    this.svg = make("svg", { role: "img" });
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    root.append(this.svg, this.tip);
    this.clip = make("rect", {}, make("clipPath", { id: "inside" }, make("defs", {}, this.svg)));
    this.grid = make("g", { class: "grid" }, this.svg);
    this.level = make("line", { class: "level" }, this.svg);
    this.plot = make("g", { "clip-path": "url(#inside)" }, this.svg);
    this.note = make("text", { class: "note", "text-anchor": "end" }, this.svg);
    this.cursor = make("line", { class: "cursor", visibility: "hidden" }, this.svg);
    this.band = make("rect", { class: "band", visibility: "hidden" }, this.svg);
    this.paths = [];
    this.data = null;
    this.zoom = null;
    this.from = null;
    new ResizeObserver(() => this.draw()).observe(root);
    addEventListener("resize", () => this.draw());
    this.svg.addEventListener("pointermove", (e) => this.moved(e));
    this.svg.addEventListener("pointerleave", () => this.left());
    this.svg.addEventListener("pointerdown", (e) => {
      this.from = this.place(e);
      this.svg.setPointerCapture(e.pointerId);
    });
    this.svg.addEventListener("pointerup", (e) => this.released(this.place(e)));
    this.svg.addEventListener("dblclick", () => {
      this.zoom = null;
      this.draw();
    });
  }

  show(data) {
    this.data = data;
    this.svg.dataset.testid = `curve-${data.name}`;
    this.svg.setAttribute("aria-label", data.about);
    this.draw();
  }

  draw() {
    const { data } = this;
    const width = this.root.clientWidth;
    if (!data || !width) return;
    // On a high window the panel below the editor has room to spare (its height: styles/page.css).
    const height = data.grow ? Math.max(data.height, Math.min(420, 0.4 * innerHeight - 112)) : data.height;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    const box = (this.box = { x: PAD.left, y: PAD.top, w: Math.max(40, width - PAD.left - PAD.right), h: height - PAD.top - PAD.bottom });
    for (const [key, value] of Object.entries({ x: box.x - 6, y: box.y - 3, width: box.w + 12, height: box.h + 6 })) this.clip.setAttribute(key, value);
    const [x0, x1] = this.zoom ?? data.range;
    const [y0, y1] = this.yRange(x0, x1);
    const up = data.log ? Math.log10 : (v) => v;
    const [low, high] = [up(y0), up(y1)];
    this.x = (v) => box.x + ((v - x0) / (x1 - x0)) * box.w;
    this.y = (v) => box.y + box.h - ((up(v) - low) / (high - low)) * box.h;
    this.unx = (pixel) => x0 + ((pixel - box.x) / box.w) * (x1 - x0);
    this.axes(x0, x1, y0, y1);
    this.lines();
    this.expected();
  }

  yRange(x0, x1) {
    const { data } = this;
    let low = Infinity;
    let high = -Infinity;
    const see = (v) => {
      if (v === null || !Number.isFinite(v) || (data.log && v <= 0)) return;
      low = Math.min(low, v);
      high = Math.max(high, v);
    };
    for (const line of data.lines) line.x.forEach((x, i) => x >= x0 && x <= x1 && see(line.y[i]));
    if (data.level && !this.zoom) see(data.level.value);
    if (low > high) [low, high] = data.log ? [0.1, 1] : [0, 1];
    if (data.log) return high / low < 1.5 ? [low / 1.3, high * 1.3] : [low / 1.08, high * 1.08];
    const room = (high - low || Math.abs(high) || 1) * 0.05;
    if (data.percent) return [Math.max(0, low - room), Math.min(1, high + room) - low < 1e-6 ? low + 0.01 : Math.min(1, high + room)];
    return [(low >= 0 && low < 0.6 * high) || data.zero ? 0 : low - room, high + room];
  }

  axes(x0, x1, y0, y1) {
    const { data, box } = this;
    this.grid.replaceChildren();
    const text = (value) => (data.percent ? `${Number((100 * value).toPrecision(4))}%` : value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e5) ? value.toExponential(0) : String(value));
    const rows = Math.max(2, Math.floor(box.h / 34));
    for (const value of data.log ? logTicks(y0, y1, rows) : ticks(y0, y1, rows)) {
      const y = this.y(value);
      make("line", { x1: box.x, x2: box.x + box.w, y1: y, y2: y }, this.grid);
      make("text", { x: box.x - 7, y: y + 4, "text-anchor": "end" }, this.grid).textContent = text(value);
    }
    for (const value of ticks(x0, x1, Math.max(2, Math.floor(box.w / 80)))) {
      make("text", { x: this.x(value), y: box.y + box.h + 15, "text-anchor": "middle" }, this.grid).textContent = value.toLocaleString("en");
    }
    make("text", { x: box.x + box.w / 2, y: box.y + box.h + 29, "text-anchor": "middle", class: "title" }, this.grid).textContent = data.title;
  }

  lines() {
    const { data } = this;
    while (this.paths.length > data.lines.length) this.paths.pop().remove();
    data.lines.forEach((line, i) => {
      const group = (this.paths[i] ??= make("g", {}, this.plot));
      let path = "";
      let dots = "";
      let pen = false;
      line.x.forEach((x, j) => {
        const value = line.y[j];
        if (value === null || !Number.isFinite(value) || (data.log && value <= 0)) return void (pen = false);
        const [px, py] = [this.x(x).toFixed(1), this.y(value).toFixed(1)];
        path += `${pen ? "L" : "M"}${px} ${py}`;
        if (line.dots) dots += `M${px - line.dots} ${py}a${line.dots} ${line.dots} 0 1 0 ${2 * line.dots} 0a${line.dots} ${line.dots} 0 1 0 ${-2 * line.dots} 0`;
        pen = true;
      });
      if (!group.firstChild) {
        make("path", { class: "line", fill: "none" }, group);
        make("path", { class: "dots" }, group);
      }
      group.setAttribute("class", `line-${line.look}`);
      group.style.color = line.colour ?? "";
      group.firstChild.setAttribute("d", path);
      group.lastChild.setAttribute("d", dots);
    });
  }

  expected() {
    const { level } = this.data;
    const there = level && (!this.data.log || level.value > 0);
    this.level.setAttribute("visibility", there ? "visible" : "hidden");
    this.note.setAttribute("visibility", there ? "visible" : "hidden");
    if (!there) return;
    const y = this.y(level.value);
    const { box } = this;
    for (const [key, value] of Object.entries({ x1: box.x, x2: box.x + box.w, y1: y, y2: y })) this.level.setAttribute(key, value);
    this.note.setAttribute("x", box.x + box.w);
    this.note.setAttribute("y", y > box.y + 16 ? y - 5 : y + 14);
    this.note.textContent = level.text;
  }

  place(event) {
    const frame = this.svg.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  moved(event) {
    const { box, data } = this;
    if (!data || !box) return;
    const at = this.place(event);
    const px = Math.max(box.x, Math.min(box.x + box.w, at.x));
    if (this.from && Math.abs(at.x - this.from.x) > 4) {
      const [a, b] = [Math.min(px, this.from.x), Math.max(px, this.from.x)];
      for (const [key, value] of Object.entries({ x: a, width: b - a, y: box.y, height: box.h, visibility: "visible" })) this.band.setAttribute(key, value);
      return;
    }
    const x = this.unx(px);
    const rows = [];
    let seen = null;
    for (const line of data.lines) {
      if (!line.name || !line.x.length) continue;
      let best = 0;
      line.x.forEach((v, i) => Math.abs(v - x) < Math.abs(line.x[best] - x) && (best = i));
      const value = line.y[best];
      if (value === null || value === undefined) continue;
      seen ??= line.x[best];
      rows.push([line, data.percent ? `${(100 * value).toFixed(1)}%` : Number(value.toPrecision(4)).toString()]);
    }
    if (!rows.length) return;
    for (const [key, value] of Object.entries({ x1: px, x2: px, y1: box.y, y2: box.y + box.h, visibility: "visible" })) this.cursor.setAttribute(key, value);
    this.tip.replaceChildren();
    const head = document.createElement("div");
    head.textContent = `${data.title} ${Number(seen.toPrecision(4))}`;
    this.tip.append(head);
    for (const [line, value] of rows) {
      const row = document.createElement("div");
      row.className = `row line-${line.look}`;
      row.style.setProperty("--own", line.colour ?? "currentColor");
      const [name, number] = [document.createElement("span"), document.createElement("b")];
      name.textContent = line.name;
      number.textContent = value;
      row.append(name, number);
      this.tip.append(row);
    }
    this.tip.hidden = false;
    const right = px > box.x + box.w / 2;
    this.tip.style.left = right ? "" : `${px + 12}px`;
    this.tip.style.right = right ? `${this.root.clientWidth - px + 12}px` : "";
  }

  left() {
    this.tip.hidden = true;
    this.cursor.setAttribute("visibility", "hidden");
  }

  released(at) {
    const start = this.from;
    this.from = null;
    this.band.setAttribute("visibility", "hidden");
    if (start && Math.abs(at.x - start.x) > 6) {
      const [a, b] = [this.unx(Math.min(at.x, start.x)), this.unx(Math.max(at.x, start.x))];
      this.zoom = [Math.max(a, this.data.range[0]), Math.min(b, this.data.range[1])];
      if (this.zoom[1] <= this.zoom[0]) this.zoom = null;
      this.draw();
    }
  }
}
