// The tip of a chart whose items stand for runs: elements with classes, as the page's CSP asks for.
import { tooltip } from '../charts.js';

/** `rows(item)` gives a heading, then [name, value] each. */
export const itemTip = rows => ({ ...tooltip(points => rows(points[0])), trigger: 'item' });
