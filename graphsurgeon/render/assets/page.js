"use strict";
/* global Tree, Arranger, Painter, Finder, Minimap, element, foot, tell, showResults, searchKeys, sides, isCompared */
// The page: what keys and buttons do, and the address that reopens a view.

const DATA = JSON.parse(document.getElementById("graph").textContent);
const tree = new Tree(DATA);
const arranger = new Arranger(tree);
const $ = (id) => document.getElementById(id);
const canvas = $("canvas");
const painter = new Painter(tree, $("scene"));
const LEAST = 1.1; // zoom at which a picture opens: the smallest text, labels of edges, then has 11 pixels
const READABLE = 0.85;
const LARGEST_VIEW = 0.002; // zoom
const view = { x: 0, y: 0, zoom: 1, selected: -1, opened: -1, far: "", twin: 0 };
const finder = new Finder(tree);
const minimap = new Minimap($("minimap"), (x, y) => {
  view.x = canvas.clientWidth / 2 - x * view.zoom;
  view.y = canvas.clientHeight / 2 - y * view.zoom;
  move();
  remember();
});
let layout = null;

function made(name, text = "", attributes = {}) {
  const found = document.createElement(name);
  found.textContent = text;
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  return found;
}

// -- drawing ---------------------------------------------------------------------------------------------

// Lays out what is open; it is painted when `move` says what the window shows.
function draw() {
  layout = arranger.arrange(canvas.clientWidth, canvas.clientHeight, view.opened);
  painter.forget();
  mark();
}

// What the window shows, and as much again around it.
function area(beyond) {
  const { clientWidth: wide, clientHeight: high } = canvas;
  return {
    left: (-view.x - wide * beyond) / view.zoom, right: (-view.x + wide * (1 + beyond)) / view.zoom,
    top: (-view.y - high * beyond) / view.zoom, bottom: (-view.y + high * (1 + beyond)) / view.zoom,
  };
}

function mark() {
  const selected = view.selected;
  const reach = (forward, key) => (selected < 0 || (view.far && view.far !== key) ? null : tree.reach(selected, forward, view.far === key));
  painter.mark(selected < 0 ? -1 : tree.shown(selected), reach(false, "up"), reach(true, "down"));
  canvas.classList.toggle("tracing", Boolean(view.far) && selected >= 0);
}

function move() {
  if (painter.isStale(area(0), view.zoom)) painter.paint(layout, area(0.5), view.zoom);
  $("scene").setAttribute("transform", `translate(${view.x.toFixed(1)} ${view.y.toFixed(1)}) scale(${view.zoom.toFixed(4)})`);
  minimap.show(layout, area(0), minimapColors());
}

// The colours of the minimap are those of the style sheet, in the light or the dark.
function minimapColors() {
  const style = getComputedStyle(document.documentElement);
  const fills = new Map();
  const fill = (family) => {
    const sample = canvas.appendChild(element("g", { class: `f-${family}` }));
    const body = sample.appendChild(element("rect", { class: "body" }));
    const found = getComputedStyle(body).fill;
    sample.remove();
    return found;
  };
  return {
    focus: style.getPropertyValue("--focus"), line: style.getPropertyValue("--frame-line"),
    box: (index) => {
      const { family } = tree.parts[index];
      if (!fills.has(family)) fills.set(family, fill(family));
      return fills.get(family);
    },
  };
}

function place(index) {
  return layout.boxes.get(index) || layout.frames.get(index);
}

// Where a picture that is wider than the window begins: at its first input, with nothing blank beside it.
function start() {
  const first = tree.parts.findIndex((part) => part.kind === "input");
  const at = first >= 0 ? place(tree.shown(first)) : null;
  const half = canvas.clientWidth / 2 / view.zoom - 12 / view.zoom;
  return Math.min(Math.max(at ? at.x + at.width / 2 : layout.width / 2, half), layout.width - half);
}

// Shows everything; or, of a picture much larger than the window, what can be read from the inputs on.
function fit(least = LARGEST_VIEW) {
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
  const zoom = Math.min(Math.max(view.zoom * factor, LARGEST_VIEW), 6);
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
  if (tree.isOpen(index)) view.opened = index;
  if (view.selected >= 0 && !tree.isVisible(view.selected)) select(index);
  else if (view.selected === index) tell();
  redrawAround(index);
}

// -- selection -------------------------------------------------------------------------------------------

function select(index, show = false, twin = 0) {
  view.selected = index;
  view.twin = twin;
  const wide = canvas.clientWidth;
  tell();
  if (index >= 0 && !show && canvas.clientWidth < wide) uncover(index);
  if (index >= 0 && show) {
    if (!tree.isVisible(index)) {
      tree.reveal(index);
      draw();
    }
    centre(index);
  }
  mark();
  remember();
}

// Moves what is selected out from under the panel that opens to tell of it.
function uncover(index) {
  const at = place(tree.shown(index));
  const over = at ? view.x + (at.x + at.width) * view.zoom + 12 - canvas.clientWidth : 0;
  if (over <= 0 || over > canvas.clientWidth) return;
  view.x -= over;
  move();
}

function far(key) {
  view.far = view.far === key ? "" : key;
  mark();
  remember();
}

// -- search ----------------------------------------------------------------------------------------------

function focusOn(index) {
  const group = painter.drawn.get(tree.shown(index));
  if (group && group.hasAttribute("tabindex")) group.focus({ preventScroll: true });
  else canvas.focus({ preventScroll: true });
}

$("search").addEventListener("input", () => showResults(finder));
$("search-box").addEventListener("keydown", searchKeys);

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
  const copy = canvas.cloneNode(false);
  const scene = copy.appendChild(element("g", { id: "scene" }));
  new Painter(tree, scene).paint(layout, null);
  for (const group of copy.querySelectorAll("[data-part]")) if (!inside(Number(group.dataset.part))) group.remove();
  for (const group of copy.querySelectorAll("[data-scope]")) if (!inside(Number(group.dataset.scope))) group.remove();
  for (const group of copy.querySelectorAll("[data-toggle]")) group.remove();
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
  m: () => {
    minimap.isWanted = !minimap.isWanted;
    move();
  },
  b: () => isCompared && sides(),
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
  try {
    history.replaceState(null, "", "#");
  } catch {
    // A frame of a notebook has no address.
  }
  recall();
});
