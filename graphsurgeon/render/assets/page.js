"use strict";
/* global Tree, Arranger, Painter */
// The page: what keys, pointer and buttons do, what the panel tells, and the address that reopens a view.

const DATA = JSON.parse(document.getElementById("graph").textContent);
const tree = new Tree(DATA);
const arranger = new Arranger(tree);
const $ = (id) => document.getElementById(id);
const canvas = $("canvas");
const painter = new Painter(tree, $("scene"));
const LEAST = 1.1; // zoom at which a picture opens: the smallest text, labels of edges, then has 11 pixels
const READABLE = 0.85;
const view = { x: 0, y: 0, zoom: 1, selected: -1, far: "" };
let layout = null;

function made(name, text = "", attributes = {}) {
  const found = document.createElement(name);
  found.textContent = text;
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  return found;
}

// -- drawing ---------------------------------------------------------------------------------------------

function draw() {
  layout = arranger.arrange();
  painter.paint(layout);
  mark();
}

function mark() {
  const selected = view.selected;
  const reach = (forward, key) => (selected < 0 || (view.far && view.far !== key) ? null : tree.reach(selected, forward, view.far === key));
  painter.mark(selected < 0 ? -1 : tree.shown(selected), reach(false, "up"), reach(true, "down"));
  canvas.classList.toggle("tracing", Boolean(view.far) && selected >= 0);
}

function move() {
  $("scene").setAttribute("transform", `translate(${view.x.toFixed(1)} ${view.y.toFixed(1)}) scale(${view.zoom.toFixed(4)})`);
}

function place(index) {
  return layout.boxes.get(index) || layout.frames.get(index);
}

// Where a picture that is wider than the window begins: at its first input.
function start() {
  const first = tree.parts.findIndex((part) => part.kind === "input");
  const at = first >= 0 ? place(tree.shown(first)) : null;
  return at ? at.x + at.width / 2 : layout.width / 2;
}

// Shows everything; or, of a picture much larger than the window, what can be read from the inputs on.
function fit(least = 0.02) {
  const { clientWidth, clientHeight } = canvas;
  const wide = (clientWidth - 24) / layout.width;
  view.zoom = Math.max(Math.min(wide, (clientHeight - 24) / layout.height, 1.2), least);
  const isWide = layout.width * view.zoom > clientWidth;
  view.x = clientWidth / 2 - (isWide ? start() : layout.width / 2) * view.zoom;
  view.y = Math.max((clientHeight - layout.height * view.zoom) / 2, 12);
  move();
  remember();
}

function centre(index) {
  const at = place(tree.shown(index));
  if (!at) return;
  view.zoom = Math.max(view.zoom, READABLE);
  view.x = canvas.clientWidth / 2 - (at.x + at.width / 2) * view.zoom;
  view.y = canvas.clientHeight / 2 - (at.y + Math.min(at.height / 2, 120)) * view.zoom;
  move();
}

function zoomAt(x, y, factor) {
  const zoom = Math.min(Math.max(view.zoom * factor, 0.02), 6);
  view.x = x - ((x - view.x) * zoom) / view.zoom;
  view.y = y - ((y - view.y) * zoom) / view.zoom;
  view.zoom = zoom;
  move();
  remember();
}

// Draws anew while the left upper corner of a part stays where it is on the screen.
function redrawAround(index) {
  const before = place(index);
  draw();
  const after = place(index);
  if (before && after) {
    view.x += (before.x - after.x) * view.zoom;
    view.y += (before.y - after.y) * view.zoom;
  }
  move();
  remember();
}

function toggle(index) {
  if (!tree.parts[index].scope) return;
  tree.setOpen(index, !tree.isOpen(index));
  if (view.selected >= 0 && !tree.isVisible(view.selected)) select(index);
  redrawAround(index);
}

// -- selection and panel ---------------------------------------------------------------------------------

function select(index, show = false) {
  view.selected = index;
  if (index >= 0 && show) {
    if (!tree.isVisible(index)) {
      tree.reveal(index);
      draw();
    }
    centre(index);
  }
  mark();
  tell();
  remember();
}

function tell() {
  const panel = $("panel");
  panel.hidden = view.selected < 0;
  if (panel.hidden) return;
  const part = tree.parts[view.selected];
  const facts = part.details || {};
  panel.replaceChildren(made("h2", part.title), made("p", facts.name && !part.name.endsWith(facts.name) ? facts.name : part.name));
  for (const line of part.lines) panel.append(made("p", line));
  if (facts.graph) panel.append(made("p", `in function ${facts.graph}`));
  if (facts.device) panel.append(made("p", `on ${facts.device}`));
  if (part.twins && part.twins.length) panel.append(made("p", `drawn for ${part.twins.length} more: ${part.twins.join(", ")}`));
  if (part.scope) panel.append(action(tree.isOpen(part.index) ? "Close (Enter)" : "Open (Enter)", () => toggle(part.index)));
  panel.append(action("Depends on (u)", () => far("up")), action("Is needed by (d)", () => far("down")));
  table(panel, "Attributes", facts.attributes);
  table(panel, "Inputs", facts.inputs);
  table(panel, "Outputs", facts.outputs);
  table(panel, "Weights", facts.weights);
  neighbours(panel, "Reads from", false);
  neighbours(panel, "Feeds", true);
}

function action(text, run) {
  const button = made("button", text, { class: "tool", type: "button" });
  button.addEventListener("click", run);
  return button;
}

function table(panel, title, rows) {
  if (!rows || !rows.length) return;
  panel.append(made("h3", title));
  const body = made("table");
  for (const [name, ...rest] of rows) {
    const row = made("tr");
    row.append(made("td", name), made("td", rest.filter(Boolean).join("  ")));
    body.append(row);
  }
  panel.append(body);
}

function neighbours(panel, title, forward) {
  const found = new Set();
  for (const edge of tree.reach(view.selected, forward, false).edges) found.add(tree.shown(forward ? edge.target : edge.source));
  found.delete(tree.shown(view.selected));
  if (!found.size) return;
  panel.append(made("h3", title));
  for (const index of [...found].slice(0, 40)) {
    const part = tree.parts[index];
    const line = made("p");
    const link = made("button", part.scope ? part.title : `${part.title}  ${part.name.split("/").slice(-2).join("/")}`, { class: "link", type: "button" });
    link.addEventListener("click", () => select(index, true));
    line.append(link);
    panel.append(line);
  }
}

function far(key) {
  view.far = view.far === key ? "" : key;
  mark();
  remember();
}

// -- search ----------------------------------------------------------------------------------------------

function showResults() {
  const list = $("results");
  const found = tree.search($("search").value);
  list.hidden = !$("search").value.trim();
  list.replaceChildren();
  for (const part of found.slice(0, 50)) {
    const item = made("li");
    const button = made("button", part.title, { type: "button" });
    button.append(made("br"), made("small", part.name));
    button.addEventListener("click", () => choose(part.index));
    item.append(button);
    list.append(item);
  }
  const rest = found.length ? (found.length > 50 ? `${found.length - 50} more` : "") : "nothing found";
  if (rest) list.append(made("li", rest));
}

function choose(index) {
  $("results").hidden = true;
  select(index, true);
  focusOn(index);
}

function focusOn(index) {
  const group = painter.drawn.get(tree.shown(index));
  if (group && group.hasAttribute("tabindex")) group.focus({ preventScroll: true });
  else canvas.focus({ preventScroll: true });
}

$("search").addEventListener("input", showResults);
$("search-box").addEventListener("keydown", (event) => {
  const buttons = [...$("results").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  if (event.key === "Enter" && at < 0 && buttons.length) buttons[0].click();
  else if (event.key === "ArrowDown" && buttons.length) buttons[Math.min(at + 1, buttons.length - 1)].focus();
  else if (event.key === "ArrowUp") (at > 0 ? buttons[at - 1] : $("search")).focus();
  else if (event.key === "Escape") {
    $("results").hidden = true;
    canvas.focus();
  } else return;
  event.preventDefault();
});

// -- the address that reopens a view -----------------------------------------------------------------------

let written = "";

function remember() {
  const toggled = tree.parts.filter((part) => part.scope && tree.first.has(part.index) !== tree.isOpen(part.index));
  const parts = [
    ...(toggled.length ? [`toggled=${toggled.map((part) => part.index.toString(36)).join(".")}`] : []),
    ...(view.selected >= 0 ? [`selected=${view.selected.toString(36)}`] : []),
    ...(view.far ? [`far=${view.far}`] : []),
    `view=${view.x.toFixed(1)}_${view.y.toFixed(1)}_${view.zoom.toFixed(4)}`,
  ];
  written = `#${parts.join("&")}`;
  try {
    history.replaceState(null, "", written);
  } catch {
    // Browsers limit how often the address may change; the next change writes it.
  }
}

function recall() {
  const told = new URLSearchParams(location.hash.slice(1));
  tree.opened = new Set(tree.first);
  for (const code of (told.get("toggled") || "").split(".")) {
    const index = parseInt(code, 36);
    if (tree.parts[index]) tree.setOpen(index, !tree.isOpen(index));
  }
  const selected = parseInt(told.get("selected") || "", 36);
  view.selected = tree.parts[selected] ? selected : -1;
  view.far = ["up", "down"].includes(told.get("far")) ? told.get("far") : "";
  draw();
  tell();
  const place = (told.get("view") || "").split("_").map(Number);
  if (place.length === 3 && place.every(Number.isFinite) && place[2] > 0) {
    [view.x, view.y, view.zoom] = place;
    move();
  } else {
    fit(LEAST);
    showMark();
  }
}

// Goes to the first marked box of a picture taller than the window, where none of them would be seen.
function showMark() {
  const marked = tree.parts.filter((part) => part.marks?.length && layout.boxes.has(part.index));
  const bottoms = marked.map((part) => view.y + (place(part.index).y + place(part.index).height) * view.zoom);
  if (!marked.length || bottoms.some((bottom) => bottom <= canvas.clientHeight)) return;
  centre(marked[bottoms.indexOf(Math.min(...bottoms))].index);
  remember();
}

window.addEventListener("hashchange", () => {
  if (location.hash !== written) recall();
});

// -- saving ------------------------------------------------------------------------------------------------

function save() {
  const index = view.selected < 0 ? -1 : tree.shown(view.selected);
  const at = index < 0 ? { x: 0, y: 0, width: layout.width, height: layout.height } : place(index);
  const inside = (part) => index < 0 || part === index || (part >= 0 && tree.around(part).includes(index));
  const copy = canvas.cloneNode(true);
  for (const group of copy.querySelectorAll("[data-part]")) if (!inside(Number(group.dataset.part))) group.remove();
  for (const group of copy.querySelectorAll("[data-scope]")) if (!inside(Number(group.dataset.scope))) group.remove();
  for (const group of copy.querySelectorAll("[data-toggle]")) group.remove();
  copy.querySelector("#scene").removeAttribute("transform");
  copy.removeAttribute("class");
  copy.setAttribute("viewBox", `${at.x - 8} ${at.y - 8} ${at.width + 16} ${at.height + 16}`);
  copy.setAttribute("width", Math.ceil(at.width + 16));
  copy.setAttribute("height", Math.ceil(at.height + 16));
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = document.querySelector("style").textContent;
  copy.prepend(style);
  const text = new XMLSerializer().serializeToString(copy);
  const link = made("a", "", { download: `${(index < 0 ? DATA.title : tree.parts[index].title).replace(/[^\w.-]+/g, "-")}.svg` });
  link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// -- pointer -----------------------------------------------------------------------------------------------

const partOf = (target) => {
  const group = target.closest("[data-part]");
  return group ? Number(group.dataset.part) : -1;
};
let drag = null;

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  drag = { x: event.clientX, y: event.clientY, moved: false };
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
  if (!drag.moved) canvas.setPointerCapture(event.pointerId);
  drag.moved = true;
  canvas.classList.add("moving");
  view.x += event.clientX - drag.x;
  view.y += event.clientY - drag.y;
  [drag.x, drag.y] = [event.clientX, event.clientY];
  move();
});
canvas.addEventListener("pointerup", () => {
  canvas.classList.remove("moving");
  if (drag && drag.moved) remember();
  setTimeout(() => { drag = null; }, 0);
});
canvas.addEventListener("pointercancel", () => { drag = null; });
canvas.addEventListener("click", (event) => {
  if (drag && drag.moved) return;
  const button = event.target.closest("[data-toggle]");
  if (button) toggle(Number(button.dataset.toggle));
  else select(partOf(event.target));
});
canvas.addEventListener("dblclick", (event) => {
  const index = partOf(event.target);
  if (index >= 0 && !event.target.closest("[data-toggle]")) toggle(index);
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = canvas.getBoundingClientRect();
  zoomAt(event.clientX - left, event.clientY - top, Math.exp(-event.deltaY * (event.deltaMode ? 0.03 : 0.0015)));
}, { passive: false });
canvas.addEventListener("focusin", (event) => {
  const index = partOf(event.target);
  if (index >= 0 && event.target.matches(":focus-visible") && index !== view.selected) select(index);
});

// -- keys --------------------------------------------------------------------------------------------------

function go(key) {
  if (view.selected < 0) {
    select([...layout.boxes.keys()][0] ?? -1, true);
    return;
  }
  const from = tree.shown(view.selected);
  const boxes = [...layout.boxes.keys()];
  let found = -1;
  if (key === "ArrowDown" || key === "ArrowUp") {
    const forward = key === "ArrowDown";
    const edges = tree.reach(from, forward, false).edges;
    found = [...edges].map((edge) => tree.shown(forward ? edge.target : edge.source)).find((index) => index !== from) ?? -1;
  } else {
    const at = boxes.indexOf(from);
    found = boxes[(at + (key === "ArrowRight" ? 1 : boxes.length - 1)) % boxes.length] ?? -1;
  }
  if (found >= 0) {
    select(found, true);
    focusOn(found);
  }
}

const KEYS = {
  "/": () => $("search").focus(),
  "+": () => zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, 1.25),
  "=": () => zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, 1.25),
  "-": () => zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, 0.8),
  "0": () => fit(),
  "[": () => step(false),
  "]": () => step(true),
  "?": () => help(),
  s: save,
  u: () => far("up"),
  d: () => far("down"),
  Enter: () => view.selected >= 0 && toggle(tree.shown(view.selected)),
  Escape: () => select(-1),
};

document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (target.closest("#search-box") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && target.closest("button")) return;
  if (event.key.startsWith("Arrow") && !target.closest("#panel")) go(event.key);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

function step(open) {
  tree.step(open);
  if (view.selected >= 0 && !tree.isVisible(view.selected)) view.selected = -1;
  draw();
  tell();
  fit(LEAST);
}

function help() {
  const keys = $("keys");
  keys.hidden = !keys.hidden;
  $("help").setAttribute("aria-expanded", String(!keys.hidden));
}

$("fit").addEventListener("click", () => fit());
$("more").addEventListener("click", () => step(true));
$("less").addEventListener("click", () => step(false));
$("save").addEventListener("click", save);
$("help").addEventListener("click", help);
$("reset").addEventListener("click", () => {
  history.replaceState(null, "", "#");
  recall();
});

// -- start -------------------------------------------------------------------------------------------------

$("title").textContent = DATA.title;
foot();
recall();
