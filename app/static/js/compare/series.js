// The points of one run's series on a chosen axis, smoothed and cut to what is in view.

const XS = { step: 'steps', epoch: 'epochs', time: 'times' };

/** [x, y] pairs: x in steps, epochs or minutes, y in the unit that is shown; what is not there is null. */
export function pairs(series, axis, scale, log) {
  const xs = series[XS[axis]], divide = axis === 'time' ? 60 : 1;
  return series.values.map((y, at) => [xs[at] / divide, y === null || (log && y <= 0) ? null : y / scale]);
}

/** Exponential moving average over the points that are here, corrected for its start; a gap stays a gap. */
export function smooth(points, weight) {
  let average = 0, total = 0;
  return points.map(([x, y]) => {
    if (y === null) return [x, null];
    average = weight * average + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return [x, average / total];
  });
}

/** What lies in [from, to], and one point more at either side, so that lines reach the edge. */
export function within(points, [from, to]) {
  const first = points.findIndex(([x]) => x >= from), last = points.findLastIndex(([x]) => x <= to);
  return first < 0 || last < 0 ? [] : points.slice(Math.max(0, first - 1), last + 2);
}

/** Where a line leaves the view: its last point, or where it crosses the edge on its way there. */
export function endOf(points, to) {
  const [before, last] = [points.at(-2), points.at(-1)];
  if (!before || before[1] === null || last[0] <= to) return last;
  return [to, before[1] + (last[1] - before[1]) * (to - before[0]) / (last[0] - before[0])];
}

/** The value of the point nearest to x, or null beyond the ends. */
export function at(points, x, reach) {
  let low = 0, high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle; else high = middle;
  }
  const near = [points[low], points[high]].filter(point => point && point[1] !== null)
    .sort((a, b) => Math.abs(a[0] - x) - Math.abs(b[0] - x))[0];
  return near && Math.abs(near[0] - x) <= reach ? near[1] : null;
}
