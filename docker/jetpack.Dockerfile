# syntax=docker/dockerfile:1
# segpp-deploy on a Jetson Orin with JetPack 6: its TensorRT, the plugins compiled for it, ONNX Runtime and PyTorch on
# the CPU. To be built on the Jetson.
#
#   docker build -f docker/jetpack.Dockerfile -t segpp-deploy:jetpack --build-arg COMMIT="$(git describe --always --dirty)" .
#   docker run --rm --runtime nvidia segpp-deploy:jetpack
#   docker run --rm --runtime nvidia --user "$(id -u)" --volume "$PWD:/work" segpp-deploy:jetpack \
#       build-engine fast.onnx --target tensorrt -o fast.engine
#
# L4T is the release below the JetPack of the Jetson: r36.4.0 is JetPack 6.1, with TensorRT 10.3 and CUDA 12.6.
ARG L4T=r36.4.0

FROM nvcr.io/nvidia/l4t-jetpack:${L4T} AS wheel
ARG COMMIT=
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY models models
COPY plugins plugins
COPY segpp_deploy segpp_deploy
RUN if [ -n "$COMMIT" ]; then echo "$COMMIT" > segpp_deploy/COMMIT; fi \
    && python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM nvcr.io/nvidia/l4t-jetpack:${L4T}
ARG EXTRAS=cpu,report
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake g++ ninja-build python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY constraints/cpu.txt /opt/segpp/constraints.txt
COPY --from=wheel /wheels /opt/segpp/wheels
ENV PATH=/opt/segpp/venv/bin:$PATH
# TensorRT's module is JetPack's, which the environment sees. The bindings have to be those of its CUDA 12.
RUN python3 -m venv --system-site-packages /opt/segpp/venv \
    && sed -i '/^cuda-bindings/d' /opt/segpp/constraints.txt \
    && pip install --no-cache-dir --constraint /opt/segpp/constraints.txt \
        "$(echo /opt/segpp/wheels/segpp_deploy-*.whl)[$EXTRAS]" 'cuda-bindings>=12.6,<13'
RUN SEGPP_CACHE=/tmp/segpp segpp-deploy plugins build --arch 87 \
    && mv /tmp/segpp/plugins/cuda-* /opt/segpp/plugins \
    && rm -r /tmp/segpp
ENV SEGPP_PLUGIN_LIBRARY=/opt/segpp/plugins/libsegpp_plugins.so
# PyTorch 2.10 asks for the user's name, which the number given with --user need not have.
ENV USER=segpp
RUN useradd --create-home --uid 10001 --groups video segpp
USER 10001
WORKDIR /work
ENTRYPOINT ["segpp-deploy"]
CMD ["doctor"]
