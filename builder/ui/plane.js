// Points of a plane, and a place in it that is dragged. The next place is sent when the last one has been answered
// (or after a while), so the picture follows the pointer and nothing piles up.
const NS = "http://www.w3.org/2000/svg";
const PAD = { left: 34, right: 8, top: 6, bottom: 18 };
const PATIENCE = 1500; // milliseconds
const planes = new WeakMap();

export default function (component) {
  const { parentElement: parent, data, setStateValue } = component;
  let plane = planes.get(parent);
  if (!plane) planes.set(parent, (plane = new Plane(parent)));
  plane.send = setStateValue;
  if (data) plane.show(data);
}

const make = (name, attributes = {}, parent = null) => {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
};

function ticks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

class Plane {
  constructor(parent) {
    this.svg = parent.querySelector("svg");
    this.names = parent.querySelector(".names");
    this.picture = parent.querySelector("img");
    this.caption = parent.querySelector("figcaption");
    this.svg.dataset.testid = "plane";
    this.svg.setAttribute("aria-label", "A map of samples. Drag in it, or move the place with the arrow keys.");
    this.sheet = make("rect", { class: "sheet", rx: 4 }, this.svg);
    this.grid = make("g", { class: "grid" }, this.svg);
    this.dots = make("g", {}, this.svg);
    this.mark = make("g", { class: "place" }, this.svg);
    make("circle", { r: 6 }, this.mark);
    make("circle", { r: 6 }, this.mark);
    this.number = 0;
    this.held = false;
    this.waiting = false;
    this.at = null;
    new ResizeObserver(() => this.draw()).observe(this.svg.parentElement);
    this.svg.addEventListener("pointerdown", (event) => {
      this.svg.setPointerCapture(event.pointerId);
      this.held = true;
      this.move(this.under(event));
    });
    this.svg.addEventListener("pointermove", (event) => this.held && this.move(this.under(event)));
    for (const end of ["pointerup", "pointercancel"]) this.svg.addEventListener(end, () => (this.held = false));
    this.svg.addEventListener("keydown", (event) => this.pressed(event));
  }

  show(data) {
    const points = JSON.stringify([data.points, data.colours, data.names]);
    this.data = data;
    if (points !== this.drawn) this.bounds();
    if (data.answered >= this.number) {
      this.number = data.answered;
      this.waiting = false;
      if (!this.held && !this.pending) this.at = data.at;
    }
    this.at ??= data.at;
    if (points !== this.drawn) {
      this.drawn = points;
      this.draw();
    }
    this.picture.src = data.picture;
    this.caption.textContent = data.caption;
    this.placed();
    this.flush();
  }

  bounds() {
    const around = (i) => {
      const values = this.data.points.map((p) => p[i]);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const room = 0.05 * (high - low || 1);
      return [low - room, high + room];
    };
    [this.across, this.up] = this.data.points.length ? [around(0), around(1)] : [[-1, 1], [-1, 1]];
  }

  draw() {
    const width = this.svg.parentElement.clientWidth;
    if (!this.data || !width) return;
    const { height } = this.data;
    this.svg.setAttribute("height", height);
    const box = (this.box = { x: PAD.left, y: PAD.top, w: width - PAD.left - PAD.right, h: height - PAD.top - PAD.bottom });
    for (const [key, value] of Object.entries({ x: box.x, y: box.y, width: box.w, height: box.h })) this.sheet.setAttribute(key, value);
    this.grid.replaceChildren();
    for (const v of ticks(...this.up, Math.max(2, box.h / 40))) {
      make("line", { x1: box.x, x2: box.x + box.w, y1: this.y(v), y2: this.y(v) }, this.grid);
      make("text", { x: box.x - 5, y: this.y(v) + 4, "text-anchor": "end" }, this.grid).textContent = v;
    }
    for (const v of ticks(...this.across, Math.max(2, box.w / 70))) {
      make("line", { x1: this.x(v), x2: this.x(v), y1: box.y, y2: box.y + box.h }, this.grid);
      make("text", { x: this.x(v), y: box.y + box.h + 13, "text-anchor": "middle" }, this.grid).textContent = v;
    }
    this.dots.replaceChildren();
    for (const [x, y, kind] of this.data.points) make("circle", { cx: this.x(x).toFixed(1), cy: this.y(y).toFixed(1), r: 2.6, fill: this.data.colours[kind] }, this.dots);
    this.names.replaceChildren(
      ...Object.entries(this.data.names).map(([kind, name]) => {
        const [entry, dot] = [document.createElement("span"), document.createElement("i")];
        dot.style.background = this.data.colours[kind];
        entry.append(dot, name);
        return entry;
      }),
    );
    this.placed();
  }

  x(v) {
    return this.box.x + ((v - this.across[0]) / (this.across[1] - this.across[0])) * this.box.w;
  }

  y(v) {
    return this.box.y + this.box.h - ((v - this.up[0]) / (this.up[1] - this.up[0])) * this.box.h;
  }

  /** The place under the pointer, kept on the map. */
  under(event) {
    const { left, top } = this.svg.getBoundingClientRect();
    const part = (value, from, size) => Math.min(1, Math.max(0, (value - from) / size));
    const [px, py] = [part(event.clientX - left, this.box.x, this.box.w), part(event.clientY - top, this.box.y, this.box.h)];
    return [this.across[0] + px * (this.across[1] - this.across[0]), this.up[1] - py * (this.up[1] - this.up[0])];
  }

  pressed(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!steps || !this.at) return;
    event.preventDefault();
    const moved = (i, [low, high]) => Math.min(high, Math.max(low, this.at[i] + (steps[i] * (high - low)) / 50));
    this.move([moved(0, this.across), moved(1, this.up)]);
  }

  move(place) {
    this.at = this.pending = place;
    this.placed();
    this.flush();
  }

  flush() {
    if (!this.pending || this.waiting) return;
    this.waiting = true;
    this.number += 1;
    const [number, place] = [this.number, this.pending];
    this.pending = null;
    this.send("place", [...place, number]);
    setTimeout(() => {
      if (this.number === number) this.waiting = false;
      this.flush();
    }, PATIENCE);
  }

  placed() {
    if (this.box && this.at) this.mark.setAttribute("transform", `translate(${this.x(this.at[0])} ${this.y(this.at[1])})`);
  }
}
