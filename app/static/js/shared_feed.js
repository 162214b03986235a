// One stream for all tabs of a browser: a browser has six connections to a server, and a stream takes one for good.
import { Feed } from './feed.js';

const tabs = new Set();
const feed = new Feed(message => { for (const tab of tabs) tab.postMessage(message); });

addEventListener('connect', ({ ports: [tab] }) => {
  tabs.add(tab);
  tab.addEventListener('message', () => { // all that a tab says is that it goes
    tabs.delete(tab);
    if (!tabs.size) feed.close();
  });
  tab.start();
  feed.open();
  feed.greet(message => tab.postMessage(message));
});
