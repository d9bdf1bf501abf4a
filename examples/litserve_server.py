"""Labels over HTTP by LitServe: pictures of clients that ask at the same time share the engine's batches.

pip install segpp-deploy litserve
python litserve_server.py fast.engine 8000
"""

import base64
import sys

import cv2
import litserve
import numpy as np

import segpp_deploy as segpp


class Labels(litserve.LitAPI):
    def setup(self, device):  # in each worker's process
        self.predictor = segpp.Predictor.open(sys.argv[1])

    def decode_request(self, request):
        data = np.frombuffer(base64.b64decode(request["image"]), np.uint8)
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def batch(self, images):
        return images  # of any sizes

    def predict(self, images):
        return [found.labels for found in self.predictor.predict(images)]

    def unbatch(self, labels):
        return labels

    def encode_response(self, labels):
        return {"labels": base64.b64encode(cv2.imencode(".png", labels)[1]).decode()}


if __name__ == "__main__":
    server = litserve.LitServer(Labels(max_batch_size=8, batch_timeout=0.01))
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)
