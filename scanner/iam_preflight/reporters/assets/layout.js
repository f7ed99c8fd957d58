// Places the nodes of a graph: each connected part by forces, then the parts beside each other.
// The same graph always gets the same picture: nothing here is random.
const IamLayout = (function () {
  "use strict";
  const LINK = 62;
  const REPULSION = 2600;
  const REACH = 190;
  const SPACING = 46;
  const GAP = 46;
  const COLUMN = 24;

  // The connected parts, largest first; each is a list of node indexes.
  function components(count, links) {
    const parent = new Int32Array(count);
    for (let i = 0; i < count; i += 1) parent[i] = i;
    function root(i) {
      while (parent[i] !== i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
      }
      return i;
    }
    for (const link of links) {
      const a = root(link.source);
      const b = root(link.target);
      if (a !== b) parent[Math.max(a, b)] = Math.min(a, b);
    }
    const parts = new Map();
    for (let i = 0; i < count; i += 1) {
      const top = root(i);
      if (!parts.has(top)) parts.set(top, []);
      parts.get(top).push(i);
    }
    return Array.from(parts.values()).sort((a, b) => b.length - a.length || a[0] - b[0]);
  }

  // Nodes on a spiral: well apart, and near the middle when they come early.
  function spiral(members, x, y) {
    members.forEach(function (node, index) {
      const angle = index * 2.399963;
      const radius = 24 * Math.sqrt(index);
      x[node] = radius * Math.cos(angle);
      y[node] = radius * Math.sin(angle);
    });
  }

  // One step of the forces; `heat` goes from 1 to 0.
  function step(members, links, degree, x, y, heat) {
    const cells = new Map();
    for (const node of members) {
      const key = Math.floor(x[node] / REACH) + ":" + Math.floor(y[node] / REACH);
      const cell = cells.get(key);
      if (cell) cell.push(node);
      else cells.set(key, [node]);
    }
    const move = new Map();
    for (const node of members) {
      let dx = 0;
      let dy = 0;
      const column = Math.floor(x[node] / REACH);
      const row = Math.floor(y[node] / REACH);
      for (let i = column - 1; i <= column + 1; i += 1) {
        for (let j = row - 1; j <= row + 1; j += 1) {
          for (const other of cells.get(i + ":" + j) || []) {
            if (other === node) continue;
            const ox = x[node] - x[other] || (node - other) * 0.01;
            const oy = y[node] - y[other] || 0.01;
            const square = Math.max(ox * ox + oy * oy, 25);
            if (square > REACH * REACH) continue;
            const push = REPULSION / square / Math.sqrt(square);
            dx += ox * push;
            dy += oy * push;
          }
        }
      }
      dx -= x[node] * 0.006;
      dy -= y[node] * 0.006;
      move.set(node, [dx, dy]);
    }
    for (const link of links) {
      const a = link.source;
      const b = link.target;
      const ox = x[b] - x[a];
      const oy = y[b] - y[a];
      const length = Math.sqrt(ox * ox + oy * oy) || 1;
      const pull = ((length - LINK) / length) * 0.22;
      const share = degree[b] / (degree[a] + degree[b]);
      const first = move.get(a);
      const second = move.get(b);
      first[0] += ox * pull * share;
      first[1] += oy * pull * share;
      second[0] -= ox * pull * (1 - share);
      second[1] -= oy * pull * (1 - share);
    }
    for (const [node, [dx, dy]] of move) {
      const length = Math.sqrt(dx * dx + dy * dy) || 1;
      const limit = Math.min(length, 30 * heat + 1);
      x[node] += (dx / length) * limit;
      y[node] += (dy / length) * limit;
    }
  }

  // Boxes into a picture of about the wanted ratio: each as high up, then as far left, as it fits.
  function pack(boxes, ratio) {
    const area = boxes.reduce((sum, box) => sum + (box.width + GAP) * (box.height + GAP), 0);
    const widest = boxes.reduce((most, box) => Math.max(most, box.width + GAP), 0);
    const columns = Math.max(1, Math.ceil(Math.max(Math.sqrt(area * ratio * 1.1), widest) / COLUMN));
    const skyline = new Float64Array(columns);
    for (const box of boxes) {
      const span = Math.min(columns, Math.ceil((box.width + GAP) / COLUMN));
      let best = 0;
      let lowest = Infinity;
      for (let at = 0; at + span <= columns; at += 1) {
        let top = 0;
        for (let i = at; i < at + span; i += 1) top = Math.max(top, skyline[i]);
        if (top < lowest) {
          lowest = top;
          best = at;
        }
      }
      box.left = best * COLUMN;
      box.top = lowest;
      for (let i = best; i < best + span; i += 1) skyline[i] = lowest + box.height + GAP;
    }
  }

  function boxOf(members, x, y) {
    let left = Infinity;
    let top = Infinity;
    let right = -Infinity;
    let bottom = -Infinity;
    for (const node of members) {
      left = Math.min(left, x[node]);
      top = Math.min(top, y[node]);
      right = Math.max(right, x[node]);
      bottom = Math.max(bottom, y[node]);
    }
    return { members: members, x: left, y: top, width: right - left + 30, height: bottom - top + 30 };
  }

  // Lays out in slices, so that the page stays alive; `done` is called at the end.
  function layout(count, links, ratio, x, y, done) {
    const degree = new Float64Array(count).fill(1);
    for (const link of links) {
      degree[link.source] += 1;
      degree[link.target] += 1;
    }
    const parts = components(count, links);
    const alone = parts.filter((part) => part.length === 1).map((part) => part[0]);
    const together = parts.filter((part) => part.length > 1);
    const home = new Int32Array(count);
    together.forEach(function (part, index) {
      for (const node of part) home[node] = index;
      spiral(part.slice().sort((a, b) => degree[b] - degree[a] || a - b), x, y);
    });
    const inside = together.map(() => []);
    for (const link of links) inside[home[link.source]].push(link);
    let index = 0;
    let round = 0;

    function finish() {
      const boxes = together.map((part) => boxOf(part, x, y));
      const columns = Math.max(1, Math.ceil(Math.sqrt(alone.length * ratio * 1.5)));
      alone.forEach(function (node, at) {
        x[node] = (at % columns) * SPACING;
        y[node] = Math.floor(at / columns) * SPACING;
      });
      if (alone.length) boxes.push(boxOf(alone, x, y));
      pack(boxes, ratio);
      for (const box of boxes) {
        for (const node of box.members) {
          x[node] += box.left - box.x;
          y[node] += box.top - box.y;
        }
      }
      done();
    }

    function slice() {
      const until = performance.now() + 24;
      while (index < together.length && performance.now() < until) {
        const part = together[index];
        const rounds = Math.min(320, 60 + part.length * 2);
        step(part, inside[index], degree, x, y, 1 - round / rounds);
        round += 1;
        if (round >= rounds) {
          index += 1;
          round = 0;
        }
      }
      if (index < together.length) setTimeout(slice, 0);
      else finish();
    }
    slice();
  }

  return { layout: layout, components: components };
})();
