"""Poses by OpenCV's USAC MAGSAC: pairs of images as JSON lines in, a pose and its seconds as JSON lines out.

In: {"a": [x0, y0, ...], "b": [...], "cameras": [[fx, fy, cx, cy], [fx, fy, cx, cy]], "threshold": pixels}.
OpenCV's JavaScript build has no findEssentialMat, so this is Python's.
"""
import json
import sys
import time

import cv2
import numpy as np

print(json.dumps({"version": cv2.__version__}), flush=True)
for line in sys.stdin:
    pair = json.loads(line)
    points = []
    for name, (fx, fy, cx, cy) in zip("ab", pair["cameras"]):
        points.append((np.array(pair[name], np.float64).reshape(-1, 2) - [cx, cy]) / [fx, fy])
    focal = np.mean([camera[:2] for camera in pair["cameras"]])
    start = time.process_time()
    found = None
    if len(points[0]) >= 6:
        essential, mask = cv2.findEssentialMat(
            points[0], points[1], np.eye(3), cv2.USAC_MAGSAC, 0.9999, pair["threshold"] / focal, 10000
        )
        if essential is not None and essential.shape == (3, 3):
            count, rotation, translation, _ = cv2.recoverPose(essential, points[0], points[1], np.eye(3), mask=mask)
            found = {"rotation": rotation.ravel().tolist(), "translation": translation.ravel().tolist()}
    print(json.dumps({"pose": found, "ms": 1000 * (time.process_time() - start)}), flush=True)
