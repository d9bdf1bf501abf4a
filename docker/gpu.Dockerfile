# syntax=docker/dockerfile:1
# segpp-deploy on x86-64 with an NVIDIA GPU: TensorRT, the plugins compiled for it, ONNX Runtime for CUDA, PyTorch.
#
#   docker build -f docker/gpu.Dockerfile -t segpp-deploy:gpu --build-arg COMMIT="$(git describe --always --dirty)" .
#   docker run --rm --gpus all segpp-deploy:gpu
#   docker run --rm --gpus all --user "$(id -u)" --volume "$PWD:/work" segpp-deploy:gpu \
#       build-engine fast.onnx --target tensorrt -o fast.engine
#
# Engines run with the version of TensorRT that built them: RELEASE is that of the containers that are to run them
# (segpp_deploy/packaging/triton/containers.py). From 25.08 on they have CUDA 13, as constraints/cpu.txt wants it.
ARG RELEASE=25.10

FROM nvcr.io/nvidia/tensorrt:${RELEASE}-py3 AS wheel
ARG COMMIT=
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY models models
COPY plugins plugins
COPY segpp_deploy segpp_deploy
RUN if [ -n "$COMMIT" ]; then echo "$COMMIT" > segpp_deploy/COMMIT; fi \
    && python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM nvcr.io/nvidia/tensorrt:${RELEASE}-py3
ARG EXTRAS=gpu,report
ARG ARCHITECTURES=75,80,86,89,90,120
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake g++ ninja-build python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY constraints/cpu.txt /opt/segpp/constraints.txt
COPY --from=wheel /wheels /opt/segpp/wheels
ENV PATH=/opt/segpp/venv/bin:$PATH
# TensorRT's module is the image's, which the environment sees; pip may bring no other version of it.
RUN python3 -m venv --system-site-packages /opt/segpp/venv \
    && python3 -c 'import tensorrt; print(f"tensorrt=={tensorrt.__version__}")' >> /opt/segpp/constraints.txt \
    && pip install --no-cache-dir --constraint /opt/segpp/constraints.txt \
        "$(echo /opt/segpp/wheels/segpp_deploy-*.whl)[$EXTRAS]"
RUN SEGPP_CACHE=/tmp/segpp segpp-deploy plugins build --arch "$ARCHITECTURES" \
    && mv /tmp/segpp/plugins/cuda-* /opt/segpp/plugins \
    && rm -r /tmp/segpp
ENV SEGPP_PLUGIN_LIBRARY=/opt/segpp/plugins/libsegpp_plugins.so
RUN useradd --create-home --uid 10001 segpp
USER 10001
WORKDIR /work
ENTRYPOINT ["segpp-deploy"]
CMD ["doctor"]
