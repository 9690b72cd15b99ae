// A square to draw a sign in with the mouse, a pen or a finger; sends its pixels after every stroke.
const SIZE = 112;
const states = new WeakMap();

export default function (component) {
  const { parentElement, setStateValue } = component;
  const known = states.get(parentElement);
  if (known) {
    known.send = setStateValue;
    return;
  }
  const canvas = parentElement.querySelector("canvas");
  const clear = parentElement.querySelector("button");
  const state = { send: setStateValue };
  states.set(parentElement, state);
  canvas.width = canvas.height = SIZE;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const empty = () => {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, SIZE, SIZE);
  };
  empty();
  pen.strokeStyle = "#fff";
  pen.lineWidth = SIZE / 11;
  pen.lineCap = pen.lineJoin = "round";

  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIZE) / box.width, ((event.clientY - box.top) * SIZE) / box.height];
  };
  const stroke = (event) => {
    const now = place(event);
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...now);
    pen.stroke();
    last = now;
  };
  const send = () => {
    const rgba = pen.getImageData(0, 0, SIZE, SIZE).data;
    let grey = "";
    for (let i = 0; i < rgba.length; i += 4) grey += String.fromCharCode(rgba[i]);
    state.send("pixels", btoa(grey));
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last) stroke(event);
  });
  const end = () => {
    if (!last) return;
    last = null;
    send();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  clear.addEventListener("click", () => {
    empty();
    state.send("pixels", null);
  });
}
