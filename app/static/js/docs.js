// The page /docs: swagger-ui from npm, started from here because the page allows no inline script.
(function () {
  const root = document.documentElement;
  // swagger-ui has a class of its own for dark; ours is an attribute that the switch changes.
  const follow = () => root.classList.toggle('dark-mode', root.dataset.bsTheme === 'dark');
  follow();
  new MutationObserver(follow).observe(root, { attributeFilter: ['data-bs-theme'] });
  SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // it would ask a server elsewhere
  });
})();
