// Loaded in <head> without defer, so that the right theme is there before the first paint.
(function () {
  var kept = null;
  try { kept = localStorage.getItem('theme'); } catch (e) { /* storage may be blocked */ }
  var system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  document.documentElement.dataset.bsTheme = kept || system;
})();
