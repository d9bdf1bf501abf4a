"""Labels over HTTP by Ray Serve: pictures of clients that ask at the same time share the engine's batches.

pip install segpp-deploy 'ray[serve]'
serve run ray_serve_server:app engine=fast.engine
curl --data-binary @street.jpg http://127.0.0.1:8000 -o labels.png
"""

from pathlib import Path

import cv2
import numpy as np
from ray import serve
from starlette.responses import Response

import segpp_deploy as segpp


@serve.deployment(ray_actor_options={"num_cpus": 1})
class Labels:
    def __init__(self, engine):
        self.predictor = segpp.Predictor.open(engine, threads=1)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.01)
    async def find_labels(self, images):
        return [found.labels for found in self.predictor.predict(images)]

    async def __call__(self, request):
        data = np.frombuffer(await request.body(), np.uint8)
        labels = await self.find_labels(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
        return Response(cv2.imencode(".png", labels)[1].tobytes(), media_type="image/png")


def app(arguments):
    return Labels.bind(Path(arguments["engine"]).absolute())
