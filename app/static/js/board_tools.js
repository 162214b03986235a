// The leaderboard's filter and columns: the cursor goes to what is wrong, the chooser finds a column by its name.
const filter = document.querySelector('[data-wrong-at]');
if (filter) {
  const from = Number(filter.dataset.wrongAt);
  filter.focus();
  filter.setSelectionRange(from, from + Number(filter.dataset.wrongLength));
  // On a phone the field comes to the foot of the window, and what is wrong with it would be below that.
  document.querySelector('.wrong').scrollIntoView({ block: 'nearest' });
}

for (const form of document.querySelectorAll('[data-columns]')) {
  const find = form.querySelector('[data-find]');
  find.parentElement.hidden = false;
  find.addEventListener('input', () => {
    const words = find.value.toLowerCase().split(/\s+/);
    for (const choice of form.querySelectorAll('[data-choice]')) {
      choice.hidden = !words.every(word => choice.dataset.choice.includes(word));
    }
    for (const group of form.querySelectorAll('fieldset')) {
      group.hidden = !group.querySelector('[data-choice]:not([hidden])');
    }
  });
  // Enter in the search would send the form with what is ticked, which nobody who searches means.
  find.addEventListener('keydown', event => { if (event.key === 'Enter') event.preventDefault(); });
  form.closest('details').addEventListener('toggle', event => { if (event.target.open) find.focus(); });
}
