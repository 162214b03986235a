// What the server wrote into the page (runs, columns, factors), and the points of the curves, asked for by chart.

const block = document.getElementById('chart-data');
export const data = block ? JSON.parse(block.textContent) : { runs: [], curves: [], columns: [], factors: [], pair: [] };

export const runs = data.runs; // the baseline first
export const places = new Map(runs.map((run, at) => [run.id, at]));
export const column = name => data.columns.find(one => one.name === name);

// All points where they are few; the more runs, the fewer of each, and the chart says so.
const pointsOf = count => Math.max(200, Math.min(2000, Math.floor(30_000 / count)));

/** Series by run id; `within` are the first and the last step wanted. */
export async function history(name, ids, within) {
  const query = new URLSearchParams({ runs: ids.join(','), name, max_points: pointsOf(ids.length) });
  if (within) { query.set('after', within[0] - 1); query.set('before', within[1] + 1); }
  const answer = await fetch(`/api/v1/history?${query}`);
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return new Map((await answer.json()).series.map(series => [series.run, series]));
}
