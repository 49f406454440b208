"use strict";
/* global around, titlePlace, letters, HEAD */
// A picture much taller than the window in columns, as `place/columns.py` has it for pictures on paper: cut between
// boxes, where few lines pass; a line that is cut runs on from the foot of one column to the head of the next, and a
// frame higher than a column goes on under its name. Nothing is laid out anew.

const TALL = 1.4; // times as high as the window's proportions want it
const LARGE = 900; // what is no higher stays as it is
const NARROW = 700; // pixels: a window that has no room for columns side by side
const MOST_WRAPPED = 1500; // boxes
const MOST_COLUMNS = 8;
const MOST_CUT = 5; // lines that may run from one column to the next
const WHOLE = 0.5; // of the height of a column: frames that are no higher are not cut
const KEPT = 1.1; // the same, for one that is kept whole
const HALVINGS = 10; // of the range in which the height of even columns is looked for
const DETOUR = 0.04; // of a column's height that a cut through one line less is worth
const GAP = 40; // between columns
const LANE = 8; // between lines that run side by side
const CLEAR = 10; // of labels and arrows

// Returns a layout in as many columns as come nearest to a window of this size; unchanged if none do. One frame, that
// which was opened last, is kept whole where a column has room for it.
function inColumns(layout, wide, high, kept) {
  const proportion = wide / high;
  if (wide < NARROW || layout.boxes.size > MOST_WRAPPED || layout.height <= Math.max(LARGE, (TALL * layout.width) / proportion)) return layout;
  const crossed = counted(layout.segments.map((segment) => ({ ...segment, span: span(segment) })));
  const places = gaps(layout).filter(({ height }) => crossed(height) <= MOST_CUT);
  let best = { layout, far: Math.max(layout.width / proportion, layout.height) };
  for (let number = 2; number <= MOST_COLUMNS; number += 1) {
    const cuts = cutsFor(layout, number, places, crossed, layout.frames.get(kept));
    if (!cuts.length || (best.cuts && cuts.join() === best.cuts.join())) continue;
    const plan = planned(layout, cuts);
    const far = Math.max(plan.width / proportion, plan.height);
    if (far < best.far) best = { plan, far, cuts };
  }
  return best.plan ? wrapped(layout, best.plan) : layout;
}

// The heights between which a line is, its label and its arrow included.
function span({ points, at, ends }) {
  let [low, high] = at ? [at[1], at[1]] : [Infinity, -Infinity];
  for (const [, y] of points) {
    low = Math.min(low, y);
    high = Math.max(high, y);
  }
  return [low - CLEAR, high + (ends ? 2 : 1) * CLEAR];
}

// How many lines pass a height; Infinity where one turns, has its label or its arrow there.
function counted(lines) {
  const known = new Map();
  return (height) => {
    if (!known.has(height)) {
      const there = lines.filter(({ span: [low, high] }) => low < height && height < high);
      known.set(height, there.every((line) => isClean(line, height)) ? there.length : Infinity);
    }
    return known.get(height);
  };
}

function isClean({ points, at, ends }, height) {
  const passes = points.filter((point, next) => next && point[1] < height !== points[next - 1][1] < height).length;
  if (passes > 1 || (at && Math.abs(at[1] - height) < CLEAR)) return false;
  return Math.abs(points[0][1] - height) > 3 && Math.abs(points.at(-1)[1] - height) > (ends ? CLEAR : 3);
}

// Where to cut for so many columns, as even as can be, each cut where few lines pass; none if it cannot. Frames that a
// column has much room for stay whole.
function cutsFor(layout, number, places, crossed, kept) {
  const room = layout.height / number;
  const isWhole = (frame) => frame.height <= (frame === kept ? KEPT : WHOLE) * room;
  const allowed = places.filter(({ frames }) => !frames.some(isWhole)).map(({ height }) => height);
  let [low, high, best] = [layout.height / number, layout.height, []];
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const height = (low + high) / 2;
    const cuts = cutsWithin(layout.height, height, allowed, crossed);
    if (!cuts || cuts.length >= number) low = height;
    else [best, high] = [cuts, height];
  }
  return best;
}

// Cuts that leave no column higher than this; null if there are none.
function cutsWithin(whole, height, allowed, crossed) {
  const cuts = [0];
  while (whole - cuts.at(-1) > height) {
    const last = cuts.at(-1);
    const worth = (place) => place - DETOUR * height * crossed(place);
    const within = allowed.filter((place) => last < place && place <= last + height);
    if (!within.length) return null;
    cuts.push(within.reduce((best, place) => (worth(place) > worth(best) ? place : best)));
  }
  return cuts.slice(1);
}

// Heights at which a line across the picture meets no box, each with the frames that it cuts. Of a frame that is cut each
// part holds a box: where frames end or begin between two boxes, the line runs below those and above these.
function gaps(layout) {
  const frames = [...layout.frames.values()];
  const heads = frames.map(({ y }) => y).sort((a, b) => a - b);
  const feet = frames.map(({ y, height }) => y + height).sort((a, b) => a - b);
  const boxes = [...layout.boxes.values()].sort((a, b) => a.y - b.y);
  const found = [];
  let low = boxes[0].y + boxes[0].height;
  for (const { y, height } of boxes.slice(1)) {
    if (y > low) {
      const from = Math.max(low, feet[countBelow(feet, y) - 1] ?? low);
      const to = Math.min(y, heads[countBelow(heads, low)] ?? y);
      found.push(...[from + 5, from + 14].filter((place) => place < to - 4));
    }
    low = Math.max(low, y + height);
  }
  const all = found.map((place) => ({ height: place, frames: cutFrames(layout, place).map(([, frame]) => frame) }));
  return all.filter(({ height: at, frames: cut }) => cut.every(({ y, height }) => at - y > HEAD && y + height - at > HEAD));
}

// How many of sorted numbers are smaller.
function countBelow(sorted, limit) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

// In which column something is that stands at a height.
function columnOf(cuts, height) {
  let column = 0;
  while (column < cuts.length && cuts[column] <= height) column += 1;
  return column;
}

function cutFrames(layout, height) {
  const found = [];
  for (const entry of layout.frames) if (entry[1].y < height && height < entry[1].y + entry[1].height) found.push(entry);
  return found.sort(([, a], [, b]) => b.width - a.width);
}

// Where the columns are: how far each is moved, where it ends, which lines run on from it, and what its head holds.
function planned(layout, cuts) {
  const starts = [0, ...cuts];
  const ends = [...cuts, layout.height];
  const pieces = layout.segments.map(({ points }) => cutLine(points, cuts));
  const lanes = cuts.map((_, cut) => laneOrder(pieces, cut));
  const heads = starts.map((start) => HEAD * cutFrames(layout, start).length);
  const margin = LANE * (Math.max(...lanes.map((lane) => lane.length)) + 1);
  const [shifts, rights] = [[], []];
  reached(layout, pieces, cuts).forEach(([left, right], column) => {
    const begin = column ? rights[column - 1] + GAP + LANE * lanes[column - 1].length : 0;
    shifts.push([begin - left, margin + heads[column] - starts[column]]);
    rights.push(begin + right - left);
  });
  const tallest = Math.max(...starts.map((start, column) => ends[column] - start + heads[column]));
  return { cuts, pieces, lanes, heads, shifts, rights, width: rights.at(-1) + 8, height: tallest + 2 * margin };
}

// What a line is cut into, in its own direction: [column, points] of each piece.
function cutLine(points, cuts) {
  const found = [];
  let piece = [points[0]];
  let column = columnOf(cuts, points[0][1]);
  for (let next = 1; next < points.length; next += 1) {
    const [from, to] = [points[next - 1], points[next]];
    const end = columnOf(cuts, to[1]);
    while (column !== end) {
      const cut = cuts[end > column ? column : column - 1];
      const passing = [from[0] + ((to[0] - from[0]) * (cut - from[1])) / (to[1] - from[1]), cut];
      found.push([column, [...piece, passing]]);
      piece = [passing];
      column += end > column ? 1 : -1;
    }
    piece.push(to);
  }
  return [...found, [column, piece]];
}

// The lines that run over a cut, from right to left.
function laneOrder(pieces, cut) {
  const found = [];
  pieces.forEach((parts, index) => {
    for (let next = 1; next < parts.length; next += 1) {
      if (Math.min(parts[next - 1][0], parts[next][0]) === cut) found.push([index, parts[next - 1][1].at(-1)[0]]);
    }
  });
  return found.sort((a, b) => b[1] - a[1]).map(([index]) => index);
}

// How far left and right something in each column reaches.
function reached(layout, pieces, cuts) {
  const found = [0, ...cuts].map(() => [Infinity, -Infinity]);
  const take = (column, left, right) => {
    found[column] = [Math.min(found[column][0], left), Math.max(found[column][1], right)];
  };
  for (const { x, y, width, height } of [...layout.boxes.values(), ...layout.frames.values()]) {
    for (let column = columnOf(cuts, y); column <= columnOf(cuts, y + height); column += 1) take(column, x, x + width);
  }
  for (const parts of pieces) for (const [column, points] of parts) for (const [x] of points) take(column, x - 2, x + 2);
  for (const { at, label } of layout.segments) if (at) take(columnOf(cuts, at[1]), at[0] - letters(label) * 3, at[0] + letters(label) * 3);
  return found;
}

// The layout in its columns.
function wrapped(layout, plan) {
  const moved = ([x, y], column) => [x + plan.shifts[column][0], y + plan.shifts[column][1]];
  const boxes = new Map();
  for (const [index, place] of layout.boxes) {
    const [x, y] = moved([place.x, place.y], columnOf(plan.cuts, place.y));
    boxes.set(index, { ...place, x, y });
  }
  const frames = new Map();
  for (const [index, place] of layout.frames) {
    const parts = frameParts(layout, index, place, plan, moved);
    frames.set(index, { ...parts[0], more: parts.slice(1) });
  }
  const segments = layout.segments.map((segment, index) => {
    const points = onward(index, plan, moved);
    return { ...segment, points, around: around(points), at: segment.at && moved(segment.at, columnOf(plan.cuts, segment.at[1])) };
  });
  return { boxes, frames, segments, width: plan.width, height: plan.height };
}

// What a frame is cut into; parts but the first have its name at the head again, where no line runs through it.
function frameParts(layout, index, place, plan, moved) {
  const through = plan.cuts.filter((cut) => place.y < cut && cut < place.y + place.height);
  const ends = [...through, place.y + place.height];
  return [place.y, ...through].map((start, number) => {
    const column = columnOf(plan.cuts, start);
    const [x, y] = moved([place.x, start], column);
    if (!number) return { ...place, x, y, height: ends[0] - start };
    const frames = cutFrames(layout, start);
    const head = HEAD * (frames.length - frames.findIndex(([other]) => other === index));
    const entering = plan.lanes[column - 1].map((line) => headOf(plan.pieces[line], column)[0] - place.x).sort((a, b) => a - b);
    const title = titlePlace(entering, place.room, place.width);
    return { ...place, x, y: y - head, height: ends[number] - start + head, title: title + place.room <= place.width ? title : null };
  });
}

// Where a line enters a column at its head.
function headOf(parts, column) {
  const at = parts.findIndex((part, next) => part[0] === column && (parts[next - 1]?.[0] === column - 1 || parts[next + 1]?.[0] === column - 1));
  const isDown = parts[at - 1]?.[0] === column - 1;
  return isDown ? parts[at][1][0] : parts[at][1].at(-1);
}

// A line through the columns. Which one turns first at the foot turns last at the head, so that no two of them cross.
function onward(index, plan, moved) {
  const pieces = plan.pieces[index].map(([column, points]) => [column, points.map((point) => moved(point, column))]);
  let line = pieces[0][1];
  for (let next = 1; next < pieces.length; next += 1) {
    const [before, [column, points]] = [pieces[next - 1][0], pieces[next]];
    const cut = Math.min(before, column);
    const rank = plan.lanes[cut].indexOf(index);
    const [foot, head] = before < column ? [line.at(-1), points[0]] : [points[0], line.at(-1)];
    const low = foot[1] + LANE * (rank + 1);
    const high = head[1] - plan.heads[cut + 1] - LANE * (plan.lanes[cut].length - rank);
    const between = plan.rights[cut] + GAP / 2 + LANE * rank;
    const bridge = [[foot[0], low], [between, low], [between, high], [head[0], high]];
    line = [...line.slice(0, -1), ...(before < column ? bridge : bridge.reverse()), ...points.slice(1)];
  }
  return line;
}
