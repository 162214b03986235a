// Words that were looked for are tinted where they stand, without a change to the page.
const wanted = (document.querySelector('[data-find]')?.value ?? '').toLowerCase().split(/\s+/).filter(Boolean);

function ranges(node) {
  const text = node.data.toLowerCase();
  const found = [];
  for (const word of wanted) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, Math.min(at + word.length, node.length));
      found.push(range);
    }
  }
  return found;
}

if (wanted.length && 'highlights' in CSS) {
  const found = [];
  for (const text of document.querySelectorAll('.answers .text, .answers pre')) {
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) found.push(...ranges(walker.currentNode));
  }
  CSS.highlights.set('found', new Highlight(...found));
}
