// The series of a run as its charts have them: read once, then extended by the points that events bring.
export const MOST_POINTS = 2000;

export const fetchSeries = async (run, query = '') => {
  const answer = await fetch(`/api/v1/runs/${run}/metrics?max_points=${MOST_POINTS}${query}`);
  return answer.ok ? (await answer.json()).series : [];
};

export class Series {
  steps = []; values = []; times = []; epochs = [];
  points = 0; // that there are; more than `steps` has where the server left some out
  sampled = false;

  get last() { return this.steps.at(-1) ?? -1; }

  /** An answer of the server with points after the last one. */
  add({ steps, values, times, epochs, points, sampled }) {
    this.points += points;
    this.sampled ||= sampled;
    steps.forEach((step, at) => this.put(step, values[at], times[at], epochs[at]));
  }

  /** A point at the end, or in place of that of the last step; an earlier one is known. */
  put(step, value, time, epoch) {
    if (step < this.last) return;
    const at = step === this.last ? this.steps.length - 1 : this.steps.length;
    this.steps[at] = step; this.values[at] = value; this.times[at] = time; this.epochs[at] = epoch;
  }

  /** A point of an event. */
  take(point) {
    if (point[0] > this.last) this.points += 1;
    this.put(...point);
  }

  /** [x, y] pairs with x in steps, epochs or minutes. */
  pairs(axis, divide = 1) {
    const xs = { step: this.steps, epoch: this.epochs, time: this.times }[axis];
    const scale = axis === 'time' ? 60 : 1;
    return xs.map((x, at) => [x / scale, this.values[at] === null ? null : this.values[at] / divide]);
  }
}

/** Exponential moving average, corrected for its start; a gap stays a gap. */
export function smooth(pairs, weight) {
  let average = 0, total = 0;
  return pairs.map(([x, y]) => {
    if (y === null) return [x, null];
    average = weight * average + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return [x, average / total];
  });
}

/** All series of a run by name. */
export class RunSeries {
  #byName = new Map();

  constructor(run) { this.run = run; }

  get(name) { return this.#byName.get(name); }
  get sampled() { return [...this.#byName.values()].filter(series => series.sampled); }

  async fetch(query = '') {
    for (const found of await fetchSeries(this.run, query)) this.#named(found.name).add(found);
  }

  /** What came while no events did: those that are behind the others are asked for by their own last steps. */
  async fetchMissing() {
    const furthest = Math.max(-1, ...[...this.#byName.values()].map(series => series.last));
    const behind = [...this.#byName].filter(([, series]) => series.last < furthest).map(([name]) => name);
    await this.fetch(`&after=${furthest}`);
    await Promise.all(behind.map(name => this.fetch(`&name=${encodeURIComponent(name)}&after=${this.get(name).last}`)));
  }

  /** The points of an event. */
  take(points) {
    for (const [name, found] of Object.entries(points)) for (const point of found) this.#named(name).take(point);
  }

  #named(name) {
    if (!this.#byName.has(name)) this.#byName.set(name, new Series());
    return this.#byName.get(name);
  }
}
