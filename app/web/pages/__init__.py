"""The pages: server-rendered, usable without scripts. Each reads rows and shows a template; forms post and redirect."""

from app.web.pages import chip, login, queue

ROUTERS = (
    queue.router,
    login.router,
    chip.router,
)
