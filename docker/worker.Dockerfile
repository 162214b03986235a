# One worker. torch's wheels bring CUDA; the host brings the driver, through NVIDIA's container toolkit.
FROM python:3.11-slim
WORKDIR /tuneboard
COPY pyproject.toml README.md constraints.txt alembic.ini ./
# torch alone first: the large layer is kept while the program changes.
RUN pip install --no-cache-dir --constraint constraints.txt torch==2.13.0
COPY app app
COPY worker worker
COPY migrations migrations
COPY samples samples
RUN pip install --no-cache-dir --constraint constraints.txt torch==2.13.0 --editable '.[worker]' \
    && useradd --uid 1000 --create-home tuneboard \
    && install --directory --owner=tuneboard /data
# compute: CUDA; utility: the memory and name of the GPU.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER tuneboard
VOLUME /data
CMD ["tuneboard", "worker"]
