"""Writes files with NumPy, SciPy and h5py into the folder given, in the ways that matter to the readers; prints {}."""

import os
import sys

import h5py
import numpy as np
import scipy.io

folder = sys.argv[1]
count, dim = 5, 64
rng = np.random.RandomState(3)
keypoints = rng.rand(count, 2).astype(np.float32) * 100
scores = np.sort(rng.rand(count).astype(np.float32))[::-1].copy()
descriptors = rng.randn(count, dim).astype(np.float32)
descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)


def path(name):
    return os.path.join(folder, name)


# The plain truth, which every other file is compared with.
for name, array in {"keypoints": keypoints, "scores": scores, "descriptors": descriptors}.items():
    array.tofile(path(name + ".f32"))

# npy: orders, types, versions.
cube = np.arange(24, dtype="<i4").reshape(2, 3, 4)
np.save(path("fortran.npy"), np.asfortranarray(cube))
np.save(path("scalar.npy"), np.float64(2.5))
np.save(path("big_endian.npy"), cube.astype(">i4"))
np.save(path("object.npy"), np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
np.save(path("complex.npy"), np.ones(2, dtype=complex))
np.save(path("structured.npy"), np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(path("version%d.npy" % version[0]), "wb") as file:
        np.lib.format.write_array(file, cube, version=version)

# npz and mat as the reference writes them.
arrays = {"keypoints": keypoints, "scores": scores, "descriptors": descriptors}
np.savez(path("stored.npz"), **arrays)
np.savez_compressed(path("deflated.npz"), **arrays)
mat = dict(arrays, cube=cube, flags=np.array([[True, False, True]]), whole=np.array([[1.0, 2.0, 300.0]]))
scipy.io.savemat(path("plain.mat"), mat)
scipy.io.savemat(path("compressed.mat"), dict(mat, note="text", cell=np.array([1, "a"], dtype=object)), do_compression=True)
scipy.io.savemat(path("complex.mat"), {"z": np.ones((2, 2), dtype=complex)})

# HDF5 as hloc writes it: half floats, names with slashes, the newest format; and plain, big-endian, compressed.
for name, dtype, libver in [("half.h5", np.float16, "latest"), ("single.h5", np.float32, "earliest"), ("big.h5", ">f4", None)]:
    with h5py.File(path(name), "a", libver=libver) as file:
        for image in ["db/1.jpg", "query/night/2.jpg"]:
            group = file.create_group(image)
            group.create_dataset("keypoints", data=keypoints.astype(dtype))
            group.create_dataset("scores", data=scores.astype(dtype))
            kwargs = {"compression": "gzip", "shuffle": True} if name == "single.h5" else {}
            group.create_dataset("descriptors", data=descriptors.T.astype(dtype), **kwargs)
            group.create_dataset("image_size", data=np.array([640, 480]))
            group["keypoints"].attrs["uncertainty"] = 1.0

with h5py.File(path("matches.h5"), "w", libver="latest") as file:
    group = file.create_group("db-1.jpg").create_group("query-night-2.jpg")
    group.create_dataset("matches0", data=np.array([3, -1, 0], dtype=np.int16))
    group.create_dataset("matching_scores0", data=np.array([0.5, 0, 0.25], dtype=np.float16))

with h5py.File(path("other.h5"), "w") as file:
    file["image/keypoints"] = np.array([b"text"])
    file["image/scores"] = np.zeros(3)

print("{}")
