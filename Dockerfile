# MaxFT with its engine, for `compose.yaml` or alone:
#
#   docker build -t maxft .
#   docker run -p 127.0.0.1:8000:8000 -v maxft:/data maxft
#
# Torch decides what the image can use. The build of the default index runs on NVIDIA GPUs (and on
# CPUs). For another one, such as the much smaller one for CPUs alone, give the address of its index,
# which PyTorch's page "Get Started" shows, and leave the quantization for CUDA out:
#
#   docker build -t maxft --build-arg TORCH_INDEX=ADDRESS --build-arg QUANTIZATION= .

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS wheel
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM python:${PYTHON}-slim
ARG QUANTIZATION=requirements-quantization.lock
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /versions
# From what changes least to what changes most: a new release is a layer of some megabytes.
COPY constraints.txt requirements.lock requirements-quantization.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock ${QUANTIZATION:+-r $QUANTIZATION}
# hadolint ignore=DL3059 # a layer of its own: torch is most of the image
RUN pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} torch
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --no-deps /wheel/*.whl

RUN useradd --uid 10001 --create-home maxft && install -d -o maxft -g maxft -m 700 /data
USER 10001
WORKDIR /data
VOLUME /data
ENV MAXFT_DATA_DIR=/data HF_HOME=/data/huggingface PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
ENTRYPOINT ["maxft"]
# Plain within the container: what publishes the port decides who reaches it.
CMD ["up", "--host", "0.0.0.0", "--plain-http", "--no-browser"]
