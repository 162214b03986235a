// What a pointer does on curves: moves the cursor, points at the nearest curve, picks it, and zooms along the axis.
import { pick, point, toggle } from './selection.js';

const NEAR = 14, DRAG = 6;

/** `chart`: fromX (pixels to x, null far outside), nearest(left, top, reach) -> run id or null; `zoom(range)`; `cursor` of cursor.js. */
export function listen(plot, chart, cursor, zoom) {
  let start = null, frame = 0;
  const band = Object.assign(document.createElement('div'), { className: 'zoom-band', hidden: true });
  plot.append(band);
  const place = event => { const box = plot.getBoundingClientRect(); return { left: event.clientX - box.left, top: event.clientY - box.top }; };

  plot.addEventListener('pointermove', event => {
    const here = place(event);
    if (start !== null && Math.abs(here.left - start) > DRAG) {
      band.hidden = false;
      band.style.left = `${Math.min(start, here.left)}px`;
      band.style.width = `${Math.abs(here.left - start)}px`;
    }
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      const x = chart.fromX(here.left);
      if (x === null) { cursor.leave(); return; }
      if (start === null) point(chart.nearest(here.left, here.top, NEAR));
      cursor.at(x, here);
    });
  });
  plot.addEventListener('pointerleave', () => { cancelAnimationFrame(frame); cursor.leave(); point(null); });
  plot.addEventListener('pointerdown', event => {
    if (event.button !== 0 || event.pointerType === 'touch' || chart.fromX(place(event).left) === null) return;
    event.preventDefault(); // or the text of the page would be marked
    plot.setPointerCapture(event.pointerId);
    start = place(event).left;
  });
  plot.addEventListener('pointerup', event => {
    const here = place(event), from = start ?? here.left;
    start = null;
    band.hidden = true;
    if (Math.abs(here.left - from) > DRAG) { zoom([from, here.left].sort((a, b) => a - b).map(left => chart.fromX(left, Infinity))); return; }
    const id = chart.nearest(here.left, here.top, NEAR);
    if (id !== null) toggle(id);
  });
  plot.addEventListener('dblclick', () => zoom(null));
  plot.addEventListener('wheel', event => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const x = chart.fromX(place(event).left), [from, to] = chart.range();
    if (x === null) return;
    const by = event.deltaY > 0 ? 1.25 : 0.8;
    zoom([x - (x - from) * by, x + (to - x) * by]);
  }, { passive: false });
  plot.addEventListener('keydown', event => { if (event.key === 'Escape') pick([]); });
}
