#!/bin/sh
# Starts Triton on this repository: HTTP on port 8000, gRPC on 8001, metrics on 8002, all on this machine only.
#
#   TRITON_IMAGE=IMAGE ./run.sh      another container
#   HTTP_PORT=.. GRPC_PORT=.. METRICS_PORT=.. ./run.sh
#   TRITON_ADDRESS=0.0.0.0 ./run.sh  reachable from elsewhere, by everybody: the server asks for no password
#   SHARED_MEMORY=1 ./run.sh         clients on this machine may pass pictures in shared memory
#   ./run.sh --log-verbose=1         options of tritonserver
set -eu
cd "$(dirname "$0")"
. ./run.env

image=${TRITON_IMAGE:-$IMAGE}
if [ -z "$image" ]; then
  echo "No container is known whose TensorRT is the engines'. README.md names the version; TRITON_IMAGE=... ./run.sh" >&2
  exit 2
fi
address=${TRITON_ADDRESS:-127.0.0.1}

# The configurations are complete: completed by the server, they would take batches that the engines do not.
set -- tritonserver --model-repository=/models --disable-auto-complete-config "$@"
if [ -n "$PLUGINS" ]; then
  set -- "$@" "--backend-config=tensorrt,plugins=/plugins/$PLUGINS"
fi
set -- "$image" "$@"
if [ -n "$PLUGINS" ]; then
  # The backend only opens the library: its plugins have to register themselves, with the TensorRT that is there.
  set -- --volume "$PWD/plugins:/plugins:ro" --env SEGPP_REGISTER_PLUGINS=libnvinfer.so "$@"
fi
if [ -n "$GPUS" ]; then
  set -- --gpus "$GPUS" "$@"
fi
if [ -n "${SHARED_MEMORY:-}" ]; then
  set -- --ipc=host "$@"
fi
exec docker run --rm \
  --publish "$address:${HTTP_PORT:-8000}:8000" \
  --publish "$address:${GRPC_PORT:-8001}:8001" \
  --publish "$address:${METRICS_PORT:-8002}:8002" \
  --volume "$PWD/models:/models:ro" \
  "$@"
