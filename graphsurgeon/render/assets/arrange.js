"use strict";
/* global dagre */
// Where everything goes. Every open scope is laid out on its own, so that opening one moves nothing inside another;
// edges that enter or leave a scope run through a port on its frame.

class Arranger {
  constructor(tree) {
    this.tree = tree;
    this.cache = new Map();
  }

  // Returns rectangles of visible parts, and segments of edges, all in the coordinates of the whole.
  arrange() {
    const levels = this.levels();
    const found = { boxes: new Map(), frames: new Map(), segments: [] };
    const whole = this.scope(-1, levels);
    this.place(whole, 0, 0, levels, found);
    found.width = whole.width;
    found.height = whole.height;
    return found;
  }

  // Sorts every visible edge into the scopes it runs through: between siblings, and from or to ports.
  levels() {
    const levels = new Map();
    const level = (scope) => {
      if (!levels.has(scope)) levels.set(scope, { edges: new Map(), ports: new Map() });
      return levels.get(scope);
    };
    const join = (scope, from, to, outer, edge) => {
      const key = `${from}>${to}>${outer}`;
      const edges = level(scope).edges;
      if (!edges.has(key)) edges.set(key, { from, to, kind: edge.kind, items: [], label: "" });
      edges.get(key).items.push(edge);
      return edges.get(key);
    };
    for (const edge of this.tree.edges) {
      const source = this.path(edge.source);
      const target = this.path(edge.target);
      if (source.at(-1) === target.at(-1)) continue;
      let depth = 0;
      while (source[depth] === target[depth]) depth += 1;
      const scope = depth ? source[depth - 1] : -1;
      const outer = `${source[depth]}>${target[depth]}>${edge.kind}`;
      const joined = join(scope, source[depth], target[depth], edge.kind, edge);
      if (!joined.label) joined.label = edge.label;
      for (let at = depth; at < source.length - 1; at += 1) {
        level(source[at]).ports.set(`out ${outer}`, false);
        join(source[at], source[at + 1], `out ${outer}`, outer, edge);
      }
      for (let at = depth; at < target.length - 1; at += 1) {
        level(target[at]).ports.set(`in ${outer}`, true);
        join(target[at], `in ${outer}`, target[at + 1], outer, edge);
      }
    }
    return levels;
  }

  // The open scopes around what shows a part, outermost first, and that itself.
  path(index) {
    const found = [];
    for (const scope of this.tree.around(index)) {
      found.push(scope);
      if (!this.tree.isOpen(scope)) return found;
    }
    found.push(index);
    return found;
  }

  children(scope) {
    return scope < 0 ? this.tree.roots : this.tree.parts[scope].children;
  }

  scope(index, levels) {
    const level = levels.get(index) || { edges: new Map(), ports: new Map() };
    const inner = new Map();
    const sizes = new Map();
    for (const child of this.children(index)) {
      const open = child.scope && this.tree.isOpen(child.index);
      if (open) inner.set(child.index, this.scope(child.index, levels));
      const size = open ? [inner.get(child.index).width, inner.get(child.index).height] : child.size;
      sizes.set(child.index, size);
    }
    const key = JSON.stringify([index, [...sizes], [...level.edges.keys()], [...level.edges.values()].map((e) => e.label)]);
    if (!this.cache.has(key)) {
      if (this.cache.size > 500) this.cache.clear();
      this.cache.set(key, this.laidOut(index, sizes, level));
    }
    return { ...this.cache.get(key), inner, index };
  }

  laidOut(index, sizes, level) {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ rankdir: "TB", nodesep: 22, edgesep: 10, ranksep: 26, ranker: sizes.size > 150 ? "longest-path" : "network-simplex" });
    for (const [child, [width, height]] of sizes) graph.setNode(String(child), { width, height });
    const name = (end) => String(end);
    for (const [port] of level.ports) graph.setNode(port, { width: 8, height: 1 });
    let key = 0;
    for (const edge of level.edges.values()) {
      const isPort = typeof edge.from === "string" || typeof edge.to === "string";
      edge.wide = isPort || !edge.label ? 0 : edge.label.length * 5.6 + 6;
      // The label stands to the right of the line; the same room to the left keeps the line straight.
      const room = edge.wide ? { width: 2 * edge.wide, height: 13, labelpos: "c" } : {};
      const back = edge.kind === "loop";
      // Crossings count by weight: without any, lines to ports would be crossed at will.
      const weight = isPort || edge.kind === "condition" ? 1 : 3;
      // Laid out against its direction, what one turn hands to the next does not turn the loop upside down.
      const [from, to] = back && !isPort ? [edge.to, edge.from] : [edge.from, edge.to];
      graph.setEdge(name(from), name(to), { ...room, weight, minlen: 1 }, String(key));
      edge.key = { v: name(from), w: name(to), name: String(key), turned: back && !isPort };
      key += 1;
    }
    this.pinPorts(graph, level, sizes);
    dagre.layout(graph);
    return this.measured(graph, index, sizes, level);
  }

  // Keeps ports at the top and bottom: all entries hang from one node above everything, exits likewise below.
  pinPorts(graph, level, sizes) {
    const entries = [...level.ports].filter(([, isEntry]) => isEntry).map(([port]) => port);
    const exits = [...level.ports].filter(([, isEntry]) => !isEntry).map(([port]) => port);
    for (const [pin, ports, isTop] of [["top", entries, true], ["bottom", exits, false]]) {
      if (!ports.length) continue;
      graph.setNode(pin, { width: 1, height: 1 });
      for (const port of ports) graph.setEdge(isTop ? pin : port, isTop ? port : pin, { weight: 40, minlen: 1 }, "pin");
      for (const child of sizes.keys()) {
        const id = String(child);
        const isEnd = isTop ? !(graph.inEdges(id) || []).length : !(graph.outEdges(id) || []).length;
        if (isEnd) graph.setEdge(isTop ? pin : id, isTop ? id : pin, { weight: 0, minlen: 2 }, "pin");
      }
    }
  }

  measured(graph, index, sizes, level) {
    const isWhole = index < 0;
    const pad = isWhole ? 8 : 14;
    const head = isWhole ? 8 : 30;
    const nodes = [...sizes.keys(), ...level.ports.keys()].map((id) => graph.node(String(id)));
    const xs = nodes.flatMap((n) => [n.x - n.width / 2, n.x + n.width / 2]);
    const ys = nodes.flatMap((n) => [n.y - n.height / 2, n.y + n.height / 2]);
    const segments = [];
    for (const edge of level.edges.values()) {
      const laid = graph.edge(edge.key);
      const points = (laid.points || []).map((p) => [p.x, p.y]);
      attach(points, graph.node(edge.key.v), graph.node(edge.key.w));
      if (edge.key.turned) points.reverse();
      const label = edge.wide && laid.x !== undefined ? [laid.x + 2 + edge.wide / 2, laid.y] : null;
      xs.push(...points.map((p) => p[0]), ...(label ? [label[0] + edge.wide / 2] : []));
      segments.push({ from: edge.from, to: edge.to, kind: edge.kind, items: edge.items, label: label ? edge.label : "", points, at: label });
    }
    const left = Math.min(...xs, Infinity) - pad;
    const top = Math.min(...ys, Infinity) - head;
    const width = Math.max(...xs, -Infinity) + pad - left;
    const height = Math.max(...ys, -Infinity) + pad - top;
    const title = isWhole ? 0 : this.tree.parts[index].frame.length * 6.6 + 46;
    const shift = ([x, y]) => [x - left, y - top];
    const ports = new Map([...level.ports.keys()].map((port) => [port, graph.node(port).x - left]));
    return {
      width: Math.max(nodes.length ? width : 40, title), height: nodes.length ? height : 40, ports,
      at: new Map([...sizes.keys()].map((child) => [child, shift([graph.node(String(child)).x, graph.node(String(child)).y])])),
      segments: segments.map((s) => ({ ...s, points: s.points.map(shift), at: s.at && shift(s.at) })),
    };
  }

  place(scope, x, y, levels, found) {
    const corner = new Map();
    for (const child of this.children(scope.index)) {
      const [cx, cy] = scope.at.get(child.index);
      const inner = scope.inner.get(child.index);
      const [width, height] = inner ? [inner.width, inner.height] : child.size;
      const rectangle = { x: x + cx - width / 2, y: y + cy - height / 2, width, height };
      corner.set(child.index, rectangle);
      (inner ? found.frames : found.boxes).set(child.index, rectangle);
      if (inner) this.place(inner, rectangle.x, rectangle.y, levels, found);
    }
    for (const segment of scope.segments) {
      const points = segment.points.map(([px, py]) => [px + x, py + y]);
      this.connect(segment, points, scope, corner, x, y);
      found.segments.push({
        ...segment, points, scope: scope.index, at: segment.at && [segment.at[0] + x, segment.at[1] + y],
        ends: typeof segment.to !== "string" && !scope.inner.has(segment.to),
      });
    }
  }

  // Leads a segment to ports: those of this scope, on its frame, and those of open scopes within.
  connect(segment, points, scope, corner, x, y) {
    const outer = (end) => (typeof end === "string" ? end.slice(end.indexOf(" ") + 1) : null);
    const through = outer(segment.from) || outer(segment.to) || `${segment.from}>${segment.to}>${segment.kind}`;
    const from = scope.inner.get(segment.from);
    const to = scope.inner.get(segment.to);
    if (typeof segment.from === "string") points.unshift([x + scope.ports.get(segment.from), y]);
    else if (from && from.ports.has(`out ${through}`)) {
      const place = corner.get(segment.from);
      points[0] = [place.x + from.ports.get(`out ${through}`), place.y + place.height];
    }
    if (typeof segment.to === "string") points.push([x + scope.ports.get(segment.to), y + scope.height]);
    else if (to && to.ports.has(`in ${through}`)) {
      const place = corner.get(segment.to);
      points[points.length - 1] = [place.x + to.ports.get(`in ${through}`), place.y];
    }
  }
}

// Lets a line leave a box at its bottom and enter the next at its top, straight where the next bend allows.
function attach(points, above, below) {
  if (points.length < 2) return;
  const within = (x, box) => Math.min(Math.max(x, box.x - box.width / 2 + Math.min(10, box.width / 2)), box.x + box.width / 2 - Math.min(10, box.width / 2));
  const last = points.length - 1;
  const [first, final] = [points[1][0], points[last - 1][0]];
  points[0] = [within(first, above), above.y + above.height / 2];
  points[last] = [within(final, below), below.y - below.height / 2];
}
