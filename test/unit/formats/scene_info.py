"""argv[1] "write": writes scene_info files into the folder argv[2] as D2-Net's tools do, in several ways; prints {}.
argv[1] "read": loads the file argv[2] as D2-Net's data set does and prints it as JSON."""

import json
import os
import sys

import numpy as np


def scene(with_none, numpy_scalars):
    number = np.float64 if numpy_scalars else float
    intrinsics = [np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]) * (i + 1) for i in range(3)]
    poses = [np.vstack([np.arange(12.0).reshape(3, 4) + i, [0, 0, 0, 1]]) for i in range(3)]
    names = ["a/%s.jpg" % name for name in ("one", "zwölf", "x" * 20)]
    depths = ["d/%d.h5" % i for i in range(3)]
    places = [{k: [number(k + 0.5), number(i)] for k in range(0, 3000 if i == 0 else i, 2)} for i in range(3)]
    ndepths = [{k: number(1 / (k + 1)) for k in reversed(list(place))} for place in places]
    if with_none:
        names[1] = depths[1] = intrinsics[1] = poses[1] = None
        ndepths[1] = {}
    counts = [len(place) for place in places]
    matrix = np.arange(9.0).reshape(3, 3)
    return dict(
        image_paths=names,
        depth_paths=depths,
        intrinsics=np.array(intrinsics, dtype=object) if with_none else intrinsics,
        poses=np.array(poses, dtype=object) if with_none else poses,
        overlap_matrix=matrix,
        scale_ratio_matrix=matrix + 10,
        angles=matrix + 20,
        n_points3D=counts,
        points3D_id_to_2D=places,
        points3D_id_to_ndepth=ndepths,
    )


if sys.argv[1] == "write":
    folder = sys.argv[2]
    np.savez(os.path.join(folder, "plain.npz"), **scene(False, False))
    np.savez(os.path.join(folder, "none.npz"), **scene(True, False))
    np.savez_compressed(os.path.join(folder, "scalars.npz"), **scene(True, True))
    print("{}")
else:
    data = np.load(sys.argv[2], allow_pickle=True)
    print(
        json.dumps(
            {
                "names": data.files,
                "types": {name: str(data[name].dtype) for name in data.files},
                "image_paths": data["image_paths"].tolist(),
                "depth_paths": data["depth_paths"].tolist(),
                "intrinsics": [None if k is None else [str(k.dtype), k.tolist()] for k in data["intrinsics"]],
                "poses": [None if p is None else [str(p.dtype), p.tolist()] for p in data["poses"]],
                "overlap_matrix": data["overlap_matrix"].tolist(),
                "scale_ratio_matrix": data["scale_ratio_matrix"].tolist(),
                "angles": data["angles"].tolist(),
                "n_points3D": data["n_points3D"].tolist(),
                "points3D_id_to_2D": [list(d.items()) for d in data["points3D_id_to_2D"]],
                "points3D_id_to_ndepth": [list(d.items()) for d in data["points3D_id_to_ndepth"]],
                # What the data set does with them.
                "shared": len(data["points3D_id_to_2D"][0].keys() & data["points3D_id_to_2D"][1].keys()),
            }
        )
    )
