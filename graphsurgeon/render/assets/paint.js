"use strict";
// Draws what has been arranged as SVG elements. Texts of the model become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const LINE = 15;
const MOST_ROUND = 32; // of the corners of inputs and outputs

function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

const MOST_PAINTED = 250; // boxes; of a larger picture only what is near the window is painted
const MOST_TOLD = 700; // boxes in the window; more are too small to be read, and are painted without texts

class Painter {
  constructor(tree, scene) {
    this.tree = tree;
    this.scene = scene;
    this.drawn = new Map();
    this.marks = [-1, null, null];
    this.forget();
  }

  // What is painted shows a layout of the past.
  forget() {
    this.drawn.clear();
    this.edges = [];
    this.layout = null;
    this.isFar = false;
  }

  // Paints what lies in an area, {left, top, right, bottom} in the coordinates of the layout; null for everything.
  paint(layout, area, zoom = 1) {
    this.forget();
    this.layout = layout;
    this.zoom = zoom;
    this.area = layout.boxes.size > MOST_PAINTED ? area : null;
    const isNear = ([, place]) => !this.area || meets(place, this.area);
    const [frames, edges, boxes] = [element("g"), element("g"), element("g")];
    const near = [...layout.boxes].filter(isNear);
    this.isFar = Boolean(this.area) && near.length > MOST_TOLD;
    const segments = this.area ? layout.segments.filter((segment) => meets(segment.around, this.area)) : layout.segments;
    for (const [index, place] of layout.frames) {
      const parts = [place, ...(place.more || [])].filter((part) => isNear([index, part]));
      if (parts.length) frames.append(this.frame(this.tree.parts[index], parts));
    }
    if (this.isFar) for (const path of lines(segments)) edges.append(path);
    else for (const segment of segments) edges.append(this.segment(segment));
    for (const [index, place] of near) boxes.append(this.isFar ? this.plain(this.tree.parts[index], place) : this.box(this.tree.parts[index], place));
    this.scene.replaceChildren(frames, edges, boxes);
    this.mark(...this.marks);
  }

  // Says whether an area must be painted anew: it was left, or is seen much nearer or from much farther away.
  isStale({ left, top, right, bottom }, zoom) {
    const { area } = this;
    if (!this.layout) return true;
    if (!area) return false;
    const isCovered = area.left <= left && area.top <= top && area.right >= right && area.bottom >= bottom;
    return !isCovered || Math.max(zoom / this.zoom, this.zoom / zoom) > 1.6;
  }

  // A box too small to be read: its shape and colour.
  plain(part, place) {
    const group = element("g", { class: this.classes(part), "data-part": part.index, id: part.id });
    group.append(element("rect", { class: "body", ...corner(place) }));
    this.drawn.set(part.index, group);
    return group;
  }

  classes(part) {
    return ["box", `k-${part.kind}`, `f-${part.family}`, ...(part.marks || []).map((mark) => `m-${mark}`)].join(" ");
  }

  // A frame that is cut has its name in every column that it goes on in, where there is room.
  frame(part, places) {
    const group = element("g", { class: `frame k-${part.kind}`, "data-part": part.index, id: part.id });
    group.append(element("title", {}, part.name));
    for (const place of places) group.append(element("rect", { class: "outline", ...corner(place), rx: 8 }));
    for (const place of places.filter(({ title }) => title !== null)) {
      const left = place.x + place.title;
      group.append(element("text", { x: left + 28, y: place.y + 17 }, part.frame), this.toggle(part, left + 15, place.y + 13, true));
    }
    this.drawn.set(part.index, group);
    return group;
  }

  box(part, place) {
    const group = element("g", {
      class: this.classes(part), "data-part": part.index, id: part.id, tabindex: 0, role: "button",
      "aria-label": [part.title, ...part.lines].join(", "), ...(part.scope ? { "aria-expanded": "false" } : {}),
    });
    group.append(element("title", {}, [part.name, ...part.lines].join("\n")));
    const isEnd = part.kind === "input" || part.kind === "output";
    const rx = isEnd ? Math.min(place.height / 2, MOST_ROUND) : 5;
    if (part.scope || part.count > 1) group.append(element("rect", { class: "body", ...corner({ ...place, x: place.x + 3, y: place.y + 3 }), rx }));
    group.append(element("rect", { class: "body", ...corner(place), rx }));
    const now = [part.title, ...part.lines];
    if (part.was) group.append(texts(place, part.was, "was"));
    group.append(...(part.was ? [texts(place, now, "now")] : texts(place, now).children));
    if (part.scope) group.append(this.toggle(part, place.x + place.width - 11, place.y + 11, false));
    this.drawn.set(part.index, group);
    return group;
  }

  toggle(part, x, y, open) {
    const group = element("g", { class: "toggle", "data-toggle": part.index });
    group.append(element("title", {}, open ? "close" : "open"), element("circle", { cx: x, cy: y, r: 7 }));
    group.append(element("path", { d: `M${x - 3.5} ${y}h7${open ? "" : `M${x} ${y - 3.5}v7`}` }));
    return group;
  }

  segment(segment) {
    const group = element("g", { class: ["edge", `e-${segment.kind}`, ...this.ends(segment)].join(" "), "data-scope": segment.scope });
    const values = [...new Set(segment.items.flatMap((edge) => edge.values))].slice(0, 12);
    group.append(element("title", {}, [segment.kind, ...values].join("\n")));
    group.append(element("path", { d: curve(segment.points) }));
    if (segment.ends && segment.points.length > 1) group.append(arrow(segment.points));
    const was = segment.items[0].was;
    const told = typeof was === "string" ? [[segment.label, "now"], [was, "was"]] : [[segment.label, ""]];
    for (const [label, when] of segment.label && segment.at ? told : []) {
      group.append(element("text", { class: `shape ${when}`.trim(), x: segment.at[0], y: segment.at[1] + 3.5, "text-anchor": "middle" }, label));
    }
    this.edges.push({ group, items: segment.items });
    return group;
  }

  // Of two models that are compared: which of them lacks an end of every line that this one is.
  ends(segment) {
    const lacks = (mark) => segment.items.every(({ source, target, was }) =>
      (was === null && mark === "added") || [source, target].some((end) => this.tree.parts[end].marks?.includes(mark)));
    return ["added", "removed"].filter(lacks).map((mark) => `at-${mark}`);
  }

  // Marks what is selected, what it reads and what it feeds; without a selection nothing.
  mark(selected, upstream, downstream) {
    this.marks = [selected, upstream, downstream];
    const reads = this.shownParts(upstream);
    const feeds = this.shownParts(downstream);
    for (const [index, group] of this.drawn) {
      group.classList.toggle("selected", index === selected);
      group.classList.toggle("reads", reads.has(index));
      group.classList.toggle("feeds", feeds.has(index));
    }
    if (this.isFar) this.markFar(upstream, downstream);
    for (const { group, items } of this.edges) {
      group.classList.toggle("reads", Boolean(upstream) && items.some((edge) => upstream.edges.has(edge)));
      group.classList.toggle("feeds", Boolean(downstream) && items.some((edge) => downstream.edges.has(edge)));
    }
  }

  // Of lines that are painted as one, draws those that are marked over it.
  markFar(upstream, downstream) {
    const edges = this.scene.children[1];
    for (const old of edges.querySelectorAll(".reads, .feeds")) old.remove();
    for (const [reach, mark] of [[upstream, "reads"], [downstream, "feeds"]]) {
      const found = reach ? this.layout.segments.filter((segment) => segment.items.some((edge) => reach.edges.has(edge))) : [];
      edges.append(...lines(found).map((path) => { path.classList.add(mark); return path; }));
    }
  }

  shownParts(reach) {
    return new Set(reach ? [...reach.parts].map((index) => this.tree.shown(index)) : []);
  }
}

// A title and lines, one below the other, in the middle of a box.
function texts(place, [title, ...lines], when = "") {
  const group = element("g", when ? { class: when } : {});
  const middle = place.x + place.width / 2;
  const top = place.y + (place.height - LINE * (1 + lines.length)) / 2 + LINE - 3.5;
  group.append(element("text", { class: "title", x: middle, y: top, "text-anchor": "middle" }, title));
  lines.forEach((line, number) => {
    group.append(element("text", { x: middle, y: top + (number + 1) * LINE, "text-anchor": "middle" }, line));
  });
  return group;
}

function meets(place, area) {
  return place.x <= area.right && place.x + place.width >= area.left && place.y <= area.bottom && place.y + place.height >= area.top;
}

// Segments as one path for each kind.
function lines(segments) {
  const kinds = new Map();
  for (const segment of segments) {
    if (!kinds.has(segment.kind)) kinds.set(segment.kind, []);
    kinds.get(segment.kind).push(`M${segment.points.map(([x, y]) => `${x.toFixed(0)} ${y.toFixed(0)}`).join("L")}`);
  }
  return [...kinds].map(([kind, paths]) => {
    const group = element("g", { class: `edge e-${kind}` });
    group.append(element("path", { d: paths.join("") }));
    return group;
  });
}

function corner(place) {
  return { x: place.x.toFixed(1), y: place.y.toFixed(1), width: place.width.toFixed(1), height: place.height.toFixed(1) };
}

// Straight from bend to bend, with rounded corners.
function curve(points) {
  if (points.length < 2) return "";
  const at = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;
  let path = `M${at(points[0])}`;
  for (let bend = 1; bend < points.length - 1; bend += 1) {
    path += `L${at(near(points[bend], points[bend - 1]))}Q${at(points[bend])} ${at(near(points[bend], points[bend + 1]))}`;
  }
  return `${path}L${at(points.at(-1))}`;
}

// The point where a corner begins on the way to the next bend.
function near([x, y], [nextX, nextY]) {
  const length = Math.hypot(nextX - x, nextY - y);
  const part = length ? Math.min(14, length / 2) / length : 0;
  return [x + (nextX - x) * part, y + (nextY - y) * part];
}

function arrow(points) {
  const [x, y] = points.at(-1);
  const from = points.slice(0, -1).reverse().find(([px, py]) => Math.hypot(x - px, y - py) > 1) || [x, y - 1];
  const angle = Math.atan2(y - from[1], x - from[0]);
  const side = (turn) => [x - 8 * Math.cos(angle + turn), y - 8 * Math.sin(angle + turn)];
  return element("polygon", { points: [[x, y], side(0.4), side(-0.4)].map((p) => p.map((n) => n.toFixed(1)).join(",")).join(" ") });
}
