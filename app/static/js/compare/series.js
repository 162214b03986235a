// The points of one run's series on a chosen axis, smoothed and cut to what is in view.

const XS = { step: 'steps', epoch: 'epochs', time: 'times' };

/** [x, y] pairs: x in steps, epochs or minutes, y in the unit that is shown; what is not there is null. */
export function pairs(series, axis, scale, log) {
  const xs = series[XS[axis]], divide = axis === 'time' ? 60 : 1;
  return series.values.map((y, at) => [xs[at] / divide, y === null || (log && y <= 0) ? null : y / scale]);
}

/** Exponential moving average, corrected for its start. A sampled series has wider gaps: each point counts for as
    many as it stands for, so that the curve is as smooth as that of all points. A gap stays a gap. */
export function smooth(points, series, weight) {
  const { steps } = series, stride = Math.max(1, (steps.at(-1) - steps[0]) / Math.max(1, series.points - 1));
  let average = 0, total = 0, before = steps[0] - stride;
  return points.map(([x, y], at) => {
    if (y === null) return [x, null];
    const kept = weight ** Math.max(1, (steps[at] - before) / stride);
    before = steps[at];
    average = kept * average + (1 - kept) * y;
    total = kept * total + (1 - kept);
    return [x, average / total];
  });
}

/** What lies in [from, to], and one point more at either side, so that lines reach the edge. */
export function within(points, [from, to]) {
  const first = points.findIndex(([x]) => x >= from), last = points.findLastIndex(([x]) => x <= to);
  return first < 0 || last < 0 ? [] : points.slice(Math.max(0, first - 1), last + 2);
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
