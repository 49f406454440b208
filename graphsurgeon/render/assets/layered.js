"use strict";
// Lays out one scope in layers, in time that grows with its boxes and edges: ranks, then an order within each, then
// places. What passes a layer gets a place in it, so that no line runs through a box.

const GAP_X = 22; // between boxes of a layer
const GAP_LINE = 10; // between lines that pass a layer
const GAP_Y = 34; // between layers
const GAP_FOOT = 16; // between the last boxes and the foot of their frame
const ROW = 14; // of labels between layers
const SWEEPS = 6; // over all layers, to order them
const FINAL = 4; // sweeps more that place by what is above and below at once
const MOST_PASSING = 20000; // places of lines in layers; with more, the longest lines pass under boxes
const LABEL_ROWS = 4;

// nodes: [width, height] of each; the first `entries` of what follows them hang from the top, `exits` stand below.
// edges: [from, to, width of the label, weight, turned, shift, shift]: how far right of the middle of its ends it meets
// them, null for anywhere. Returns places of all (middles), and points of every edge.
function layered(nodes, entries, exits, edges) {
  const sizes = [...nodes, ...Array.from({ length: entries + exits }, () => [8, 1])];
  const arrows = forward(sizes.length, edges);
  const ranks = ranked(sizes.length, nodes.length, entries, arrows);
  const net = passing(sizes, ranks, arrows);
  ordered(net);
  const x = placed(net);
  return drawnLayers(net, x, arrows, sizes.length);
}

// Turns edges so that none leads back: those that say so, and one of every cycle that is left.
function forward(count, edges) {
  const arrows = edges.map(([from, to, wide, weight, turned, out, into]) => {
    const arrow = { from, to, wide, weight, turned: false, out, into };
    return turned ? turn(arrow) : arrow;
  });
  const out = Array.from({ length: count }, () => []);
  arrows.forEach((arrow) => out[arrow.from].push(arrow));
  const state = new Uint8Array(count);
  for (let start = 0; start < count; start += 1) {
    const stack = state[start] ? [] : [[start, 0]];
    while (stack.length) {
      const top = stack.at(-1);
      const [at, next] = top;
      state[at] = 1;
      if (next === out[at].length) {
        state[at] = 2;
        stack.pop();
        continue;
      }
      top[1] += 1;
      const arrow = out[at][next];
      if (state[arrow.to] === 1) arrow.isBack = true;
      else if (!state[arrow.to]) stack.push([arrow.to, 0]);
    }
  }
  return arrows.map((arrow) => (arrow.isBack ? turn(arrow) : arrow));
}

function turn(arrow) {
  return { ...arrow, from: arrow.to, to: arrow.from, out: arrow.into, into: arrow.out, turned: !arrow.turned };
}

// The layer of every node: below all that it reads, and no higher than what reads it needs.
function ranked(count, inner, entries, arrows) {
  const out = Array.from({ length: count }, () => []);
  const waits = new Int32Array(count);
  const isEntry = (node) => node >= inner && node < inner + entries;
  const isExit = (node) => node >= inner + entries;
  for (const { from, to } of arrows) {
    out[from].push(to);
    waits[to] += 1;
  }
  const reads = waits.slice();
  const rank = new Int32Array(count).fill(entries ? 1 : 0);
  for (let node = inner; node < inner + entries; node += 1) rank[node] = 0;
  const order = [];
  for (let node = 0; node < count; node += 1) if (!waits[node]) order.push(node);
  for (let at = 0; at < order.length; at += 1) {
    for (const to of out[order[at]]) {
      rank[to] = Math.max(rank[to], rank[order[at]] + 1);
      waits[to] -= 1;
      if (!waits[to]) order.push(to);
    }
  }
  for (const node of order.reverse()) {
    if (isEntry(node) || !out[node].length || out[node].length < reads[node]) continue;
    rank[node] = Math.max(rank[node], out[node].reduce((least, to) => Math.min(least, rank[to]), Infinity) - 1);
  }
  const last = rank.reduce((most, one, node) => (isExit(node) ? most : Math.max(most, one)), 0) + 1;
  for (let node = inner + entries; node < count; node += 1) rank[node] = last;
  return rank;
}

// The layers, with a place for every line in each that it passes.
function passing(sizes, ranks, arrows) {
  const layers = [];
  const net = { layers, width: sizes.map((size) => size[0]), height: sizes.map((size) => size[1]), up: [], down: [], real: sizes.length };
  const enter = (node, rank) => {
    net.up[node] = [];
    net.down[node] = [];
    (layers[rank] ||= []).push(node);
  };
  ranks.forEach((rank, node) => enter(node, rank));
  for (let rank = 0; rank < layers.length; rank += 1) layers[rank] ||= [];
  // Of two that are joined each knows where, seen from its own middle, the other wants it.
  const join = (from, to, weight, shift) => {
    net.down[from].push([to, weight, shift]);
    net.up[to].push([from, weight, -shift]);
  };
  const spans = arrows.map((arrow, index) => [ranks[arrow.to] - ranks[arrow.from] - 1, index]).sort((a, b) => a[0] - b[0]);
  let room = MOST_PASSING;
  for (const [span, index] of spans) {
    const arrow = arrows[index];
    arrow.chain = [arrow.from];
    room -= Math.max(span, 0);
    for (let rank = ranks[arrow.from] + 1; room >= 0 && rank < ranks[arrow.to]; rank += 1) {
      const node = net.width.length;
      net.width.push(GAP_LINE);
      net.height.push(0);
      enter(node, rank);
      arrow.chain.push(node);
    }
    arrow.chain.push(arrow.to);
    const isLong = arrow.chain.length > 2;
    for (let at = 1; at < arrow.chain.length; at += 1) {
      const isInner = at > 1 && at < arrow.chain.length - 1;
      const shift = (at === arrow.chain.length - 1 ? arrow.into || 0 : 0) - (at === 1 ? arrow.out || 0 : 0);
      join(arrow.chain[at - 1], arrow.chain[at], arrow.weight * (isInner ? 8 : isLong ? 2 : 1), shift);
    }
  }
  return net;
}

// Sorts every layer by the middle of what its nodes are joined to, up and down in turn; keeps the best.
function ordered(net) {
  const at = new Float64Array(net.width.length);
  const number = (layer) => layer.forEach((node, place) => { at[node] = place; });
  net.layers.forEach(number);
  let best = crossings(net, at);
  let kept = net.layers.map((layer) => layer.slice());
  for (let sweep = 0; sweep < SWEEPS && best; sweep += 1) {
    const isDown = sweep % 2 === 0;
    const joined = isDown ? net.up : net.down;
    const layers = isDown ? net.layers : net.layers.slice().reverse();
    for (const layer of layers) {
      const wanted = new Map(layer.map((node) => [node, middle(joined[node], at)]));
      // What is joined to nothing keeps its place.
      const movable = layer.filter((node) => wanted.get(node) >= 0).sort((a, b) => wanted.get(a) - wanted.get(b) || at[a] - at[b]);
      let next = 0;
      for (let place = 0; place < layer.length; place += 1) if (wanted.get(layer[place]) >= 0) layer[place] = movable[next++];
      number(layer);
    }
    const found = crossings(net, at);
    if (found < best) {
      best = found;
      kept = net.layers.map((layer) => layer.slice());
    }
  }
  kept.forEach((layer, rank) => { net.layers[rank] = layer; });
}

function middle(joined, at) {
  if (!joined.length) return -1;
  const places = joined.map(([node]) => at[node]).sort((a, b) => a - b);
  const half = places.length >> 1;
  return places.length % 2 ? places[half] : (places[half - 1] + places[half]) / 2;
}

// How often lines cross between layers, by counting inversions with a binary indexed tree.
function crossings(net, at) {
  let total = 0;
  for (let rank = 1; rank < net.layers.length; rank += 1) {
    const above = net.layers[rank - 1];
    const size = net.layers[rank].length;
    if (size < 2 || above.length < 2) continue;
    const tree = new Int32Array(size + 1);
    let seen = 0;
    for (const node of above) {
      const ends = net.down[node].map(([to]) => at[to]).sort((a, b) => a - b);
      for (const end of ends) {
        let upTo = 0;
        for (let i = end + 1; i > 0; i -= i & -i) upTo += tree[i];
        total += seen - upTo;
      }
      for (const end of ends) for (let i = end + 1; i <= size; i += i & -i) tree[i] += 1;
      seen += ends.length;
    }
  }
  return total;
}

// Gives every node its place from left to right: as near to what it is joined to as the order of its layer allows.
function placed(net) {
  const x = new Float64Array(net.width.length);
  for (const layer of net.layers) {
    let right = 0;
    for (const node of layer) {
      x[node] = right + net.width[node] / 2;
      right += net.width[node] + GAP_X;
    }
    for (const node of layer) x[node] -= right / 2;
  }
  const both = net.up.map((above, node) => [...above, ...net.down[node]]);
  for (let sweep = 0; sweep < SWEEPS + FINAL; sweep += 1) {
    const isLast = sweep >= SWEEPS;
    const isDown = sweep % 2 === 0;
    const layers = isDown ? net.layers : net.layers.slice().reverse();
    const joined = isLast ? both : isDown ? net.up : net.down;
    for (const layer of layers) settle(net, layer, joined, x);
  }
  return x;
}

// Places one layer: the weighted means that its nodes want, pooled where they would stand too close.
function settle(net, layer, joined, x) {
  const pools = [];
  let offset = 0;
  layer.forEach((node, place) => {
    if (place) {
      const before = layer[place - 1];
      const gap = node >= net.real && before >= net.real ? GAP_LINE / 2 : GAP_X;
      offset += (net.width[before] + net.width[node]) / 2 + gap;
    }
    let weight = 0;
    let sum = 0;
    for (const [other, w, shift] of joined[node]) {
      weight += w;
      sum += w * (x[other] + shift);
    }
    const pool = weight ? { weight, sum: sum - weight * offset, nodes: [[node, offset]] } : { weight: 0.01, sum: 0.01 * (x[node] - offset), nodes: [[node, offset]] };
    pools.push(pool);
    while (pools.length > 1 && pools.at(-2).sum / pools.at(-2).weight > pools.at(-1).sum / pools.at(-1).weight) {
      const last = pools.pop();
      const into = pools.at(-1);
      into.weight += last.weight;
      into.sum += last.sum;
      into.nodes.push(...last.nodes);
    }
  });
  for (const pool of pools) for (const [node, shift] of pool.nodes) x[node] = pool.sum / pool.weight + shift;
}

// Heights of layers, points of edges, places of labels.
function drawnLayers(net, x, arrows, count) {
  const rankOf = new Int32Array(net.width.length);
  net.layers.forEach((layer, rank) => layer.forEach((node) => { rankOf[node] = rank; }));
  const labels = net.layers.map(() => []);
  for (const arrow of arrows) if (arrow.wide) labels[rankOf[arrow.chain.at(-1)]].push(arrow);
  const tops = [];
  const bottoms = [];
  let y = 0;
  net.layers.forEach((layer, rank) => {
    const high = layer.reduce((most, node) => Math.max(most, net.height[node]), 0);
    const rows = labelled(labels[rank], x);
    const isFoot = rank === net.layers.length - 1 && high <= 1;
    if (rank) y += isFoot ? GAP_FOOT : GAP_Y + Math.max(rows - 1, 0) * ROW;
    tops.push(y);
    y += high;
    bottoms.push(y);
  });
  const at = Array.from({ length: count }, (_, node) => [x[node], (tops[rankOf[node]] + bottoms[rankOf[node]]) / 2]);
  const lines = arrows.map((arrow) => {
    const points = [];
    const { from: first, to: last } = arrow;
    const bends = arrow.chain.slice(1, -1);
    const [from, to] = ends(net, x, arrow, bends);
    points.push([from, at[first][1] + net.height[first] / 2]);
    if (at[first][1] + net.height[first] / 2 < bottoms[rankOf[first]]) points.push([from, bottoms[rankOf[first]]]);
    for (const node of bends) {
      points.push([x[node], tops[rankOf[node]]]);
      if (bottoms[rankOf[node]] > tops[rankOf[node]]) points.push([x[node], bottoms[rankOf[node]]]);
    }
    const top = at[last][1] - net.height[last] / 2;
    if (top > tops[rankOf[last]]) points.push([to, tops[rankOf[last]]]);
    points.push([to, top]);
    const label = arrow.wide && arrow.row >= 0 ? [to + 7 + arrow.wide / 2, tops[rankOf[last]] - 17 - arrow.row * ROW] : null;
    if (arrow.turned) points.reverse();
    return { points, label };
  });
  return { at, lines };
}

// Gives labels above one layer rows in which they do not cover each other; what finds no room is left out.
function labelled(arrows, x) {
  const rows = [];
  const left = (arrow) => x[arrow.chain.at(-1)];
  for (const arrow of arrows.sort((a, b) => left(a) - left(b))) {
    arrow.row = rows.findIndex((right) => right <= left(arrow));
    if (arrow.row < 0 && rows.length < LABEL_ROWS) arrow.row = rows.push(0) - 1;
    if (arrow.row >= 0) rows[arrow.row] = left(arrow) + arrow.wide + 8;
  }
  return rows.length;
}

// Where a line leaves and enters, straight where the boxes allow.
function ends(net, x, arrow, bends) {
  const { from, to, out, into } = arrow;
  const within = (wanted, node, shift) => {
    if (shift !== null) return x[node] + shift;
    const room = Math.max(net.width[node] / 2 - 10, 0);
    return Math.min(Math.max(wanted, x[node] - room), x[node] + room);
  };
  if (bends.length) return [within(x[bends[0]], from, out), within(x[bends.at(-1)], to, into)];
  const between = (x[from] + (out || 0) + x[to] + (into || 0)) / 2;
  const end = within(out === null ? between : x[from] + out, to, into);
  const start = within(end, from, out);
  return [start, within(start, to, into)];
}
